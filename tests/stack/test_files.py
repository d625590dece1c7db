"""A file is the old or the new one, and what the system refuses is explained."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agencystack.stack import files
from agencystack.stack.errors import ConfigurationError, ExitCode
from agencystack.stack.files import create_atomically, write_atomically
from agencystack.stack.paths import Home


def test_new_content_and_mode_whatever_the_umask(tmp_path: Path) -> None:
    old_mask = os.umask(0o077)
    try:
        write_atomically(tmp_path / "deep" / "er" / "file", b"new", 0o644)
    finally:
        os.umask(old_mask)
    assert (tmp_path / "deep/er/file").read_bytes() == b"new"
    assert (tmp_path / "deep/er/file").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "free space"), (errno.EROFS, "read-only"), (errno.EACCES, "sudo")]
)
def test_refusal_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, remedy: str
) -> None:
    write_atomically(tmp_path / "file", b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    if step == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    elif step == "fsync":
        monkeypatch.setattr(files.os, "fsync", refuse)
    else:
        monkeypatch.setattr(files.os, "fchmod", refuse)
    with pytest.raises(ConfigurationError) as caught:
        write_atomically(tmp_path / "file", b"new")
    assert remedy in caught.value.remedy
    assert caught.value.exit_code == ExitCode.USAGE
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_interrupted_write_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_creates(tmp_path: Path) -> None:
    assert create_atomically(tmp_path / "key", b"first")
    assert not create_atomically(tmp_path / "key", b"second")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("key", b"first")]


def test_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_atomically(tmp_path / "folder" / "file", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="cannot write") as caught:
        write_atomically(tmp_path / "file", b"")
    assert "AGENCYSTACK_HOME" in caught.value.remedy


# Where everything lives


def test_default_home_is_the_hosts() -> None:
    home = Home.from_environment({"HOME": "/home/ann"})
    assert home.stack_file == Path("/opt/agency_stack/stack.yaml")
    assert home.log_dir == Path("/var/log/agency_stack")
    assert home.state_dir == Path("/opt/agency_stack/integrations/state")
    assert home.secrets_dir == Path("/opt/agency_stack/integrations/secrets")
    assert home.scripts_dir == Path("/opt/agency_stack/scripts/integration")
    root_key = Path("/etc/agencystack/key")
    assert home.key_file == (root_key if os.geteuid() == 0 else Path("/home/ann/.config/agencystack/key"))


def test_another_home_keeps_its_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.from_environment({"AGENCYSTACK_HOME": "demo", "AGENCYSTACK_KEY_FILE": "/k", "AGENCYSTACK_LOG_DIR": ""})
    assert (home.root, home.log_dir, home.key_file) == (tmp_path / "demo", tmp_path / "demo/log", Path("/k"))
    assert Home.from_environment({"AGENCYSTACK_LOG_DIR": "/logs"}).log_dir == Path("/logs")
