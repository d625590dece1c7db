"""Run programs on this machine, a product's code never as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agencystack.stack import processes
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.users import HOST_WORK, UserRule, no_folder, no_owner, no_user, refuse_root

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


@dataclass(frozen=True)
class LocalExecutor:
    """Runs programs on this machine.

    Args:
        component: whose code runs, for errors.
        user: as whom.
        folder: working folder; ours when not given.
    """

    component: ComponentRef | None = None
    user: UserRule = HOST_WORK
    folder: str | None = None

    @property
    def description(self) -> str:
        """Say where programs run."""
        return "this machine"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        """Run ``argv`` and wait; a program that is not there ends with 127, as in a shell.

        Raises:
            Unavailable: the time is over.
            BadAnswer: it printed without end.
            ConfigurationError: it would run a product's code as root, or as a user we cannot become.
        """
        run_as = self._run_as()
        if self.folder is not None and not Path(self.folder).is_dir():
            raise no_folder(self.component, self.folder, self.description)
        try:
            return bounded(
                self.component,
                argv,
                stdin=stdin,
                timeout=timeout,
                folder=self.folder,
                run_as=run_as,
                place=self.description,
            )
        except FileNotFoundError:
            return Finished(_NOT_FOUND, b"", f"{argv[0]}: not found".encode())
        except PermissionError:
            return Finished(_NOT_EXECUTABLE, b"", f"{argv[0]}: permission denied".encode())

    def host(self) -> Executor:
        """Return the executor for work on files of this machine, which root may do."""
        return LocalExecutor(component=self.component)

    def _run_as(self) -> processes.RunAs | None:
        """Return the user to become, or ``None`` to stay who we are."""
        entry = self._wanted_user()
        uid = os.geteuid() if entry is None else entry.pw_uid
        if uid == 0 and not self.user.may_be_root:
            raise refuse_root(self.component)
        if entry is None or uid == os.geteuid():
            return None
        if os.geteuid() != 0:
            raise ConfigurationError(
                f"its code must run as {entry.pw_name}, and only root can become that user",
                component=self.component,
                remedy=f"run the command with sudo, or as {entry.pw_name}",
            )
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return processes.RunAs(entry.pw_uid, entry.pw_gid, groups, entry.pw_name, entry.pw_dir)

    def _wanted_user(self) -> pwd.struct_passwd | None:
        try:
            if self.user.name:
                return pwd.getpwnam(self.user.name)
            if self.user.owner_of:
                return pwd.getpwuid(_owner(self.user.owner_of))
        except KeyError:
            raise no_user(self.component, self.user.name or "the owner of its files") from None
        except OSError:
            raise no_owner(self.component, self.user.owner_of) from None
        return None


def bounded(
    component: ComponentRef | None,
    argv: Sequence[str],
    *,
    stdin: bytes,
    timeout: float,
    place: str,
    folder: str | None = None,
    run_as: processes.RunAs | None = None,
) -> Finished:
    """Run a program, and turn its running out of bounds into errors a person understands."""
    try:
        return processes.run(argv, stdin=stdin, timeout=timeout, folder=folder, run_as=run_as)
    except processes.OutOfTime:
        raise Unavailable(
            f"{argv[0]} did not end within {timeout:g} s on {place}; it was ended",
            component=component,
            remedy="look why the machine is slow, and run the command again",
        ) from None
    except processes.TooMuchOutput:
        raise BadAnswer(
            f"{argv[0]} printed more than {processes.LARGEST_OUTPUT // 1024 // 1024} MiB on {place}; it was ended",
            component=component,
        ) from None


def _owner(files: Sequence[str]) -> int:
    """Return the user id that owns the first file there is."""
    for file in files[:-1]:
        if Path(file).exists():
            return Path(file).stat().st_uid
    return Path(files[-1]).stat().st_uid
