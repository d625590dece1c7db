"""Where a process that a sandbox started listens."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agencystack.sandbox.process import read_record


def pid_of(record: Path) -> int:
    known = read_record(record)
    assert known is not None
    return known.pid


def assert_only_loopback(record: Path) -> None:
    """Nothing of it listens where others could come in."""
    sockets = set()
    for path in Path(f"/proc/{pid_of(record)}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            sockets.add(os.readlink(path))
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
                address = columns[1].rpartition(":")[0]
                assert address in {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}, address
