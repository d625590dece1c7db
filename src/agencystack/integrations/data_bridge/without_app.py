"""ERPNext without our app: the bridge's own user with the product's roles, and the custom fields, both by REST.

Where the app is, it brings user, role and fields itself; then nothing is wanted here, and the user is locked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from agencystack.components.erpnext.users import ErpNextUsers
from agencystack.components.erpnext.without_app import ApiUser, CustomFields, fields_for, roles_for
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.stack.secrets import Secret

Entities = Mapping[str, str]
"""Which way each shared entity goes."""


class UserKey:
    """The API key of the bridge's user, sealed.

    Args:
        sealed: where.
    """

    def __init__(self, sealed: SealedValue) -> None:
        self._sealed = sealed

    def get(self) -> tuple[str, Secret] | None:
        """Return key and secret, None before they were made."""
        kept = self._sealed.get()
        if kept is None:
            return None
        key, secret = json.loads(kept.reveal())
        return str(key), Secret(str(secret))

    def put(self, key: str, secret: Secret) -> None:
        """Keep them."""
        self._sealed.put(Secret(json.dumps([key, secret.reveal()])))

    def forget(self) -> None:
        """Forget them."""
        self._sealed.delete()

    def exchange(self) -> Callable[[], None] | None:
        """Ask for new ones at the next apply; return what takes that back, or None where there are none yet.

        A product knows one at a time: once the new ones are made, those of before are void, and stay so.
        """
        before = self.get()
        if before is None:
            return None
        self.forget()

        def take_back() -> None:
            if self.get() is None:
                self.put(*before)

        return take_back


class BridgeUser(Resource):
    """The user the workers are: no System Manager, no more roles than what is shared needs.

    Args:
        user: of the site.
        users: of the site, to remove it.
        key: its sealed API key.
        entities: what is shared.
        has_app: says whether the app is there, which brings a user of its own.
        tell: tells the workers a new key; the one before is void at once.
    """

    def __init__(
        self,
        user: ApiUser,
        users: ErpNextUsers,
        key: UserKey,
        entities: Entities,
        has_app: Callable[[], bool],
        tell: Callable[[str, Secret], None],
    ) -> None:
        self.component, self.key = user.where, f"user {user.email}"
        self._user, self._users, self._sealed, self._has_app, self._tell = user, users, key, has_app, tell
        self._roles = roles_for(entities)

    def read(self) -> Reading:
        """Return the user; its secret shows itself nowhere, and is proven by use."""
        live = self._user.read()
        if live is None:
            return Reading({}) if self._has_app() else ABSENT
        enabled, roles, api_key = live
        if self._has_app():
            return Reading({"enabled": enabled})
        kept = self._sealed.get()
        return Reading({"enabled": enabled, "roles": roles, "key known": kept is not None and kept[0] == api_key})

    def wanted(self) -> Fields:
        """Want it enabled with exactly these roles; locked where the app is."""
        if self._has_app():
            return {} if self._user.read() is None else {"enabled": False}
        return {"enabled": True, "roles": self._roles, "key known": True}

    def write(self, change: Change) -> None:
        """Make or change it; a key we do not know is replaced."""
        if not change.target["enabled"]:
            self._user.disable()
            return
        if change.live.absent or change.names & {"enabled", "roles"}:
            roles = change.target["roles"]
            self._user.save(roles if isinstance(roles, tuple) else (), new=change.live.absent)
        if change.live.absent or "key known" in change.names:
            key, secret = self._user.new_key()
            self._sealed.put(key, secret)
            self._tell(key, secret)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it; ERPNext only disables a user that documents refer to."""
        gone = self._users.remove(self._user.email)
        self._sealed.forget()
        return f"the user is disabled: {gone.because}" if gone.user == "disabled" else ""


class BridgeFields(Resource):
    """The custom fields the bridge keeps its tokens and the shop's words in.

    Args:
        fields: of the site.
        entities: what is shared.
        has_app: says whether the app is there, which brings them itself.
    """

    def __init__(self, fields: CustomFields, entities: Entities, has_app: Callable[[], bool]) -> None:
        self.component, self.key = fields.where, "custom fields"
        self._fields, self._has_app = fields, has_app
        self._needed = {
            f"{doctype}: {name}": (doctype, field) for (doctype, name), field in fields_for(entities).items()
        }

    def read(self) -> Reading:
        """Return which are there."""
        if self._has_app():
            return Reading({})
        there = {f"{doctype}: {name}" for doctype, name in self._fields.there()}
        shown: dict[str, Value] = {name: name in there for name in self._needed}
        return Reading(shown) if any(shown.values()) else ABSENT

    def wanted(self) -> Fields:
        """Want all that what is shared needs."""
        return {} if self._has_app() else dict.fromkeys(self._needed, True)

    def write(self, change: Change) -> None:
        """Add what is missing; an undo takes away what we added."""
        for name in sorted(change.names):
            doctype, field = self._needed[name]
            if change.target[name]:
                self._fields.make(doctype, field)
            else:
                self._fields.remove(doctype, str(field["fieldname"]))

    def remove(self, live: Reading, before: Image) -> str:
        """Take them away; Frappe keeps their columns, and what is in them is there again with the fields."""
        for name, there in (live.fields or {}).items():
            if there:
                doctype, field = self._needed[name]
                self._fields.remove(doctype, str(field["fieldname"]))
        return "" if self._has_app() else "their columns and what is in them stay, as Frappe keeps them"
