"""Shows documents, many at a time, as far as the bridge's user may see them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import frappe
from frappe.model import float_like_fields
from frappe.utils import get_datetime_str, get_system_timezone

from agencystack_connector.bridge import digests, portal
from agencystack_connector.bridge.calls import BadCall, doctype, names
from agencystack_connector.bridge.fields import TOKEN as TOKEN_FIELD

MOST_WALKED = 5000
_ZERO = {"Check": 0, "Int": 0, **dict.fromkeys(float_like_fields, 0.0)}
_CHILD_ORDER = "parent asc, idx asc"


def documents(of: str, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
	"""Return whole documents with their child tables, as ``/api/resource`` shows them, by name."""
	if not wanted:
		return {}
	meta = frappe.get_meta(of)
	if meta.issingle:
		return {of: frappe.get_doc(of).as_dict(no_nulls=True)} if of in wanted else {}
	found = frappe.get_list(of, filters=[["name", "in", list(set(wanted))]], fields=["*"], limit_page_length=0)
	hidden = _hidden(meta)
	shown = {row["name"]: _shown(meta, row, hidden) for row in found}
	for field in meta.get_table_fields():
		for document in shown.values():
			document[field.fieldname] = []
		for row in _children(field, of, shown):
			shown[row["parent"]][field.fieldname].append(_shown(frappe.get_meta(field.options), row, ()))
	zone = ZoneInfo(get_system_timezone())
	for document in shown.values():
		document["agencystack_modified_utc"] = in_utc(document["modified"], zone)
	for name, row_digest in digests.of_names(of, list(shown)).items():
		if name in shown:
			shown[name]["agencystack_row"] = row_digest
	return shown


def select(body: Mapping[str, Any]) -> list[dict[str, Any]]:
	"""Return all rows of a list that the bridge's user may see.

	A child table is read with its parent's permission, as Frappe has it.
	"""
	parent, of = body.get("parent") or "", body.get("doctype")
	if of == portal.USER:
		return portal.rows(filters_of(body), names(body.get("fields"), "fields", 100))
	if parent:
		doctype({"doctype": parent})
		if not isinstance(of, str) or not frappe.db.exists("DocType", of, cache=True):
			raise BadCall(f"there is no doctype {of!r} on this site")
	else:
		of = doctype(dict(body))
	fields = names(body.get("fields"), "fields", 100)
	unknown = [field for field in fields if field.isidentifier() and field not in _columns(of)]
	if unknown:
		raise BadCall(f"{of} has no field {', '.join(unknown)} on this site")
	return frappe.get_list(
		of,
		filters=filters_of(body),
		fields=fields,
		limit_page_length=0,
		**({"parent_doctype": parent} if parent else {}),
	)


def find(of: str, tokens: Sequence[str]) -> dict[str, str]:
	"""Return the names of the documents that carry these op tokens."""
	if not tokens or not frappe.get_meta(of).has_field(TOKEN_FIELD):
		return {}
	found = frappe.get_list(
		of, filters=[[TOKEN_FIELD, "in", list(tokens)]], fields=["name", TOKEN_FIELD], limit_page_length=0
	)
	return {row[TOKEN_FIELD]: row["name"] for row in found}


def walk(body: Mapping[str, Any]) -> dict[str, Any]:
	"""Return the next names in order of creation, and where to go on.

	Many documents may have one time, as after an import by SQL: the place is a time and a name.
	"""
	of, limit = doctype(dict(body)), body.get("limit", 1000)
	if not isinstance(limit, int) or not 1 <= limit <= MOST_WALKED:
		raise BadCall(f"limit must be a number up to {MOST_WALKED}")
	filters, found = filters_of(body), []
	if body.get("after"):
		created, name = _place(body["after"])
		found = _walked(of, [*filters, ["creation", "=", created], ["name", ">", name]], limit)
		filters = [*filters, ["creation", ">", created]]
	if len(found) < limit:
		found = [*found, *_walked(of, filters, limit - len(found))]
	place = json.dumps([get_datetime_str(found[-1].creation), found[-1].name]) if len(found) == limit else ""
	return {"ids": [row.name for row in found], "next": place}


def filters_of(body: Mapping[str, Any]) -> list[Any]:
	"""Return the filters of a body: a list of lists."""
	filters = body.get("filters") or []
	if not isinstance(filters, list) or not all(isinstance(one, list) and len(one) in (3, 4) for one in filters):
		raise BadCall("filters must be a list of [field, operator, value]")
	return filters


def in_utc(moment: datetime, zone: ZoneInfo) -> str:
	"""Return one of Frappe's times, which are the site's, as UTC text."""
	return moment.replace(tzinfo=zone).astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _columns(of: str) -> set[str]:
	"""Return what can be asked for; Frappe leaves what it does not know out without a word."""
	return {*frappe.get_meta(of).get_valid_columns(), "parent", "parenttype", "parentfield", "idx"}


def _walked(of: str, filters: Sequence[Any], limit: int) -> list[Any]:
	return frappe.get_list(
		of,
		filters=list(filters),
		fields=["name", "creation"],
		order_by="creation asc, name asc",
		limit_page_length=limit,
	)


def _place(after: object) -> tuple[str, str]:
	try:
		created, name = json.loads(str(after))
	except ValueError:
		raise BadCall("after must be what the page before said under next") from None
	return str(created), str(name)


def _children(field: Any, of: str, shown: Mapping[str, Any]) -> Sequence[Any]:
	if not shown:
		return ()
	return frappe.get_all(
		field.options,
		filters={"parenttype": of, "parentfield": field.fieldname, "parent": ["in", list(shown)]},
		fields=["*"],
		order_by=_CHILD_ORDER,
		limit_page_length=0,
	)


def _hidden(meta: Any) -> set[str]:
	"""Return the fields of a level that the bridge's user may not read, and those that hold passwords."""
	levels = set(meta.get_permlevel_access("read"))
	return {
		field.fieldname
		for field in meta.fields
		if (field.permlevel and field.permlevel not in levels) or field.fieldtype == "Password"
	}


def _shown(meta: Any, row: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Any]:
	"""Return a row as Frappe shows it: without what is empty, but numbers that are not there are zero."""
	shown = {"doctype": meta.name}
	for name in meta.get_valid_columns():
		if name in row and name not in hidden:
			value, field = row[name], meta.get_field(name)
			if value is None and field is not None:
				value = _ZERO.get(field.fieldtype)
			if value is not None and not (value == "" and field is not None and field.unique):
				shown[name] = value
	return shown
