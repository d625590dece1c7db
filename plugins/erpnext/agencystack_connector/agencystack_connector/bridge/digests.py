"""Digests of rows and of ranges of rows, computed by the database from what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import frappe

from agencystack_connector.bridge.calls import BadCall

MOST_RANGES = 300
_NOT_COMPARED = frozenset({"modified", "modified_by", "owner", "idx"})


@dataclass(frozen=True)
class Hanging:
	"""Documents of another type that belong to a record.

	Args:
		doctype: theirs.
		key: how the record's name stands there, in SQL over the alias ``hung``.
		through: a join that leads to it, where it stands in a child table.
	"""

	doctype: str
	key: str
	through: str = ""


def _by_link(of: str, record: str) -> Hanging:
	join = (
		f"join `tabDynamic Link` link on link.parenttype = '{of}' and link.parent = hung.name"
		f" and link.link_doctype = '{record}'"
	)
	return Hanging(of, "link.link_name", join)


HANGING: Mapping[str, tuple[Hanging, ...]] = {
	"Customer": (_by_link("Contact", "Customer"), _by_link("Address", "Customer")),
	"Item": (Hanging("Item Price", "hung.item_code"), Hanging("Bin", "hung.item_code")),
	"Lead": (Hanging("Communication", "if(hung.reference_doctype = 'Lead', hung.reference_name, null)"),),
}
"""What an entity's fields come from beside its own document and its child tables."""


def bounds(given: object) -> tuple[str, str]:
	"""Return start and end of a range of creation times; empty text is no bound."""
	if not isinstance(given, list) or len(given) != 2 or not all(isinstance(one, str) for one in given):
		raise BadCall("a range must be [start, end]")
	return given[0], given[1]


def summary(of: str, start: str, end: str, filters: Sequence[Any] = ()) -> list[Any]:
	"""Return how many documents a range holds and the digest of them all."""
	where, values = _within(of, start, end, filters)
	rows_of = _rows_query(of, where)
	[[count, number]] = frappe.db.sql(f"select count(*), bit_xor(digest) from ({rows_of}) digests", values)  # noqa: S608
	return [int(count), _hex(number)]


def rows(of: str, start: str, end: str, filters: Sequence[Any] = ()) -> dict[str, str]:
	"""Return the digest of each document within a range, by name."""
	where, values = _within(of, start, end, filters)
	return _by_name(of, where, values)


def of_names(of: str, names: Sequence[str]) -> dict[str, str]:
	"""Return the digests of documents by name."""
	return _by_name(of, "record.name in %(names)s", {"names": tuple(names)}) if names else {}


def _by_name(of: str, where: str, values: Mapping[str, Any]) -> dict[str, str]:
	return {str(name): _hex(number) for name, number in frappe.db.sql(_rows_query(of, where), values)}


def _within(of: str, start: str, end: str, filters: Sequence[Any]) -> tuple[str, dict[str, Any]]:
	conditions, values = ["1 = 1"], {}
	if start:
		conditions.append("record.creation >= %(start)s")
		values["start"] = start
	if end:
		conditions.append("record.creation < %(end)s")
		values["end"] = end
	for number, one in enumerate(filters):
		condition, value = _condition(of, one)
		conditions.append(condition.format(f"filter_{number}"))
		values[f"filter_{number}"] = value
	return " and ".join(conditions), values


def _condition(of: str, one: Any) -> tuple[str, Any]:
	"""Return a filter as SQL; only what tells entities of one doctype apart."""
	field, operator, value = one[-3:] if isinstance(one, list) and len(one) in (3, 4) else ("", "", "")
	if field not in frappe.get_meta(of).get_valid_columns():
		raise BadCall(f"{of} has no field {field!r} to filter by")
	if operator == "is":
		empty = "" if value == "set" else " not"
		return f"({empty} ifnull(record.`{field}`, '') != %({{}})s)", ""
	if operator in {"=", "!="}:
		return f"ifnull(record.`{field}`, '') {operator} %({{}})s", value
	raise BadCall(f"a digest cannot be filtered by {operator!r}")


def _rows_query(of: str, where: str) -> str:
	"""Return the query for name and number of each document: its own columns, its rows, and what hangs on it."""
	meta = frappe.get_meta(of)
	parts = [
		_joined(f"part_{number}", _children_query(of, field.options, field.fieldname, where))
		for number, field in enumerate(meta.get_table_fields())
		if not frappe.get_meta(field.options).is_virtual
	]
	for hanging in HANGING.get(of, ()):
		if frappe.db.table_exists(hanging.doctype):
			parts.append(_joined(f"part_{len(parts)}", _hanging_query(of, hanging, where)))
	numbers = " ^ ".join([_number("record", of), *(f"ifnull(part_{n}.digest, 0)" for n in range(len(parts)))])
	return f"select record.name, {numbers} digest from `tab{of}` record {' '.join(parts)} where {where}"  # noqa: S608


def _joined(alias: str, query: str) -> str:
	return f"left join ({query}) {alias} on {alias}.owner = record.name"


def _children_query(of: str, child: str, field: str, where: str) -> str:
	return (
		f"select child.parent owner, bit_xor({_number('child', child)}) digest"  # noqa: S608
		f" from `tab{of}` record join `tab{child}` child"
		f" on child.parent = record.name and child.parenttype = '{of}' and child.parentfield = '{field}'"
		f" where {where} group by child.parent"
	)


def _hanging_query(of: str, hanging: Hanging, where: str) -> str:
	return (
		f"select {hanging.key} owner, bit_xor({_number('hung', hanging.doctype)}) digest"  # noqa: S608
		f" from `tab{of}` record join (`tab{hanging.doctype}` hung {hanging.through})"
		f" on {hanging.key} = record.name where {where} group by owner"
	)


def _number(alias: str, of: str) -> str:
	"""Return 64 bits over all stored values of a row, as SQL; nothing and empty text differ."""
	stored = set(frappe.db.get_table_columns(of)) & set(frappe.get_meta(of).get_valid_columns())
	columns = sorted(column for column in stored - _NOT_COMPARED if not column.startswith("_"))
	values = ", ".join(f"ifnull({alias}.`{column}`, '\\0')" for column in columns)
	return f"cast(conv(left(md5(concat_ws('\\x1f', {values})), 16), 16, 10) as unsigned)"


def _hex(number: Any) -> str:
	return f"{int(number or 0):016x}"
