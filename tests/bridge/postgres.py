"""A PostgreSQL of Debian's, started for tests in a folder of its own, as a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; ``None`` where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    return Path(program).parent if program else None


class Server:
    """A server that can be stopped and started again.

    Args:
        folder: of its programs.
        data: of its data.
        identity: the user it runs as, as subprocess takes it.
    """

    def __init__(self, folder: Path, data: Path, identity: Mapping[str, Any]) -> None:
        self._folder, self._data, self._identity = folder, data, identity
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://bridge@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._process = subprocess.Popen(
            [self._folder / "postgres", "-D", self._data, "-h", "127.0.0.1", "-p", str(self._port), "-k", "", "-F"],
            stderr=subprocess.DEVNULL,
            **self._identity,
        )
        _wait(self._folder, self._port)

    def stop(self) -> None:
        """Stop it fast: a connection that is open does not hold it up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server on a free port of loopback, and yield the URL of its database; skips where there is no server."""
    with server() as running:
        yield running.url


@contextmanager
def server() -> Iterator[Server]:
    """Run a server on a free port of loopback, that a test may restart; skips where there is none."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    user = _user()
    with tempfile.TemporaryDirectory(prefix="agencystack-postgres-") as made:
        data = Path(made) / "data"
        if user is not None:
            os.chown(made, user.pw_uid, user.pw_gid)
        identity: dict[str, Any] = (
            {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()} if user is not None else {}
        )
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", "bridge", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True,
            stdout=subprocess.DEVNULL,
            **identity,
        )
        running = Server(folder, data, identity)
        try:
            running.start()
            yield running
        finally:
            running.stop()


def _user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(folder: Path, port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        ready = [folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise TimeoutError("PostgreSQL did not start")
