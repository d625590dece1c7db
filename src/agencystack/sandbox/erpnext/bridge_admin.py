"""Our app's settings of the bridge on the stand-in, and its questions about the books: what a System Manager may call.

Behaviour: agencystack_connector/bridge_admin.py and books.py. The settings lie in one document, which is not listed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.connector import APP, part
from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, invalid
from agencystack.sandbox.erpnext.store import Document

SETTINGS = "AgencyStack Bridge Settings"
STOCK_SETTINGS = "Stock Settings"
AUTO_PRICE = "auto_insert_price_list_rate_if_missing"
SHORTEST_SECRET = 32

Arguments = Mapping[str, Any]


def admin_methods(documents: Documents) -> dict[str, Callable[[Work, Arguments], Any]]:
    """Return the methods by their full names.

    Args:
        documents: the site's.
    """
    admin, books = f"{APP}.bridge_admin", f"{APP}.books"
    made = {
        f"{admin}.state": lambda work, _: state(work),
        f"{admin}.configure": _configure,
        f"{admin}.clear": _clear,
        f"{books}.missing": _missing,
        f"{books}.service_item": lambda work, given: _service_item(work, documents, given),
        f"{books}.prices_by_orders": _prices_by_orders,
    }
    return {name: _for_managers(method) for name, method in made.items()}


def settings(work: Work) -> Document:
    """Return what the bridge was told to keep: pairing, hook_url, keys (id and secret), entities, instance."""
    kept = work.transaction.get(SETTINGS, SETTINGS)
    return kept or {"doctype": SETTINGS, "name": SETTINGS, "instance": secrets.token_hex(16), "keys": []}


def state(work: Work) -> dict[str, Any]:
    """Return how the site is joined, never a secret."""
    now = settings(work)
    work.transaction.put(now)
    return {
        "version": str(part("").__version__),
        "instance": now["instance"],
        "pairing": now.get("pairing", ""),
        "hook_url": now.get("hook_url", ""),
        "key_ids": [key["id"] for key in now["keys"]],
        "user": "",
        "entities": now.get("entities", {}),
        "narrowed": {"revision": 0, "entities": {}},
        "missing": [],
        "backlog": 0,
        "epoch": 0,
    }


def _configure(work: Work, given: Arguments) -> dict[str, Any]:
    wanted = {name: given[name] for name in ("pairing", "hook_url", "keys", "entities")}
    if not wanted["keys"] or any(len(key["secret"]) < SHORTEST_SECRET for key in wanted["keys"]):
        raise invalid("a key has an id, and a secret of 32 characters at least")
    work.transaction.put({**settings(work), **wanted})
    return state(work)


def _clear(work: Work, _given: Arguments) -> dict[str, Any]:
    work.transaction.put({**settings(work), "pairing": "", "hook_url": "", "keys": [], "entities": {}})
    return state(work)


def _missing(work: Work, given: Arguments) -> dict[str, list[str]]:
    found = {}
    for doctype, names in dict(given["wanted"]).items():
        absent = [name for name in names if not work.transaction.peek(doctype, name)]
        if absent:
            found[doctype] = absent
    return found


def _service_item(work: Work, documents: Documents, given: Arguments) -> dict[str, Any] | None:
    code, values = str(given["code"]), given.get("values")
    if values is not None and work.transaction.peek("Item", code):
        work.transaction.put({**(work.transaction.get("Item", code) or {}), **values})
    elif values is not None:
        documents.plant(work, "Item", code, {"item_code": code, "description": values.get("item_name", code), **values})
    item = work.transaction.get("Item", code)
    return item and {name: item.get(name, 0) for name in ("item_code", "is_stock_item", "disabled")}


def _prices_by_orders(work: Work, given: Arguments) -> dict[str, bool]:
    kept = work.transaction.get(STOCK_SETTINGS, STOCK_SETTINGS) or {"doctype": STOCK_SETTINGS, "name": STOCK_SETTINGS}
    if given.get("wanted") is not None:
        kept = {**kept, AUTO_PRICE: int(given["wanted"])}
        work.transaction.put(kept)
    return {"on": bool(kept.get(AUTO_PRICE))}


def _for_managers(method: Callable[[Work, Arguments], Any]) -> Callable[[Work, Arguments], Any]:
    def checked(work: Work, given: Arguments) -> Any:
        if "System Manager" not in work.roles():
            raise FrappeError("PermissionError", status=403)
        return method(work, given)

    return checked
