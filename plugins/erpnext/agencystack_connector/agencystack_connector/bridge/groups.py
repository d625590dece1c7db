"""Carries out groups of steps: each whole or not at all, many in a request, and a token makes something once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import frappe
from frappe.model import default_fields

from agencystack_connector.bridge import outbox, portal, quiet
from agencystack_connector.bridge.calls import BadCall, allow
from agencystack_connector.bridge.fields import TOKEN as TOKEN_FIELD
from agencystack_connector.bridge.marking import marks
from agencystack_connector.bridge.marks import LOOKUP
from agencystack_connector.bridge.steps import (
	DONE,
	LATER,
	MOST_GROUPS,
	NEEDS,
	REFUSED,
	STALE,
	BadGroup,
	Group,
	Saved,
	Step,
	group,
	plain,
	resolved,
)

HELD = 0.25
"""Seconds after which what is done is committed, so that people who work here do not wait for a long batch's locks."""

_SAVEPOINT = "agencystack_group"
_ALWAYS_KNOWN = frozenset({*default_fields, "name", "doctype", "parentfield", "parenttype", "parent"})


class Stale(Exception):
	"""A document is not as it was expected."""


def save(given: object) -> dict[str, dict[str, str]]:
	"""Carry groups out; answers by token."""
	if not isinstance(given, list) or len(given) > MOST_GROUPS:
		raise BadCall(f"groups must be a list of at most {MOST_GROUPS}")
	asked, saved = {}, {}
	for one in given:
		try:
			found = group(one)
			asked[found.token] = found
		except BadGroup as why:
			token = str(one.get("token") or "") if isinstance(one, dict) else ""
			saved[token] = Saved(REFUSED, kind="BadGroup", message=str(why))
	known = _made_before(asked.values())
	_Batch(saved).run([one for one in asked.values() if one.token not in known])
	saved.update({token: Saved(DONE, name=name) for token, name in known.items()})
	return {token: one.as_dict() for token, one in saved.items()}


class _Batch:
	"""A request's groups, and which of them are not committed yet.

	Args:
		saved: what became of each, by token; filled here.
	"""

	def __init__(self, saved: dict[str, Saved]) -> None:
		self.saved = saved
		self.open: list[Group] = []
		self.since = time.monotonic()

	def run(self, groups: Sequence[Group]) -> None:
		"""Carry all of them out and commit."""
		for one in groups:
			self._one(one)
			if time.monotonic() - self.since > HELD:
				self._commit()
		self._commit()

	def _one(self, one: Group) -> None:
		frappe.db.savepoint(_SAVEPOINT)
		work = _Work(one)
		try:
			with quiet.mails(wanted=one.notify):
				self.saved[one.token] = work.run()
			self.open.append(one)
		except frappe.QueryDeadlockError as why:
			# The database has undone the whole transaction, and the savepoint with it.
			self._undone(one, why)
		except frappe.QueryTimeoutError as why:
			self._back(one, work.failed(LATER, why))
		except Stale as why:
			self._back(one, work.failed(STALE, why))
		except frappe.TimestampMismatchError as why:
			self._back(one, work.failed(STALE, why))
		except Exception as why:  # noqa: BLE001 - whatever ERPNext raises says no to this group alone
			self._back(one, self._twin(one, why) or work.failed(LATER if _crossed(why) else REFUSED, why))
		finally:
			frappe.clear_messages()

	def _twin(self, one: Group, why: Exception) -> Saved | None:
		"""Return the answer of a request with the same token that was faster."""
		if not isinstance(why, frappe.UniqueValidationError | frappe.DuplicateEntryError):
			return None
		frappe.db.rollback(save_point=_SAVEPOINT)
		name = _made_before([one], lock=True).get(one.token)
		return Saved(DONE, name=name) if name else None

	def _back(self, one: Group, answer: Saved) -> None:
		"""Undo this group; those before it stay."""
		frappe.db.rollback(save_point=_SAVEPOINT)
		self.saved[one.token] = answer

	def _undone(self, one: Group, why: Exception) -> None:
		frappe.db.rollback()
		for lost in (*self.open, one):
			self.saved[lost.token] = Saved(LATER, kind=type(why).__name__, message="another transaction was in the way")
		self.open, self.since = [], time.monotonic()

	def _commit(self) -> None:
		try:
			frappe.db.commit()
		except frappe.QueryDeadlockError as why:
			frappe.db.rollback()
			for lost in self.open:
				self.saved[lost.token] = Saved(LATER, kind=type(why).__name__, message=str(why))
		self.open, self.since = [], time.monotonic()


def _crossed(why: Exception) -> bool:
	"""Tell whether another transaction has just made what this one was making, too.

	ERPNext then looks for the other's document, which this transaction cannot see yet: two orders of a new Item, at
	once, both make its Bin (erpnext/stock/utils.py, ``_create_bin``).
	"""
	return isinstance(why, frappe.DoesNotExistError) and isinstance(why.__context__, frappe.UniqueValidationError)


class _Work:
	"""One group under way."""

	def __init__(self, one: Group) -> None:
		self.group = one
		self.made: dict[str, str] = {}
		self.step: Step | None = None
		self.touched: list[Any] = []

	def run(self) -> Saved:
		"""Do all steps."""
		name = ""
		for step in self.group.steps:
			self.step = step
			doc = self._portal_user(step) or self._allowed(step)
			self.touched.append(doc)
			if step.called:
				self.made[step.called] = doc.name
			if step.called == self.group.main or not name:
				name = doc.name
		# The bridge reads back what it asked for; what else changed by it stays marked.
		main = next((doc for doc in self.touched if doc.name == name), None)
		if main is not None:
			for mark in marks(main, LOOKUP):
				if mark.name == name:
					outbox.pending().forget(mark)
		modified = frappe.db.get_value(main.doctype, name, "modified") if main is not None else None
		return Saved(DONE, name=name, modified=str(modified or ""))

	def failed(self, result: str, why: Exception) -> Saved:
		"""Return the answer for what went wrong."""
		told = [entry.get("message") for entry in frappe.get_message_log() if entry.get("message")]
		# These two carry the database's words, and the sentence for people beside them.
		technical = isinstance(why, frappe.DuplicateEntryError | frappe.UniqueValidationError)
		text = plain(told[-1]) if told and (technical or not str(why)) else plain(why)
		if not hasattr(why, "http_status_code") and not isinstance(why, Stale | BadGroup):
			text = f"ERPNext failed on what it was sent: {text}"
		return Saved(result, kind=type(why).__name__, message=text, step=str(self.step or ""))

	def _allowed(self, step: Step) -> Any:
		allow(step.doctype, NEEDS[step.action])
		return _DO[step.action](self, step)

	def _portal_user(self, step: Step) -> Any:
		"""Make the one kind of user that may be made; ``None`` for any other step."""
		if step.doctype != portal.USER or step.action != "insert":
			return None
		return portal.insert(resolved(dict(step.values), self.made))

	def insert(self, step: Step) -> Any:
		values = resolved(dict(step.values), self.made)
		name = values.pop("name", None) or self._name(step)
		doc = frappe.new_doc(step.doctype)
		return self._inserted(doc, values, name)

	def map(self, step: Step) -> Any:
		values = resolved(dict(step.values), self.made)
		name = values.pop("name", None)
		source = resolved(step.source, self.made)
		return self._inserted(_mapped(step, source), values, name)

	def update(self, step: Step) -> Any:
		doc = self._there(step)
		values = resolved(dict(step.values), self.made)
		_refuse_unknown(step.doctype, values)
		doc.update(values)
		doc.save()
		return doc

	def submit(self, step: Step) -> Any:
		doc = self._there(step)
		if not doc.docstatus.is_submitted():
			doc.submit()
		return doc

	def cancel(self, step: Step) -> Any:
		doc = self._there(step)
		if not doc.docstatus.is_cancelled():
			doc.cancel()
		return doc

	def delete(self, step: Step) -> Any:
		name = self._name(step)
		if not frappe.db.exists(step.doctype, name):
			return frappe.get_doc({"doctype": step.doctype, "name": name})
		doc = self._there(step)
		doc.delete()
		return doc

	def _name(self, step: Step) -> str:
		return resolved(step.name, self.made)

	def _inserted(self, doc: Any, values: Mapping[str, Any], name: str | None) -> Any:
		_refuse_unknown(doc.doctype, values)
		doc.update(values)
		if doc.meta.has_field(TOKEN_FIELD):
			doc.set(TOKEN_FIELD, self.group.token_of(self.step))
		quiet.without_notifications(doc).insert(set_name=name or None)
		return doc

	def _there(self, step: Step) -> Any:
		"""Return a document that is still as it was expected, locked until the group is committed."""
		name = self._name(step)
		try:
			doc = frappe.get_doc(step.doctype, name, for_update=True)
		except frappe.DoesNotExistError:
			raise Stale(f"{step.doctype} {name} is not there any more") from None
		if step.modified and str(doc.modified) != step.modified:
			raise Stale(f"{step.doctype} {doc.name} was changed at {doc.modified}")
		return quiet.without_notifications(doc)


_DO = {
	"insert": _Work.insert,
	"update": _Work.update,
	"submit": _Work.submit,
	"cancel": _Work.cancel,
	"delete": _Work.delete,
	"map": _Work.map,
}


def _mapped(step: Step, source: str) -> Any:
	"""Return the unsaved document that ERPNext makes of another."""
	make, arguments = frappe.get_attr(step.method), dict(step.arguments)
	if "dt" in arguments:
		return make(arguments.pop("dt"), source, **arguments)
	return make(source, **arguments)


def _refuse_unknown(of: str, values: Mapping[str, Any]) -> None:
	"""Refuse fields that ERPNext would drop without a word.

	Raises:
		frappe.ValidationError: there are some.
	"""
	meta = frappe.get_meta(of)
	unknown = sorted(set(values) - _ALWAYS_KNOWN - {field.fieldname for field in meta.fields})
	if unknown:
		frappe.throw(f"{of} has no field {', '.join(unknown)} on this site", frappe.ValidationError)
	for field in meta.get_table_fields():
		for row in values.get(field.fieldname) or ():
			_refuse_unknown(field.options, row)


def _made_before(groups: Iterable[Group], *, lock: bool = False) -> dict[str, str]:
	"""Return the names of what these groups' tokens made, by token.

	Args:
		groups: the groups.
		lock: read what others have committed since this transaction began.
	"""
	by_doctype: dict[str, dict[str, str]] = {}
	for one in groups:
		bearer = one.bearer
		if bearer is not None and frappe.get_meta(bearer.doctype).has_field(TOKEN_FIELD):
			by_doctype.setdefault(bearer.doctype, {})[one.token_of(bearer)] = one.token
	found = {}
	for of, tokens in by_doctype.items():
		end = " for update" if lock else ""
		query = f"select `{TOKEN_FIELD}`, name from `tab{of}` where `{TOKEN_FIELD}` in %s{end}"  # noqa: S608
		found.update({tokens[token]: name for token, name in frappe.db.sql(query, (tuple(tokens),))})
	return found
