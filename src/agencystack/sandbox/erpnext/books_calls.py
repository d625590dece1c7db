"""Our app's questions about the books on the stand-in, which a System Manager may ask.

Behaviour: agencystack_connector/books.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.connector import APP
from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError

STOCK_SETTINGS = "Stock Settings"
PRICES_BY_ORDERS = ("auto_insert_price_list_rate_if_missing", "update_existing_price_list_rate")

Arguments = Mapping[str, Any]


def books_methods(documents: Documents) -> dict[str, Callable[[Work, Arguments], Any]]:
    """Return the methods by their full names.

    Args:
        documents: the site's.
    """
    books = f"{APP}.books"
    made = {
        f"{books}.missing": _missing,
        f"{books}.company_currency": _company_currency,
        f"{books}.service_item": lambda work, given: _service_item(work, documents, given),
        f"{books}.price_settings": _price_settings,
    }
    return {name: _for_managers(method) for name, method in made.items()}


def _missing(work: Work, given: Arguments) -> dict[str, list[str]]:
    found = {}
    for doctype, names in dict(given["wanted"]).items():
        absent = [name for name in names if not _is_there(work, doctype, name)]
        if absent:
            found[doctype] = absent
    return found


def _is_there(work: Work, doctype: str, name: str) -> bool:
    return bool(work.known(name) if doctype == "DocType" else work.transaction.peek(doctype, name))


def _company_currency(work: Work, given: Arguments) -> str | None:
    company = work.transaction.peek("Company", str(given["company"]))
    return str(company["default_currency"]) if company else None


def _service_item(work: Work, documents: Documents, given: Arguments) -> dict[str, Any] | None:
    code, values = str(given["code"]), given.get("values")
    if values is not None and work.transaction.peek("Item", code):
        work.transaction.put({**(work.transaction.get("Item", code) or {}), **values})
    elif values is not None:
        documents.plant(work, "Item", code, {"item_code": code, "description": values.get("item_name", code), **values})
    item = work.transaction.get("Item", code)
    return item and {name: item.get(name, 0) for name in ("item_code", "is_stock_item", "disabled")}


def _price_settings(work: Work, given: Arguments) -> dict[str, bool]:
    kept = work.transaction.get(STOCK_SETTINGS, STOCK_SETTINGS) or {"doctype": STOCK_SETTINGS, "name": STOCK_SETTINGS}
    if wanted := given.get("values"):
        kept = {**kept, **{name: int(wanted[name]) for name in PRICES_BY_ORDERS if name in wanted}}
        work.transaction.put(kept)
    return {name: bool(kept.get(name)) for name in PRICES_BY_ORDERS}


def _for_managers(method: Callable[[Work, Arguments], Any]) -> Callable[[Work, Arguments], Any]:
    def checked(work: Work, given: Arguments) -> Any:
        if "System Manager" not in work.roles():
            raise FrappeError("PermissionError", status=403)
        return method(work, given)

    return checked
