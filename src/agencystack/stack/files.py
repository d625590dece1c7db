"""Files that are either the old or the new version, never half of one, and folders nobody else can read."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agencystack.stack.errors import ConfigurationError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


def write_atomically(path: Path, data: bytes, mode: int = 0o600, *, owner_of: Path | None = None) -> None:
    """Replace the file at ``path`` by ``data``, or leave it exactly as it was.

    Args:
        path: the file; its folder is made, readable by the owner alone, where it is missing.
        data: the whole new content.
        mode: permission bits of the file, whatever the umask is.
        owner_of: a folder above it; as root, the file and the folders up to there belong to that folder's owner.

    Raises:
        ConfigurationError: no permission, a read-only file system, or a full disk; no temporary file is left.
    """
    with explained(path):
        private_folder(path.parent)
        temporary = _write_beside(path, data, mode)
        try:
            if owner_of is not None:
                _give(temporary, owner_of)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def create_atomically(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Write ``data`` to ``path`` unless a file stands there; of several processes exactly one succeeds.

    Returns:
        Whether this call made the file.

    Raises:
        ConfigurationError: as :func:`write_atomically`.
    """
    with explained(path):
        private_folder(path.parent)
        temporary = _write_beside(path, data, mode)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True


def private_folder(path: Path) -> None:
    """Make the folder and its missing parents, readable by the owner alone; folders that exist keep their mode."""
    with explained(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)


def sync_folder(path: Path) -> None:
    """Bring the names in the folder to the disk, so that a rename survives a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal into an error that says what to do about ``path``."""
    try:
        yield
    except OSError as refusal:
        raise ConfigurationError(f"cannot write {path}: {refusal.strerror}", remedy=_remedy(path, refusal)) from refusal


def _give(path: Path, owner_of: Path) -> None:
    """Give a file, and the folders between it and a folder, to that folder's owner."""
    owner = owner_of.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    between = [folder for folder in path.parents if owner_of in folder.parents]
    for one in (path, *between):
        os.chown(one, owner.st_uid, owner.st_gid)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    """Write a temporary file in the folder of ``path`` and bring it to the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _remedy(path: Path, refusal: OSError) -> str:
    if refusal.errno in _FULL:
        return f"free space on the disk of {path.parent}; what stood there before is untouched"
    if refusal.errno == errno.EROFS:
        return "the file system is read-only: set AGENCYSTACK_HOME to a folder that can be written"
    if refusal.errno in _FORBIDDEN:
        return "run the command with sudo, or set AGENCYSTACK_HOME to a folder of your own"
    return f"look at {path.parent}: it must be a folder that this user can write"
