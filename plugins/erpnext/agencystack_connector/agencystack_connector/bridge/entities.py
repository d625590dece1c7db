"""What the bridge's user may do for each kind of record, and nothing else. Imports no Frappe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

READ = ("select", "read")
WRITE = (*READ, "write", "create")
KEEP = (*WRITE, "delete")
BOOK = (*WRITE, "submit", "cancel")

ENTITIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
	"category": {"Item Group": KEEP},
	"customer": {
		"Customer": KEEP,
		"Contact": KEEP,
		"Address": KEEP,
		**dict.fromkeys(("Customer Group", "Territory", "Country", "Language", "Currency", "Price List"), READ),
	},
	"product": {
		"Item": KEEP,
		"Item Price": KEEP,
		"Item Attribute": WRITE,
		**dict.fromkeys(("Item Group", "Bin", "Warehouse", "UOM", "Brand", "Price List", "Currency"), READ),
	},
	"variation": {
		"Item": KEEP,
		"Item Price": KEEP,
		"Item Attribute": WRITE,
		**dict.fromkeys(("Item Group", "Bin", "Warehouse", "UOM", "Brand", "Price List", "Currency"), READ),
	},
	"order": {
		"Sales Order": (*BOOK, "delete"),
		"Sales Invoice": BOOK,
		"Delivery Note": BOOK,
		**dict.fromkeys(
			(
				"Customer",
				"Contact",
				"Address",
				"Item",
				"Item Price",
				"Item Group",
				"UOM",
				"Warehouse",
				"Bin",
				"Company",
				"Account",
				"Cost Center",
				"Currency",
				"Price List",
				"Mode of Payment",
				"Payment Entry",
				"Sales Taxes and Charges Template",
				"Fiscal Year",
				"Currency Exchange",
				"Stock Settings",
			),
			READ,
		),
	},
	"payment": {
		"Payment Entry": BOOK,
		**dict.fromkeys(
			(
				"Sales Order",
				"Sales Invoice",
				"Customer",
				"Company",
				"Account",
				"Bank Account",
				"Currency Exchange",
				"Stock Settings",
				"Price List",
				"Cost Center",
				"Currency",
				"Mode of Payment",
			),
			READ,
		),
	},
	"refund": {
		"Sales Invoice": BOOK,
		"Payment Entry": BOOK,
		**dict.fromkeys(
			(
				"Sales Order",
				"Delivery Note",
				"Customer",
				"Item",
				"Company",
				"Account",
				"Cost Center",
				"Currency",
				"Mode of Payment",
				"Warehouse",
				"Price List",
				"Currency Exchange",
				"Stock Settings",
				"Address",
			),
			READ,
		),
	},
	"submission": {
		# Deleted are those of proofs, which run every night.
		"Lead": KEEP,
		"Communication": KEEP,
		**dict.fromkeys(("Customer", "Contact", "Country", "Lead Source"), READ),
	},
	"post": {
		"Blog Post": KEEP,
		"Blog Category": WRITE,
		"Blogger": WRITE,
	},
	"page": {"Web Page": KEEP},
}
"""What each entity's work needs. Rights are those of Frappe's permissions."""

DEEPER: Mapping[str, int] = {"Sales Order": 1, "Delivery Note": 1}
"""Doctypes with a field of a higher permission level that orders need: ``ignore_pricing_rule``.

Who may not write that level loses the field without a word, and a pricing rule changes what the customer paid.
"""

TO_ERPNEXT, TO_WORDPRESS, BOTH, OFF = "to_erpnext", "to_wordpress", "both", "off"
DIRECTIONS = (BOTH, TO_ERPNEXT, TO_WORDPRESS, OFF)


def narrowed(direction: str, to: str) -> str:
	"""Return what both of two directions allow; empty text allows everything."""
	if not to or to in (direction, BOTH):
		return direction
	return to if direction == BOTH else OFF


def rights(directions: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
	"""Return what the bridge's user may do, by doctype.

	Args:
		directions: by entity; of one that only goes to WordPress the documents are read and never written.
	"""
	may: dict[str, set[str]] = {}
	for entity, direction in directions.items():
		if direction == OFF:
			continue
		for doctype, given in ENTITIES[entity].items():
			allowed = READ if direction == TO_WORDPRESS else given
			may.setdefault(doctype, set()).update(allowed)
	return {doctype: tuple(one for one in (*BOOK, "delete") if one in given) for doctype, given in may.items()}


def unknown(entities: Iterable[str]) -> list[str]:
	"""Return the names that are no entity's."""
	return sorted(set(entities) - set(ENTITIES))
