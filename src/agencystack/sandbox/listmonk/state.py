"""What Listmonk keeps of its settings, and what its process has loaded of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agencystack.sandbox.listmonk.sending import can_start_with

VERSION = "v6.2.0"


@dataclass
class State:
    """What the real one keeps in its database, and what its process has loaded from it."""

    path: Path
    settings: dict[str, Any]
    running: dict[str, Any] | None = None
    needs_restart: bool = False
    restart_at: float | None = None
    log: list[str] = field(default_factory=list)

    @classmethod
    def kept_in(cls, path: Path, factory: dict[str, Any]) -> State:
        """Return what ``path`` holds, a fresh install where there is none."""
        state = cls(path, json.loads(path.read_text()) if path.exists() else factory)
        state.save()
        return state

    def in_use(self) -> dict[str, Any]:
        """Return the settings the program runs with."""
        return self.running or {}

    def save(self) -> None:
        """Write the settings, with passwords in clear as the real database has them."""
        draft = self.path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.settings, file, indent=1)
        draft.replace(self.path)

    def start(self) -> None:
        """Load the settings, as a start of the program does; it stays down with values it cannot use."""
        now = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
        self.log = [f"{now} main.go:106: {VERSION}", f"{now} init.go:191: reading config: config.toml"]
        self.needs_restart, self.restart_at = False, None
        usable = all(can_start_with(block) for block in self.settings["smtp"] if block["enabled"])
        self.running = json.loads(json.dumps(self.settings)) if usable else None
