"""The custom fields the bridge needs; made when a site is joined, and removed when it is parted. Imports no Frappe."""

from __future__ import annotations

from collections.abc import Mapping

TOKEN = "agencystack_token"  # noqa: S105 - the name of a field
TOKENED = (
	"Customer",
	"Contact",
	"Address",
	"Item",
	"Item Price",
	"Item Group",
	"Item Attribute",
	"Sales Order",
	"Sales Invoice",
	"Delivery Note",
	"Payment Entry",
	"Lead",
	"Communication",
	"Blog Post",
	"Blog Category",
	"Blogger",
	"Web Page",
)
"""Doctypes whose documents keep the op token of the creation they came from."""

_LINKED = ("Customer", "Item", "Item Group", "Sales Order", "Lead", "Blog Post", "Web Page")
_LINES = ("Sales Order Item", "Sales Invoice Item", "Delivery Note Item")

Field = Mapping[str, object]

_TOKEN_FIELD: Field = {
	"fieldname": TOKEN,
	"label": "AgencyStack Token",
	"fieldtype": "Data",
	"unique": 1,
	"no_copy": 1,
	"hidden": 1,
	"read_only": 1,
	"print_hide": 1,
	"report_hide": 1,
	"description": "Names the write of the data bridge that made this document.",
}
_LINK_FIELD: Field = {
	"fieldname": "agencystack_wordpress_url",
	"label": "In WordPress",
	"fieldtype": "Data",
	"options": "URL",
	"no_copy": 1,
	"read_only": 1,
	"print_hide": 1,
	"allow_on_submit": 1,
}
_STATUS_FIELD: Field = {
	"fieldname": "agencystack_status",
	"label": "Status in the Shop",
	"fieldtype": "Data",
	"no_copy": 1,
	"read_only": 1,
	"print_hide": 1,
	"allow_on_submit": 1,
	"in_standard_filter": 1,
}
_NOTE_FIELD: Field = {
	"fieldname": "agencystack_note",
	"label": "Customer's Note",
	"fieldtype": "Small Text",
	"read_only": 1,
	"allow_on_submit": 1,
}
# What the shop said of an order and no row of the document tells: coupons, address parts, the time of day.
_SHOP_FIELD: Field = {
	"fieldname": "agencystack_shop",
	"label": "As the Shop Told It",
	"fieldtype": "Long Text",
	"no_copy": 1,
	"hidden": 1,
	"read_only": 1,
	"print_hide": 1,
	"report_hide": 1,
	"allow_on_submit": 1,
}
# Copied into the invoices and notes that are made of an order, so that a refund finds its line there.
_LINE_FIELD: Field = {
	"fieldname": "agencystack_line",
	"label": "Line in the Shop",
	"fieldtype": "Data",
	"hidden": 1,
	"read_only": 1,
	"print_hide": 1,
}


def wanted() -> dict[str, list[Field]]:
	"""Return the fields by doctype."""
	found: dict[str, list[Field]] = {}
	for doctypes, field in (
		(TOKENED, _TOKEN_FIELD),
		(_LINKED, _LINK_FIELD),
		(("Sales Order",), _STATUS_FIELD),
		(("Sales Order",), _NOTE_FIELD),
		(("Sales Order",), _SHOP_FIELD),
		(_LINES, _LINE_FIELD),
	):
		for doctype in doctypes:
			found.setdefault(doctype, []).append(field)
	return found


def names() -> set[str]:
	"""Return the names of all of them."""
	return {str(field["fieldname"]) for fields in wanted().values() for field in fields}
