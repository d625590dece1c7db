"""Logins under way, in the site's cache: each can be taken once, by the browser that started it."""

from __future__ import annotations

import frappe

from agencystack_connector.sso.attempt import LIFETIME, Attempt, Started, begin, cookie_name, digest
from agencystack_connector.sso.refusals import BAD_REQUEST, LoginRefused


def start(redirect_to: str) -> Started:
	"""Begin a login: remember it and give the browser its cookie."""
	started = begin(redirect_to)
	frappe.cache.set_value(_key(started.state), started.attempt.as_dict(), expires_in_sec=LIFETIME)
	frappe.local.cookie_manager.set_cookie(cookie_name(started.state), started.cookie, httponly=True, max_age=LIFETIME)
	return started


def take(state: str) -> Attempt:
	"""Return the login of a state, which then is used up.

	Raises:
		LoginRefused: it was not started here, by another browser, too long ago, or was used before.
	"""
	name = cookie_name(state)
	cookie = frappe.request.cookies.get(name) or ""
	remembered = frappe.cache.get_value(_key(state), expires=True)
	attempt = Attempt(**remembered) if remembered else None
	if attempt is None or not attempt.is_of(cookie):
		raise _not_here()
	frappe.local.cookie_manager.delete_cookie(name)
	# Of two answers at the same time only one finds something to delete.
	if not frappe.cache.delete(frappe.cache.make_key(_key(state))):
		raise _not_here()
	return attempt


def _key(state: str) -> str:
	return f"agencystack_login:{digest(state)}"


def _not_here() -> LoginRefused:
	return LoginRefused(
		"state",
		"This login was not started in this browser, or took too long. Please start again.",
		BAD_REQUEST,
	)
