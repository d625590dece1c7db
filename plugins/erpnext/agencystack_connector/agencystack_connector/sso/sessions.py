"""The provider's session behind a session of this site, so that a logout ends both."""

from __future__ import annotations

import frappe
from frappe.utils.password import decrypt, encrypt

from agencystack_connector.sso import settings
from agencystack_connector.sso.attempt import digest
from agencystack_connector.sso.provider import Tokens

# For a provider that names no lifetime.
_LIFETIME = 86400


def remember(tokens: Tokens) -> None:
	"""Keep what ends the provider's session of the person who just logged in, encrypted, in the cache only."""
	if tokens.refresh_token:
		lasts = tokens.refresh_expires_in or _LIFETIME
		frappe.cache.set_value(_key(), encrypt(tokens.refresh_token), expires_in_sec=lasts)


def end() -> None:
	"""End the provider's session behind this one; where that fails, this site's logout goes on all the same."""
	kept = frappe.cache.get_value(_key(), expires=True)
	if not kept:
		return
	frappe.cache.delete_value(_key())
	now = settings.load()
	if not (now.enabled and now.end_session_url and settings.usable()):
		return
	if not settings.provider(now).end_session(decrypt(kept)):
		frappe.logger("agencystack_connector").warning("the identity provider did not end a session")


def _key() -> str:
	return f"agencystack_session:{digest(frappe.session.sid)}"
