"""What the bridge may ask to have done in one group: a request's JSON, made sure of. Imports no Frappe."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DONE, STALE, REFUSED, LATER = "done", "stale", "refused", "later"
NEEDS = {
	"insert": "create",
	"map": "create",
	"update": "write",
	"submit": "submit",
	"cancel": "cancel",
	"delete": "delete",
}
"""The right each action needs."""

MAKES = ("insert", "map")
MOST_GROUPS, MOST_STEPS = 500, 50
TOKEN_LENGTH = 140

MAPPERS: Mapping[str, str] = {
	"erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice": "Sales Invoice",
	"erpnext.selling.doctype.sales_order.sales_order.make_delivery_note": "Delivery Note",
	"erpnext.stock.doctype.delivery_note.delivery_note.make_sales_invoice": "Sales Invoice",
	"erpnext.stock.doctype.delivery_note.delivery_note.make_sales_return": "Delivery Note",
	"erpnext.accounts.doctype.sales_invoice.sales_invoice.make_sales_return": "Sales Invoice",
	"erpnext.accounts.doctype.sales_invoice.sales_invoice.make_delivery_note": "Delivery Note",
	"erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry": "Payment Entry",
	"erpnext.controllers.item_variant.create_variant": "Item",
	"erpnext.crm.doctype.lead.lead.make_customer": "Customer",
}
"""ERPNext's own functions that make a document of another, and what they make. No others are called."""

ARGUMENTS = frozenset({"dt", "party_amount", "bank_account", "bank_amount", "payment_type", "reference_date", "args"})
"""What these functions may be told beside their source; ``ignore_permissions`` is not among them."""

_OF_A_LINE = re.compile(r"<\s*(br|/p|/div|/li|/tr)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


class BadGroup(Exception):
	"""A group that asks for what there is not; the text says what."""


@dataclass(frozen=True)
class Made:
	"""The name of a document that an earlier step of the group made.

	Args:
		step: what that step was called.
	"""

	step: str


@dataclass(frozen=True)
class Step:
	"""One thing done to one document; ``agencystack.bridge.sides.erpnext.documents`` describes it."""

	action: str
	doctype: str
	name: str | Made = ""
	values: Mapping[str, Any] = field(default_factory=dict)
	called: str = ""
	modified: str = ""
	method: str = ""
	source: str | Made = ""
	arguments: Mapping[str, Any] = field(default_factory=dict)

	def __str__(self) -> str:
		return f"{self.action} {self.doctype}"


@dataclass(frozen=True)
class Group:
	"""Steps of which all happen or none."""

	token: str
	steps: tuple[Step, ...]
	main: str = "main"
	notify: bool = False

	@property
	def bearer(self) -> Step | None:
		"""The step whose document tells that the group was carried out: the main one, or the first that is made."""
		makers = [step for step in self.steps if step.action in MAKES]
		return next((step for step in makers if step.called == self.main), makers[0] if makers else None)

	def token_of(self, step: Step) -> str:
		"""Return the token a step's document keeps: the bearer the group's own, the others one that tells them apart.

		The bridge names them alike where it works without this app.
		"""
		if step is self.bearer:
			return self.token
		index = next(at for at, one in enumerate(self.steps) if one is step)
		return f"{self.token}-{step.called or index}"[:TOKEN_LENGTH]


@dataclass
class Saved:
	"""What became of a group."""

	result: str
	name: str = ""
	kind: str = ""
	message: str = ""
	step: str = ""
	modified: str = ""
	"""Of the main document when the group was done: what is read back later may hold another's change."""

	def as_dict(self) -> dict[str, str]:
		"""Return it as it travels."""
		return dict(vars(self))


def group(given: object) -> Group:
	"""Return a group.

	Raises:
		BadGroup: it is none.
	"""
	if not isinstance(given, dict) or not isinstance(given.get("token"), str) or not given["token"]:
		raise BadGroup("a group needs a token")
	steps = given.get("steps")
	if not isinstance(steps, list) or not 0 < len(steps) <= MOST_STEPS:
		raise BadGroup(f"a group needs 1 to {MOST_STEPS} steps")
	return Group(
		token=given["token"],
		steps=tuple(_step(one) for one in steps),
		main=str(given.get("main") or "main"),
		notify=bool(given.get("notify")),
	)


def _step(given: object) -> Step:
	if not isinstance(given, dict):
		raise BadGroup("a step must be an object")
	values = given.get("values") or {}
	action, of = given.get("action"), given.get("doctype")
	if action not in NEEDS:
		raise BadGroup(f"there is no action {action!r}")
	if not isinstance(of, str) or not of or not isinstance(values, dict):
		raise BadGroup(f"{action} needs a doctype, and values that are an object")
	if action not in MAKES and not given.get("name"):
		raise BadGroup(f"{action} {of} needs a name")
	method, arguments = str(given.get("method") or ""), given.get("arguments") or {}
	if action == "map" and MAPPERS.get(method) != of:
		raise BadGroup(f"{method!r} may not be called to make a {of}")
	if not isinstance(arguments, dict) or set(arguments) - ARGUMENTS:
		raise BadGroup(f"{method} may be given {', '.join(sorted(ARGUMENTS))} and nothing else")
	return Step(
		action=action,
		doctype=of,
		name=_reference(given.get("name")),
		values=_references(values),
		called=str(given.get("called") or ""),
		modified=str(given.get("modified") or ""),
		method=method,
		source=_reference(given.get("source")),
		arguments=arguments,
	)


def _reference(value: object) -> str | Made:
	found = _references(value)
	return found if isinstance(found, Made) else str(found or "")


def _references(value: Any) -> Any:
	match value:
		case {"$made": str() as called}:
			return Made(called)
		case dict():
			return {name: _references(one) for name, one in value.items()}
		case list():
			return [_references(one) for one in value]
	return value


def resolved(value: Any, made: Mapping[str, str]) -> Any:
	"""Return a value with the names of what was made in place of the references to it.

	Raises:
		BadGroup: nothing was made under that name.
	"""
	match value:
		case Made():
			if value.step not in made:
				raise BadGroup(f"no step before made {value.step!r}")
			return made[value.step]
		case dict():
			return {name: resolved(one, made) for name, one in value.items()}
		case list():
			return [resolved(one, made) for one in value]
	return value


def plain(text: object) -> str:
	"""Return what ERPNext says, without its HTML; ``<`` that begins no tag stays."""
	lines = _OF_A_LINE.sub("\n", str(text))
	return re.sub(r"\s*\n\s*", "\n", html.unescape(_TAG.sub("", lines))).strip()[:2000]
