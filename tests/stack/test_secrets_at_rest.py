"""The sealed store: nothing readable on disk, nothing swapped, no unsafe key used, and one key among many processes."""

from __future__ import annotations

import base64
import multiprocessing
import os
from pathlib import Path

import pytest

from agencystack.stack.errors import ConfigurationError
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

CANARY = "canary-of-the-sealed-store"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(folder: Path) -> SealedStore:
    return SealedStore(folder / "secrets", folder / "etc" / "key")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_put_is_got(store: SealedStore) -> None:
    store.put("acme/email/wordpress/mailu-token", Secret("täken\n"))
    found = store.get("acme/email/wordpress/mailu-token")
    assert found == Secret("täken\n")
    assert store.get("acme/email/other") is None
    assert store.names() == ["acme/email/wordpress/mailu-token"]


def test_names_that_extend_each_other_live_together(store: SealedStore) -> None:
    store.put("acme", Secret("one"))
    store.put("acme/erp", Secret("two"))
    assert store.names() == ["acme", "acme/erp"]
    assert store.delete("acme")
    assert not store.delete("acme")
    assert store.get("acme/erp") == Secret("two")


def test_files_are_private_and_show_nothing(store: SealedStore, folder: Path) -> None:
    old_mask = os.umask(0)
    try:
        store.put("acme/token", Secret(CANARY))
    finally:
        os.umask(old_mask)
    for path in folder.rglob("*"):
        assert _mode(path) == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes()
            assert base64.b64encode(CANARY.encode())[:-4] not in path.read_bytes()


def test_same_secret_is_sealed_differently_each_time(store: SealedStore) -> None:
    assert store.seal(b"x", "here") != store.seal(b"x", "here")


def test_swapped_files_are_refused(store: SealedStore, folder: Path) -> None:
    store.put("acme/a", Secret("aaaa"))
    store.put("beta/a", Secret("bbbb"))
    (folder / "secrets/beta/a.sealed").replace(folder / "secrets/acme/a.sealed")
    with pytest.raises(ConfigurationError, match="for another place"):
        store.get("acme/a")


def test_sealed_value_opens_for_its_context_only(store: SealedStore) -> None:
    sealed = store.seal(b"\x00before", "acme/email/wordpress smtp.password")
    assert store.open(sealed, "acme/email/wordpress smtp.password") == b"\x00before"
    with pytest.raises(ConfigurationError):
        store.open(sealed, "beta/email/wordpress smtp.password")


def test_sealed_value_is_no_sealed_secret(store: SealedStore, folder: Path) -> None:
    store.put("a", Secret("aaaa"))
    (folder / "secrets/a.sealed").write_text(store.seal(b"forged", "a"))
    with pytest.raises(ConfigurationError):
        store.get("a")


@pytest.mark.parametrize("content", ["", "agencystack-sealed:1:", "agencystack-sealed:1:????", "plain", "ä"])
def test_damaged_file_is_named(store: SealedStore, folder: Path, content: str) -> None:
    store.put("a", Secret("aaaa"))
    (folder / "secrets/a.sealed").write_text(content)
    with pytest.raises(ConfigurationError, match=r"a\.sealed is not a sealed value"):
        store.get("a")


def test_changed_byte_is_refused(store: SealedStore, folder: Path) -> None:
    store.put("a", Secret("aaaa"))
    file = folder / "secrets/a.sealed"
    prefix, _, text = file.read_text().strip().rpartition(":")
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    file.write_text(f"{prefix}:{base64.b64encode(raw).decode()}")
    with pytest.raises(ConfigurationError, match="does not open"):
        store.get("a")


def test_another_key_is_a_clear_error(store: SealedStore, folder: Path) -> None:
    store.put("a", Secret("aaaa"))
    other = SealedStore(folder / "elsewhere", folder / "other" / "key")
    other.put("x", Secret("xxxx"))
    wrong = SealedStore(folder / "secrets", folder / "other" / "key")
    with pytest.raises(ConfigurationError, match="does not open") as caught:
        wrong.get("a")
    assert "AGENCYSTACK_KEY_FILE" in caught.value.remedy


def test_lost_key_is_never_replaced_by_a_new_one(store: SealedStore, folder: Path) -> None:
    store.put("a", Secret("aaaa"))
    (folder / "etc/key").unlink()
    for use in (lambda: store.get("a"), lambda: store.put("b", Secret("bbbb")), lambda: store.fingerprint(Secret("c"))):
        with pytest.raises(ConfigurationError, match="is missing"):
            use()
    assert not (folder / "etc/key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_key_open_to_others_is_refused(store: SealedStore, folder: Path, mode: int) -> None:
    store.put("a", Secret("aaaa"))
    (folder / "etc/key").chmod(mode)
    with pytest.raises(ConfigurationError, match="open to other users") as caught:
        store.get("a")
    assert caught.value.remedy.startswith("chmod 600")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_key_of_another_user_is_refused(store: SealedStore, folder: Path) -> None:
    store.put("a", Secret("aaaa"))
    os.chown(folder / "etc/key", 65534, 65534)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        store.get("a")


@pytest.mark.parametrize(
    "content", [b"", b"short", base64.b64encode(b"x" * 31), base64.b64encode(b"x" * 33), b"\xff" * 32]
)
def test_damaged_key_is_refused(store: SealedStore, folder: Path, content: bytes) -> None:
    store.put("a", Secret("aaaa"))
    (folder / "etc/key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is damaged"):
        store.get("a")


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a b", "a\nb", "ä", "a" * 300]
)
def test_names_stay_inside_the_folder(store: SealedStore, name: str) -> None:
    with pytest.raises(ConfigurationError, match="not a name"):
        store.put(name, Secret("xxxx"))


def test_fingerprint_tells_same_from_other_and_needs_the_key(store: SealedStore, folder: Path) -> None:
    other = SealedStore(folder / "elsewhere", folder / "other" / "key")
    assert store.fingerprint(Secret(CANARY)) == store.fingerprint(Secret(CANARY))
    assert store.fingerprint(Secret(CANARY)) != store.fingerprint(Secret(CANARY + "x"))
    assert store.fingerprint(Secret(CANARY)) != other.fingerprint(Secret(CANARY))


def _seal_in_process(folder: str, number: int) -> None:
    SealedStore(Path(folder) / "secrets", Path(folder) / "etc" / "key").put(f"p{number}", Secret(f"value-{number}"))


def test_processes_that_start_together_use_one_key(folder: Path, store: SealedStore) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_seal_in_process, args=(str(folder), number)) for number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [store.get(f"p{number}") for number in range(6)] == [Secret(f"value-{number}") for number in range(6)]
    assert [file.name for file in (folder / "etc").iterdir()] == ["key"]
