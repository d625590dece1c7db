"""The clients of a realm: all read in one request; changed without touching what others set on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.components.keycloak.calls import RealmCalls
from agencystack.components.keycloak.errors import Absent
from agencystack.components.keycloak.models import Client, Mapper
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret

# These have addresses of their own; sent with the client, Keycloak would take our copy for the truth.
OWN_ADDRESS = ("protocolMappers", "defaultClientScopes", "optionalClientScopes", "access")
# Left out, Keycloak would make it a public client that takes passwords directly.
NEW = {"protocol": "openid-connect", "publicClient": False, "directAccessGrantsEnabled": False}


class RealmClients(RealmCalls):
    """Clients, their secrets, mappers and client scopes."""

    def clients(self) -> Mapping[str, Client]:
        """Return all clients by client id, none where the realm is absent; asked once.

        One request brings redirect URIs, attributes, mappers, scopes and secrets of all of them.
        """
        return self._keep("clients", self._read_clients)

    def client(self, client_id: str) -> Client | None:
        """Return one of :meth:`clients`, or ``None``."""
        return self.clients().get(client_id)

    def create_client(self, client_id: str, values: Mapping[str, Any]) -> Client:
        """Create a client, a confidential one unless ``values`` say ``publicClient``; Keycloak makes its secret.

        Args:
            client_id: the name the application gives.
            values: fields of Keycloak's ClientRepresentation.

        Raises:
            Refused: a client of that name exists, or a redirect URI is none.
        """
        with self._understood():
            made = self._admin.create_client({**NEW, **values, "clientId": client_id})
        return self._read_again(made)

    def update_client(self, client_id: str, changes: Mapping[str, Any]) -> Client:
        """Change fields of a client; everything else stays as it is at this moment, the secret too.

        Args:
            client_id: the name the application gives.
            changes: fields of Keycloak's ClientRepresentation. ``attributes`` are merged; one that is ``None`` goes.
                Mappers and client scopes have methods of their own.

        Raises:
            Absent: there is no such client.
            Refused: Keycloak declines the change.
        """
        known = self._existing(client_id)
        with self._understood():
            live = Client.of(self._admin.get_client(known.id)).raw
            attributes = {**live.get("attributes", {}), **changes.get("attributes", {})}
            merged = {**live, **changes, "attributes": attributes}
            self._admin.update_client(known.id, {k: v for k, v in merged.items() if k not in OWN_ADDRESS})
        if merged.get("clientId", client_id) != client_id:
            self._drop("clients")
        return self._read_again(known.id)

    def delete_client(self, client_id: str) -> None:
        """Delete a client, its roles and what groups and users had of them; nothing to do where it is absent."""
        known = self.client(client_id)
        if known is not None:
            with self._removing("clients", f"roles/{client_id}", "groups"):
                self._admin.delete_client(known.id)

    def client_secret(self, client_id: str) -> Secret:
        """Return the secret of a confidential client.

        Raises:
            Refused: it has none.
        """
        secret = self._existing(client_id).secret
        if secret is None:
            raise Refused(f"the client {client_id} of realm {self.name} has no secret", component=self.where)
        return secret

    def new_client_secret(self, client_id: str) -> Secret:
        """Make Keycloak generate another secret; the one before stops working at once.

        Only where a client policy with the secret-rotation executor is in force does the old one live on for a while.
        """
        known = self._existing(client_id)
        with self._understood():
            made = Secret(str(self._admin.generate_client_secrets(known.id)["value"]))
        self._read_again(known.id)
        return made

    def create_mapper(self, client_id: str, name: str, values: Mapping[str, Any]) -> None:
        """Add a protocol mapper to a client.

        Args:
            client_id: the client.
            name: the mapper's name.
            values: ``protocolMapper`` and ``config`` as Keycloak's ProtocolMapperRepresentation has them.

        Raises:
            Refused: the client has a mapper of that name.
        """
        known = self._existing(client_id)
        with self._understood():
            self._admin.add_mapper_to_client(known.id, {"protocol": "openid-connect", **values, "name": name})
        self._read_again(known.id)

    def update_mapper(self, client_id: str, name: str, changes: Mapping[str, Any]) -> None:
        """Change a mapper; keys of ``config`` that ``changes`` does not name stay.

        Raises:
            Absent: there is no such client or mapper.
        """
        known = self._existing(client_id)
        mapper = self._existing_mapper(known, name)
        live = mapper.model_dump(by_alias=True)
        merged = {**live, **changes, "config": {**mapper.config, **changes.get("config", {})}}
        with self._understood():
            self._admin.update_client_mapper(known.id, mapper.id, merged)
        self._read_again(known.id)

    def delete_mapper(self, client_id: str, name: str) -> None:
        """Remove a mapper of that name; nothing to do where client or mapper is absent."""
        known = self.client(client_id)
        mapper = known.mapper(name) if known else None
        if known is None or mapper is None:
            return
        with self._understood():
            self._admin.remove_client_mapper(known.id, mapper.id)
        self._read_again(known.id)

    def client_scopes(self) -> Mapping[str, str]:
        """Return the realm's client scopes: Keycloak's id by name; asked once."""
        return self._keep("scopes", self._read_scopes)

    def add_client_scope(self, client_id: str, scope: str, *, optional: bool = False) -> None:
        """Give a client one of the realm's client scopes, for every login or (optional) where it is asked for.

        Raises:
            Absent: there is no such client or scope.
        """
        known, scope_id = self._existing(client_id), self._scope_id(scope)
        add = self._admin.add_client_optional_client_scope if optional else self._admin.add_client_default_client_scope
        with self._understood():
            add(known.id, scope_id, {})
        self._read_again(known.id)

    def remove_client_scope(self, client_id: str, scope: str, *, optional: bool = False) -> None:
        """Take a client scope from a client.

        Raises:
            Absent: there is no such client or scope.
        """
        known, scope_id = self._existing(client_id), self._scope_id(scope)
        remove = (
            self._admin.delete_client_optional_client_scope
            if optional
            else self._admin.delete_client_default_client_scope
        )
        with self._understood():
            remove(known.id, scope_id)
        self._read_again(known.id)

    def _existing(self, client_id: str) -> Client:
        found = self.client(client_id)
        if found is None:
            raise Absent(f"realm {self.name} has no client {client_id}", component=self.where)
        return found

    def _existing_mapper(self, client: Client, name: str) -> Mapper:
        found = client.mapper(name)
        if found is None:
            raise Absent(f"the client {client.client_id} has no mapper {name}", component=self.where)
        return found

    def _scope_id(self, scope: str) -> str:
        found = self.client_scopes().get(scope)
        if found is None:
            raise Absent(f"realm {self.name} has no client scope {scope}", component=self.where)
        return found

    def _read_clients(self) -> dict[str, Client]:
        try:
            with self._understood():
                return {one.client_id: one for one in map(Client.of, self._admin.get_clients())}
        except Absent:
            return {}

    def _read_again(self, client_uuid: str) -> Client:
        """Read one client and put it among those read before, so that a change costs one small request."""
        with self._understood():
            fresh = Client.of(self._admin.get_client(client_uuid))
        with self._lock:
            if "clients" in self._kept:
                self._kept["clients"] = {**self._kept["clients"], fresh.client_id: fresh}
        return fresh

    def _read_scopes(self) -> dict[str, str]:
        try:
            with self._understood():
                return {str(one["name"]): str(one["id"]) for one in self._admin.get_client_scopes()}
        except Absent:
            return {}
