"""Keeps word of changed records until the bridge has taken it, written in the transaction that changed them.

Rows are only ever added, each with a number of its own, and only at the end of a transaction. So writers never wait
for each other here, whatever order they touch records in; one row a record would be locked until its writer commits.
Rows of one record are made one when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import frappe
from frappe.utils import now

from agencystack_connector.bridge import hint
from agencystack_connector.bridge.marking import Mark
from agencystack_connector.bridge.numbers import TABLE

AT_ONCE = 500
"""Rows written or deleted by one statement."""

READ = 10_000
"""Rows read at a time: rows of one record that stand so close together become one."""


class Pending:
	"""Marks of the transaction under way. Hangs on the connection's request, and goes with it."""

	def __init__(self) -> None:
		self.marks: dict[Mark, None] = {}
		self.scheduled = False

	def add(self, found: Iterable[Mark]) -> None:
		"""Remember marks until the transaction ends."""
		self.marks.update(dict.fromkeys(found))
		if self.marks and not self.scheduled:
			self.scheduled = True
			frappe.db.before_commit.add(self.write)
			frappe.db.after_rollback.add(self.forget_all)

	def forget(self, mark: Mark) -> None:
		"""Drop a mark: the bridge itself changed the record and reads it back."""
		self.marks.pop(mark, None)

	def forget_all(self) -> None:
		"""Drop everything: the transaction was rolled back."""
		self.marks.clear()
		self.scheduled = False

	def write(self) -> None:
		"""Write the marks, as the last thing the transaction does.

		A business transaction never fails for a mark; a change without one is found by the bridge's next comparison.
		Only a deadlock goes on: it has already undone the whole transaction, and must not look like a success.
		"""
		marks = list(self.marks)
		self.forget_all()
		if not marks:
			return
		try:
			_insert(marks)
		except frappe.QueryDeadlockError:
			raise
		except Exception:  # noqa: BLE001 - see above
			frappe.logger("agencystack_connector").exception("marks of changed records were lost")
			return
		hint.after_commit()


def pending() -> Pending:
	"""Return the marks of the transaction under way."""
	found = getattr(frappe.local, "agencystack_pending", None)
	if found is None:
		found = frappe.local.agencystack_pending = Pending()
	return found


def acknowledge(numbers: Sequence[int]) -> None:
	"""Delete exactly these rows, and let writers go on at once."""
	_delete(numbers)
	frappe.db.commit()


def oldest(limit: int) -> tuple[list[tuple[int, Mark]], bool]:
	"""Return the oldest marks, one a record under its newest number, and whether there are more.

	Rows that a newer one of the same record makes superfluous are deleted on the way; one that is not yet committed is
	not seen, keeps its number, and is told later.
	"""
	newest: dict[Mark, int] = {}
	superfluous: list[int] = []
	after, more = 0, True
	while more and len(newest) <= limit:
		rows = _read(after)
		more = len(rows) == READ
		for after, entity, document in rows:
			mark = Mark(entity, document)
			if mark in newest:
				superfluous.append(newest[mark])
			elif len(newest) > limit:
				continue
			newest[mark] = after
	_delete(superfluous)
	frappe.db.commit()
	told = sorted((number, mark) for mark, number in newest.items())
	return told[:limit], len(told) > limit


def tidy() -> None:
	"""Make rows of one record that stand close together one, so that a bridge that is away costs little; daily."""
	after = 0
	while rows := _read(after):
		newest: dict[Mark, int] = {}
		superfluous = []
		for after, entity, document in rows:
			mark = Mark(entity, document)
			if mark in newest:
				superfluous.append(newest[mark])
			newest[mark] = after
		_delete(superfluous)
		frappe.db.commit()


def _read(after: int) -> Sequence[tuple[int, str, str]]:
	query = f"select name, entity, document from `{TABLE}` where name > %s order by name limit %s"  # noqa: S608
	return frappe.db.sql(query, (after, READ))


def _insert(marks: Sequence[Mark]) -> None:
	moment = now()
	for start in range(0, len(marks), AT_ONCE):
		part = marks[start : start + AT_ONCE]
		values: list[Any] = [value for mark in part for value in (moment, moment, mark.entity, mark.name)]
		places = ", ".join(["(%s, %s, %s, %s)"] * len(part))
		frappe.db.sql(
			f"insert into `{TABLE}` (creation, modified, entity, document) values {places}",  # noqa: S608
			values,
		)


def _delete(numbers: Sequence[int]) -> None:
	"""Delete rows that are there, by their primary key alone.

	A delete of what is not there would lock the gap and every writer behind it, and a scan would stop at rows that
	others have not committed yet.
	"""
	for start in range(0, len(numbers), AT_ONCE):
		part = tuple(numbers[start : start + AT_ONCE])
		there = frappe.db.sql(f"select name from `{TABLE}` where name in %s", (part,))  # noqa: S608
		if there:
			frappe.db.sql(
				f"delete one from `{TABLE}` one force index (primary) where one.name in %s",
				(tuple(row[0] for row in there),),
			)
