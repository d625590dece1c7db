"""The data bridge as one service of the sandbox: the same `agencystack serve` that a host runs."""

from __future__ import annotations

import http.client
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.process import is_running, read_record, start_detached, stop
from agencystack.sandbox.services import kept_environment, not_started

START_SECONDS = 60.0
STOP_SECONDS = 20.0
ANSWER_SECONDS = 5.0
POLL = 0.1


@dataclass(frozen=True)
class BridgeService:
    """The bridge's worker and listener.

    Args:
        folder: the sandbox.
        port: it takes the products' calls at.
    """

    folder: SandboxFolder
    port: int
    name: str = "bridge"

    def is_up(self) -> bool:
        """Say whether it runs and answers."""
        return is_running(read_record(self._record)) and self._answers()

    def records(self) -> list[Path]:
        """Return the record of its process."""
        return [self._record] if self._record.exists() else []

    def start(self) -> None:
        """Start it; returns when it answers.

        Raises:
            AgencyStackError: it did not begin to answer.
        """
        if not is_running(read_record(self._record)):
            command = [sys.executable, "-m", "agencystack", "serve"]
            environment = {**kept_environment(), **self.folder.variables()}
            start_detached(command, log=self._log, record=self._record, cwd=self.folder.root, env=environment)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not is_running(read_record(self._record)) or time.monotonic() > end:
                self.stop()
                raise not_started("the data bridge did not begin to answer", self._log)
            time.sleep(POLL)

    def stop(self) -> bool:
        """End it."""
        return stop(self._record, timeout=STOP_SECONDS)

    @property
    def _record(self) -> Path:
        return self.folder.run / "bridge.json"

    @property
    def _log(self) -> Path:
        return self.folder.log / "bridge.log"

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
