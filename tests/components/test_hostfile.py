"""A file on a product's machine: replaced at once, and never in somebody else's way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from agencystack.components.hostfile import HostFile
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.local import LocalExecutor

WHERE = ComponentRef("acme", "wiki")


def at(path: Path) -> HostFile:
    return HostFile(WHERE, LocalExecutor(component=WHERE), str(path))


def test_a_file_that_is_not_there_is_none_and_one_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    assert at(tmp_path / "nothing").read() is None
    with pytest.raises(ConfigurationError, match="may not be read"):
        at(tmp_path).read()


def test_what_is_replaced_keeps_mode_owner_and_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"one\r\n")
    real.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(real, 4321, 4322)
    before = real.stat()
    link.symlink_to(real)
    content = at(link).read()
    assert content is not None
    assert content.text == "one\r\n"
    at(link).replace(content, "two\n")
    assert (link.is_symlink(), real.read_bytes()) == (True, b"two\n")
    after = real.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_what_somebody_wrote_meanwhile_is_not_overwritten_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    content = at(path).read()
    assert content is not None
    path.write_text("theirs")
    with pytest.raises(Refused, match="somebody else just now; it was not written"):
        at(path).replace(content, "ours")
    with pytest.raises(Refused, match="it was not removed"):
        at(path).remove(content)
    assert path.read_text() == "theirs"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_new_file_is_its_folders_and_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 4321, 4322)
    at(folder / "new").make("secret")
    facts = (folder / "new").stat()
    assert ((folder / "new").read_text(), facts.st_mode & 0o777) == ("secret", 0o640)
    assert (facts.st_uid, facts.st_gid) == (folder.stat().st_uid, folder.stat().st_gid)
    assert [item.name for item in folder.iterdir()] == ["new"]


def test_a_new_file_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("theirs")
    with pytest.raises(Refused, match="it was not made"):
        at(path).make("ours")
    assert path.read_text() == "theirs"
    with pytest.raises(ConfigurationError, match="its folder is not there"):
        at(tmp_path / "no" / "file").make("ours")


def test_a_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("ours")
    content = at(path).read()
    assert content is not None
    at(path).remove(content)
    assert not path.exists()


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        at(tmp_path / "file").read()


class _FullDisk:
    description = "a machine"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        assert "the secret" not in " ".join(argv)
        return Finished(1, b"", b"sh: no space left on device\n")

    def host(self) -> Executor:
        return self


def test_anything_else_is_told_in_its_own_words_and_no_content_is_in_argv() -> None:
    with pytest.raises(Unavailable, match="could not be made: sh: no space left on device"):
        HostFile(WHERE, _FullDisk(), "/srv/file").make("the secret")
