"""What AgencyStack asks of this site's books as a System Manager, who by that role alone may not read them."""

from __future__ import annotations

from typing import Any

import frappe

CHECKED = (
	"Account",
	"Company",
	"Currency",
	"Customer Group",
	"DocType",
	"Item Group",
	"Mode of Payment",
	"Price List",
	"Territory",
	"UOM",
	"Warehouse",
)
"""Doctypes whose documents it may ask for by name; nothing but whether they are there is told."""

STOCK_SETTINGS = "Stock Settings"
PRICES_BY_ORDERS = ("auto_insert_price_list_rate_if_missing", "update_existing_price_list_rate")
"""Settings by which ERPNext makes a price of an order's rate, and overwrites the one there is."""


@frappe.whitelist(methods=["POST"])
def missing(wanted: Any) -> dict[str, list[str]]:
	"""Return which of some documents are not there.

	Args:
		wanted: names by doctype: ``{"Account": ["Cash - LAB"]}``.
	"""
	frappe.only_for("System Manager")
	asked = frappe.parse_json(wanted)
	found: dict[str, list[str]] = {}
	for doctype, names in asked.items():
		if doctype not in CHECKED:
			frappe.throw(f"{doctype} is none of what the bridge's books are made of")
		there = set(frappe.get_all(doctype, filters={"name": ["in", names]}, pluck="name"))
		if absent := [name for name in names if name not in there]:
			found[doctype] = absent
	return found


@frappe.whitelist(methods=["POST"])
def company_currency(company: str) -> str | None:
	"""Return the currency a company keeps its books in; nothing where there is no such company."""
	frappe.only_for("System Manager")
	return frappe.db.get_value("Company", company, "default_currency")


@frappe.whitelist(methods=["POST"])
def service_item(code: str, values: Any = None) -> dict[str, Any] | None:
	"""Return an item that stands for shipping or fees, made or changed first where values are given.

	Args:
		code: its code.
		values: ``item_name``, ``item_group``, ``stock_uom``, ``is_stock_item``, ``disabled``; nothing to look only.
	"""
	frappe.only_for("System Manager")
	if values is not None:
		_write_item(code, frappe.parse_json(values))
	return frappe.db.get_value("Item", code, ["item_code", "is_stock_item", "disabled"], as_dict=True)


@frappe.whitelist(methods=["POST"])
def price_settings(values: Any = None) -> dict[str, bool]:
	"""Return which settings let ERPNext make prices of orders; changed first where values are given.

	Args:
		values: by name, those of :data:`PRICES_BY_ORDERS`.
	"""
	frappe.only_for("System Manager")
	wanted = frappe.parse_json(values) if values is not None else {}
	settings = frappe.get_doc(STOCK_SETTINGS)
	there = [name for name in PRICES_BY_ORDERS if settings.meta.has_field(name)]
	if wanted:
		settings.update({name: int(wanted[name]) for name in there if name in wanted})
		settings.save(ignore_permissions=True)
	return {name: bool(int(settings.get(name) or 0)) for name in there}


def _write_item(code: str, values: dict[str, Any]) -> None:
	allowed = {
		name: values[name]
		for name in ("item_name", "item_group", "stock_uom", "is_stock_item", "disabled")
		if name in values
	}
	if frappe.db.exists("Item", code):
		item = frappe.get_doc("Item", code)
		item.update(allowed)
		item.save(ignore_permissions=True)
		return
	item = frappe.new_doc("Item")
	item.update({"item_code": code, "description": allowed.get("item_name", code), **allowed})
	item.insert(ignore_permissions=True)
