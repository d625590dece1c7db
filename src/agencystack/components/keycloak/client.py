"""One Keycloak: the connection to it, its version, its realms."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from agencystack.components.keycloak.login import AdminLogin
from agencystack.components.keycloak.realm import Realm
from agencystack.stack.errors import BadAnswer, ComponentRef

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

    from agencystack.components.keycloak.transport import Transport

DEFAULT_TIMEOUT = 30.0


class Keycloak:
    """One Keycloak, for any number of threads at once.

    Args:
        where: the component, for messages.
        url: its address as we reach it; ends in ``/auth`` where Keycloak's path does.
        login: who we are there.
        ca_file: authority that signed its certificate, if the system does not know it.
        timeout: seconds for one answer.
    """

    def __init__(
        self,
        where: ComponentRef,
        url: str,
        login: AdminLogin,
        *,
        ca_file: Path | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self.where = where
        self.url = url.rstrip("/")
        self._login = login
        self._ca_file = ca_file
        self._timeout = timeout
        self._lock = threading.RLock()
        self._opened: Transport | None = None
        self._realms: dict[str, Realm] = {}
        self._version: str | None = None

    def realm(self, name: str) -> Realm:
        """Return the handle of a realm, the same one each time; whether it exists is asked later."""
        with self._lock:
            if name not in self._realms:
                self._realms[name] = Realm(self.where, name, lambda: self._admin(name))
            return self._realms[name]

    def version(self) -> str:
        """Return Keycloak's version, such as ``26.3.5``; asked once.

        Raises:
            AuthenticationFailed: only administrators of the realm ``master`` may know it.
        """
        with self._lock:
            if self._version is None:
                self._version = self._read_version()
            return self._version

    def forget(self) -> None:
        """Make every read ask Keycloak again."""
        with self._lock:
            self._version = None
            realms = list(self._realms.values())
        # Not under our lock: a realm that is just being read holds its own, and wants ours for the connection.
        for realm in realms:
            realm.forget()

    def close(self) -> None:
        """End our session at Keycloak and close the connections."""
        with self._lock:
            opened, self._opened = self._opened, None
        self.forget()
        if opened is not None:
            opened.close()

    def _read_version(self) -> str:
        found = self._transport().raw_get("admin/serverinfo").json()
        try:
            return str(found["systemInfo"]["version"])
        except (KeyError, TypeError):
            raise BadAnswer("did not say its version", component=self.where) from None

    def _transport(self) -> Transport:
        from agencystack.components.keycloak.transport import Transport  # see that module

        with self._lock:
            if self._opened is None:
                self._opened = Transport(
                    self.where, self.url, self._login, ca_file=self._ca_file, timeout=self._timeout
                )
            return self._opened

    def _admin(self, realm: str) -> KeycloakAdmin:
        from keycloak import KeycloakAdmin

        return KeycloakAdmin(connection=cast("Transport", _RealmConnection(self._transport(), realm)))


class _RealmConnection:
    """The shared connection as the library's calls into one realm see it."""

    def __init__(self, transport: Transport, realm: str) -> None:
        self.transport = transport
        self.realm_name = quote(realm, safe="")
        self.raw_get = transport.raw_get
        self.raw_post = transport.raw_post
        self.raw_put = transport.raw_put
        self.raw_delete = transport.raw_delete
