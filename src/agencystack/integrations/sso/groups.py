"""The groups of a client's people in Keycloak; shared by all applications that give them roles."""

from __future__ import annotations

from agencystack.components.keycloak import Realm
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields


class PeopleGroup(Resource):
    """A group of a client's people; who is in it is not ours to say."""

    def __init__(self, realm: Realm, path: str) -> None:
        self.component, self.key = realm.where, f"group {path}"
        self._realm, self._path = realm, path

    def read(self) -> Reading:
        """Return whether it is there."""
        group = self._realm.group(self._path)
        return ABSENT if group is None else Reading({"path": group.path})

    def wanted(self) -> Fields:
        """Want it at its place."""
        return {"path": self._path}

    def write(self, change: Change) -> None:
        """Make it."""
        self._realm.create_group(self._path)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, unless somebody is in it or below it."""
        self._realm.forget()
        if self._realm.has_members(self._path):
            return "has members or groups below it and was therefore not deleted"
        self._realm.delete_group(self._path)
        return ""
