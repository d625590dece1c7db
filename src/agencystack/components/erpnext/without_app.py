"""What the bridge needs in an ERPNext without our app: custom fields, and a user with the product's own roles."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from types import ModuleType

from agencystack.components.erpnext.bench import APP, app_folder
from agencystack.components.erpnext.site import FrappeSite
from agencystack.components.erpnext.users import USER
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret

CUSTOM_FIELD = "Custom Field"
USER_NAME = "AgencyStack Bridge"
_KEYS = "frappe.core.doctype.user.user.generate_keys"

# Which roles of ERPNext 15 may do what bridge/entities.py of the app lists (read from its permissions, DocPerm).
_ROLES: Mapping[str, tuple[str, ...]] = {
    "category": ("Item Manager",),
    "customer": ("Sales Master Manager", "Sales User"),
    "product": ("Item Manager", "Sales Master Manager", "Sales User", "Stock User"),
    "variation": ("Item Manager", "Sales Master Manager", "Sales User", "Stock User"),
    # Sales Manager for the level of ignore_pricing_rule, without which a pricing rule changes what was paid.
    "order": ("Accounts Manager", "Sales Manager", "Sales Master Manager", "Sales User", "Stock User"),
    "payment": ("Accounts User", "Sales User"),
    "refund": ("Accounts Manager", "Sales User", "Stock User"),
    "submission": ("Inbox User", "Sales Manager", "Sales User"),
    "post": ("Website Manager",),
    "page": ("Website Manager",),
}
_LINES = ("Sales Order Item", "Sales Invoice Item", "Delivery Note Item")


def roles_for(entities: Mapping[str, str]) -> tuple[str, ...]:
    """Return the roles the bridge's user needs.

    Args:
        entities: which way each shared entity goes.
    """
    return tuple(sorted({role for entity in entities for role in _ROLES[entity]}))


def fields_for(entities: Mapping[str, str]) -> Mapping[tuple[str, str], Mapping[str, object]]:
    """Return the custom fields the bridge needs, by doctype and name, as our app makes them.

    Args:
        entities: which way each shared entity goes.
    """
    rights = _part("entities").rights(entities)
    written = {doctype for doctype, given in rights.items() if "create" in given}
    lines = _LINES if "Sales Order" in written or "Sales Invoice" in written else ()
    tables: Mapping[str, list[Mapping[str, object]]] = _part("fields").wanted()
    return {
        (doctype, str(field["fieldname"])): field
        for doctype, fields in tables.items()
        if doctype in written or doctype in lines
        for field in fields
    }


class CustomFields:
    """The bridge's fields in one site, by REST.

    Args:
        site: its client, with the key of a System Manager.
    """

    def __init__(self, site: FrappeSite) -> None:
        self.where, self._site = site.where, site

    def there(self) -> frozenset[tuple[str, str]]:
        """Return which are there, by doctype and name."""
        rows = self._site.documents(
            CUSTOM_FIELD, fields=("dt", "fieldname"), filters=[["fieldname", "like", "agencystack_%"]]
        )
        return frozenset((str(row["dt"]), str(row["fieldname"])) for row in rows)

    def make(self, doctype: str, field: Mapping[str, object]) -> None:
        """Add a field.

        Raises:
            Refused: this ERPNext has no such doctype.
        """
        self._site.insert(CUSTOM_FIELD, {"dt": doctype, **field})

    def remove(self, doctype: str, name: str) -> None:
        """Take a field away; Frappe keeps its column and what is in it."""
        self._site.delete(CUSTOM_FIELD, f"{doctype}-{name}")


class ApiUser:
    """The bridge's own user in one site, by REST.

    Args:
        site: its client, with the key of a System Manager.
        email: the user's.
    """

    def __init__(self, site: FrappeSite, email: str) -> None:
        self.where, self._site, self.email = site.where, site, email.lower()

    def read(self) -> tuple[bool, tuple[str, ...], str] | None:
        """Return whether it is enabled, its roles, and its API key; None where it is not there."""
        found = self._site.document(USER, self.email)
        if found is None:
            return None
        roles = tuple(sorted(str(row["role"]) for row in found.get("roles") or ()))
        return bool(found.get("enabled")), roles, str(found.get("api_key") or "")

    def save(self, roles: tuple[str, ...], *, new: bool) -> None:
        """Make it or change it: without a password and without mail, enabled, with these roles alone."""
        rows = [{"role": role} for role in roles]
        if new:
            given = {"email": self.email, "first_name": USER_NAME, "send_welcome_email": 0, "enabled": 1}
            self._site.insert(USER, {**given, "roles": rows})
        else:
            self._site.update(USER, self.email, {"enabled": 1, "roles": rows})

    def disable(self) -> None:
        """Let it in no longer."""
        self._site.update(USER, self.email, {"enabled": 0})

    def new_key(self) -> tuple[str, Secret]:
        """Return its API key with a new secret; the one before is void at once."""
        answer = self._site.call(_KEYS, {"user": self.email})
        now = self.read()
        if not isinstance(answer, dict) or not answer.get("api_secret") or now is None or not now[2]:
            raise Refused(
                f"made no API key for {self.email}",
                component=self.where,
                remedy="make one by hand (User, Settings, API Access) to see why; the key of stack.yaml needs the role "
                "System Manager",
            )
        return now[2], Secret(str(answer["api_secret"]))


@functools.cache
def _part(name: str) -> ModuleType:
    """Return a module of the app's bridge that imports no Frappe."""
    file = app_folder() / APP / "bridge" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"_agencystack_app_{name}", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
