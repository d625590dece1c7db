"""The token of a login, kept over runs: the server counts logins by password, and takes twenty a minute from all."""

from __future__ import annotations

import json
from typing import Protocol

from agencystack.stack.secrets import Secret


class Memory(Protocol):
    """Where one secret is kept."""

    def get(self) -> Secret | None:
        """Return it, None where there is none."""

    def put(self, value: Secret) -> None:
        """Keep it."""

    def delete(self) -> None:
        """Forget it."""


class Session:
    """The token of a login, for the server and the user it was given for and no other.

    Args:
        url: of the server.
        user: who logged in.
        memory: keeps it over runs; None keeps it for this one.
    """

    def __init__(self, url: str, user: str, memory: Memory | None = None) -> None:
        self._of, self._memory = {"url": url, "user": user}, memory
        self._token: str | None = None

    @property
    def token(self) -> str | None:
        """The token, where there is one."""
        if self._token is None and self._memory is not None:
            kept = self._memory.get()
            said = json.loads(kept.reveal()) if kept else {}
            # Never shown to another server: whoever has it is logged in.
            if {name: said.get(name) for name in self._of} == self._of:
                self._token = Secret(str(said["token"])).reveal()
        return self._token

    def keep(self, token: str) -> None:
        """Keep the token of a new login."""
        self._token = Secret(token).reveal()
        if self._memory is not None:
            self._memory.put(Secret(json.dumps({**self._of, "token": token})))

    def forget(self) -> None:
        """Forget it: it does not count any more."""
        self._token = None
        if self._memory is not None:
            self._memory.delete()
