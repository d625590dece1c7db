"""The realm people log in to: every login needs it, and so does its mail, so it belongs to no integration."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from agencystack.components.keycloak import Realm
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value

OWNER = "agencystack.owner"
"""Attribute of everything in Keycloak that is ours; its value names the integration, or us."""

US = "agencystack"

_WANTED: Fields = {
    "enabled": True,
    "verify_email": True,
    "registration_allowed": False,
    "duplicate_emails_allowed": False,
    "brute_force_protected": True,
}


class LoginRealm(Resource):
    """The realm. One that a person made is used as it is; ours verifies e-mail addresses and lets nobody sign up.

    ERPNext and miniOrange match people by e-mail address (``facts/erpnext.md``, ``facts/wordpress.md``): where a realm
    does not verify addresses, one person could enter another's, and log in as them.
    """

    def __init__(self, realm: Realm) -> None:
        self.component, self.key = realm.where, f"realm {realm.name}"
        self._realm = realm

    def read(self) -> Reading:
        """Return its settings; of a person's realm none, but what the plan should say of it."""
        settings = self._realm.settings()
        if settings is None:
            return ABSENT
        if settings.attributes.get(OWNER) == US:
            return Reading({name: getattr(settings, name) for name in _WANTED})
        if not settings.enabled:
            raise Blocked(
                f"the realm {self._realm.name} is switched off and was not made by us",
                component=self.component,
                remedy="switch it on in Keycloak (Realm settings), or name another `realm` in stack.yaml",
            )
        return Reading({}, warnings=tuple(self._warnings(settings.verify_email, settings.duplicate_emails_allowed)))

    def wanted(self) -> Fields:
        """Want a safe realm where it is ours, and nothing where it is a person's."""
        settings = self._realm.settings()
        return _WANTED if settings is None or settings.attributes.get(OWNER) == US else {}

    def write(self, change: Change) -> None:
        """Make the realm, or set what differs."""
        values: dict[str, Value] = {to_camel(field.name): change.target[field.name] for field in change.fields}
        if change.live.absent:
            self._realm.create({**values, "attributes": {OWNER: US}})
        else:
            self._realm.update(values)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete the realm we made, unless there are people or other applications in it."""
        self._realm.forget()
        people = self._realm.count_users()
        if people:
            return f"has {people} people and was therefore not deleted"
        others = [client.client_id for client in self._realm.clients().values() if OWNER in client.attributes]
        if others:
            return f"is used by {', '.join(others)} and was therefore not deleted"
        self._realm.delete()
        return ""

    def _warnings(self, verifies: bool, duplicates: bool) -> list[str]:
        found = []
        if not verifies:
            found.append(
                f"{self.component}: the realm {self._realm.name} does not verify e-mail addresses, so people with "
                "an unverified one are refused by the applications (Realm settings, Login, Verify email)"
            )
        if duplicates:
            found.append(
                f"{self.component}: the realm {self._realm.name} lets several people have one e-mail address; "
                "only the first of them can log in to an application (Realm settings, Login, Duplicate emails)"
            )
        return found
