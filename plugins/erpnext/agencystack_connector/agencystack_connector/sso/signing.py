"""Checks a token against the provider's keys, which are fetched once an hour and again when a token names a new one."""

from __future__ import annotations

from typing import Any

import frappe

from agencystack_connector.sso.provider import Provider
from agencystack_connector.sso.settings import Settings
from agencystack_connector.sso.token import Expected, UnknownKey, check_id_token

_LIFETIME = 3600


def checked(now: Settings, provider: Provider, token: str, nonce: str | None) -> dict[str, Any]:
	"""Return the claims of an ID token that passes.

	Args:
		now: the settings.
		provider: whose token it should be.
		token: the token.
		nonce: of the login; ``None`` where there was none.

	Raises:
		LoginRefused: it does not pass, or the keys cannot be fetched.
	"""
	expected = Expected(now.issuer, provider.client_id, nonce)
	# Another address is another provider, whose keys must not be taken for this one's.
	cache_key = f"agencystack_key_set:{now.jwks_url}"
	remembered = frappe.cache.get_value(cache_key, expires=True)
	if remembered:
		try:
			return check_id_token(token, remembered, expected)
		except UnknownKey:
			pass
	fetched = provider.key_set()
	frappe.cache.set_value(cache_key, fetched, expires_in_sec=_LIFETIME)
	return check_id_token(token, fetched, expected)
