"""One request to the stand-in: who asks, what it changes, what it says besides its answer, and what time it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.errors import not_found, not_permitted
from agencystack.sandbox.erpnext.mail_servers import Patience
from agencystack.sandbox.erpnext.meta import DocType, Field
from agencystack.sandbox.erpnext.store import Store, Transaction

# A site's times are naive and in its own zone, which is rarely the server's; an offset shows who forgets that.
SITE_ZONE = ZoneInfo("Europe/Berlin")
ADMINISTRATOR = "Administrator"
GUEST = "Guest"
Action = Literal["list", "read", "create", "write", "delete", "submit", "cancel"]
_KINDS = {"Check": "Check", "Int": "Int", "Float": "Float", "Currency": "Float", "Select": "Select", "Link": "Link"}


def here() -> datetime:
    """Return the time in the site's zone."""
    return datetime.now(SITE_ZONE)


@dataclass
class Work:
    """One request.

    Args:
        store: the database.
        user: name of the User; ``Guest`` without a credential.
        company: default of new documents.
        patience: with mail servers.
        messages: for ``_server_messages``.
        clock: gives the time in the site's zone.
        app: whether our app is installed, which lets documents be named by who makes them.
    """

    store: Store
    user: str
    company: str = ""
    patience: Patience = field(default_factory=Patience)
    messages: list[dict[str, Any]] = field(default_factory=list)
    clock: Callable[[], datetime] = here
    app: bool = False
    transaction: Transaction = field(init=False)

    def __post_init__(self) -> None:
        self.transaction = self.store.begin()

    def forget(self) -> None:
        """Undo all changes of the request so far."""
        self.transaction = self.store.begin()

    def now(self) -> str:
        """Return the time as the site writes it."""
        return self.clock().strftime("%Y-%m-%d %H:%M:%S.%f")

    def today(self) -> str:
        """Return the date of the site."""
        return self.now()[:10]

    def roles(self) -> set[str]:
        """Return the roles of the user; everybody has some."""
        user = self.transaction.peek("User", self.user) or {}
        return {row["role"] for row in user.get("roles", [])} | {"All", "Guest"}

    def allows(self, doctype: DocType, action: Action) -> bool:
        """Tell whether the user may do something."""
        return self.user == ADMINISTRATOR or doctype.allows(self.roles(), action)

    def require(self, doctype: DocType, action: Action, name: str | None = None) -> None:
        """Check a permission.

        Raises:
            FrappeError: 403.
        """
        if not self.allows(doctype, action):
            raise not_permitted(self.user, doctype.name, action)

    def meta(self, name: str) -> DocType:
        """Return a doctype with the fields this site added to it.

        Raises:
            FrappeError: 404, where there is none.
        """
        found = self.known(name)
        if found is None:
            raise not_found("DocType", name)
        return found

    def known(self, name: str) -> DocType | None:
        """Return a doctype with the fields this site added to it, or ``None``."""
        base = DOCTYPES.get(name)
        if base is None:
            return None
        version = (self.store.version.get("Custom Field", 0), self.store.version.get("Property Setter", 0))
        if version == (0, 0):
            return base
        kept = _CUSTOMISED.get((id(self.store), name))
        if kept is None or kept[0] is not self.store or kept[1] != version:
            kept = _CUSTOMISED[id(self.store), name] = (self.store, version, self._customised(base))
        return kept[2]

    def _customised(self, base: DocType) -> DocType:
        store = self.store
        added = [store.peek_one("Custom Field", key) for key in store.keys("Custom Field", "dt", [base.name])]
        fields = [*base.fields, *(_field(one) for one in sorted(filter(None, added), key=lambda one: one["name"]))]
        set_ = [
            store.peek_one("Property Setter", key) for key in store.keys("Property Setter", "doc_type", [base.name])
        ]
        digits = {one["field_name"]: str(one["value"]) for one in filter(None, set_) if one["property"] == "precision"}
        changed = (replace(one, digits=digits[one.name]) if one.name in digits else one for one in fields)
        return replace(base, fields=tuple(changed))


_CUSTOMISED: dict[tuple[int, str], tuple[Store, tuple[int, int], DocType]] = {}


def _field(custom: dict[str, Any]) -> Field:
    kind: Any = _KINDS.get(custom["fieldtype"], "Data" if custom["fieldtype"] == "Data" else "Text")
    return Field(
        custom["fieldname"],
        kind,
        options=custom.get("options") or "",
        label=custom.get("label") or "",
        required=bool(custom.get("reqd")),
        unique=bool(custom.get("unique")),
        allow_on_submit=bool(custom.get("allow_on_submit")),
        length=140 if kind == "Data" else 0,
    )
