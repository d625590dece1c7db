"""Where Frappe tells of saved, renamed and deleted documents; what they are about is kept for the bridge."""

from __future__ import annotations

from collections.abc import Iterable

import frappe

from agencystack_connector.bridge import marking, outbox, settings
from agencystack_connector.bridge.fields import TOKEN

MOST_AMENDMENTS = 10


class Lookup:
	"""The site's database, as far as a mark needs it; see ``marking.Site``."""

	def item_kind(self, code: str) -> str:
		"""Return what an item is."""
		return marking.entity_of_item({"variant_of": frappe.get_cached_value("Item", code, "variant_of")})

	def orders(self, name: str) -> Iterable[str]:
		"""Return a Sales Order and those it amends."""
		found = [name]
		while len(found) <= MOST_AMENDMENTS:
			origin = frappe.db.get_value("Sales Order", found[-1], "amended_from")
			if not origin:
				break
			found.append(origin)
		return found

	def submissions(self, lead: str) -> Iterable[str]:
		"""Return the Communications that submissions made."""
		of_lead = {"reference_doctype": "Lead", "reference_name": lead, TOKEN: ["is", "set"]}
		return frappe.get_all("Communication", filters=of_lead, pluck="name")


LOOKUP = Lookup()


def changed(doc, _method=None):
	"""A document was saved, submitted, cancelled, deleted, or had a value set."""
	shared = settings.shared()
	if shared:
		outbox.pending().add(mark for mark in marking.marks(doc, LOOKUP) if mark.entity in shared)


def renamed(doc, _method, old, new, _merge=False):
	"""A document has another name, or was made one with another."""
	shared = settings.shared()
	if shared:
		found = marking.renamed(doc, old, new, LOOKUP)
		outbox.pending().add(mark for mark in found if mark.entity in shared)
