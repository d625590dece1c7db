"""Chatwoot's client: its file on disk, the restart, and what the application then really has."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agencystack.components import envfile
from agencystack.components.chatwoot import Chatwoot
from agencystack.sandbox.chatwoot import ensure_chatwoot
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.local import LocalExecutor
from agencystack.stack.secrets import Secret

WHERE = ComponentRef("acme", "chatwoot")
CANARY = "canary4711secret"


@dataclass
class Watched:
    """Runs programs here, remembers what any user of the host could list, and lets a test step in between."""

    inner: Executor
    argv: list[str] = field(default_factory=list)
    before_write: object = None

    @property
    def description(self) -> str:
        return self.inner.description

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        self.argv += argv
        if callable(self.before_write) and stdin:
            self.before_write()
        return self.inner.run(argv, stdin=stdin, timeout=timeout)

    def host(self) -> Executor:
        return self


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ensure_chatwoot(tmp_path / "chatwoot")
    return tmp_path / "chatwoot"


@pytest.fixture
def watched(folder: Path) -> Watched:
    return Watched(LocalExecutor(folder=str(folder)))


@pytest.fixture
def chatwoot(folder: Path, watched: Watched) -> Chatwoot:
    return Chatwoot(WHERE, watched, str(folder / ".env"), (str(folder / "bin/restart"),))


def test_applies_and_the_application_has_it(chatwoot: Chatwoot, folder: Path) -> None:
    before = (folder / ".env").read_text()
    chatwoot.apply({"SMTP_PASSWORD": Secret(CANARY), "SMTP_ADDRESS": "mail.acme.example", "SMTP_TLS": "true"})
    assert chatwoot.different({"SMTP_PASSWORD": Secret(CANARY), "SMTP_TLS": "true", "SMTP_SSL": None}) == ()
    expected = before.replace("SMTP_PASSWORD=", f"SMTP_PASSWORD={CANARY}")
    expected = expected.replace("SMTP_ADDRESS=", "SMTP_ADDRESS=mail.acme.example") + "SMTP_TLS=true\n"
    assert (folder / ".env").read_text() == expected


def test_nothing_to_change_writes_nothing(chatwoot: Chatwoot, folder: Path) -> None:
    before = (folder / ".env").stat()
    chatwoot.set({"SMTP_PORT": "1025", "SMTP_SSL": None})
    after = (folder / ".env").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_undo_gives_the_same_bytes(chatwoot: Chatwoot, folder: Path) -> None:
    before = (folder / ".env").read_bytes()
    saved = envfile.lines_of(chatwoot.env().text, ["SMTP_PORT", "SMTP_TLS"])
    changed = chatwoot.set({"SMTP_PORT": "465", "SMTP_TLS": "true"})
    chatwoot.write(changed, envfile.restore(changed.text, saved))
    assert (folder / ".env").read_bytes() == before


def test_no_secret_is_in_an_argument(chatwoot: Chatwoot, watched: Watched) -> None:
    secret = {"SMTP_PASSWORD": Secret(CANARY)}
    chatwoot.apply(secret)
    chatwoot.check_effective(secret)
    assert watched.argv
    assert CANARY not in " ".join(watched.argv)
    assert CANARY not in repr(chatwoot.env())


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_keeps_the_mode(chatwoot: Chatwoot, folder: Path, mode: int) -> None:
    (folder / ".env").chmod(mode)
    chatwoot.set({"SMTP_PORT": "465"})
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_keeps_the_owner(chatwoot: Chatwoot, folder: Path) -> None:
    os.chown(folder / ".env", 12345, 23456)
    chatwoot.set({"SMTP_PORT": "465"})
    status = (folder / ".env").stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


def test_a_link_stays_a_link(folder: Path, watched: Watched) -> None:
    (folder / "link").symlink_to(".env")
    Chatwoot(WHERE, watched, str(folder / "link")).set({"SMTP_PORT": "465"})
    assert (folder / "link").is_symlink()
    assert "SMTP_PORT=465" in (folder / ".env").read_text()


def test_an_edit_in_between_is_not_overwritten(chatwoot: Chatwoot, folder: Path, watched: Watched) -> None:
    theirs = (folder / ".env").read_text() + "THEIRS=1\n"
    watched.before_write = lambda: (folder / ".env").write_text(theirs)
    with pytest.raises(Refused, match="changed by somebody else"):
        chatwoot.set({"SMTP_PORT": "465"})
    assert (folder / ".env").read_text() == theirs
    assert sorted(path.name for path in folder.iterdir()) == [".env", "bin", "running-environment.json"]
    watched.before_write = None
    chatwoot.set({"SMTP_PORT": "465"})
    assert chatwoot.env().values["THEIRS"] == "1"


def test_a_file_that_is_not_there(folder: Path, watched: Watched) -> None:
    with pytest.raises(ConfigurationError, match="there is no file") as missing:
        Chatwoot(WHERE, watched, str(folder / "nothing")).env()
    assert "env_file" in missing.value.remedy


def test_a_folder_is_no_file(folder: Path, watched: Watched) -> None:
    with pytest.raises(ConfigurationError, match="may not be read"):
        Chatwoot(WHERE, watched, str(folder)).env()


def test_a_file_that_is_no_text(chatwoot: Chatwoot, folder: Path) -> None:
    (folder / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        chatwoot.env()


def test_a_value_the_file_cannot_hold(chatwoot: Chatwoot) -> None:
    with pytest.raises(ConfigurationError, match="MAILER_SENDER_EMAIL"):
        chatwoot.set({"MAILER_SENDER_EMAIL": 'Joe\'s "shop" <joe@acme.example>'})


def test_a_forgotten_restart_shows(folder: Path, watched: Watched) -> None:
    chatwoot = Chatwoot(WHERE, watched, str(folder / ".env"), ("true",))
    with pytest.raises(Refused, match="other values of SMTP_PORT") as refused:
        chatwoot.apply({"SMTP_PORT": "465", "SMTP_DOMAIN": "chatwoot.com"})
    assert "docker, compose" in refused.value.remedy


def test_a_restart_that_fails(folder: Path, watched: Watched) -> None:
    with pytest.raises(Unavailable, match="false ended with 1"):
        Chatwoot(WHERE, watched, str(folder / ".env"), ("false",)).restart()


def test_no_restart_known(folder: Path, watched: Watched) -> None:
    with pytest.raises(ConfigurationError, match="how to restart"):
        Chatwoot(WHERE, watched, str(folder / ".env")).restart()


def test_an_application_that_does_not_run(tmp_path: Path, folder: Path) -> None:
    chatwoot = Chatwoot(WHERE, LocalExecutor(folder=str(tmp_path)), str(folder / ".env"))
    with pytest.raises(BadAnswer, match="rails runner"):
        chatwoot.version()


def test_version_is_found_between_what_gems_print(chatwoot: Chatwoot) -> None:
    assert chatwoot.version() == "4.0.0"
