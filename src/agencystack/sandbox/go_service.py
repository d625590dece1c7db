"""Start, watch and end a program of ``go_programs`` as one service of the sandbox."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.process import is_running, read_record, start_detached, stop
from agencystack.sandbox.services import kept_environment, not_started
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import write_atomically

# Each takes 1 to 3 s; two busy cores need more.
START_SECONDS = 120.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 5.0
POLL = 0.1


@dataclass(frozen=True)
class GoService:
    """One of these programs.

    Args:
        name: of the service.
        folder: the sandbox.
        program: file of the program; only a start needs it to be there.
        arguments: it is started with.
        port: it answers HTTP on, at ``/ready`` or ``/-/ready``.
        ready: path that answers 200 when it is ready.
        files: what is written before each start: content by file.
        folders: what is made before a start.
        memory: bytes it should not need more than, in Go's own writing (``GOMEMLIMIT``).
    """

    name: str
    folder: SandboxFolder
    program: Path
    arguments: tuple[str, ...]
    port: int
    ready: str
    folders: tuple[Path, ...]
    files: Mapping[Path, str] = field(default_factory=dict)
    memory: str = "256MiB"

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"

    def is_up(self) -> bool:
        """Say whether it runs and is ready."""
        return is_running(read_record(self._record)) and self._answers()

    def records(self) -> list[Path]:
        """Return the record of its process."""
        return [self._record] if self._record.exists() else []

    def start(self) -> None:
        """Start it; returns when it is ready.

        Raises:
            ConfigurationError: the program is not there.
            AgencyStackError: it did not become ready.
        """
        if not os.access(self.program, os.X_OK):
            raise ConfigurationError(f"there is no {self.program}", remedy=f"run scripts/sandbox-{self.name}")
        self._prepare()
        try:
            if not is_running(read_record(self._record)):
                environment = {**kept_environment(), "GOMEMLIMIT": self.memory}
                command = [str(self.program), *self.arguments]
                start_detached(command, log=self.log, record=self._record, cwd=self.folders[0], env=environment)
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """End it and give it time to write down what it holds."""
        return stop(self._record, timeout=STOP_SECONDS)

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder.log / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.folder.run / f"{self.name}.json"

    def _prepare(self) -> None:
        for path in self.folders:
            path.mkdir(parents=True, exist_ok=True)
        for path, text in self.files.items():
            write_atomically(path, text.encode(), 0o644)

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not is_running(read_record(self._record)):
                raise not_started(f"{self.name} ended before it was ready", self.log)
            if time.monotonic() > end:
                raise not_started(f"{self.name} was not ready within {START_SECONDS:g} s", self.log)
            time.sleep(POLL)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", self.ready)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
