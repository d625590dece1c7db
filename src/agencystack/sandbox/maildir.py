"""Mailboxes on disk as Maildirs, one folder an address, which Dovecot and our own server read alike."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_serial = itertools.count()


@dataclass(frozen=True)
class StoredMail:
    """One mail in a mailbox.

    Args:
        uid: its number, never given twice in one mailbox.
        path: where it lies.
        flags: Maildir's letters: ``S`` seen, ``T`` deleted, ``F`` flagged, ``R`` answered, ``D`` draft.
    """

    uid: int
    path: Path
    flags: str

    def content(self) -> bytes:
        """Return the mail with the line ends of the network."""
        return self.path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Maildir:
    """The mail of one address.

    Args:
        folder: where it is kept.
        owner: user and group it belongs to, when not us: who reads it must be able to.
    """

    def __init__(self, folder: Path, owner: tuple[int, int] | None = None) -> None:
        self._folder = folder
        self._owner = owner
        self._lock = threading.Lock()
        for part in (folder, *(folder / name for name in ("cur", "new", "tmp"))):
            if not part.is_dir():
                part.mkdir(parents=True)
                self._give(part)

    def deliver(self, content: bytes) -> None:
        """Add a mail; it is there whole or not at all."""
        name = f"{time.time():.6f}.P{os.getpid()}Q{next(_serial)}.{socket.gethostname()}"
        draft = self._folder / "tmp" / name
        draft.write_bytes(content)
        self._give(draft)
        draft.rename(self._folder / "new" / name)

    def size(self) -> int:
        """Return the bytes of all mails."""
        return sum(path.stat().st_size for path in self._files())

    def mails(self) -> list[StoredMail]:
        """Return all mails in the order of their numbers; new ones are numbered now."""
        with self._lock:
            uids = self._uids()
            known = len(uids)
            for path in sorted(self._files(), key=lambda path: path.name):
                uids.setdefault(_unique(path), max(uids.values(), default=0) + 1)
            if len(uids) != known:
                self._keep(uids)
            mails = [StoredMail(uids[_unique(path)], path, _flags(path)) for path in self._files()]
        return sorted(mails, key=lambda mail: mail.uid)

    def set_flags(self, mail: StoredMail, flags: str) -> StoredMail:
        """Give a mail these flags and no others."""
        letters = "".join(sorted(set(flags)))
        path = self._folder / "cur" / f"{_unique(mail.path)}:2,{letters}"
        mail.path.rename(path)
        return StoredMail(mail.uid, path, letters)

    def remove(self, mail: StoredMail) -> None:
        """Delete a mail; its number is not given again."""
        mail.path.unlink(missing_ok=True)

    def _give(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, *self._owner)

    def _files(self) -> list[Path]:
        return [*(self._folder / "new").iterdir(), *(self._folder / "cur").iterdir()]

    def _uids(self) -> dict[str, int]:
        try:
            kept = json.loads((self._folder / "agencystack-uids.json").read_text())
        except FileNotFoundError:
            return {}
        return {str(name): int(uid) for name, uid in kept.items()}

    def _keep(self, uids: dict[str, int]) -> None:
        draft = self._folder / "agencystack-uids.new"
        draft.write_text(json.dumps(uids))
        draft.replace(self._folder / "agencystack-uids.json")


class Maildirs:
    """All mailboxes of a server.

    Args:
        root: the folder that holds one folder an address.
        owner: user and group the mailboxes belong to, when not us.
    """

    # Mail to addresses elsewhere ends here: nothing leaves a sandbox.
    OUTGOING = "_outgoing"

    def __init__(self, root: Path, owner: tuple[int, int] | None = None) -> None:
        self._root = root
        self._owner = owner
        self._open: dict[str, Maildir] = {}
        self._lock = threading.Lock()

    def of(self, address: str) -> Maildir:
        """Return the mailbox of an address; empty when nothing was ever delivered."""
        name = address.lower()
        if "/" in name or name.startswith("."):
            raise ValueError(f"{address!r} is no folder name")
        with self._lock:
            if name not in self._open:
                self._open[name] = Maildir(self._root / name, self._owner)
            return self._open[name]

    def outgoing(self) -> Maildir:
        """Return where mail to addresses elsewhere is kept."""
        return self.of(self.OUTGOING)

    def size(self, address: str) -> int:
        """Return the bytes the mailbox of an address holds."""
        return self.of(address).size() if (self._root / address.lower()).is_dir() else 0


def _unique(path: Path) -> str:
    return path.name.split(":", 1)[0]


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]
