"""One run at a time per client, and for what all clients share only as long as it is being changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from agencystack.engine.context import now
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.files import explained, private_folder

# Another run holds the shared part for one write at a time; longer means that it hangs.
SHARED_WAIT = 300.0


class Busy(AgencyStackError):
    """Another run is at work on the same client."""

    code = "busy"


class Locks:
    """The locks of one installation.

    Args:
        state_dir: ``integrations/state``; the locks are ``<client>/.lock``.
    """

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir

    @contextmanager
    def clients(self, clients: Sequence[str], command: str) -> Iterator[None]:
        """Hold the locks of ``clients`` (in one order, so that two runs cannot wait for each other).

        Raises:
            Busy: another run holds one; says which command, since when.
        """
        with ExitStack() as stack:
            for client in sorted(set(clients)):
                stack.enter_context(self._held(client, command, wait=0.0))
            yield

    @contextmanager
    def shared(self, command: str) -> Iterator[None]:
        """Hold the lock of what all clients share, for one write.

        Raises:
            Busy: it was not free within 300 s.
        """
        with self._held("shared", command, wait=SHARED_WAIT):
            yield

    @contextmanager
    def _held(self, client: str, command: str, *, wait: float) -> Iterator[None]:
        folder = self._dir / client
        private_folder(folder)
        note = folder / ".lock.holder"
        with explained(folder / ".lock"):
            lock = FileLock(folder / ".lock", mode=0o600)
            try:
                lock.acquire(timeout=wait)
            except Timeout:
                raise Busy(
                    f"{client} is being changed by another run{_holder(note)}",
                    remedy="wait until it is done, then run again",
                ) from None
        try:
            with explained(note):
                note.write_text(json.dumps({"pid": os.getpid(), "command": command, "since": now()}))
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()


def _holder(note: Path) -> str:
    try:
        data = json.loads(note.read_text())
        return f" ({data['command']}, process {data['pid']}, since {data['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
