"""Client roles, the groups of a realm, and which roles a group gives its members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from agencystack.components.keycloak.clients import RealmClients
from agencystack.components.keycloak.errors import Absent
from agencystack.components.keycloak.models import Group, Role
from agencystack.stack.errors import Refused

# A group with more groups in it than this is not read whole for one of them.
FEW_ENOUGH_TO_LIST = 200


class RealmGroups(RealmClients):
    """Roles of clients, groups, and the roles of groups."""

    def roles(self, client_id: str) -> Mapping[str, Role]:
        """Return the roles of a client by name, none where it is absent; asked once per client."""
        return self._keep(f"roles/{client_id}", lambda: self._read_roles(client_id))

    def create_role(self, client_id: str, name: str, description: str = "") -> None:
        """Add a role to a client.

        Raises:
            Absent: there is no such client.
            Refused: it has a role of that name.
        """
        known = self._existing(client_id)
        with self._understood():
            self._admin.create_client_role(known.id, {"name": name, "description": description})
        self._drop(f"roles/{client_id}")

    def delete_role(self, client_id: str, name: str) -> None:
        """Remove a role, and with it what groups and users had of it; nothing to do where it is absent."""
        known = self.client(client_id)
        if known is not None and name in self.roles(client_id):
            with self._removing(f"roles/{client_id}", "groups"):
                self._admin.delete_client_role(known.id, quote(name, safe=""))

    def group(self, path: str) -> Group | None:
        """Return a group and its client roles, or ``None``; the groups beside it come with the same request.

        Args:
            path: names from the top, such as ``/acme/staff``. A name with a slash in it cannot be told from two.
        """
        parent, _, name = path.strip("/").rpartition("/")
        if not parent:
            found = self._by_path(path)
            return self._as_group(found) if found else None
        siblings = self._children("/" + parent)
        if siblings is None:
            found = self._by_path(path)
            return self._as_group(found) if found else None
        return siblings.get(name)

    def create_group(self, path: str) -> Group:
        """Make a group, and those above it that are missing.

        Raises:
            Refused: Keycloak declines the name.
        """
        parent, _, name = path.strip("/").rpartition("/")
        above = (self.group("/" + parent) or self.create_group("/" + parent)) if parent else None
        try:
            with self._understood():
                self._admin.create_group({"name": name}, parent=above.id if above else None)
        finally:
            self._drop("groups")
        made = self.group(path)
        if made is None:
            raise Refused(f"made the group {path} and does not show it", component=self.where)
        return made

    def delete_group(self, path: str) -> None:
        """Remove a group and all below it; its members stay. Nothing to do where it is absent."""
        found = self.group(path)
        if found is not None:
            with self._removing("groups"):
                self._admin.delete_group(found.id)

    def group_client_roles(self, path: str, client_id: str) -> tuple[str, ...]:
        """Return the roles of a client that a group gives by itself, sorted; none where either is absent."""
        found = self.group(path)
        return tuple(sorted(found.client_roles.get(client_id, ()))) if found else ()

    def add_group_client_roles(self, path: str, client_id: str, names: Iterable[str]) -> None:
        """Give the members of a group roles of a client.

        Raises:
            Absent: there is no such group, client or role.
        """
        self._map_roles(path, client_id, names, add=True)

    def remove_group_client_roles(self, path: str, client_id: str, names: Iterable[str]) -> None:
        """Take roles of a client from a group; raises as :meth:`add_group_client_roles`."""
        self._map_roles(path, client_id, names, add=False)

    def _map_roles(self, path: str, client_id: str, names: Iterable[str], *, add: bool) -> None:
        known, group = self._existing(client_id), self._existing_group(path)
        roles = [{"id": self._existing_role(client_id, name).id, "name": name} for name in names]
        change = self._admin.assign_group_client_roles if add else self._admin.delete_group_client_roles
        try:
            with self._understood():
                change(group.id, known.id, roles)
        finally:
            self._drop("groups")

    def _existing_role(self, client_id: str, name: str) -> Role:
        found = self.roles(client_id).get(name)
        if found is None:
            raise Absent(f"the client {client_id} has no role {name}", component=self.where)
        return found

    def _existing_group(self, path: str) -> Group:
        found = self.group(path)
        if found is None:
            raise Absent(f"realm {self.name} has no group {path}", component=self.where)
        return found

    def _read_roles(self, client_id: str) -> dict[str, Role]:
        known = self.client(client_id)
        if known is None:
            return {}
        try:
            with self._understood():
                found = self._admin.get_client_roles(known.id)
                return {role.name: role for role in map(Role.model_validate, found)}
        except Absent:
            return {}

    def _children(self, path: str) -> dict[str, Group] | None:
        """Return the groups in a group by name, ``None`` where there are too many to read for one; asked once."""
        return self._keep(f"groups/children{path}", lambda: self._read_children(path))

    def _read_children(self, path: str) -> dict[str, Group] | None:
        parent = self._by_path(path)
        if parent is None:
            return {}
        if parent.get("subGroups"):  # before version 23 groups come with those in them
            return self._by_name(parent["subGroups"])
        count = self._count_below(parent)
        if count > FEW_ENOUGH_TO_LIST:
            return None
        with self._understood():
            found = self._all(f"{self._address(parent)}/children", briefRepresentation="false") if count else []
        return self._by_name(found)

    def _count_below(self, group: dict[str, Any]) -> int:
        """Return how many groups are in one that was read by its path; versions 23 to 25 leave that out there."""
        if "subGroupCount" not in group:
            with self._understood():
                group = self._admin.connection.raw_get(self._address(group)).json()
        return int(group.get("subGroupCount") or 0)

    def _address(self, group: dict[str, Any]) -> str:
        return f"admin/realms/{self._admin.connection.realm_name}/groups/{group['id']}"

    def _by_name(self, found: Iterable[dict[str, Any]]) -> dict[str, Group]:
        return {group.name: group for group in map(self._as_group, found)}

    def _by_path(self, path: str) -> dict[str, Any] | None:
        return self._keep(f"groups/path{path}", lambda: self._read_by_path(path))

    def _read_by_path(self, path: str) -> dict[str, Any] | None:
        address = "/".join(quote(name, safe="") for name in path.strip("/").split("/"))
        try:
            with self._understood():
                return self._admin.get_group_by_path(address)
        except Absent:
            return None

    def _as_group(self, representation: dict[str, Any]) -> Group:
        with self._understood():
            return Group.model_validate({k: v for k, v in representation.items() if v is not None})
