"""Says which shared records a saved document is about; a document that hangs on a record marks that record.

Imports no Frappe. A mark only says "look again", so one too many costs a look and one too few costs a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from agencystack_connector.bridge.fields import TOKEN

SUBMITTED = 1


class Mark(NamedTuple):
	"""A record that may have changed.

	Args:
		entity: its kind.
		name: its name.
	"""

	entity: str
	name: str


class Site(Protocol):
	"""What must be looked up to know which record a document is about."""

	def item_kind(self, code: str) -> str:
		"""Return the entity of an item: ``product``, or ``variation`` where it is of a template."""

	def orders(self, name: str) -> Iterable[str]:
		"""Return a Sales Order and those it amends: the first of them is the record."""

	def submissions(self, lead: str) -> Iterable[str]:
		"""Return the Communications of a Lead that submissions made."""


def entity_of_item(item: Any) -> str:
	"""Return what an Item is to the bridge."""
	return "variation" if item.get("variant_of") else "product"


def marks(doc: Any, site: Site) -> Iterator[Mark]:
	"""Yield the records a document is about.

	Args:
		doc: the document as it was saved or deleted.
		site: what is looked up.
	"""
	about = ABOUT.get(doc.doctype)
	if about is not None:
		yield from about(doc, site)


def renamed(doc: Any, old: str, new: str, site: Site) -> Iterator[Mark]:
	"""Yield the records of a document that had another name, and those it is about now."""
	yield from marks(doc, site)
	for entity in OWN.get(doc.doctype, ()):
		kind = entity_of_item(doc) if doc.doctype == "Item" else entity
		yield Mark(kind, old)
		yield Mark(kind, new)


def _customer(doc: Any, _: Site) -> Iterator[Mark]:
	yield Mark("customer", doc.name)


def _linked_customers(doc: Any, _: Site) -> Iterator[Mark]:
	"""Contacts and addresses: those they belong to, and those they belonged to before they were saved."""
	before = doc.get_doc_before_save()
	for document in (doc, before) if before else (doc,):
		for link in document.get("links") or ():
			if link.get("link_doctype") == "Customer" and link.get("link_name"):
				yield Mark("customer", link.get("link_name"))


def _item(doc: Any, _: Site) -> Iterator[Mark]:
	yield Mark(entity_of_item(doc), doc.name)
	before = doc.get_doc_before_save()
	if before and entity_of_item(before) != entity_of_item(doc):
		yield Mark(entity_of_item(before), doc.name)


def _of_item(doc: Any, site: Site) -> Iterator[Mark]:
	"""Item Price, Bin, Stock Ledger Entry and what else names one item."""
	before = doc.get_doc_before_save()
	for document in (doc, before) if before else (doc,):
		code = document.get("item_code")
		if code:
			yield Mark(site.item_kind(code), code)


def _category(doc: Any, _: Site) -> Iterator[Mark]:
	yield Mark("category", doc.name)


def _order(doc: Any, site: Site) -> Iterator[Mark]:
	yield from _orders(doc.name, site)
	if int(doc.get("docstatus") or 0) >= SUBMITTED:
		yield from _stock_of_lines(doc, site)


def _delivery(doc: Any, site: Site) -> Iterator[Mark]:
	if int(doc.get("docstatus") or 0) < SUBMITTED:
		return
	yield from _orders_of_lines(doc, "against_sales_order", site)
	yield from _stock_of_lines(doc, site)


def _invoice(doc: Any, site: Site) -> Iterator[Mark]:
	if int(doc.get("docstatus") or 0) < SUBMITTED:
		return
	yield from _orders_of_lines(doc, "sales_order", site)
	if doc.get("update_stock"):
		yield from _stock_of_lines(doc, site)


def _payment(doc: Any, site: Site) -> Iterator[Mark]:
	"""What customers paid and got back; a payment to a supplier is nobody's here."""
	if doc.get("party_type") != "Customer":
		return
	yield Mark("refund" if doc.get("payment_type") == "Pay" else "payment", doc.name)
	for row in doc.get("references") or ():
		for kind, name in (("reference_doctype", "reference_name"), ("advance_voucher_type", "advance_voucher_no")):
			if row.get(kind) == "Sales Order" and row.get(name):
				yield from _orders(row.get(name), site)


def _journal(doc: Any, site: Site) -> Iterator[Mark]:
	for row in doc.get("accounts") or ():
		if row.get("reference_type") == "Sales Order" and row.get("reference_name"):
			yield from _orders(row.get("reference_name"), site)


def _lead(doc: Any, site: Site) -> Iterator[Mark]:
	for name in site.submissions(doc.name):
		yield Mark("submission", name)


def _communication(doc: Any, _: Site) -> Iterator[Mark]:
	"""One that a submission made; people's own mails to a Lead are none."""
	if doc.get("reference_doctype") == "Lead" and doc.get(TOKEN):
		yield Mark("submission", doc.name)


def _post(doc: Any, _: Site) -> Iterator[Mark]:
	yield Mark("post", doc.name)


def _page(doc: Any, _: Site) -> Iterator[Mark]:
	yield Mark("page", doc.name)


def _orders(name: str, site: Site) -> Iterator[Mark]:
	for one in site.orders(name):
		yield Mark("order", one)


def _orders_of_lines(doc: Any, field: str, site: Site) -> Iterator[Mark]:
	for name in dict.fromkeys(row.get(field) for row in doc.get("items") or ()):
		if name:
			yield from _orders(name, site)


def _stock_of_lines(doc: Any, site: Site) -> Iterator[Mark]:
	"""The items whose reserved quantity ERPNext writes without any event (``update_bin_qty``)."""
	for table in ("items", "packed_items"):
		for row in doc.get(table) or ():
			if row.get("item_code"):
				yield Mark(site.item_kind(row.get("item_code")), row.get("item_code"))


ABOUT: Mapping[str, Callable[[Any, Site], Iterator[Mark]]] = {
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
	"Lead": _lead,
	"Communication": _communication,
	"Blog Post": _post,
	"Web Page": _page,
}

OWN: Mapping[str, tuple[str, ...]] = {
	"Customer": ("customer",),
	"Item": ("product",),
	"Item Group": ("category",),
	"Sales Order": ("order",),
	"Blog Post": ("post",),
	"Web Page": ("page",),
}
"""Doctypes whose own name is a record's id."""
