"""What one run shares: connections, sealed secrets, who we are, and one turn at a time per component."""

from __future__ import annotations

import getpass
import os
import secrets as random_source
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from agencystack.stack.errors import ComponentRef
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret

T = TypeVar("T")


class Sealed(Protocol):
    """The part of the sealed store the engine needs."""

    def get(self, name: str) -> Secret | None:
        """Return a secret, or None."""

    def put(self, name: str, secret: Secret) -> None:
        """Keep a secret."""

    def delete(self, name: str) -> bool:
        """Forget a secret."""

    def seal(self, data: bytes, context: str) -> str:
        """Return text that only this store opens, for the same context."""

    def open(self, sealed: str, context: str) -> bytes:
        """Return what was sealed."""

    def fingerprint(self, secret: Secret) -> str:
        """Return a keyed hash."""


@runtime_checkable
class Forgetful(Protocol):
    """A component's client that keeps what it read during a run."""

    def forget(self) -> None:
        """Read anew at the next question."""


@dataclass(frozen=True)
class Component:
    """One installed product: its name, and what ``stack.yaml`` says of it."""

    ref: ComponentRef
    settings: Any


@dataclass
class Context:
    """One run of one command.

    Args:
        home: the installation.
        sealed: the sealed store.
        resolve: turns a secret reference of ``stack.yaml`` into its value.
        run: id of the run, sortable by time.
        by: who runs it, for the record.
        prove_admin: proofs may have people log in as administrators.
        purge: what is removed is forgotten for good, contents included.
    """

    home: Home
    sealed: Sealed
    resolve: Callable[[Any], Secret]
    run: str = field(default_factory=lambda: new_run_id())
    by: str = field(default_factory=lambda: acting_user())
    prove_admin: bool = False
    purge: bool = False

    def __post_init__(self) -> None:
        self._connections: dict[tuple[ComponentRef, Hashable], Any] = {}
        self._making: dict[tuple[ComponentRef, Hashable], threading.RLock] = defaultdict(threading.RLock)
        self._turns: dict[ComponentRef, threading.RLock] = defaultdict(threading.RLock)
        self._lock = threading.RLock()

    def connection(self, ref: ComponentRef, make: Callable[[], T], kind: Hashable = "client") -> T:
        """Return the one connection of this run to a component, made at the first call.

        Args:
            ref: the component.
            make: makes the connection, or asks the product once; only who wants the same one waits for it.
            kind: tells several connections to one component apart.
        """
        with self._lock:
            making = self._making[ref, kind]
        with making:
            if (ref, kind) not in self._connections:
                made = make()
                with self._lock:
                    self._connections[ref, kind] = made
            return cast("T", self._connections[ref, kind])

    def turn(self, ref: ComponentRef) -> threading.RLock:
        """Return the lock under which this run changes a component: changes in one component go in sequence."""
        with self._lock:
            return self._turns[ref]

    def forget(self, ref: ComponentRef) -> None:
        """Make the next reading of a component a live one."""
        with self._lock:
            held = [connection for (owner, _), connection in self._connections.items() if owner == ref]
        for connection in held:
            if isinstance(connection, Forgetful):
                connection.forget()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._connections.values():
                close = getattr(connection, "close", None)
                if callable(close):
                    close()
            self._connections.clear()


def now() -> str:
    """Return the time as records and logs write it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id() -> str:
    """Return an id that sorts by start time."""
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{started}Z-{random_source.token_hex(2)}"


def acting_user() -> str:
    """Return the person behind this run, through sudo too."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.geteuid())
    person = os.environ.get("SUDO_USER")
    return f"{person} (sudo)" if person and os.geteuid() == 0 else name
