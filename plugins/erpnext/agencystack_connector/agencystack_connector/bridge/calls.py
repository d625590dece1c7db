"""Lets signed calls in, as the bridge's own user, and nobody else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import frappe
from frappe.utils import now
from werkzeug.wrappers import Response

from agencystack_connector.bridge import settings, signing
from agencystack_connector.bridge.entities import rights
from agencystack_connector.bridge.signing import Unsigned

ROUTE = "agencystack_connector.bridge."
CONTACT = "agencystack_bridge_contact"
UNAUTHORIZED, BAD_REQUEST, FORBIDDEN = 401, 400, 403


class BadCall(Exception):
	"""A signed call that asks for what there is not; the text says what."""


def signed(function: Callable[[dict[str, Any]], Any]) -> Callable[[], Any]:
	"""Make of a function of the body a method that only signed calls reach.

	It runs as the bridge's user, whatever login came along; a refusal is a plain answer of ours.
	"""

	@functools.wraps(function)
	def method() -> Any:
		try:
			body = _body(function.__name__)
		except Unsigned as why:
			return refusal(UNAUTHORIZED, why.code, why.says)
		user = settings.load().user
		if not user:
			return refusal(FORBIDDEN, "agencystack_not_configured", "this site is not configured for the bridge")
		frappe.set_user(user)
		frappe.cache.set_value(CONTACT, now())
		try:
			return function(body)
		except BadCall as why:
			return refusal(BAD_REQUEST, "agencystack_bad_call", str(why))
		except frappe.PermissionError as why:
			frappe.db.rollback()
			return refusal(FORBIDDEN, "agencystack_forbidden", str(why) or "the bridge may not do this here")

	# Frappe hands over the parameters a method names; the body is read from what was signed, never from the address.
	del method.__wrapped__
	return method


def refusal(status: int, code: str, says: str) -> Response:
	"""Return an answer that is a refusal."""
	told = {"code": code, "message": says}
	return Response(json.dumps(told), status=status, mimetype="application/json", headers={"Cache-Control": "no-store"})


def names(value: object, what: str, most: int = 5000) -> list[str]:
	"""Return a list of names from a body.

	Raises:
		BadCall: it is none.
	"""
	if not isinstance(value, list) or len(value) > most or not all(isinstance(one, str) for one in value):
		raise BadCall(f"{what} must be a list of at most {most} names")
	return value


def _body(call: str) -> dict[str, Any]:
	raw = frappe.request.get_data()
	signing.check(settings.keys(), ROUTE + call, raw, lambda name: frappe.get_request_header(name) or "", _first_time)
	try:
		body = json.loads(raw or b"{}")
	except ValueError:
		body = None
	if not isinstance(body, dict):
		raise Unsigned("agencystack_unsigned", "its body is no JSON object")
	return body


def _first_time(nonce: str) -> bool:
	key = frappe.cache.make_key(f"agencystack_nonce:{nonce}")
	return bool(frappe.cache.set(key, 1, nx=True, ex=signing.REMEMBERED))


def doctype(body: dict[str, Any]) -> str:
	"""Return the doctype a body names.

	Raises:
		BadCall: there is none of that name.
		frappe.PermissionError: the bridge may not read it.
	"""
	named = body.get("doctype")
	if not isinstance(named, str) or not named or not frappe.db.exists("DocType", named, cache=True):
		raise BadCall(f"there is no doctype {named!r} on this site")
	allow(named, "read")
	return named


def allow(named: str, right: str) -> None:
	"""Let the bridge do something with a doctype, where what is shared needs it and its user may.

	Each user of Frappe may read and make some things, other users for example: what is shared is asked first.

	Raises:
		frappe.PermissionError: it may not.
	"""
	if right not in rights(settings.load().allowed).get(named, ()):
		raise frappe.PermissionError(f"nothing that is shared needs to {right} a {named}")
	frappe.has_permission(named, right, throw=True)
