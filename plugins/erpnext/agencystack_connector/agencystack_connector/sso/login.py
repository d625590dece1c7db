"""The login itself: its start, and the answer of the identity provider."""

from __future__ import annotations

from collections.abc import Callable

import frappe
from frappe.integrations import oauth2_logins
from frappe.utils.oauth import get_redirect_uri, redirect_post_login

from agencystack_connector.sso import attempts, pages, sessions, settings
from agencystack_connector.sso.attempt import Attempt, authorize_url
from agencystack_connector.sso.claims import granted_roles, person
from agencystack_connector.sso.provider import Provider, Tokens
from agencystack_connector.sso.redirects import on_this_site
from agencystack_connector.sso.refusals import BAD_REQUEST, LoginRefused
from agencystack_connector.sso.signing import checked
from agencystack_connector.sso.users import user_of


@frappe.whitelist(allow_guest=True, methods=["GET"])
def start(redirect_to: str | None = None):
	"""Send the browser to the identity provider; the login page's button leads here."""
	if not settings.load().enabled or not settings.usable():
		pages.refusal(_off())
		return
	started = attempts.start(on_this_site(redirect_to, frappe.request.host))
	address, parameters = settings.authorization()
	frappe.local.response["type"] = "redirect"
	frappe.local.response["location"] = authorize_url(address, started, parameters)


@frappe.whitelist(allow_guest=True)
def login_via_keycloak(
	code: str | None = None,
	state: str | None = None,
	iss: str | None = None,
	error: str | None = None,
	error_description: str | None = None,
):
	"""Take the identity provider's answer, in place of Frappe's function of the same name."""
	now = settings.load()
	if not now.enabled:
		_as_frappe(oauth2_logins.login_via_keycloak, code, state)
		return
	try:
		if not settings.usable():
			raise _off()
		_log_in(now, code, state, iss, error_description or error)
	except LoginRefused as refused:
		# What was saved of a user that is refused after all must not stay.
		frappe.db.rollback()
		pages.refusal(refused)


@frappe.whitelist(allow_guest=True)
def custom(code: str | None = None, state: str | None = None):
	"""Take the answer of any provider, in place of Frappe's function; Keycloak's only with our checks."""
	if settings.load().enabled and frappe.request.path.rstrip("/").endswith(f"/{settings.KEY}"):
		login_via_keycloak(code, state)
	else:
		_as_frappe(oauth2_logins.custom, code, state)


def _as_frappe(function: Callable[..., None], code: str | None, state: str | None) -> None:
	"""Call Frappe's own function with what came, so that it also says what is missing."""
	function(**{name: value for name, value in {"code": code, "state": state}.items() if value is not None})


def _log_in(now: settings.Settings, code: str | None, state: str | None, iss: str | None, error: str | None) -> None:
	attempt = attempts.take(state or "")
	if error or not code:
		raise LoginRefused("cancelled", f"The identity provider ended the login: {error or 'no reason'}", BAD_REQUEST)
	if iss is not None and iss != now.issuer:
		raise LoginRefused("issuer", "The answer came from another identity provider.")
	provider = settings.provider(now)
	tokens = provider.tokens(code, attempt.verifier, get_redirect_uri(settings.KEY))
	user = _user(now, provider, tokens, attempt)
	frappe.local.login_manager.login_as(user)
	sessions.remember(tokens)
	# The callback is a GET, after which Frappe would not commit.
	frappe.db.commit()
	desk_user = frappe.local.response.get("message") == "Logged In"
	redirect_post_login(desk_user=desk_user, redirect_to=attempt.redirect_to, provider=settings.KEY)


def _user(now: settings.Settings, provider: Provider, tokens: Tokens, attempt: Attempt) -> str:
	said = checked(now, provider, tokens.id_token, attempt.nonce)
	userinfo = provider.userinfo(tokens.access_token)
	who = person(said, userinfo)
	roles = granted_roles(userinfo, now.roles_claim, now.managed_roles)
	return user_of(who, roles, now.managed_roles)


def _off() -> LoginRefused:
	return LoginRefused("off", "Single sign-on is switched off.")
