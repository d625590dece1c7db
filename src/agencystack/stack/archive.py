"""The backup file: a tar of plain files with a manifest, believed only after every byte was checked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agencystack.stack.errors import ConfigurationError

SCHEMA_VERSION: Final = 1
MANIFEST = "manifest.json"
KEY = "key"
BRIDGE_KEY = "bridge.key"
STACK = "stack.yaml"
BRIDGE = "integrations/bridge"
FOLDERS = ("integrations/state", "integrations/secrets", BRIDGE)

_WORD = r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*"
_MEMBER = re.compile(rf"{KEY}|{re.escape(BRIDGE_KEY)}|{re.escape(STACK)}|({'|'.join(FOLDERS)})(/{_WORD})+")
# A record is some kilobytes; this only stops a file that would fill the disk.
_LARGEST_TOTAL = 4 * 1024**3


def is_member(name: str) -> bool:
    """Say whether a backup may hold a file of that name: below our folders, without dots that lead elsewhere."""
    return _MEMBER.fullmatch(name) is not None


def _member_name(name: str) -> str:
    if not is_member(name):
        raise ValueError("not a file of a backup")
    return name


class Entry(BaseModel):
    """What the manifest says of one file: SHA-256 in hexadecimal, size in bytes, permission bits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int = Field(ge=0)
    mode: int = Field(ge=0, le=0o777)


class Manifest(BaseModel):
    """What a backup holds, when it was made (UTC, ISO 8601) and by which version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    made_at: str
    made_by: str
    files: dict[Annotated[str, AfterValidator(_member_name)], Entry]

    @property
    def holds_key(self) -> bool:
        """Whether a key of what is sealed is inside."""
        return KEY in self.files or BRIDGE_KEY in self.files


def write_archive(target: IO[bytes], files: Iterator[tuple[str, Path]], made_at: str, made_by: str) -> Manifest:
    """Write the files and, last, the manifest of what was written.

    Args:
        target: where the archive goes.
        files: name inside and file; each is read once, so name and checksum are of the same moment.
        made_at: time for the manifest.
        made_by: our version.
    """
    entries: dict[str, Entry] = {}
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as archive:
        for name, file in files:
            data = file.read_bytes()
            mode = file.stat().st_mode & 0o666
            entries[name] = Entry(sha256=hashlib.sha256(data).hexdigest(), size=len(data), mode=mode)
            _add(archive, name, data, mode)
        manifest = Manifest(schema_version=SCHEMA_VERSION, made_at=made_at, made_by=made_by, files=entries)
        _add(archive, MANIFEST, manifest.model_dump_json(indent=1).encode(), 0o600)
    return manifest


def unpack(archive_file: Path, folder: Path) -> Manifest:
    """Unpack a backup into an empty folder, checking everything; what is in ``folder`` after an error is worthless.

    Raises:
        ConfigurationError: it is no backup, damaged, made by a newer version, or holds what does not belong there.
    """
    try:
        with tarfile.open(archive_file, "r:gz") as archive:
            checksums = _unpack_members(archive, archive_file, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as damage:
        raise _damaged(archive_file, "it is cut off or no backup") from damage
    manifest = _read_manifest(archive_file, folder / MANIFEST)
    checksums.pop(MANIFEST, None)
    if checksums != {name: entry.sha256 for name, entry in manifest.files.items()}:
        raise _damaged(archive_file, "its files are not those of its manifest")
    for name, entry in manifest.files.items():
        private = name in (KEY, BRIDGE_KEY) or name.startswith(("integrations/secrets/", f"{BRIDGE}/"))
        (folder / name).chmod(0o600 if private else (entry.mode & 0o666) | 0o600)
    return manifest


def _unpack_members(archive: tarfile.TarFile, file: Path, folder: Path) -> dict[str, str]:
    """Write each member below ``folder``; returns their checksums."""
    checksums: dict[str, str] = {}
    total = 0
    for member in archive:
        total += member.size
        belongs = member.isreg() and (member.name == MANIFEST or is_member(member.name))
        if not belongs or member.name in checksums or total > _LARGEST_TOTAL:
            raise _damaged(file, "it holds what does not belong into a backup")
        source = archive.extractfile(member)
        data = source.read() if source else b""
        checksums[member.name] = hashlib.sha256(data).hexdigest()
        path = folder / member.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
    return checksums


def _read_manifest(archive_file: Path, manifest: Path) -> Manifest:
    """Read the manifest and take it away, as it is no part of an installation."""
    try:
        data = json.loads(manifest.read_bytes())
        manifest.unlink()
        version = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ConfigurationError(
                f"{archive_file} was made by a newer version of AgencyStack",
                remedy="install that version, and restore with it",
            )
        return Manifest.model_validate(data)
    except (FileNotFoundError, ValueError):
        raise _damaged(archive_file, "its manifest is missing or damaged") from None


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def _damaged(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{file} cannot be restored: {why}", remedy="use another backup; nothing was changed")
