"""Run programs in a container, behind ssh, or in a container behind ssh, through the ordinary clients."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shlex
import stat
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agencystack.stack.errors import (
    AgencyStackError,
    AuthenticationFailed,
    ComponentRef,
    ConfigurationError,
    Unavailable,
)
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.guard import Guard, Reason
from agencystack.stack.local import LocalExecutor, bounded
from agencystack.stack.secrets import redact
from agencystack.stack.users import HOST_WORK, UserRule, no_folder, no_owner, no_user, refuse_root

_SSH_FAILED = 255
_NOT_FOUND = 127
# ssh adds a slash, 40 characters of hash and 17 of a temporary name; a socket's path ends at 104.
_LONGEST_SOCKET_FOLDER = 104 - 58 - 1


@dataclass(frozen=True)
class RemoteExecutor:
    """Runs programs elsewhere, as the right user.

    Args:
        component: whose code runs, for errors.
        docker: container, on this machine or on ``ssh``.
        ssh: ``HOST`` or ``USER@HOST``; its login shell must be a POSIX shell.
        user: as whom.
        folder: working folder; where we arrive when not given.
        ssh_options: further arguments for ssh; they win over ours, as ssh takes the first of two.
    """

    component: ComponentRef | None = None
    docker: str | None = None
    ssh: str | None = None
    user: UserRule = HOST_WORK
    folder: str | None = None
    ssh_options: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Say where programs run."""
        container = f"docker container {self.docker}" if self.docker else ""
        host = f"host {self.ssh}" if self.ssh else ""
        return " on ".join(part for part in (container, host) if part)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        """Run ``argv`` and wait; a program that is not there ends with 127, as in a shell.

        Raises:
            Unavailable: the place cannot be reached, or the time is over.
            AuthenticationFailed: docker or ssh refused us.
            BadAnswer: it printed without end.
            ConfigurationError: it would run a product's code as root, or ``exec`` names what is not there.
        """
        guard = self._guard()
        command = self._command(guard.wrap(argv, timeout))
        try:
            with _slot(self.ssh) if self.ssh else contextlib.nullcontext():
                finished = bounded(self.component, command, stdin=stdin, timeout=timeout, place=self.description)
        except FileNotFoundError:
            raise self._no_client(command[0]) from None
        result = guard.started(finished)
        if result is None:
            raise self._not_started(guard, finished)
        return result

    def host(self) -> Executor:
        """Return the executor of the machine around the container; root may work there."""
        if self.ssh is None:
            return LocalExecutor(component=self.component)
        return dataclasses.replace(self, docker=None, user=HOST_WORK, folder=None)

    def _guard(self) -> Guard:
        """Docker takes user and folder itself; behind ssh alone the guard sets them."""
        if self.docker:
            return Guard(UserRule(may_be_root=self.user.may_be_root))
        return Guard(self.user, self.folder or "")

    def _command(self, inner: list[str]) -> list[str]:
        if self.docker:
            user = ["-u", self.user.name] if self.user.name else []
            folder = ["-w", self.folder] if self.folder else []
            inner = ["docker", "exec", "-i", *user, *folder, self.docker, *inner]
        if self.ssh is None:
            return inner
        return ["ssh", "-T", *self.ssh_options, *_ssh_defaults(), "--", self.ssh, shlex.join(inner)]

    def _not_started(self, guard: Guard, finished: Finished) -> AgencyStackError:
        """Say who stopped the program before it started: our guard, ssh or docker."""
        reason = guard.refusal(finished)
        if reason is not None:
            return self._refused_by_guard(reason)
        complaint = redact(finished.stderr.decode(errors="replace"))
        if self.ssh is not None and finished.returncode == _SSH_FAILED:
            return self._refused_by_ssh(complaint)
        if self.docker is not None:
            return self._refused_by_docker(complaint, finished.returncode)
        return Unavailable(
            f"the login on {self.ssh} runs no commands: {_last_line(complaint)}",
            component=self.component,
            remedy="give that user a POSIX shell as login shell, or name another user in exec.ssh",
        )

    def _refused_by_guard(self, reason: Reason) -> AgencyStackError:
        match reason:
            case "root":
                return refuse_root(self.component)
            case "no-owner":
                return no_owner(self.component, self.user.owner_of)
            case "no-user":
                return no_user(self.component, self.user.name or "the owner of its files")
            case "no-folder":
                return no_folder(self.component, self.folder or "", self.description)
            case "no-sudo":
                return ConfigurationError(
                    f"on {self.ssh} our user may not become the user its code runs as",
                    component=self.component,
                    remedy="allow it there in sudoers with NOPASSWD, or name in exec.ssh a user that can",
                )

    def _refused_by_ssh(self, complaint: str) -> AgencyStackError:
        name = (self.ssh or "").rsplit("@", 1)[-1]
        if "IDENTIFICATION HAS CHANGED" in complaint:
            return self._denied(
                f"the host key of {name} is not the one known here: another machine answers, or it was installed anew",
                f"if it was installed anew: ssh-keygen -R {name}, then connect once by hand",
            )
        if "Host key verification failed" in complaint:
            return self._denied(
                f"the host key of {name} is not known here",
                f"connect once by hand as the same user: ssh {self.ssh}; and compare the fingerprint it shows",
            )
        if "Permission denied" in complaint or "Too many authentication failures" in complaint:
            return self._denied(
                f"{self.ssh} refused our ssh key",
                f"put the public key of the user who runs us there: ssh-copy-id {self.ssh} (under sudo: root's key)",
            )
        if "configuration option" in complaint or "config file" in complaint:
            return ConfigurationError(
                f"ssh cannot read its configuration: {_last_line(complaint)}",
                component=self.component,
                remedy="correct ~/.ssh/config",
            )
        return Unavailable(
            f"ssh cannot reach {self.ssh}: {_last_line(complaint)}",
            component=self.component,
            remedy=f"check that this works: ssh -o BatchMode=yes {self.ssh} true",
        )

    def _refused_by_docker(self, complaint: str, returncode: int) -> AgencyStackError:
        on_host = f" on {self.ssh}" if self.ssh else ""
        if "No such container" in complaint:
            return self._unreachable(
                f"there is no container {self.docker}{on_host}", "set exec.docker to a name that docker ps shows"
            )
        if "is not running" in complaint or "is paused" in complaint or "is restarting" in complaint:
            return self._unreachable(
                f"the container {self.docker}{on_host} is not running", f"docker start {self.docker}; see docker logs"
            )
        if "permission denied while trying to connect" in complaint:
            return self._denied(
                f"docker{on_host} does not let our user in",
                "run the command with sudo, or add the user to the group docker",
            )
        if "annot connect to the Docker daemon" in complaint or "error during connect" in complaint:
            return self._unreachable(f"docker{on_host} does not answer", "systemctl start docker")
        if "unable to find user" in complaint:
            return no_user(self.component, self.user.name)
        if "chdir to cwd" in complaint:
            return no_folder(self.component, self.folder or "", self.description)
        if "executable file not found" in complaint or "no such file or directory" in complaint:
            return ConfigurationError(
                f"the container {self.docker} has no shell",
                component=self.component,
                remedy="name the container of the product itself in exec.docker",
            )
        if returncode == _NOT_FOUND:
            return self._no_client("docker")
        return self._unreachable(
            f"docker{on_host} refused: {_last_line(complaint)}", "look at docker ps and docker logs"
        )

    def _no_client(self, program: str) -> ConfigurationError:
        host = self.ssh if self.ssh and program == "docker" else "this machine"
        return ConfigurationError(
            f"the program {program} is not on {host}", component=self.component, remedy=f"install the {program} client"
        )

    def _denied(self, message: str, remedy: str) -> AuthenticationFailed:
        return AuthenticationFailed(message, component=self.component, remedy=remedy)

    def _unreachable(self, message: str, remedy: str) -> Unavailable:
        return Unavailable(message, component=self.component, remedy=remedy)


@functools.cache
def _slot(host: str) -> threading.BoundedSemaphore:
    """Return what bounds the calls that run on a host at once.

    sshd carries 10 sessions on one connection, and drops some of more than 10 connections that log in at a time
    (MaxSessions and MaxStartups of sshd_config).
    """
    return threading.BoundedSemaphore(8)


def _ssh_defaults() -> list[str]:
    """Return the options of every start: never ask, notice a dead line, share one connection."""
    options = ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"]
    folder = _socket_folder()
    if folder is not None:
        options += ["ControlMaster=auto", f"ControlPath={folder}/%C", "ControlPersist=60"]
    return [argument for option in options for argument in ("-o", option)]


@functools.cache
def _socket_folder() -> str | None:
    """Return a folder for connections that nobody else can use; ``None``, and no sharing, where there is none."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base) / f"agencystack-ssh-{os.geteuid()}"
    if len(str(folder)) > _LONGEST_SOCKET_FOLDER:
        return None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not stat.S_IMODE(facts.st_mode) & 0o077
    return str(folder) if private else None


def _last_line(complaint: str) -> str:
    """Return the last thing a client said, which is why it ended."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it gave no reason"
