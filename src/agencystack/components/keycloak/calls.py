"""What the parts of a realm share: the calls of python-keycloak, and what was read kept until told to forget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from agencystack.components.keycloak.errors import Absent
from agencystack.stack.errors import BadAnswer, ComponentRef

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

Kept = TypeVar("Kept")
# Keycloak gives 10 groups and 100 users unless asked for more.
PAGE = 100


class RealmCalls:
    """Calls into one realm.

    Args:
        where: the component, for messages.
        name: the realm.
        admin: gives the library's interface to that realm; called when it is first needed.
    """

    def __init__(self, where: ComponentRef, name: str, admin: Callable[[], KeycloakAdmin]) -> None:
        self.where = where
        self.name = name
        self._open = admin
        self._lock = threading.RLock()
        self._kept: dict[str, Any] = {}

    def forget(self) -> None:
        """Make every read ask Keycloak again."""
        with self._lock:
            self._kept.clear()

    @property
    def _admin(self) -> KeycloakAdmin:
        return self._keep("admin", self._open)

    def _keep(self, key: str, read: Callable[[], Kept]) -> Kept:
        """Return what was read under ``key``; several that ask at once wait for one read."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read()
            found: Kept = self._kept[key]
            return found

    def _drop(self, *prefixes: str) -> None:
        """Forget what begins with one of ``prefixes``."""
        with self._lock:
            for key in [key for key in self._kept if key.startswith(prefixes)]:
                del self._kept[key]

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turn an answer of another shape than documented into our error.

        The library's and Pydantic's messages quote the answer, which may hold secrets; they go no further.
        """
        try:
            yield
        except (TypeError, KeyError, ValueError) as error:
            raise BadAnswer(
                f"answered a question about realm {self.name} in a form we do not know ({type(error).__name__})",
                component=self.where,
                remedy="check its version: 21 to 26 are known",
            ) from None

    @contextmanager
    def _removing(self, *kept: str) -> Iterator[None]:
        """Remove something; what is gone already is fine. Forgets what was read under keys that begin with ``kept``."""
        try:
            with self._understood():
                yield
        except Absent:
            return
        finally:
            self._drop(*kept)

    def _all(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return a listing that comes in pages, whole."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._admin.connection.raw_get(path, **query, first=len(found), max=PAGE).json()
            found.extend(page)
            if len(page) < PAGE:
                return found
