"""The record of an integration: what was applied, when, by which version, and what the proofs saw."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from agencystack.engine.context import now
from agencystack.engine.recordfile import SCHEMA, load
from agencystack.engine.values import masked
from agencystack.stack.files import explained, private_folder, write_atomically

WITHOUT = "or remove it: the live state is read anyway, only its history is lost"


class ProofRecord(BaseModel):
    """What one proof saw, for which state of the integration."""

    model_config = ConfigDict(extra="forbid")

    name: str
    ok: bool
    reason: str = ""
    evidence: dict[str, Any] = {}
    seconds: float
    at: str
    fingerprint: str
    component_version: str | None = None


class Record(BaseModel):
    """One integration of one client, as a person may read it under ``integrations/state/``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    client: str
    type: str
    application: str
    version: int
    agencystack_version: str
    component_version: str | None = None
    fingerprint: str
    applied_at: str
    applied_by: str
    run: str
    resources: dict[str, str] = {}
    proofs: list[ProofRecord] = []

    @property
    def verified_at(self) -> str | None:
        """The time of the oldest of the current proofs, if all of them passed; None otherwise."""
        current = [proof for proof in self.proofs if proof.fingerprint == self.fingerprint]
        if not current or not all(proof.ok for proof in current):
            return None
        return min(proof.at for proof in current)


class Records:
    """Reads and writes records, atomically; content that did not move is not written.

    Args:
        state_dir: ``integrations/state``.
    """

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir

    def get(self, client: str, type: str, application: str) -> Record | None:  # noqa: A002
        """Return a record, or None when the integration was never applied."""
        return load(self._path(client, type, application), Record, WITHOUT)

    def put(self, record: Record) -> None:
        """Write a record unless it already says exactly this."""
        path = self._path(record.client, record.type, record.application)
        data = (record.model_dump_json(indent=2) + "\n").encode()
        if not path.exists() or path.read_bytes() != data:
            write_atomically(path, data, 0o600)

    def delete(self, client: str, type: str, application: str) -> None:  # noqa: A002
        """Remove a record: the integration is undone."""
        self._path(client, type, application).unlink(missing_ok=True)

    def all(self) -> Iterator[Record]:
        """Yield every record."""
        for path in sorted(self._dir.glob("*/*/*.json")):
            record = load(path, Record, WITHOUT) if path.parent.name != "resources" else None
            if record is not None:
                yield record

    def history(self, line: Mapping[str, Any]) -> None:
        """Append one line to ``history.jsonl``, which only grows."""
        path = self._dir / "history.jsonl"
        private_folder(path.parent)
        data = json.dumps(masked({"at": now(), **line}), ensure_ascii=False) + "\n"
        with explained(path):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, data.encode())
                os.fsync(handle)
            finally:
                os.close(handle)

    def _path(self, client: str, type: str, application: str) -> Path:  # noqa: A002
        return self._dir / client / type / f"{application}.json"
