"""Start, watch and end the background process that hosts the stand-ins (``serve.py``)."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox.answering import PortCheck
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import taken
from agencystack.sandbox.process import is_running, read_record, start_detached, stop
from agencystack.sandbox.services import kept_environment, not_started
from agencystack.stack.errors import ConfigurationError

READY_SECONDS = 25.0
RELEASE_SECONDS = 3.0
POLL = 0.05


@dataclass(frozen=True)
class Worker:
    """The background process that hosts the stand-ins.

    Args:
        folder: the sandbox.
        ports: those it listens on, by name.
        checks: how each port shows that it answers.
    """

    folder: SandboxFolder
    ports: Mapping[str, int]
    checks: Mapping[str, PortCheck]
    name: str = "stand-ins"

    @property
    def _record(self) -> Path:
        return self.folder.run / "stand-ins.json"

    @property
    def _log(self) -> Path:
        return self.folder.log / "sandbox.log"

    def is_up(self) -> bool:
        """Say whether the process runs and every port answers."""
        return is_running(read_record(self._record)) and not self._silent()

    def records(self) -> list[Path]:
        """Return the record of the process."""
        return [self._record] if self._record.exists() else []

    def start(self) -> None:
        """Start the process unless all of it is up."""
        if self.is_up():
            return
        self.stop()
        self._refuse_taken_ports()
        argv = [sys.executable, "-P", "-m", "agencystack.sandbox.serve", str(self.folder.root)]
        start_detached(argv, log=self._log, record=self._record, cwd=self.folder.root, env=self._environment())
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """End the process."""
        return stop(self._record)

    def _environment(self) -> dict[str, str]:
        # As on a host whose administrator made the system trust its private authority.
        return kept_environment() | {"SSL_CERT_FILE": str(self.folder.ca_file)}

    def _refuse_taken_ports(self) -> None:
        strangers = self._still_taken()
        if strangers:
            listed = ", ".join(f"{port} ({name})" for name, port in strangers.items())
            raise ConfigurationError(
                f"another program listens on ports of this sandbox: {listed}",
                remedy=f"end that program, or remove {self.folder.root} and run sandbox up again",
            )

    def _still_taken(self) -> dict[str, int]:
        # A killed process counts as ended while its last threads still close what it listened on.
        end = time.monotonic() + RELEASE_SECONDS
        while (strangers := taken(self.ports)) and time.monotonic() < end:
            time.sleep(POLL)
        return strangers

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while silent := self._silent():
            if not is_running(read_record(self._record)):
                raise not_started("the stand-ins ended at once", self._log)
            if time.monotonic() > end:
                raise not_started(f"no answer from {', '.join(silent)} after {READY_SECONDS:g} s", self._log)
            time.sleep(POLL)

    def _silent(self) -> list[str]:
        return [name for name, port in self.ports.items() if not self.checks[name](port)]
