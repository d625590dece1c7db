"""An application that is only described: told by a program or a call, restarted by a command, known by its address."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from agencystack.components.http import HttpApi, trust
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor
from agencystack.stack.secrets import Secret, redact

COMMAND_LIMIT = 120.0
"""Seconds for a program that takes settings, or restarts the application."""

START_LIMIT = 90.0
"""Seconds from a restart until the application answers."""

PAUSE = 0.2


@dataclass(frozen=True)
class Call:
    """One call of an application's interface.

    Args:
        method: HTTP method.
        url: whole address, as we reach it.
        headers: may hold credentials.
        body: sent as JSON when not None; may hold secrets.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)

    def sealed(self) -> Secret:
        """Return all of it as one secret, to be compared and kept."""
        return Secret(json.dumps(asdict(self), sort_keys=True))

    @classmethod
    def parse(cls, sealed: Secret) -> Call:
        """Return the call that :meth:`sealed` was asked of."""
        return cls(**json.loads(sealed.reveal()))


class DescribedApplication:
    """One application.

    Args:
        where: the component, for error messages.
        url: its address as we reach it.
        executor: runs programs where it lives; None where nothing runs there.
        ca_file: authority of its certificate; the system's when absent.
    """

    def __init__(
        self, where: ComponentRef, url: str, executor: Executor | None = None, *, ca_file: Path | None = None
    ) -> None:
        self.where = where
        self._url, self._executor, self._ca_file = url, executor, ca_file

    def run(self, argv: Sequence[str], given: str) -> None:
        """Run a program where the application lives, with ``given`` on its standard input.

        Raises:
            Refused: it did not end with 0; with its last words.
        """
        finished = self._need().run(list(argv), stdin=given.encode(), timeout=COMMAND_LIMIT)
        if finished.returncode != 0:
            raise Refused(
                f"{' '.join(argv)} ended with {finished.returncode}: {_last_line(finished.stderr)}",
                component=self.where,
                remedy="run it by hand, with one JSON object on its standard input",
            )

    def call(self, call: Call) -> None:
        """Make a call; what it answers beside its status is not read.

        Raises:
            Refused, AuthenticationFailed, Unavailable: it was not taken.
        """
        parts = urlsplit(call.url)
        api = HttpApi(self.where, f"{parts.scheme}://{parts.netloc}", headers=call.headers, ca_file=self._ca_file)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            answer = api.send(call.method, path, body=call.body)
        finally:
            api.close()
        if not answer.is_success:
            raise Refused(
                f"answered {answer.status_code} to {call.method} {parts.path}: {redact(answer.text)[:300]}",
                component=self.where,
                remedy="compare the call in stack.yaml with what the application documents",
            )

    def restart(self, argv: Sequence[str], *, wait: bool = True) -> None:
        """Restart it.

        Args:
            argv: program and arguments, run on the machine around the container.
            wait: until it answers anything at all.

        Raises:
            Unavailable: the command failed, or the application does not come back.
        """
        finished = self._need().host().run(list(argv), timeout=COMMAND_LIMIT)
        if finished.returncode != 0:
            raise Unavailable(
                f"{' '.join(argv)} ended with {finished.returncode}: {_last_line(finished.stderr)}",
                component=self.where,
                remedy="run it by hand and correct restart in stack.yaml",
            )
        if wait:
            self._await()

    def _await(self) -> None:
        end = time.monotonic() + START_LIMIT
        with httpx.Client(verify=trust(self._ca_file), timeout=5.0, trust_env=False) as client:
            while True:
                try:
                    client.get(self._url)
                except httpx.RequestError as error:
                    if time.monotonic() > end:
                        raise Unavailable(
                            f"does not answer {START_LIMIT:g} s after it was restarted",
                            component=self.where,
                            remedy="look into its log: it may not take the settings it was given",
                        ) from error
                else:
                    return
                time.sleep(PAUSE)

    def _need(self) -> Executor:
        if self._executor is None:
            raise ConfigurationError(
                "is configured by commands, and stack.yaml does not say where they run",
                component=self.where,
                remedy="add `exec: {local: true}`, `exec: {docker: CONTAINER}` or `exec: {ssh: HOST}`",
            )
        return self._executor


def _last_line(said: bytes) -> str:
    lines = redact(said.decode(errors="replace")).strip().splitlines()
    return lines[-1][:300] if lines else "no message"
