"""Functions under ``/api/method`` that read and change business documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import invalid, not_found
from agencystack.sandbox.erpnext.listing import rows
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.selling.items import variant_of
from agencystack.sandbox.erpnext.selling.mapping import mappers
from agencystack.sandbox.erpnext.selling.orders import Orders
from agencystack.sandbox.erpnext.selling.sales import Sales
from agencystack.sandbox.erpnext.selling.settings import setting
from agencystack.sandbox.erpnext.selling.stock import Stock

Arguments = Mapping[str, Any]
Call = Callable[[Work, Arguments], Any]
_KINDS = {"Text": "Text Editor", "HTML": "Code"}


class Body(dict[str, Any]):
    """What a function answers as the whole body, not under ``message``."""


def calls(documents: Documents) -> Mapping[str, Call]:
    """Return the functions by name."""
    stock = Stock(documents)
    orders = Orders(Sales(documents, stock))
    client = _Client(documents)
    so = "erpnext.selling.doctype.sales_order.sales_order"
    variants = "erpnext.controllers.item_variant"
    return {
        **mappers(),
        "frappe.client.get_time_zone": lambda work, _: {"time_zone": setting(work, "System Settings", "time_zone")},
        "frappe.client.get_list": lambda work, given: rows(work, str(given.get("doctype")), given),
        "frappe.client.get_count": client.count,
        "frappe.client.get": client.get,
        "frappe.client.get_value": client.get_value,
        "frappe.client.set_value": client.set_value,
        "frappe.client.insert": lambda work, given: client.insert(work, _json(given["doc"])),
        "frappe.client.insert_many": client.insert_many,
        "frappe.client.save": client.save,
        "frappe.client.submit": client.submit,
        "frappe.client.cancel": client.cancel,
        "frappe.client.delete": client.delete,
        "frappe.desk.form.load.getdoctype": _getdoctype,
        f"{so}.update_status": orders.update_status,
        "erpnext.controllers.accounts_controller.update_child_qty_rate": orders.change_rows,
        "erpnext.stock.utils.get_latest_stock_qty": lambda work, given: _latest(work, given),
        "erpnext.stock.utils.get_stock_balance": lambda work, given: stock.bin(
            work, str(given["item_code"]), str(given["warehouse"])
        )["actual_qty"],
        f"{variants}.get_variant": _get_variant,
    }


class _Client:
    """``frappe.client``.

    Args:
        documents: the site's.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def count(self, work: Work, given: Arguments) -> int:
        """Return how many documents fit."""
        asked = {"filters": given.get("filters"), "fields": ["name"], "limit_page_length": 0}
        return len(rows(work, str(given.get("doctype")), asked))

    def get(self, work: Work, given: Arguments) -> dict[str, Any]:
        """Return a document."""
        return self._documents.get(work, str(given.get("doctype")), str(given.get("name")))

    def get_value(self, work: Work, given: Arguments) -> Any:
        """Return some fields of the first document that fits."""
        fields = _json(given.get("fieldname") or "name")
        asked = [fields] if isinstance(fields, str) else fields
        filters = _json(given.get("filters") or {})
        filters = {"name": filters} if isinstance(filters, str) else filters
        found = rows(work, str(given["doctype"]), {"filters": filters, "fields": asked, "limit_page_length": 1})
        return found[0] if found else {}

    def set_value(self, work: Work, given: Arguments) -> dict[str, Any]:
        """Change fields of a document."""
        field = _json(given["fieldname"])
        values = field if isinstance(field, dict) else {str(field): given.get("value")}
        return self._documents.update(work, str(given["doctype"]), str(given["name"]), values)

    def insert(self, work: Work, doc: Arguments) -> dict[str, Any]:
        """Make a document."""
        return self._documents.insert(work, str(doc.get("doctype")), doc)

    def insert_many(self, work: Work, given: Arguments) -> list[str]:
        """Make documents, all or none."""
        return [str(self.insert(work, doc)["name"]) for doc in _json(given["docs"])]

    def save(self, work: Work, given: Arguments) -> dict[str, Any]:
        """Save a whole document."""
        doc = _json(given["doc"])
        return self._documents.update(work, doc["doctype"], doc["name"], doc)

    def submit(self, work: Work, given: Arguments) -> dict[str, Any]:
        """Submit a document that is sent whole."""
        doc = _json(given["doc"])
        return self._documents.update(work, doc["doctype"], doc["name"], {**doc, "docstatus": 1})

    def cancel(self, work: Work, given: Arguments) -> dict[str, Any]:
        """Cancel a document."""
        return self._documents.update(work, str(given["doctype"]), str(given["name"]), {"docstatus": 2})

    def delete(self, work: Work, given: Arguments) -> None:
        """Delete a document."""
        self._documents.delete(work, str(given["doctype"]), str(given["name"]))


def _getdoctype(work: Work, given: Arguments) -> Body:
    """Describe a doctype and its child tables: what the desk loads before a form is shown."""
    meta = work.meta(str(given.get("doctype")))
    children = [work.known(one.options) for one in meta.of_kind("Table")]
    told = {one.name: _described(one) for one in (meta, *filter(None, children))}
    return Body(docs=list(told.values()), user_settings="{}")


def _described(meta: DocType) -> dict[str, Any]:
    fields = [
        {
            "fieldname": one.name,
            "fieldtype": _KINDS.get(one.kind, one.kind),
            "options": one.options,
            "label": one.title,
            "reqd": int(one.required),
            "unique": int(one.unique),
        }
        for one in meta.fields
    ]
    return {"doctype": "DocType", "name": meta.name, "istable": int(meta.is_table), "fields": fields}


def _latest(work: Work, given: Arguments) -> float:
    bins = work.transaction.having("Bin", "item_code", str(given["item_code"]))
    return float(sum(one["actual_qty"] for one in bins if given.get("warehouse") in (None, one["warehouse"])))


def _get_variant(work: Work, given: Arguments) -> str | None:
    template = work.transaction.peek("Item", str(given["template"]))
    if template is None:
        raise not_found("Item", str(given["template"]))
    wanted = {str(key): str(value) for key, value in _json(given["args"]).items()}
    if not wanted:
        raise invalid("Please specify at least one attribute in the Attributes table")
    found = variant_of(work, template["name"], wanted)
    return found["name"] if found else None


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
