"""Pages of a stand-in WordPress that people log in by: it really asks the provider, as WordPress and its plugins do.

A stand-in that only pretended would pass with a wrong secret, a wrong address or a foreign key. Addresses, cookies and
statuses are those of the real WordPress and of contract/wordpress/miniorange.json.
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.sandbox import wordpress_accounts as accounts
from agencystack.sandbox import wordpress_sso as sso
from agencystack.sandbox import wordpress_tokens as tokens
from agencystack.sandbox.wordpress_store import Session, Store, User
from agencystack.sandbox.wordpress_tokens import Refused

SESSION = "wordpress_logged_in_stand_in"
TIME = 600


@dataclass(frozen=True)
class Pending:
    """A login that was begun and not finished.

    Args:
        way: who carries it.
        nonce: sent with the request; our connector's only.
        verifier: PKCE; our connector's only.
        redirect_to: path to go on to.
        ends: seconds since 1970.
    """

    way: str
    nonce: str | None
    verifier: str | None
    redirect_to: str
    ends: float


class LoginPages:
    """The pages.

    Args:
        path: the site's folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: dict[str, Pending] = {}

    @property
    def routes(self) -> list[Route]:
        """What is answered, and by whom."""
        return [
            Route("/", self._front),
            Route("/wp-login.php", self._login),
            Route("/wp-admin/admin-ajax.php", self._ajax),
            Route("/wp-admin/{page:path}", self._admin),
            Route("/index.php", self._rest),
        ]

    def _front(self, request: Request) -> Response:
        """Answer the front page; miniOrange catches its start and its callback on every page."""
        with Store.locked(self._path) as store:
            miniorange = sso.is_active(store, sso.MINIORANGE)
        if miniorange and request.query_params.get("option") == "oauthredirect":
            return self._begin(sso.MINIORANGE, "")
        if miniorange and "code" in request.query_params:
            return self._finish(request, sso.MINIORANGE)
        return HTMLResponse("<h1>Stand-in</h1>")

    def _login(self, request: Request) -> Response:
        action = request.query_params.get("action", "login")
        if action == "logout":
            return self._log_out(request)
        with Store.locked(self._path) as store:
            way = self._way(store)
        if action == "agencystack-sso" and way == sso.CONNECTOR:
            if request.query_params.keys() & {"code", "error", "state"}:
                return self._finish(request, way)
            return self._begin(way, request.query_params.get("redirect_to", ""))
        return HTMLResponse(_page(_said(request) + self._button(way)))

    def _ajax(self, request: Request) -> Response:
        action = request.query_params.get("action")
        if action == "openid-connect-authorize":
            return self._finish(request, sso.GENERIC)
        session, _ = self._session(request)
        if action == "rest-nonce" and session:
            return PlainTextResponse(_nonce(session))
        return PlainTextResponse("0", status_code=400)

    def _admin(self, request: Request) -> Response:
        _, user = self._session(request)
        if user is None:
            return RedirectResponse("/wp-login.php?reauth=1", status_code=302)
        login = html.escape(user.login, quote=True)
        return HTMLResponse(_page(f'<input id="user_login" value="{login}">{self._logout_link(request)}'))

    def _rest(self, request: Request) -> Response:
        """Answer who is logged in; a session counts only with the nonce that belongs to it."""
        session, user = self._session(request)
        if request.query_params.get("rest_route") != "/wp/v2/users/me":
            return RedirectResponse("/", status_code=301)
        if user is None or request.headers.get("x-wp-nonce") != _nonce(session):
            refusal = {"code": "rest_not_logged_in", "message": "You are not currently logged in."}
            return JSONResponse({**refusal, "data": {"status": 401}}, status_code=401)
        shown = {"id": user.id, "username": user.login, "name": user.name, "email": user.email, "roles": user.roles}
        return JSONResponse(shown)

    # The way to the provider

    def _way(self, store: Store) -> str | None:
        """Say who carries the login now."""
        for way in (sso.MINIORANGE, sso.GENERIC):
            if sso.is_active(store, way) and sso.settings(store, way)["client_id"]:
                return way
        ready = sso.is_active(store, sso.CONNECTOR) and tokens.complete(tokens.connectors(store))
        return sso.CONNECTOR if ready and tokens.connectors(store)["login"] == sso.CONNECTOR else None

    def _button(self, way: str | None) -> str:
        if way == sso.CONNECTOR:
            return '<a href="/wp-login.php?action=agencystack-sso">Log in with your company account</a>'
        if way == sso.MINIORANGE:
            # The real one's is a script, too.
            return "<a onclick=\"moOAuthLoginNew('keycloak')\">Login with keycloak</a>"
        if way == sso.GENERIC:
            start = self._begin(way, "").headers["location"]
            return f'<a href="{html.escape(start, quote=True)}">Login with OpenID Connect</a>'
        return ""

    def _begin(self, way: str, redirect_to: str) -> Response:
        with Store.locked(self._path) as store:
            settings, back = sso.settings(store, way), sso.redirect_uri(store, way)
        state, ours = secrets.token_urlsafe(32), way == sso.CONNECTOR
        pending = Pending(
            way,
            nonce=secrets.token_urlsafe(32) if ours else None,
            verifier=secrets.token_urlsafe(32) if ours else None,
            redirect_to=redirect_to if redirect_to.startswith("/") and not redirect_to.startswith("//") else "",
            ends=time.time() + TIME,
        )
        self._pending[state] = pending
        query = {"client_id": settings["client_id"], "redirect_uri": back, "response_type": "code", "state": state}
        query["scope"] = settings["scope"]
        if pending.nonce and pending.verifier:
            digest = hashlib.sha256(pending.verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            query |= {"nonce": pending.nonce, "code_challenge": challenge, "code_challenge_method": "S256"}
        answer = RedirectResponse(f"{settings['authorize_url']}?{urlencode(query)}", status_code=302)
        answer.set_cookie(_cookie(state), state, max_age=TIME, httponly=True, samesite="lax")
        return answer

    # The way back

    def _finish(self, request: Request, way: str) -> Response:
        try:
            pending = self._take(request, way)
            claims, id_token = self._exchange(pending, request.query_params["code"])
            user, token = self._let_in(pending, claims, id_token)
        except Refused as refused:
            return self._refusal(refused, way)
        onward = "/wp-admin/" if set(user.roles) & {"administrator", "editor", "author", "contributor"} else "/"
        onward = "/" if way == sso.MINIORANGE else pending.redirect_to or onward
        answer = RedirectResponse(onward, status_code=302)
        answer.set_cookie(SESSION, token, httponly=True)
        return answer

    def _take(self, request: Request, way: str) -> Pending:
        state = request.query_params.get("state", "")
        pending = self._pending.pop(state, None)
        # openid-connect-generic does not bind a login to a browser; the other two do.
        bound = way == sso.GENERIC or request.cookies.get(_cookie(state)) == state
        if pending is None or pending.way != way or not bound or pending.ends < time.time():
            raise Refused(
                "state", "this login was not begun in this browser, or more than ten minutes ago; begin again"
            )
        error = request.query_params.get("error")
        if error or "code" not in request.query_params:
            raise Refused("provider", f"the provider says: {error} {request.query_params.get('error_description', '')}")
        return pending

    def _exchange(self, pending: Pending, code: str) -> tuple[dict[str, Any], str]:
        with Store.locked(self._path) as store:
            settings, guard = sso.settings(store, pending.way), self._guard(store)
            back = sso.redirect_uri(store, pending.way)
        given = _tokens(settings, pending, code, back)
        id_token = str(given.get("id_token", ""))
        if guard is None:
            # Both plugins take any token as it comes.
            return jwt.decode(id_token, options={"verify_signature": False}), id_token
        if guard["token_url"] != settings["token_url"]:
            raise Refused("unchecked", "the login plugin let somebody in whose ID token was not checked")
        return tokens.claims_of(guard, id_token, pending.nonce), id_token

    def _guard(self, store: Store) -> dict[str, Any] | None:
        """Return what our connector checks tokens with; None where it does not watch."""
        settings = tokens.connectors(store)
        return settings if sso.is_active(store, sso.CONNECTOR) and tokens.complete(settings) else None

    def _let_in(self, pending: Pending, claims: Mapping[str, Any], id_token: str) -> tuple[User, str]:
        with Store.locked(self._path) as store:
            guard = self._guard(store)
            roles = self._roles(store, guard, claims) if guard else None
            if pending.way == sso.CONNECTOR and guard and roles:
                user = accounts.by_connector(store, guard, claims, roles)
            else:
                user = accounts.by_plugin(store, pending.way, sso.settings(store, pending.way), claims, roles)
            token = secrets.token_urlsafe(32)
            store.data.sessions[_hashed(token)] = Session(user=user.id, id_token=id_token if guard else "")
            store.save()
        return user, token

    def _roles(self, store: Store, guard: Mapping[str, Any], claims: Mapping[str, Any]) -> list[str]:
        try:
            return tokens.roles_in(guard, claims)
        except Refused as refused:
            if refused.code == "roles":
                accounts.withdraw(store, guard, claims)
                store.save()
            raise

    def _refusal(self, refused: Refused, way: str) -> Response:
        if way == sso.GENERIC:
            query = urlencode({"login-error": f"agencystack_sso_{refused.code}", "message": refused.why})
            return RedirectResponse(f"/wp-login.php?{query}", status_code=302)
        said = f"You could not be logged in: {refused.why}." if way == sso.CONNECTOR else refused.why
        page = _page(f'<div class="wp-die-message">{html.escape(said)}</div>', "error-page")
        return HTMLResponse(page, status_code=403 if way == sso.CONNECTOR else 500)

    # Sessions

    def _session(self, request: Request) -> tuple[str, User | None]:
        token = _hashed(request.cookies.get(SESSION, ""))
        with Store.locked(self._path) as store:
            session = store.data.sessions.get(token)
            found = [user for user in store.data.users if session and user.id == session.user]
        return (token, found[0]) if found else ("", None)

    def _logout_link(self, request: Request) -> str:
        nonce = _nonce(self._session(request)[0])
        return f'<a href="/wp-login.php?action=logout&amp;_wpnonce={nonce}">Log Out</a>'

    def _log_out(self, request: Request) -> Response:
        token, user = self._session(request)
        if user is not None and request.query_params.get("_wpnonce") != _nonce(token):
            return HTMLResponse(_page(self._logout_link(request), "error-page"), status_code=403)
        with Store.locked(self._path) as store:
            session = store.data.sessions.pop(token, None)
            settings, after = tokens.connectors(store), sso.logged_out_uri(store)
            store.save()
        query = {"post_logout_redirect_uri": after, "client_id": settings["client_id"]}
        if session and session.id_token and settings["end_session_url"]:
            after = f"{settings['end_session_url']}?{urlencode({'id_token_hint': session.id_token, **query})}"
        answer = RedirectResponse(after, status_code=302)
        answer.delete_cookie(SESSION)
        return answer


def _tokens(settings: Mapping[str, Any], pending: Pending, code: str, back: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    who = (str(settings["client_id"]), str(settings["client_secret"]))
    if pending.way == sso.GENERIC:
        answer = tokens.fetch(
            settings, "POST", settings["token_url"], form={**form, "client_id": who[0], "client_secret": who[1]}
        )
    else:
        if pending.verifier:
            form["code_verifier"] = pending.verifier
            who = (quote_plus(who[0]), quote_plus(who[1]))
        answer = tokens.fetch(settings, "POST", settings["token_url"], form=form, auth=who)
    try:
        given = answer.json()
    except ValueError:
        given = {}
    if not answer.is_success or not isinstance(given, dict):
        said = f"{given.get('error', answer.status_code)} {given.get('error_description', '')}".strip()
        raise Refused("provider", f"the provider did not take the code: {said}")
    return given


def _said(request: Request) -> str:
    message = request.query_params.get("message")
    if message:
        return f'<div id="login_error">ERROR ({html.escape(request.query_params.get("login-error", ""))}): ' + (
            f"{html.escape(message)}</div>"
        )
    return '<p class="message">You are now logged out.</p>' if "loggedout" in request.query_params else ""


def _page(body: str, name: str = "login") -> str:
    return f'<!DOCTYPE html><html><head><title>Stand-in</title></head><body id="{name}">{body}</body></html>'


def _cookie(state: str) -> str:
    return f"agencystack_sso_{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _nonce(session: str) -> str:
    return hashlib.sha256(f"nonce {session}".encode()).hexdigest()[:10]
