"""Marks an integration that was changed and not yet proven, so that also a run after a crash knows the way back."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agencystack.engine.recordfile import SCHEMA, load
from agencystack.engine.records import Record
from agencystack.stack.files import write_atomically

WITHOUT = "or remove it: what an unfinished run changed then stays, and `agencystack undo` still takes it back"


class Mark(BaseModel):
    """From when on an integration is not proven.

    Args:
        run: the run that began to change it.
        before: what was on record before that run.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    run: str
    before: Record | None = None


class Unproven:
    """Keeps one mark per integration that takes itself back when its proof fails.

    Args:
        state_dir: ``integrations/state``.
    """

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir

    def begin(self, name: str, run: str, before: Record | None) -> None:
        """Mark an integration before its first write; the mark of a run that died before this one stays.

        Args:
            name: ``acme/sso/wordpress``.
            run: id of this run.
            before: its record, as the last proven run left it.
        """
        path = self._path(name)
        if not path.exists():
            mark = Mark(run=run, before=before)
            write_atomically(path, (mark.model_dump_json(indent=2) + "\n").encode(), 0o600)

    def since(self, name: str) -> Mark | None:
        """Return the mark, None where everything was proven or taken back."""
        return load(self._path(name), Mark, WITHOUT)

    def settle(self, name: str) -> None:
        """Drop the mark: it was proven, or is as it was before."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._dir / f"{name}.unproven"
