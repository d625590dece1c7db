"""The roles of an application in Keycloak, and which group has which."""

from __future__ import annotations

from collections.abc import Mapping

from agencystack.components.keycloak import Realm
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value

ROLE = "role "
"""Begins the name of a field that says whether a role is there; the other fields are groups."""


class ClientRoles(Resource):
    """The client's roles named as the application's own, and what each group of ours has of them.

    Roles a person made there, and what other groups or people have of them, stay.
    """

    def __init__(
        self, realm: Realm, client_id: str, roles: tuple[str, ...], by_group: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.component, self.key = realm.where, f"roles of {client_id}"
        self._realm, self._id, self._roles, self._by_group = realm, client_id, roles, by_group

    def read(self) -> Reading:
        """Return which of our roles are there, and what our groups have."""
        if self._realm.client(self._id) is None:
            return ABSENT
        there = set(self._realm.roles(self._id))
        fields: dict[str, Value] = {f"{ROLE}{role}": role in there for role in self._roles}
        for path in self._by_group:
            fields[path] = tuple(sorted(self._realm.group_client_roles(path, self._id)))
        return Reading(fields)

    def wanted(self) -> Fields:
        """Want each role, and each group to have exactly its own."""
        return {
            **{f"{ROLE}{role}": True for role in self._roles},
            **{path: tuple(sorted(roles)) for path, roles in self._by_group.items()},
        }

    def write(self, change: Change) -> None:
        """Make the roles that are missing, then give and take; last go roles that were not there before."""
        flags = {field.name.removeprefix(ROLE): field.after for field in change.fields if field.name.startswith(ROLE)}
        for role in (role for role, there in flags.items() if there):
            self._realm.create_role(self._id, role)
        for field in change.fields:
            if not field.name.startswith(ROLE):
                self._give(field.name, field.after)
        for role in (role for role, there in flags.items() if not there):
            self._realm.delete_role(self._id, role)

    def remove(self, live: Reading, before: Image) -> str:
        """Take them from the groups and delete them, where the client stays; with the client they go anyway."""
        if self._realm.client(self._id) is None:
            return ""
        for path in self._by_group:
            self._give(path, ())
        there = set(self._realm.roles(self._id))
        for role in there & set(self._roles):
            self._realm.delete_role(self._id, role)
        return ""

    def _give(self, path: str, roles: Value) -> None:
        wanted = set(roles) if isinstance(roles, tuple) else set()
        live = set(self._realm.group_client_roles(path, self._id))
        if wanted - live:
            self._realm.add_group_client_roles(path, self._id, sorted(wanted - live))
        if live - wanted:
            self._realm.remove_group_client_roles(path, self._id, sorted(live - wanted))
