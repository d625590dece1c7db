"""How people log in to Listmonk: with a password, or through an OpenID provider it really asks (oidc_login.json)."""

from __future__ import annotations

import base64
import html
import json
import posixpath
import secrets
import string
import time
from collections.abc import Mapping
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from agencystack.sandbox.listmonk.answers import Declined, data
from agencystack.sandbox.listmonk.people import People
from agencystack.sandbox.relying_party import Provider, Registration, Trouble, exchange, userinfo

WEEK = 604800
SCOPES = "openid profile email"
ADMIN_PATH = "/admin"
NOT_ASKED_FOR = "Invalid auth request"
_LETTERS = string.ascii_letters + string.digits


class _Denied(Exception):
    """A login that ends on the login page, with the reason."""


class NotThere(Exception):
    """A page that only a Listmonk with a provider has."""


class Login:
    """Sessions, and the ways to one.

    Args:
        people: users by whom one logs in.
        ca_file: authority that is trusted besides none other when the provider is asked.
    """

    def __init__(self, people: People, ca_file: Path | None) -> None:
        self._people = people
        self._ca_file = ca_file
        self._sessions: dict[str, int] = {}
        self._settings: dict[str, Any] = {}
        self._root_url = ""
        self._provider = Provider("")

    def start(self, running: Mapping[str, Any]) -> None:
        """Take the settings the program runs with from now on; the provider is asked at the first login."""
        self._settings = running["security.oidc"]
        self._root_url = running["app.root_url"].rstrip("/")
        self._provider = Provider(self._settings["provider_url"], self._ca_file)

    def user(self, request: Request) -> dict[str, Any]:
        """Return whose session the request belongs to, or decline it; a disabled user's goes on (oidc_login.json)."""
        user = self._people.find_id(self._sessions.get(request.cookies.get("session", ""), 0))
        if user is None:
            raise Declined(403, "invalid session")
        return user

    async def page(self, request: Request) -> Response:
        """Answer the login page."""
        return self._page(_cleaned(request.query_params.get("next", "")))

    async def with_password(self, request: Request) -> Response:
        """Answer the form with name and password; that a provider is set up changes nothing about it."""
        form = await _form(request)
        where = _cleaned(form.get("next", ""))
        name, password = form.get("username", "").strip(), form.get("password", "").strip()
        user = self._people.find(username=name)
        for field, value, least in (("username", name, 3), ("password", password, 8)):
            if len(value) < least:
                return self._page(where, f"Invalid fields: {field}")
        if user is None or not self._people.knows(user, password):
            return self._page(where, "Invalid login or password")
        return self._let_in(user, where)

    async def start_oidc(self, request: Request) -> Response:
        """Send the browser to the provider."""
        self._must_be_on()
        form, nonce = await _form(request), request.cookies.get("nonce", "")
        if not nonce or form.get("nonce") != nonce:
            raise Declined(401, NOT_ASKED_FOR)
        state = json.dumps({"nonce": nonce, "next": _to_admin(form.get("next", ""))}, separators=(",", ":"))
        try:
            start = (await self._provider.addresses())["authorization_endpoint"]
        except Trouble:
            # The real one logs why and sends the browser nowhere.
            return RedirectResponse("", status_code=302)
        query = {
            "client_id": self._settings["client_id"],
            "nonce": nonce,
            "redirect_uri": self._registration.redirect_uri,
            "response_type": "code",
            "scope": SCOPES,
            "state": base64.urlsafe_b64encode(state.encode()).decode(),
        }
        return RedirectResponse(f"{start}?{urlencode(query)}", status_code=302)

    async def finish_oidc(self, request: Request) -> Response:
        """Take the browser back from the provider."""
        self._must_be_on()
        try:
            user, where = await self._person(request)
        except _Denied as denied:
            return self._page(ADMIN_PATH, str(denied))
        return self._let_in(user, where)

    async def logout(self, request: Request) -> Response:
        """End the session; the one at the provider goes on."""
        self._sessions.pop(request.cookies.get("session", ""), None)
        answer = data(True)
        # Without a path, as the real one sends it: the browser keeps its cookie, which is worth nothing any more.
        yesterday = formatdate(time.time() - 86400, usegmt=True)
        answer.headers["set-cookie"] = f"session=; Expires={yesterday}; SameSite=Lax"
        return answer

    async def admin(self, request: Request) -> Response:
        """Answer a page of the administration, or send the browser to the login."""
        try:
            self.user(request)
        except Declined:
            return RedirectResponse(f"{ADMIN_PATH}/login?next={quote_plus(request.url.path)}", status_code=307)
        return HTMLResponse('<!DOCTYPE html><div id="app"></div>')

    @property
    def _registration(self) -> Registration:
        settings = self._settings
        return Registration(settings["client_id"], settings["client_secret"], f"{self._root_url}/auth/oidc")

    def _must_be_on(self) -> None:
        if not self._settings["enabled"]:
            raise NotThere

    async def _person(self, request: Request) -> tuple[dict[str, Any], str]:
        nonce = request.cookies.get("nonce", "")
        if not nonce:
            raise _Denied(NOT_ASKED_FOR)
        claims = await self._claims(request.query_params.get("code", ""), nonce)
        state = _state(request.query_params.get("state", ""))
        if state.get("nonce") != nonce:
            raise _Denied(NOT_ASKED_FOR)
        return self._matched(claims), _cleaned(str(state.get("next", "")))

    async def _claims(self, code: str, nonce: str) -> dict[str, Any]:
        try:
            addresses = await self._provider.addresses()
        except Trouble as trouble:
            words = f"error getting OAuth config: error initializing OIDC OAuth provider: {trouble}"
            raise _Denied(words) from trouble
        try:
            tokens = await exchange(addresses["token_endpoint"], self._registration, code, ca_file=self._ca_file)
        except Trouble as trouble:
            raise _Denied(f"error exchanging token: {trouble}") from trouble
        if "id_token" not in tokens:
            raise _Denied("`id_token` missing.")
        try:
            claims = await self._provider.verified(tokens["id_token"], self._settings["client_id"])
        except Trouble as trouble:
            raise _Denied(f"error verifying ID token: {trouble}") from trouble
        if claims.get("nonce") != nonce:
            raise _Denied("nonce did not match")
        if not claims.get("email"):
            claims |= await self._asked(addresses["userinfo_endpoint"], tokens["access_token"])
        return claims

    async def _asked(self, url: str, access_token: str) -> dict[str, Any]:
        try:
            return await userinfo(url, access_token, self._ca_file)
        except Trouble as trouble:
            raise _Denied("error fetching user info from OIDC") from trouble

    def _matched(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Return the user of that e-mail address, verified or not, enabled or not; the recording shows both."""
        email = str(claims.get("email") or "").strip()
        if not email:
            raise _Denied("Invalid fields: email")
        if "@" not in email:
            raise _Denied("mail: missing '@' or angle-addr")
        email = parseaddr(email)[1].lower()
        user = self._people.find(email=email)
        if user is None and self._settings["auto_create_users"]:
            user = self._made(email, claims)
        if user is None:
            raise _Denied("User not found")
        return user

    def _made(self, email: str, claims: Mapping[str, Any]) -> dict[str, Any]:
        name = claims.get("name") or str(claims.get("preferred_username") or "").strip() or email.partition("@")[0]
        row = {
            "username": email,
            "email": email,
            "name": name,
            "type": "user",
            "status": "enabled",
            "password_login": False,
            "password": None,
            "user_role_id": self._settings["default_user_role_id"],
            "list_role_id": self._settings["default_list_role_id"] or None,
        }
        try:
            return self._people.insert(row)
        except Declined as declined:
            raise _Denied(str(declined)) from declined

    def _let_in(self, user: dict[str, Any], where: str) -> Response:
        self._people.logged_in(user)
        session = _random(64)
        self._sessions[session] = user["id"]
        answer = RedirectResponse(where, status_code=302)
        answer.set_cookie("session", session, max_age=WEEK, path="/", httponly=True, samesite="lax")
        return answer

    def _page(self, where: str, error: str = "") -> Response:
        nonce = _random(16)
        answer = HTMLResponse(self._written(nonce, ADMIN_PATH if where == "/" else where, error))
        answer.set_cookie("nonce", nonce, path="/", httponly=True, samesite="lax")
        return answer

    def _written(self, nonce: str, where: str, error: str) -> str:
        hidden = f'<input type="hidden" name="nonce" value="{nonce}" />'
        hidden += f'<input type="hidden" name="next" value="{html.escape(where)}" />'
        parts = [
            f'<form method="post" action="{ADMIN_PATH}/login">{hidden}',
            '<input name="username" type="text" /><input name="password" type="password" />',
            f'<span class="error">{html.escape(error)}</span>' if error else "",
            '<button type="submit">Login</button></form>',
        ]
        if self._settings["enabled"]:
            name = self._settings["provider_name"] or _last_two(self._settings["provider_url"])
            parts.append(f'<form method="post" action="/auth/oidc">{hidden}')
            parts.append(f'<button type="submit">Login with {html.escape(name)}</button></form>')
        return "<!DOCTYPE html><title>Login</title><body>" + "\n".join(parts) + "</body>"


async def page_not_found(_: Request, __: Exception) -> Response:
    """Answer a page that is not there."""
    return HTMLResponse("<!DOCTYPE html><h2>404 - Not found</h2>", status_code=404)


def _state(text: str) -> dict[str, Any]:
    try:
        state = json.loads(base64.urlsafe_b64decode(text))
    except ValueError as error:
        raise Declined(500, "Internal server error") from error
    if not isinstance(state, dict):
        raise Declined(500, "Internal server error")
    return state


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _cleaned(where: str) -> str:
    """Return the path alone, so that no login leads elsewhere."""
    path = urlsplit(where.strip()).path
    return posixpath.normpath(path) if path and ".." not in path else "/"


def _to_admin(where: str) -> str:
    cleaned = _cleaned(where)
    return ADMIN_PATH if cleaned == "/" else cleaned


def _last_two(url: str) -> str:
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
