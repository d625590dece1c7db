"""Backup and restore of records, sealed secrets and ``stack.yaml``; a restore is the old or the new, never a mixture.

A restore is decided by one small file, the journal. Before it is on disk everything is as it was; from then on
:func:`finish_restore` brings the rest, however often it is interrupted. Every command calls it first.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from agencystack import __version__
from agencystack.stack import bridge_files
from agencystack.stack.archive import BRIDGE, BRIDGE_KEY, FOLDERS, KEY, STACK, is_member, unpack, write_archive
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import explained, private_folder, sync_folder, write_atomically
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore

KEY_WARNING = (
    "this backup holds the key of the sealed store: whoever has the file has every secret in it; keep it encrypted"
)
_JOURNAL = ".restore.json"
_STAGING = ".restore-"


@dataclass(frozen=True)
class BackedUp:
    """A finished backup.

    Args:
        path: the file.
        files: how many files are inside.
        warning: what a person must be told; empty without the key.
    """

    path: Path
    files: int
    warning: str


@dataclass(frozen=True)
class Restored:
    """A finished restore.

    Args:
        made_at: when the backup was made.
        replaced: folder that keeps what stood there before; ``None`` where nothing did.
    """

    made_at: str
    replaced: Path | None


def backup(home: Home, to_path: Path, *, with_key: bool = False) -> BackedUp:
    """Write all that cannot be made again into one file, readable by the owner alone.

    Args:
        home: what is backed up.
        to_path: a ``.tar.gz`` that does not exist yet.
        with_key: put the key in too; without it a restore needs the key from elsewhere.

    Raises:
        ConfigurationError: the file exists, there is nothing to back up, or it cannot be written.
    """
    if to_path.exists():
        raise ConfigurationError(f"{to_path} exists", remedy="name a file that does not exist")
    with explained(to_path), tempfile.TemporaryDirectory(prefix=f".{to_path.name}.", dir=to_path.parent) as copies:
        files = [*_files(home, with_key=with_key), *bridge_files.copied(home, Path(copies))]
        if not files:
            raise ConfigurationError(
                f"there is nothing to back up in {home.root}", remedy="set AGENCYSTACK_HOME to where the stack is"
            )
        handle, name = tempfile.mkstemp(prefix=f".{to_path.name}.", suffix=".tmp", dir=to_path.parent)
        try:
            with os.fdopen(handle, "wb") as target:
                manifest = write_archive(target, iter(files), _now().isoformat(), __version__)
                target.flush()
                os.fsync(target.fileno())
            Path(name).replace(to_path)
        finally:
            Path(name).unlink(missing_ok=True)
        sync_folder(to_path.parent)
    return BackedUp(to_path, len(files), KEY_WARNING if manifest.holds_key else "")


def restore(home: Home, from_path: Path) -> Restored:
    """Put a backup in the place of what stands in ``home``, which is kept beside it.

    Everything is unpacked and checked first: checksums, names, and that the key opens the sealed secrets.

    Raises:
        ConfigurationError: the file cannot be trusted, or its key is not here; nothing was changed then.
    """
    finish_restore(home)
    if not from_path.is_file():
        raise ConfigurationError(
            f"there is no backup {from_path}", remedy="name the file that agencystack backup wrote"
        )
    with explained(home.root), _alone(home), bridge_files.at_rest(home):
        _sweep(home)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=home.root))
        try:
            manifest = unpack(from_path, staging)
            for part in FOLDERS:
                (staging / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            _bring_key(staging / "integrations/secrets", staging / KEY, home.key_file)
            _bring_key(staging / BRIDGE / bridge_files.KEYS, staging / BRIDGE_KEY, home.bridge_key_file)
            bridge_files.settle(home, staging / BRIDGE)
            _sync_tree(staging)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        replaced = home.root / f"replaced-{_now():%Y%m%dT%H%M%S.%fZ}"
        journal = {"staging": staging.name, "replaced": replaced.name}
        write_atomically(home.root / _JOURNAL, json.dumps(journal).encode())
        _finish(home)
    return Restored(manifest.made_at, replaced if replaced.exists() else None)


def finish_restore(home: Home) -> bool:
    """Finish a restore that was interrupted after it was decided; cheap when there is none.

    Returns:
        Whether there was one.

    Raises:
        ConfigurationError: this user cannot finish it, or another process is at it.
    """
    if not (home.root / _JOURNAL).exists():
        return False
    with explained(home.root), _alone(home):
        return _finish(home)


def _finish(home: Home) -> bool:
    """Do what the journal says; returns whether there still was one."""
    journal = home.root / _JOURNAL
    if not journal.exists():
        return False
    names = json.loads(journal.read_text())
    staging, replaced = home.root / names["staging"], home.root / names["replaced"]
    for part in (STACK, *FOLDERS):
        _exchange(staging / part, home.root / part, replaced / part)
    shutil.rmtree(staging, ignore_errors=True)
    journal.unlink()
    sync_folder(home.root)
    return True


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Keep other restores of this installation out."""
    private_folder(home.root)
    lock = FileLock(home.root / ".restore.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise ConfigurationError(
            f"another restore of {home.root} is running", remedy="wait until it ended, and run the command again"
        ) from None


def _sweep(home: Home) -> None:
    """Take away what a killed restore unpacked and never decided."""
    for folder in home.root.glob(f"{_STAGING}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in home.root.glob(f".{_JOURNAL}.*.tmp"):
        file.unlink(missing_ok=True)


def _exchange(new: Path, live: Path, old: Path) -> None:
    """Move ``live`` to ``old`` and ``new`` to ``live``; done already where ``new`` is gone."""
    if not new.exists():
        return
    private_folder(live.parent)
    if live.exists():
        private_folder(old.parent)
        # A run that came between two attempts may have made it anew; what was there first is what is kept.
        if old.exists():
            shutil.rmtree(live) if live.is_dir() else live.unlink()
        else:
            live.rename(old)
        sync_folder(old.parent)
    new.rename(live)
    sync_folder(live.parent)


def _bring_key(sealed_dir: Path, packed: Path, key_file: Path) -> None:
    """Put a key of the backup where it belongs if there is none, after making sure that what it sealed opens."""
    used = packed if packed.exists() and not key_file.exists() else key_file
    sealed = SealedStore(sealed_dir, used)
    try:
        for name in sealed.names():
            sealed.get(name)
    except ConfigurationError as failure:
        raise ConfigurationError(
            f"the key {key_file} does not open the secrets of this backup",
            remedy="name the key they were sealed with in AGENCYSTACK_KEY_FILE (the bridge's is the bridge.key beside "
            "it); nothing was changed",
        ) from failure
    if used == packed:
        write_atomically(key_file, packed.read_bytes(), 0o600)
    packed.unlink(missing_ok=True)


def _files(home: Home, *, with_key: bool) -> Iterator[tuple[str, Path]]:
    """Yield what goes into a backup; links, locks and temporary files do not."""
    if home.stack_file.is_file():
        yield STACK, home.stack_file
    for folder in (home.state_dir, home.secrets_dir):
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(home.root).as_posix()
            if file.is_file() and not file.is_symlink() and file.suffix != ".lock" and is_member(name):
                yield name, file
    for name, key_file in ((KEY, home.key_file), (BRIDGE_KEY, home.bridge_key_file)):
        if with_key and key_file.is_file():
            yield name, key_file


def _sync_tree(folder: Path) -> None:
    """Bring everything unpacked to the disk before the journal says that it is there."""
    for path in [folder, *folder.rglob("*")]:
        with contextlib.closing(_Handle(path)) as handle:
            os.fsync(handle.number)


class _Handle:
    """An open file or folder, for fsync."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        os.close(self.number)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
