"""Worker processes of one installation, as a host runs them; killed without a word, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from sqlalchemy import select

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.place import Place
from agencystack.bridge.store import Store
from agencystack.bridge.store.tables import inbox
from agencystack.stack.files import private_folder
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Sharing
from tests.bridge.fleet.products import SHARING, Products
from tests.serving import free_port

START_SECONDS = 60.0


class Installation:
    """An installation of AgencyStack whose clients share.

    Args:
        folder: an empty folder.
        products: of each client; served.
        database: address of a PostgreSQL; empty for SQLite.
    """

    def __init__(self, folder: Path, products: Sequence[Products], database: str = "") -> None:
        self.home = Home(folder / "home", folder / "log", folder / "key")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.place = Place(self.home, Secret(database) if database else None)
        self._folder = folder
        private_folder(self.home.root)
        bridge: dict[str, object] = {"url": "http://bridge.example:8080", "listen": f"127.0.0.1:{self.port}"}
        if database:
            SealedStore(self.home.secrets_dir, self.home.key_file).put("bridge/database", Secret(database))
            bridge["database"] = "secret:bridge/database"
        self.home.stack_file.write_text(yaml.safe_dump({"version": 1, "bridge": bridge}))
        private_folder(self.home.bridge_dir)
        sharing = Sharing.model_validate(SHARING).model_dump_json()
        with self.place.opened() as store:
            for one in products:
                with store.writing(one.pairing) as writing:
                    writing.pairings.create(1)
                    writing.pairings.save_sharing(sharing, 0, 1)
                for side, access in one.accesses().items():
                    self.place.keyring.put(one.pairing, side, access)

    def environment(self) -> Mapping[str, str]:
        """Return the variables a process of it needs."""
        paths = {"HOME": self.home.root, "LOG_DIR": self.home.log_dir, "KEY_FILE": self.home.key_file}
        return {**os.environ, **{f"AGENCYSTACK_{name}": str(path) for name, path in paths.items()}}

    def log(self) -> str:
        """Return what all processes said."""
        return "".join(file.read_text() for file in sorted(self._folder.glob("*.out")))

    def start(self, *words: str, name: str = "serve") -> subprocess.Popen[bytes]:
        """Start a process of it (``serve``, or ``bridge worker``)."""
        with (self._folder / f"{name}.out").open("ab") as said:
            command = [sys.executable, "-m", "agencystack", *words]
            return subprocess.Popen(command, env=dict(self.environment()), stdout=said, stderr=said)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def unrest(store: Store, products: Products) -> str:
    """Return what is still to be done, empty when the products have nothing to tell and the bridge nothing to do."""
    if untold := products.untold():
        return f"{untold} changes untold"
    with store.reading(products.pairing) as reading:
        due, waiting, _ = reading.inbox.backlog(round(time.time() * 1000))
        marks = sum(len(reading.marks.stored(side)) for side in SideName)
        state = reading.pairings.get()
        reasons = list(reading.connection.execute(select(inbox.c.entity, inbox.c.record, inbox.c.reason).limit(5)))
    if not due and not waiting and not marks:
        return ""
    return f"{state.state} {state.reason}: {due} due, {waiting} waiting, {marks} marks; {reasons}"
