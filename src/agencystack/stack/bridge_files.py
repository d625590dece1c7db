"""The data bridge's part of a backup: a copy of its store made while it works, and what a restore asks of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from agencystack.stack.archive import BRIDGE
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import private_folder, sync_folder
from agencystack.stack.paths import Home

STORE = "bridge.db"
KEYS = "keys"
RESTORED = "restored"
"""Holds an empty file for each pairing whose bridge is to compare everything, as its store is an old one."""


def copied(home: Home, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name inside a backup and the file of everything the bridge cannot make again.

    The store is copied as it is at one moment, though a worker writes to it; what a PostgreSQL keeps is not here, and
    the books of the dispatch say nothing that the store does not.

    Args:
        home: the installation.
        folder: an empty one, for the copy.
    """
    store = home.bridge_dir / STORE
    if store.is_file():
        copy = folder / STORE
        copy.touch(mode=0o600)
        with (
            closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as to,
        ):
            source.backup(to)
        yield f"{BRIDGE}/{STORE}", copy
    for file in sorted((home.bridge_dir / KEYS).rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield f"{BRIDGE}/{file.relative_to(home.bridge_dir).as_posix()}", file


@contextmanager
def at_rest(home: Home) -> Iterator[None]:
    """Keep the bridge from being served.

    Raises:
        ConfigurationError: it is served now.
    """
    if not home.bridge_dir.is_dir():
        yield
        return
    lock = FileLock(home.bridge_dir / "serve.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise ConfigurationError(
            "the data bridge is at work on what would be replaced",
            remedy="end it (systemctl stop agencystack-bridge, or the agencystack serve that runs), and restore then",
        ) from None


def settle(home: Home, staged: Path) -> None:
    """Make the bridge's staged folder ready: its owner is who owned the one before, and all is to be compared.

    Args:
        home: the installation, before it is replaced.
        staged: the folder that takes its place.
    """
    keys = staged / KEYS
    for pairing in sorted(one.name for one in keys.iterdir() if one.is_dir()) if keys.is_dir() else ():
        ask(staged, pairing)
    if os.geteuid() == 0 and home.bridge_dir.is_dir():
        owner = home.bridge_dir.stat()
        for path in (staged, *staged.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)


def ask(bridge_dir: Path, pairing: str) -> None:
    """Have everything of a pairing compared by whoever works next."""
    private_folder(bridge_dir / RESTORED)
    (bridge_dir / RESTORED / pairing).touch(mode=0o600)


def asked(bridge_dir: Path) -> list[str]:
    """Return the pairings of which everything is to be compared."""
    folder = bridge_dir / RESTORED
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def answered(bridge_dir: Path, pairing: str) -> None:
    """Note that a pairing's comparison is under way, and survives whatever comes."""
    (bridge_dir / RESTORED / pairing).unlink(missing_ok=True)
    sync_folder(bridge_dir / RESTORED)
