"""Where and as whom programs run: this machine, a container, a machine behind ssh, a container behind ssh."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agencystack.stack import processes
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.model import Exec

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


@dataclass(frozen=True)
class UserRule:
    """Which user a product's code runs as.

    Args:
        name: this one; empty means the next rule.
        owner_of: the owner of the first of these files that exists; empty means the user we arrive as.
        may_be_root: whether root is allowed, as for work on files of the machine.
    """

    name: str = ""
    owner_of: tuple[str, ...] = ()
    may_be_root: bool = False


HOST_WORK = UserRule(may_be_root=True)


def default_user(product: str, where: Exec) -> UserRule:
    """Return as whom a product's code runs when ``stack.yaml`` does not say.

    WordPress: ``www-data`` in containers, else the owner of ``wp-config.php``, which may stand one folder above.
    ERPNext: in containers the image's own user, else the owner of the bench. Others: the user we arrive as.
    """
    if where.user:
        return UserRule(name=where.user)
    if product == "wordpress":
        if where.docker:
            return UserRule(name="www-data")
        return UserRule(owner_of=_config_files(where.path)) if where.path else UserRule()
    if product == "erpnext" and where.path and not where.docker:
        return UserRule(owner_of=(where.path,))
    return UserRule()


def executor_for(
    component: ComponentRef, where: Exec, *, ssh_options: Sequence[str] = (), user: UserRule | None = None
) -> Executor:
    """Return the executor for a product's own code; it refuses to run that as root.

    Args:
        component: whose code it is, for the default user and for errors.
        where: ``exec`` of ``stack.yaml``.
        ssh_options: further arguments for ssh, such as ``("-F", "/path/ssh_config")``.
        user: as whom; :func:`default_user` when not given.
    """
    rule = default_user(component.name, where) if user is None else user
    return LocalExecutor(component=component, user=rule, folder=where.path)


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


def refuse_root(component: ComponentRef | None) -> ConfigurationError:
    """Return the error for product code that would run as root."""
    return ConfigurationError(
        "its code would run as root, which gives any plugin of it the whole machine",
        component=component,
        remedy="set exec.user to the user it runs as, such as www-data",
    )


def no_user(component: ComponentRef | None, user: str) -> ConfigurationError:
    """Return the error for a user who does not exist where the product lives."""
    return ConfigurationError(
        f"there is no user {user} where it lives", component=component, remedy="set exec.user to the user it runs as"
    )


def no_owner(component: ComponentRef | None, files: Sequence[str]) -> ConfigurationError:
    """Return the error for a product that is not where ``exec.path`` says."""
    return ConfigurationError(
        f"there is no {files[0] if files else 'file'} where it lives",
        component=component,
        remedy="set exec.path to its folder, or exec.user to the user it runs as",
    )


def no_folder(component: ComponentRef | None, folder: str, place: str) -> ConfigurationError:
    """Return the error for a working folder that is not there."""
    return ConfigurationError(
        f"there is no folder {folder} on {place} that can be entered",
        component=component,
        remedy="set exec.path to the product's folder",
    )


def _config_files(path: str) -> tuple[str, str]:
    return f"{path.rstrip('/')}/wp-config.php", f"{path.rstrip('/')}/../wp-config.php"


def _owner(files: Sequence[str]) -> int:
    """Return the user id that owns the first file there is."""
    for file in files[:-1]:
        if Path(file).exists():
            return Path(file).stat().st_uid
    return Path(files[-1]).stat().st_uid
