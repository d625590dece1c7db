"""Says which shared records a saved document is about; a document that hangs on a record marks that record.

Imports no Frappe. A mark only says "look again", so one too many costs a look and one too few costs a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

SUBMITTED = 1


class Mark(NamedTuple):
	"""A record that may have changed.

	Args:
		entity: its kind.
		name: its name.
	"""

	entity: str
	name: str


ItemKind = Callable[[str], str]
"""Gives the entity of an item: ``product``, or ``variation`` where it is of a template."""


def entity_of_item(item: Any) -> str:
	"""Return what an Item is to the bridge."""
	return "variation" if item.get("variant_of") else "product"


def marks(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	"""Yield the records a document is about.

	Args:
		doc: the document as it was saved or deleted.
		item_kind: what another Item is.
	"""
	about = ABOUT.get(doc.doctype)
	if about is not None:
		yield from about(doc, item_kind)


def renamed(doc: Any, old: str, new: str, item_kind: ItemKind) -> Iterator[Mark]:
	"""Yield the records of a document that had another name, and those it is about now."""
	yield from marks(doc, item_kind)
	for entity in OWN.get(doc.doctype, ()):
		kind = entity_of_item(doc) if doc.doctype == "Item" else entity
		yield Mark(kind, old)
		yield Mark(kind, new)


def _customer(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("customer", doc.name)


def _linked_customers(doc: Any, _: ItemKind) -> Iterator[Mark]:
	"""Contacts and addresses: those they belong to, and those they belonged to before they were saved."""
	before = doc.get_doc_before_save()
	for document in (doc, before) if before else (doc,):
		for link in document.get("links") or ():
			if link.get("link_doctype") == "Customer" and link.get("link_name"):
				yield Mark("customer", link.get("link_name"))


def _item(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark(entity_of_item(doc), doc.name)
	before = doc.get_doc_before_save()
	if before and entity_of_item(before) != entity_of_item(doc):
		yield Mark(entity_of_item(before), doc.name)


def _of_item(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	"""Item Price, Bin, Stock Ledger Entry and what else names one item."""
	before = doc.get_doc_before_save()
	for document in (doc, before) if before else (doc,):
		code = document.get("item_code")
		if code:
			yield Mark(item_kind(code), code)


def _category(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("category", doc.name)


def _order(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	yield Mark("order", doc.name)
	if int(doc.get("docstatus") or 0) >= SUBMITTED:
		yield from _stock_of_lines(doc, item_kind)


def _delivery(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	if int(doc.get("docstatus") or 0) < SUBMITTED:
		return
	yield from _orders_of_lines(doc, "against_sales_order")
	yield from _stock_of_lines(doc, item_kind)


def _invoice(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	if doc.get("is_return"):
		yield Mark("refund", doc.name)
	if int(doc.get("docstatus") or 0) < SUBMITTED:
		return
	yield from _orders_of_lines(doc, "sales_order")
	if doc.get("update_stock"):
		yield from _stock_of_lines(doc, item_kind)


def _payment(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("refund" if doc.get("payment_type") == "Pay" else "payment", doc.name)
	for row in doc.get("references") or ():
		if row.get("reference_doctype") == "Sales Order" and row.get("reference_name"):
			yield Mark("order", row.get("reference_name"))
		advance = row.get("advance_voucher_type") == "Sales Order" and row.get("advance_voucher_no")
		if advance:
			yield Mark("order", advance)


def _journal(doc: Any, _: ItemKind) -> Iterator[Mark]:
	for row in doc.get("accounts") or ():
		if row.get("reference_type") == "Sales Order" and row.get("reference_name"):
			yield Mark("order", row.get("reference_name"))


def _submission(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("submission", doc.name)


def _of_lead(doc: Any, _: ItemKind) -> Iterator[Mark]:
	if doc.get("reference_doctype") == "Lead" and doc.get("reference_name"):
		yield Mark("submission", doc.get("reference_name"))


def _post(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("post", doc.name)


def _page(doc: Any, _: ItemKind) -> Iterator[Mark]:
	yield Mark("page", doc.name)


def _orders_of_lines(doc: Any, field: str) -> Iterator[Mark]:
	for row in doc.get("items") or ():
		if row.get(field):
			yield Mark("order", row.get(field))


def _stock_of_lines(doc: Any, item_kind: ItemKind) -> Iterator[Mark]:
	"""The items whose reserved quantity ERPNext writes without any event (``update_bin_qty``)."""
	for table in ("items", "packed_items"):
		for row in doc.get(table) or ():
			if row.get("item_code"):
				yield Mark(item_kind(row.get("item_code")), row.get("item_code"))


ABOUT: Mapping[str, Callable[[Any, ItemKind], Iterator[Mark]]] = {
	"Customer": _customer,
	"Contact": _linked_customers,
	"Address": _linked_customers,
	"Item": _item,
	"Item Price": _of_item,
	"Item Group": _category,
	"Bin": _of_item,
	"Stock Ledger Entry": _of_item,
	"Stock Reservation Entry": _of_item,
	"Repost Item Valuation": _of_item,
	"Sales Order": _order,
	"Delivery Note": _delivery,
	"Sales Invoice": _invoice,
	"Payment Entry": _payment,
	"Journal Entry": _journal,
	"Lead": _submission,
	"Communication": _of_lead,
	"Blog Post": _post,
	"Web Page": _page,
}

OWN: Mapping[str, tuple[str, ...]] = {
	"Customer": ("customer",),
	"Item": ("product",),
	"Item Group": ("category",),
	"Sales Order": ("order",),
	"Lead": ("submission",),
	"Blog Post": ("post",),
	"Web Page": ("page",),
}
"""Doctypes whose own name is a record's id."""
