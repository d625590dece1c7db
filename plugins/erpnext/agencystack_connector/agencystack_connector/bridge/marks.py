"""Where Frappe tells of saved, renamed and deleted documents; what they are about is kept for the bridge."""

from __future__ import annotations

import frappe

from agencystack_connector.bridge import marking, outbox, settings


def changed(doc, _method=None):
	"""A document was saved, submitted, cancelled, deleted, or had a value set."""
	shared = settings.shared()
	if shared:
		outbox.pending().add(mark for mark in marking.marks(doc, item_kind) if mark.entity in shared)


def renamed(doc, _method, old, new, _merge=False):
	"""A document has another name, or was made one with another."""
	shared = settings.shared()
	if shared:
		found = marking.renamed(doc, old, new, item_kind)
		outbox.pending().add(mark for mark in found if mark.entity in shared)


def item_kind(code: str) -> str:
	"""Return what an item is: a product, or a variation of one."""
	return marking.entity_of_item({"variant_of": frappe.get_cached_value("Item", code, "variant_of")})
