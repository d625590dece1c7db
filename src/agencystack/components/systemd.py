"""systemd of this machine: one unit of ours, its system user, and the files that belong to it."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.execution import Executor
from agencystack.stack.files import write_atomically
from agencystack.stack.secrets import redact

SECONDS = 90.0
"""For one call; stopping waits for the service to end what it is doing."""

_TRAVERSED = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True)
class Unit:
    """A service as systemd has it.

    Args:
        text: the unit's file.
        enabled: it is started at boot.
        active: it runs, or is being started again.
    """

    text: str
    enabled: bool
    active: bool


class Systemd:
    """The service manager.

    Args:
        where: for messages.
        executor: runs programs on this machine.
        units: folder of units an administrator adds.
        running: there exactly while systemd runs the machine (sd_booted(3)).
    """

    def __init__(
        self,
        where: ComponentRef,
        executor: Executor,
        *,
        units: Path = Path("/etc/systemd/system"),
        running: Path = Path("/run/systemd/system"),
    ) -> None:
        self.where = where
        self._run, self._units, self._running = executor, units, running

    @property
    def ours_to_use(self) -> bool:
        """Say whether it runs this machine and we may change it."""
        return self._running.is_dir() and os.geteuid() == 0

    def unit(self, name: str) -> Unit | None:
        """Return a unit of that folder, None where there is none.

        Args:
            name: with its ending: ``agencystack-bridge.service``.
        """
        try:
            text = (self._units / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        # Both words are also told by the exit code, but "activating" and "static" are neither yes nor no there.
        enabled = self._asked("is-enabled", name) == "enabled"
        return Unit(text, enabled, self._asked("is-active", name) in {"active", "activating", "reloading"})

    def install(self, name: str, text: str) -> None:
        """Write a unit, have it started now and at boot; one that runs is started anew.

        Raises:
            Refused: systemd did not take it.
        """
        write_atomically(self._units / name, text.encode(), 0o644)
        for words in (("daemon-reload",), ("enable", name), ("restart", name)):
            self._told(*words)

    def remove(self, name: str) -> None:
        """Stop a unit, and take it away."""
        if (self._units / name).exists():
            self._told("disable", "--now", name)
            (self._units / name).unlink()
            self._told("daemon-reload")

    def ensure_user(self, name: str) -> pwd.struct_passwd:
        """Return a system user that nobody logs in as, made where it is missing."""
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
        options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin")
        done = self._run.run(["useradd", *options, name], timeout=SECONDS)
        if done.returncode != 0:
            raise Refused(
                f"the system user {name} cannot be made: {_words(done.stderr)}",
                component=self.where,
                remedy=f"make it by hand (useradd {' '.join(options)} {name}), then run again",
            )
        return pwd.getpwnam(name)

    def _asked(self, *words: str) -> str:
        return self._run.run(["systemctl", *words], timeout=SECONDS).stdout.decode(errors="replace").strip()

    def _told(self, *words: str) -> None:
        done = self._run.run(["systemctl", *words], timeout=SECONDS)
        if done.returncode != 0:
            raise Refused(
                f"systemctl {' '.join(words)}: {_words(done.stderr) or f'exit code {done.returncode}'}",
                component=self.where,
                remedy="see systemctl status and journalctl -xe",
            )


def _words(said: bytes) -> str:
    return redact(said.decode(errors="replace")).strip()[-500:]


def hand_over(folders: Iterable[Path], user: pwd.struct_passwd) -> None:
    """Give folders with all that is in them to a user, for it alone."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        folder.chmod(0o700)


def belongs_to(folders: Iterable[Path], user: str) -> bool:
    """Say whether folders and all that is in them belong to a user."""
    try:
        uid = pwd.getpwnam(user).pw_uid
        return all(path.lstat().st_uid == uid for folder in folders for path in (folder, *folder.rglob("*")))
    except (KeyError, FileNotFoundError):
        return False


def let_through(folders: Sequence[Path], ours: Sequence[Path]) -> None:
    """Let other users pass through the folders on the way to some, without letting them look.

    Args:
        folders: the way to them is meant; what is missing of it is made.
        ours: the folders below which, themselves included, modes are ours to change.

    Raises:
        ConfigurationError: a folder above ours keeps others out.
    """
    for above in dict.fromkeys(one for folder in folders for one in reversed(folder.parents)):
        if not above.exists():
            above.mkdir()
        mode = stat.S_IMODE(above.stat().st_mode)
        if mode & stat.S_IXOTH:
            continue
        if not any(one == above or one in above.parents for one in ours):
            raise ConfigurationError(
                f"{above} lets no other user pass, and the bridge's own user must get through",
                remedy=f"chmod o+x {above}, or move the installation (AGENCYSTACK_HOME) elsewhere",
            )
        above.chmod(mode | _TRAVERSED)
