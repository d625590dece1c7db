"""The settings of single sign-on: what AgencyStack wrote, and the Social Login Key they go with."""

from __future__ import annotations

import json
from dataclasses import dataclass

import frappe
from frappe.utils.oauth import get_oauth2_providers, get_oauth_keys, get_redirect_uri

from agencystack_connector.sso.provider import Provider

DOCTYPE = "AgencyStack Settings"
# Frappe's name of the Social Login Key, and of the bindings of users to it.
KEY = "keycloak"


@dataclass(frozen=True)
class Settings:
	"""What AgencyStack wrote.

	Args:
		enabled: whether this app takes part in logins at all.
		issuer: of the provider's tokens.
		jwks_url: where its keys are.
		end_session_url: where it ends sessions; may be empty.
		roles_claim: the claim that holds the roles.
		managed_roles: the roles given and taken at login.
	"""

	enabled: bool
	issuer: str
	jwks_url: str
	end_session_url: str
	roles_claim: str
	managed_roles: tuple[str, ...]


def load() -> Settings:
	"""Return the settings as they are now."""
	stored = frappe.get_cached_doc(DOCTYPE)
	return Settings(
		enabled=bool(stored.sso_enabled),
		issuer=stored.issuer or "",
		jwks_url=stored.jwks_url or "",
		end_session_url=stored.end_session_url or "",
		roles_claim=stored.roles_claim or "roles",
		managed_roles=lines(stored.managed_roles),
	)


def lines(text: str | None) -> tuple[str, ...]:
	"""Return the lines of a text, trimmed, each once."""
	return tuple(dict.fromkeys(line.strip() for line in (text or "").splitlines() if line.strip()))


def provider(settings: Settings) -> Provider:
	"""Return the identity provider; its addresses and client are the Social Login Key's, as Frappe reads them."""
	found = get_oauth2_providers()[KEY]
	keys = get_oauth_keys(KEY)
	return Provider(
		token_url=found["flow_params"]["access_token_url"],
		userinfo_url=found["api_endpoint"],
		jwks_url=settings.jwks_url,
		end_session_url=settings.end_session_url,
		client_id=keys["client_id"],
		client_secret=keys["client_secret"],
	)


def authorization() -> tuple[str, dict[str, str]]:
	"""Return the address a browser is sent to and the parameters the Social Login Key wants there."""
	found = get_oauth2_providers()[KEY]
	wanted = {"scope": "openid email profile", **found.get("auth_url_data", {})}
	ours = {"client_id": get_oauth_keys(KEY)["client_id"], "redirect_uri": get_redirect_uri(KEY)}
	return found["flow_params"]["authorize_url"], {name: _text(value) for name, value in {**wanted, **ours}.items()}


def usable() -> bool:
	"""Say whether there is an enabled Social Login Key to log in by; Frappe itself takes answers for a disabled one."""
	return bool(frappe.db.get_value("Social Login Key", KEY, "enable_social_login"))


def _text(value: object) -> str:
	return value if isinstance(value, str) else json.dumps(value)
