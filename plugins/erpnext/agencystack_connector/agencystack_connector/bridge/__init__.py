"""The bridge's calls: ``/api/method/agencystack_connector.bridge.<call>``, each a signed POST with a JSON object.

``configure``, ``clear`` and ``state`` are AgencyStack's, with the API key of a System Manager.
"""

from __future__ import annotations

from typing import Any

import frappe

from agencystack_connector.bridge import calls, digests, groups, numbers, outbox, reading, settings
from agencystack_connector.bridge.admin import clear, configure, state
from agencystack_connector.bridge.calls import BadCall, names, signed

__all__ = ["apply", "changes", "clear", "configure", "digest", "documents", "find", "rows", "select", "state", "walk"]

MOST_CHANGES = 2000


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def changes(body: dict[str, Any]) -> dict[str, Any]:
	"""Forget the marks that are safe with the bridge, and return the oldest of the others."""
	limit = body.get("limit", 500)
	if not isinstance(limit, int) or not 0 <= limit <= MOST_CHANGES:
		raise BadCall(f"limit must be a number up to {MOST_CHANGES}")
	taken = names(body.get("acknowledge", []), "acknowledge", MOST_CHANGES)
	outbox.acknowledge([int(number) for number in taken if number.isdecimal()])
	marks, more = outbox.oldest(limit) if limit else ([], False)
	now = settings.load()
	return {
		"url": frappe.utils.get_url(),
		"instance": now.instance,
		"epoch": numbers.epoch(),
		"time_zone": frappe.utils.get_system_timezone(),
		"more": more,
		"changes": [{"mark": str(number), "entity": mark.entity, "id": mark.name} for number, mark in marks],
		"narrowed": {"revision": now.revision, "entities": dict(now.narrowed)},
	}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def documents(body: dict[str, Any]) -> dict[str, Any]:
	"""Return whole documents by name; what is not there is left out."""
	return {"documents": reading.documents(calls.doctype(body), names(body.get("names"), "names"))}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def select(body: dict[str, Any]) -> dict[str, Any]:
	"""Return all rows of a list."""
	return {"rows": reading.select(body)}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def find(body: dict[str, Any]) -> dict[str, Any]:
	"""Return names by op token."""
	return {"found": reading.find(calls.doctype(body), names(body.get("tokens"), "tokens"))}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def walk(body: dict[str, Any]) -> dict[str, Any]:
	"""Return the next names of all documents of a type, in order of creation."""
	return reading.walk(body)


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def digest(body: dict[str, Any]) -> dict[str, Any]:
	"""Return count and digest of each range of creation times."""
	ranges = body.get("ranges")
	if not isinstance(ranges, list) or len(ranges) > digests.MOST_RANGES:
		raise BadCall(f"ranges must be a list of at most {digests.MOST_RANGES}")
	of, filters = calls.doctype(body), body.get("filters") or []
	return {"summaries": [digests.summary(of, *digests.bounds(one), filters) for one in ranges]}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def rows(body: dict[str, Any]) -> dict[str, Any]:
	"""Return the digest of each row within a range."""
	return {"rows": digests.rows(calls.doctype(body), *digests.bounds(body.get("range")), body.get("filters") or [])}


@frappe.whitelist(allow_guest=True, methods=["POST"])
@signed
def apply(body: dict[str, Any]) -> dict[str, Any]:
	"""Carry groups of steps out, each whole or not at all."""
	return {"saved": groups.save(body.get("groups"))}
