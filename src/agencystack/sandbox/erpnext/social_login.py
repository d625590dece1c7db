"""Frappe's own login through a Social Login Key, with the trust it has in whatever comes back (contract/erpnext/11)."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx

from agencystack.sandbox.erpnext.browser import Answer, Sessions, Visit, page, redirect
from agencystack.sandbox.erpnext.documents import Documents, Work, now
from agencystack.sandbox.erpnext.errors import broken, invalid
from agencystack.sandbox.erpnext.store import Document

KEYCLOAK = "keycloak"
_DECODER = (
    "'Decoder failed to handle access_token with data as returned by provider. A different decoder may be needed. "
    "Provider returned: {}'"
)
_TIMEOUT = 15.0


class SocialLogin:
    """Logins as Frappe does them.

    Args:
        documents: the site's.
        sessions: the site's.
    """

    def __init__(self, documents: Documents, sessions: Sessions) -> None:
        self._documents = documents
        self._sessions = sessions

    def authorize_url(self, visit: Visit, key: Document, redirect_to: str | None) -> str:
        """Return where the login page's button of a key leads: straight to the provider, with nobody's state."""
        state = {"site": visit.url(""), "token": secrets.token_hex(28), "redirect_to": redirect_to}
        parameters = {
            "redirect_uri": visit.url(key["redirect_url"]),
            "state": base64.b64encode(json.dumps(state).encode()).decode(),
            **json.loads(key.get("auth_url_data") or "{}"),
            "client_id": key["client_id"],
        }
        return f"{addresses(key)['authorize']}?{urlencode(parameters)}"

    def callback(self, work: Work, visit: Visit, provider: str, function: str) -> Answer:
        """Log in whoever the provider's answer names.

        Args:
            work: the request.
            visit: of the browser.
            provider: the key; it may even be disabled.
            function: the called function's name, which an error shows.

        Raises:
            FrappeError: 500 for what the product does not expect, 417 without an address.
        """
        missing = [name for name in ("code", "state") if name not in visit.params]
        if missing:
            raise _missing_arguments(function, missing)
        key = work.transaction.get("Social Login Key", provider)
        if key is None:
            raise broken("KeyError", repr(provider))
        claims = self._claims(work, visit, key)
        state = _state(visit.params["state"])
        email = str(claims.get("email") or claims.get("upn") or claims.get("unique_name") or "")
        user = self._user(work, key, claims, email)
        if isinstance(user, Answer):
            return user
        return self.opened(work, visit, user, state.get("redirect_to"))

    def opened(self, work: Work, visit: Visit, user: Document, redirect_to: str | None) -> Answer:
        """Open a session and lead the browser on: to the desk, a person's page, or wherever was asked for."""
        stamped = {**user, "last_login": now()}
        work.transaction.put(stamped)
        home = "/app/home" if user["user_type"] == "System User" else "/me"
        answer = redirect(redirect_to or visit.url(home))
        answer.user, answer.sid = stamped, self._sessions.open(user["name"])
        return answer

    def _claims(self, work: Work, visit: Visit, key: Document) -> dict[str, Any]:
        where = addresses(key)
        asked = {
            "code": visit.params["code"],
            "redirect_uri": visit.url(key["redirect_url"]),
            "grant_type": "authorization_code",
            "client_id": key["client_id"],
            "client_secret": work.transaction.password("Social Login Key", key["name"], "client_secret") or "",
        }
        try:
            answer = httpx.post(where["token"], data=asked, timeout=_TIMEOUT)
            try:
                token = str(answer.json()["access_token"])
            except (ValueError, KeyError, TypeError):
                raise broken("KeyError", _DECODER.format(answer.content)) from None
            claims = httpx.get(where["userinfo"], headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT).json()
        except httpx.HTTPError as error:
            raise broken("ConnectionError", str(error), module="requests.exceptions") from error
        if not (claims.get("email_verified") or claims.get("email")):
            raise invalid(f"Email not verified with {key['name'].title()}")
        return dict(claims)

    def _user(self, work: Work, key: Document, claims: Mapping[str, Any], email: str) -> Document | Answer:
        """Return the user of the address, made or bound where needed, or the page of a refusal."""
        user = work.transaction.get("User", email)
        if user is None:
            if not allows_sign_up(work, key):
                return page("Signup is Disabled", "<p>Sorry. Signup from Website is disabled.</p>", 403)
            user = self.made(work, claims, email)
        elif not user["enabled"]:
            return page("Not Allowed", f"<p>User {user['email']} is disabled</p>")
        if any(row["provider"] == key["name"] for row in user["social_logins"]):
            return user
        return self._bound(work, key, claims, user)

    def made(self, work: Work, claims: Mapping[str, Any], email: str) -> Document:
        """Make the user of a person who was never here; no mail is sent."""
        values = {
            "email": email,
            "first_name": claims.get("first_name") or claims.get("given_name") or claims.get("name"),
            "last_name": claims.get("last_name") or claims.get("family_name"),
        }
        self._documents.insert(work, "User", values, checked=False)
        return work.transaction.get("User", email) or {}

    def _bound(self, work: Work, key: Document, claims: Mapping[str, Any], user: Document) -> Document:
        """Bind a user to what the provider calls it, and give it the portal's role: only once for each provider."""
        called = claims.get(key.get("user_id_property") or "sub")
        if called is None:
            raise broken("KeyError", repr(key.get("user_id_property") or "sub"))
        role = (work.transaction.get("Portal Settings", "Portal Settings") or {}).get("default_role")
        roles = [row["role"] for row in user["roles"]]
        return self.saved(
            work,
            user,
            [*user["social_logins"], {"provider": key["name"], "userid": called}],
            [*roles, *([role] if role and role not in roles else [])],
        )

    def saved(self, work: Work, user: Document, logins: list[Document], roles: list[str]) -> Document:
        """Save a user with these bindings and roles, as the product itself does it, whoever asks."""
        kept = {row["role"]: row for row in user["roles"]}
        values = {"social_logins": logins, "roles": [kept.get(role, {"role": role}) for role in roles]}
        self._documents.change(work, user, values)
        return work.transaction.get("User", user["name"]) or {}


def addresses(key: Document) -> dict[str, str]:
    """Return the provider's addresses; only of a key named ``keycloak`` is the base put before that of userinfo."""
    base = key.get("base_url") or ""
    prefix = base if key["custom_base_url"] else ""
    userinfo = key.get("api_endpoint") or ""
    return {
        "authorize": prefix + key["authorize_url"],
        "token": prefix + key["access_token_url"],
        "userinfo": base + userinfo if key["name"] == KEYCLOAK else urljoin(base, userinfo),
    }


def allows_sign_up(work: Work, key: Document) -> bool:
    """Say whether a login through the key may make a user."""
    if key.get("sign_ups"):
        return bool(key["sign_ups"] == "Allow")
    return not (work.transaction.get("Website Settings", "Website Settings") or {}).get("disable_signup")


def _state(text: str) -> dict[str, Any]:
    try:
        state = json.loads(base64.b64decode(text))
    except binascii.Error as error:
        raise broken("Error", str(error), module="binascii") from error
    except ValueError as error:
        raise broken("JSONDecodeError", str(error), module="json.decoder") from error
    return dict(state)


def _missing_arguments(function: str, missing: list[str]) -> Exception:
    named = " and ".join(repr(name) for name in missing)
    plural = "argument" if len(missing) == 1 else "arguments"
    return broken("TypeError", f"{function}() missing {len(missing)} required positional {plural}: {named}")
