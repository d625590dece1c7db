"""The programs a sandbox runs, each started, watched and ended in the same way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from agencystack.stack.errors import AgencyStackError

# What a detached program needs of our environment; the rest may hold secrets and would stay readable for its life.
KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER")
LOG_TAIL_LINES = 15


class Service(Protocol):
    """One program, or a few that belong together."""

    @property
    def name(self) -> str:
        """What it is, for a person and for file names."""

    def is_up(self) -> bool:
        """Say whether all of it runs and answers."""

    def records(self) -> list[Path]:
        """Return what says that it was started and not yet ended by us, dead or alive."""

    def start(self) -> None:
        """Start it, or what of it has died, and return once it answers; nothing is left running when it cannot.

        Raises:
            AgencyStackError: it did not begin to answer in time.
        """

    def stop(self) -> bool:
        """End what we started of it; say whether any of it was running."""


def kept_environment() -> dict[str, str]:
    """Return the part of our environment that a detached program gets."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def not_started(what: str, log: Path) -> AgencyStackError:
    """Return an error with the end of the program's log, which says why."""
    tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if log.exists() else []
    return AgencyStackError("\n  ".join([what, *tail]), remedy=f"read {log}")
