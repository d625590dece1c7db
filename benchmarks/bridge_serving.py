"""An installation whose bridge runs as `agencystack serve` and `agencystack bridge worker`, as on a host."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from agencystack.bridge.serving.place import Place
from agencystack.bridge.store import Store
from agencystack.bridge.store.sql import millis
from agencystack.bridge.work.context import utc_now
from agencystack.stack.files import private_folder
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Sharing
from benchmarks.bridge_ground import Ground

START_SECONDS = 60.0
_DATABASE = "bench/database"


@dataclass
class Installation:
    """One installation.

    Args:
        home: where it is.
        port: of its listener.
        database: address of its PostgreSQL; None for SQLite.
        processes: that run.
    """

    home: Home
    port: int
    database: Secret | None = None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where its bridge keeps what it knows."""
        return Place(self.home, self.database)

    def join(self, over: Ground, shared: Sharing) -> None:
        """Have the bridge attend to every pairing of products."""
        private_folder(self.home.bridge_dir)
        with self.place.opened() as store:
            for number in range(len(over.places)):
                for side, access in over.accesses(number).items():
                    self.place.keyring.put(f"bench{number}", side, access)
                _share(store, f"bench{number}", shared)

    def serve(self, *, places: int = 4) -> None:
        """Start the bridge; returns when it answers."""
        self._start("serve", "--places", str(places))
        self._wait(lambda: _answers(f"http://127.0.0.1:{self.port}/health"))

    def work(self, workers: int, *, places: int) -> None:
        """Start so many workers; returns when all of them live."""
        for _ in range(workers):
            self._start("bridge", "worker", "--places", str(places))
        with self.place.opened() as store:
            from agencystack.bridge.serving.service import milliseconds
            from agencystack.bridge.store.shifts import Shifts

            shifts = Shifts(store, milliseconds)
            self._wait(lambda: len(shifts.living(30)) >= workers)

    def stop(self) -> None:
        """End what runs."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    @property
    def variables(self) -> Mapping[str, str]:
        """What makes a command work on it."""
        home = self.home
        return {
            "AGENCYSTACK_HOME": str(home.root),
            "AGENCYSTACK_LOG_DIR": str(home.log_dir),
            "AGENCYSTACK_KEY_FILE": str(home.key_file),
        }

    def _start(self, *words: str) -> None:
        command = [sys.executable, "-m", "agencystack", *words]
        log = (self.home.root / "bridge.log").open("ab")
        environment = {**os.environ, **self.variables}
        self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        log.close()

    def _wait(self, ready: object) -> None:
        assert callable(ready)
        until = time.monotonic() + START_SECONDS
        while not ready():
            if time.monotonic() > until or any(one.poll() is not None for one in self.processes):
                raise RuntimeError(f"the bridge did not start: {(self.home.root / 'bridge.log').read_text()[-2000:]}")
            time.sleep(0.05)


@contextmanager
def installation(database: str = "") -> Iterator[Installation]:
    """Have an installation that holds nothing but a bridge.

    Args:
        database: address of a PostgreSQL; SQLite when empty.
    """
    with tempfile.TemporaryDirectory(prefix="agencystack-bench-") as folder:
        root = Path(folder)
        home = Home(root / "home", root / "log", root / "key" / "key")
        private_folder(home.root)
        private_folder(home.key_file.parent)
        port = free_port()
        settings = {"url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
        if database:
            SealedStore(home.secrets_dir, home.key_file).put(_DATABASE, Secret(database))
            settings["database"] = f"secret:{_DATABASE}"
        home.stack_file.write_text(json.dumps({"version": 1, "bridge": settings, "clients": {}}))
        made = Installation(home, port, Secret(database) if database else None)
        try:
            yield made
        finally:
            made.stop()


def free_port() -> int:
    """Return a port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _share(store: Store, pairing: str, shared: Sharing) -> None:
    now = millis(utc_now())
    with store.writing(pairing) as transaction:
        transaction.pairings.create(now)
        transaction.pairings.save_sharing(shared.model_dump_json(), transaction.pairings.get().revision, now)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
