"""What a part of the stand-in keeps: one JSON file, written at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Kept:
    """Rows of several kinds, by kind and then by uid.

    Args:
        path: of the file, with secrets in clear; the real Grafana encrypts them with a key of its own.
        kinds: that are kept.
    """

    def __init__(self, path: Path, *kinds: str) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        for kind in kinds:
            self._rows.setdefault(kind, {})

    def __getitem__(self, kind: str) -> dict[str, Any]:
        return self._rows[kind]

    def save(self) -> None:
        """Write everything."""
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._rows, file, indent=1)
        draft.replace(self._path)
