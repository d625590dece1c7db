"""Run a program where a product lives: here, in a container, over ssh, or in a container over ssh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Finished:
    """What a program left behind.

    Args:
        returncode: exit status of the program itself, not of docker or ssh.
        stdout: what it printed.
        stderr: what it complained of; may hold a product's notices, never parsed for data.
    """

    returncode: int
    stdout: bytes
    stderr: bytes


class Executor(Protocol):
    """Runs programs at one place, as one user."""

    @property
    def description(self) -> str:
        """Say where programs run, for a person: ``docker container acme_wordpress on host web1``."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        """Run ``argv`` and wait for it.

        Args:
            argv: program and arguments; never a secret, as any user of the host can list them.
            stdin: what the program reads; the only way a secret travels.
            timeout: seconds until the program is ended.

        Raises:
            Unavailable: the place cannot be reached (no such container, ssh refused), or the time is over.
            AuthenticationFailed: ssh or docker refused us.
            ConfigurationError: it would run a product's code as root.
        """

    def host(self) -> Executor:
        """Return the executor of the machine around the container; itself where there is no container."""
