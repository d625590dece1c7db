"""A backup brings everything back, and a restore is the old or the new wherever it is stopped."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from agencystack.stack import backup as module
from agencystack.stack import bridge_files
from agencystack.stack.backup import backup, finish_restore, restore
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

CANARY = "canary-in-a-backup"
NOT_KEPT = ("integrations/bridge/dispatch.db", "integrations/bridge/restored/")
RECORD = "integrations/state/acme/email/wordpress.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path / "log", tmp_path / "etc" / "key")
    (home.root / RECORD).parent.mkdir(parents=True)
    (home.root / RECORD).write_text('{"schema_version": 1}')
    (home.state_dir / "acme.lock").touch()
    (home.state_dir / "link").symlink_to("/etc/passwd")
    home.stack_file.write_text("version: 1\n")
    SealedStore(home.secrets_dir, home.key_file).put("acme/token", Secret(CANARY))
    SealedStore(home.bridge_dir / "keys", home.bridge_key_file).put("acme/erpnext", Secret(CANARY))
    _write_store(home, "first")
    for name in ("dispatch.db", "bridge.db-wal.lock"):
        (home.bridge_dir / name).write_text("can be made again")
    return home


def _write_store(home: Home, value: str) -> None:
    with closing(sqlite3.connect(home.bridge_dir / "bridge.db")) as store, store:
        store.execute("create table if not exists link (id text)")
        store.execute("delete from link")
        store.execute("insert into link values (?)", (value,))


def _stored(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as store:
        return [row[0] for row in store.execute("select id from link")]


@pytest.fixture
def packed(home: Home, tmp_path: Path) -> Path:
    return backup(home, tmp_path / "backup.tar.gz").path


def _contents(home: Home) -> dict[str, bytes]:
    """All files of an installation but what a restore replaced."""
    files = [file for file in home.root.rglob("*") if file.is_file() and not file.is_symlink()]
    names = {file.relative_to(home.root).as_posix(): _read(file) for file in files}
    return {
        name: data
        for name, data in names.items()
        if not name.startswith(("replaced-", ".restore", "..restore", *NOT_KEPT)) and ".lock" not in name
    }


def _read(file: Path) -> bytes:
    # A copy of a database holds the same rows, and not the same bytes.
    return repr(_stored(file)).encode() if file.name == "bridge.db" else file.read_bytes()


def _leftovers(home: Home) -> list[str]:
    return [file.name for file in home.root.glob(".*") if file.name != ".restore.lock"]


def _change(home: Home) -> None:
    """What happens after a backup: a record changes, one comes, a secret goes, the stack is edited."""
    (home.root / RECORD).write_text('{"schema_version": 1, "changed": true}')
    (home.state_dir / "beta.json").write_text("{}")
    SealedStore(home.secrets_dir, home.key_file).delete("acme/token")
    home.stack_file.write_text("version: 1\nclients: {}\n")


def test_restore_brings_back_what_was(home: Home, packed: Path) -> None:
    before = _contents(home)
    _change(home)
    changed = _contents(home)
    result = restore(home, packed)
    assert _contents(home) == before
    assert SealedStore(home.secrets_dir, home.key_file).get("acme/token") == Secret(CANARY)
    assert result.replaced is not None
    kept = Home(result.replaced, home.log_dir, home.key_file)
    assert _contents(kept) == changed


def test_restore_on_an_empty_machine_needs_the_key(home: Home, packed: Path, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", tmp_path / "log", tmp_path / "other-etc" / "key")
    with pytest.raises(ConfigurationError, match="does not open the secrets") as caught:
        restore(other, packed)
    assert "AGENCYSTACK_KEY_FILE" in caught.value.remedy
    assert _contents(other) == {}
    assert restore(Home(other.root, other.log_dir, home.key_file), packed).replaced is None
    assert _contents(other) == _contents(home)


def test_key_goes_along_only_when_asked(home: Home, tmp_path: Path) -> None:
    without = backup(home, tmp_path / "without.tar.gz")
    with_key = backup(home, tmp_path / "with.tar.gz", with_key=True)
    assert (without.warning, without.files, with_key.files) == ("", 5, 7)
    assert "every secret" in with_key.warning
    other = Home(tmp_path / "other", tmp_path / "log", tmp_path / "other-etc" / "key")
    restore(other, with_key.path)
    assert SealedStore(other.secrets_dir, other.key_file).get("acme/token") == Secret(CANARY)
    assert other.key_file.stat().st_mode & 0o777 == 0o600
    assert not list(other.root.rglob("key"))


def test_key_that_stands_there_is_not_replaced(home: Home, tmp_path: Path) -> None:
    packed = backup(home, tmp_path / "with.tar.gz", with_key=True).path
    other = Home(tmp_path / "other", tmp_path / "log", tmp_path / "other-etc" / "key")
    SealedStore(other.secrets_dir, other.key_file).put("x", Secret("xxxx"))
    before = (_contents(other), other.key_file.read_bytes())
    with pytest.raises(ConfigurationError, match="does not open"):
        restore(other, packed)
    assert (_contents(other), other.key_file.read_bytes()) == before


def test_backup_is_private_and_shows_no_secret(home: Home, packed: Path, tmp_path: Path) -> None:
    assert packed.stat().st_mode & 0o777 == 0o600
    with tarfile.open(packed) as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
        bridge = {"integrations/bridge/bridge.db", "integrations/bridge/keys/acme/erpnext.sealed"}
        sealed = "integrations/secrets/acme/token.sealed"
        assert set(members) == {"stack.yaml", RECORD, sealed, "manifest.json", *bridge}
        for file in members.values():
            assert file is not None
            assert CANARY.encode() not in file.read()
    with pytest.raises(ConfigurationError, match="exists"):
        backup(home, packed)


def test_nothing_to_back_up(tmp_path: Path) -> None:
    empty = Home(tmp_path / "none", tmp_path, tmp_path / "key")
    with pytest.raises(ConfigurationError, match="nothing to back up"):
        backup(empty, tmp_path / "b.tar.gz")


def test_full_disk_leaves_no_half_backup(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        backup(home, tmp_path / "b.tar.gz")
    assert [file.name for file in tmp_path.glob("*b.tar.gz*")] == []


# Backups that cannot be trusted


def _tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _manifest(files: dict[str, bytes], **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "mode": 0o600}
        for name, data in files.items()
    }
    manifest = {"schema_version": 1, "made_at": "x", "made_by": "x", "files": entries} | changes
    return tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode()


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


STATE = "integrations/state/a.json"
HOSTILE: dict[str, Callable[[], list[tuple[tarfile.TarInfo, bytes]]]] = {
    "traversal": lambda: [
        (tarfile.TarInfo("integrations/state/../../../escaped"), b"x"),
        _manifest({"integrations/state/../../../escaped": b"x"}),
    ],
    "absolute": lambda: [(tarfile.TarInfo("/tmp/escaped"), b"x"), _manifest({"/tmp/escaped": b"x"})],
    "foreign name": lambda: [(tarfile.TarInfo("scripts/integration/x.py"), b"x"), _manifest({})],
    "symbolic link": lambda: [(_link(STATE, "/etc/passwd", tarfile.SYMTYPE), b""), _manifest({STATE: b""})],
    "hard link": lambda: [(_link(STATE, "/etc/passwd", tarfile.LNKTYPE), b""), _manifest({STATE: b""})],
    "device": lambda: [(_link(STATE, "", tarfile.CHRTYPE), b""), _manifest({STATE: b""})],
    "twice": lambda: [(tarfile.TarInfo(STATE), b"x"), (tarfile.TarInfo(STATE), b"x"), _manifest({STATE: b"x"})],
    "changed": lambda: [(tarfile.TarInfo(STATE), b"y"), _manifest({STATE: b"x"})],
    "missing": lambda: [_manifest({STATE: b"x"})],
    "extra": lambda: [(tarfile.TarInfo(STATE), b"x"), _manifest({})],
    "no manifest": lambda: [(tarfile.TarInfo(STATE), b"x")],
    "odd manifest": lambda: [(tarfile.TarInfo("manifest.json"), b"[]")],
    "newer": lambda: [_manifest({}, schema_version=2)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_untrusted_backup_changes_nothing(home: Home, tmp_path: Path, name: str) -> None:
    before = _contents(home)
    with pytest.raises(ConfigurationError, match="newer version" if name == "newer" else "cannot be restored"):
        restore(home, _tar(tmp_path / "bad.tar.gz", HOSTILE[name]()))
    assert _contents(home) == before
    assert not list(tmp_path.rglob("escaped*"))
    assert _leftovers(home) == []


@pytest.mark.parametrize("cut", [0, 10, 200, 400])
def test_damaged_file_changes_nothing(home: Home, packed: Path, cut: int) -> None:
    before = _contents(home)
    packed.write_bytes(packed.read_bytes()[:cut] if cut else b"no gzip")
    with pytest.raises(ConfigurationError, match="cannot be restored"):
        restore(home, packed)
    assert _contents(home) == before


def test_no_backup(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no backup"):
        restore(home, tmp_path / "none.tar.gz")


# Interruption at every step


def _die_at(number: int) -> None:
    """Kill this process at the n-th call that changes the disk."""
    count = 0

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **keywords: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **keywords)

        return step

    for name in ("rename", "replace", "unlink", "mkdir"):
        setattr(Path, name, wrap(getattr(Path, name)))
    shutil.rmtree = wrap(shutil.rmtree)
    os.fsync = wrap(os.fsync)


def test_killed_anywhere_it_is_old_or_new(home: Home, packed: Path, tmp_path: Path) -> None:
    new = _contents(home)
    _change(home)
    old = _contents(home)
    saved = tmp_path / "saved"
    shutil.copytree(home.root, saved, symlinks=True)
    outcomes: list[str] = []
    for number in range(1, 500):
        shutil.rmtree(home.root)
        shutil.copytree(saved, home.root, symlinks=True)
        child = os.fork()
        if child == 0:
            _die_at(number)
            restore(home, packed)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        finish_restore(home)
        found = _contents(home)
        outcomes.append(
            "new" if found == new else "old" if found == old else f"mixed at step {number}: {sorted(found)}"
        )
        if os.WIFEXITED(status):
            break
    assert set(outcomes) == {"old", "new"}
    assert outcomes == sorted(outcomes, reverse=True), "once decided, it stays decided"
    assert len(outcomes) > 20
    assert _leftovers(home) == []


def test_the_next_restore_sweeps_what_a_killed_one_left(home: Home, packed: Path) -> None:
    (home.root / ".restore-killed/integrations").mkdir(parents=True)
    (home.root / "..restore.json.abc.tmp").touch()
    restore(home, packed)
    assert _leftovers(home) == []


def test_two_restores_at_once(home: Home, packed: Path) -> None:
    before = _contents(home)
    with FileLock(home.root / ".restore.lock"), pytest.raises(ConfigurationError, match="another restore"):
        restore(home, packed)
    assert _contents(home) == before


# The data bridge


def test_the_bridges_store_is_copied_while_it_is_written_to(home: Home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home.bridge_dir / "bridge.db")) as worker:
        worker.execute("pragma journal_mode = wal")
        worker.execute("insert into link values ('committed, and in the log alone')")
        worker.commit()
        worker.execute("insert into link values ('not committed')")
        packed = backup(home, tmp_path / "busy.tar.gz").path
        worker.rollback()
    with tarfile.open(packed) as archive:
        names = archive.getnames()
        archive.extract("integrations/bridge/bridge.db", tmp_path / "out", filter="data")
    assert _stored(tmp_path / "out/integrations/bridge/bridge.db") == ["first", "committed, and in the log alone"]
    assert not [name for name in names if "dispatch" in name or ".db-" in name]
    assert "integrations/bridge/keys/acme/erpnext.sealed" in names
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".busy")] == [], "no copy is left"


def test_a_restored_bridge_is_asked_to_compare_everything(home: Home, packed: Path) -> None:
    _write_store(home, "second")
    (home.bridge_dir / "bridge.db-wal").write_bytes(b"of another store")
    result = restore(home, packed)
    assert _stored(home.bridge_dir / "bridge.db") == ["first"]
    assert not (home.bridge_dir / "bridge.db-wal").exists()
    assert result.replaced is not None
    assert (result.replaced / "integrations/bridge/dispatch.db").exists()
    assert bridge_files.asked(home.bridge_dir) == ["acme"]
    bridge_files.answered(home.bridge_dir, "acme")
    assert bridge_files.asked(home.bridge_dir) == []


def test_nothing_is_restored_under_a_bridge_that_works(home: Home, packed: Path) -> None:
    before = _contents(home)
    with FileLock(home.bridge_dir / "serve.lock"), pytest.raises(ConfigurationError, match="at work"):
        restore(home, packed)
    assert _contents(home) == before


def test_the_bridges_key_goes_along_and_must_open_its_secrets(home: Home, tmp_path: Path) -> None:
    packed = backup(home, tmp_path / "with-key.tar.gz", with_key=True).path
    other = Home(tmp_path / "other", tmp_path / "log", tmp_path / "other-etc" / "key")
    restore(other, packed)
    sealed = SealedStore(other.bridge_dir / "keys", other.bridge_key_file).get("acme/erpnext")
    assert sealed is not None
    assert sealed.reveal() == CANARY
    home.bridge_key_file.unlink()
    SealedStore(tmp_path / "elsewhere", home.bridge_key_file).put("x", Secret("makes another key"))
    with pytest.raises(ConfigurationError, match=r"bridge\.key"):
        restore(home, packed)
