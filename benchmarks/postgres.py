"""A PostgreSQL of Debian's, for the time of a benchmark, in a folder of its own, as a user that is not root."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bridge_serving import free_port
from benchmarks.measured import CannotMeasure

START_SECONDS = 30.0
_USERS = ("postgres", "nobody")


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server, and yield the address of its database.

    Raises:
        CannotMeasure: Debian's package is not installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    if not programs:
        raise CannotMeasure("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="agencystack-postgres-") as folder:
        data, port, identity = Path(folder) / "data", free_port(), _identity(Path(folder))
        making = ["initdb", "-D", data, "-U", "bridge", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        _run(programs[-1], making, identity)
        words = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "max_connections=200"]
        command = [str(programs[-1] / "postgres"), *words]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL, **identity)
        try:
            _wait(programs[-1], port)
            yield f"postgresql+psycopg://bridge@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # connections that are left do not hold it up
            server.wait(timeout=START_SECONDS)


def _identity(folder: Path) -> dict[str, Any]:
    """Return how the server is run: not as root, who may not."""
    if os.geteuid() != 0:
        return {}
    known = {one.pw_name: one for one in pwd.getpwall()}
    user = next(known[name] for name in _USERS if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}


def _run(programs: Path, words: list[object], identity: dict[str, Any]) -> None:
    command = [str(programs / str(words[0])), *map(str, words[1:])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **identity)


def _wait(programs: Path, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode:
        if time.monotonic() > until:
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.05)
