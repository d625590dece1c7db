"""One realm of a Keycloak: its settings, and with them its clients, groups and users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from agencystack.components.keycloak.errors import Absent
from agencystack.components.keycloak.models import RealmSettings
from agencystack.components.keycloak.users import RealmUsers

if TYPE_CHECKING:
    from agencystack.components.keycloak.transport import Transport


class Realm(RealmUsers):
    """One realm, absent or not.

    Reads are kept until :meth:`forget`; a write makes what it changes be read again. Only ``absent`` is an empty
    answer: what cannot be reached or read raises.
    """

    def settings(self) -> RealmSettings | None:
        """Return the realm's settings, or ``None`` where there is no such realm; asked once."""
        return self._keep("settings", self._read_settings)

    def create(self, values: Mapping[str, Any] | None = None) -> RealmSettings:
        """Make the realm.

        Args:
            values: fields of Keycloak's RealmRepresentation beside the name; enabled unless they say otherwise.

        Raises:
            Refused: it exists.
        """
        with self._understood():
            self._admin.create_realm({"enabled": True, **(values or {}), "realm": self.name})
        self.forget()
        return self._existing_settings()

    def update(self, changes: Mapping[str, Any]) -> RealmSettings:
        """Change settings of the realm and leave all others.

        Args:
            changes: fields of Keycloak's RealmRepresentation. ``smtpServer`` is replaced whole (a password of
                ``**********`` keeps the stored one); ``attributes`` are merged, one that is ``None`` goes.

        Raises:
            Absent: there is no such realm.
            Refused: Keycloak declines a value.
        """
        wanted = dict(changes)
        with self._understood():
            if "attributes" in changes:
                # Attributes are replaced whole, and with them go settings stored as such that are not sent along:
                # in version 21 the protection against brute force (contract test of the realm's update).
                live = self._admin.get_realm(quote(self.name, safe=""))
                merged = {**live.get("attributes", {}), **changes["attributes"]}
                attributes = {name: value for name, value in merged.items() if value is not None}
                wanted = {**live, **changes, "attributes": attributes}
            self._admin.update_realm(quote(self.name, safe=""), wanted)
        self._drop("settings")
        return self._existing_settings()

    def delete(self) -> None:
        """Delete the realm with everything in it; nothing to do where it is absent."""
        with self._removing(""):
            self._admin.delete_realm(quote(self.name, safe=""))

    def discovery(self) -> Mapping[str, Any]:
        """Return the OpenID Connect discovery document, asked for at the address we use.

        Where public and internal address differ, its issuer and login page are public, its token endpoint is as
        we reach it.

        Raises:
            Absent: there is no such realm.
        """
        return self._keep("discovery", lambda: self._public(".well-known/openid-configuration"))

    def jwks(self) -> Mapping[str, Any]:
        """Return the public keys the realm signs with.

        Raises:
            Absent: there is no such realm.
        """
        return self._public("protocol/openid-connect/certs")

    def _public(self, path: str) -> Mapping[str, Any]:
        transport: Transport = self._admin.connection.transport  # type: ignore[attr-defined] # ours: client.py
        found: Mapping[str, Any] = transport.public_get(f"realms/{quote(self.name, safe='')}/{path}")
        return found

    def _read_settings(self) -> RealmSettings | None:
        try:
            with self._understood():
                found = self._admin.get_realm(quote(self.name, safe=""))
                return RealmSettings.model_validate({k: v for k, v in found.items() if v is not None})
        except Absent:
            return None

    def _existing_settings(self) -> RealmSettings:
        found = self.settings()
        if found is None:
            raise Absent(f"has no realm {self.name}", component=self.where)
        return found
