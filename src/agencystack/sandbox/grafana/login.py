"""How people log in to Grafana, and out: by password, or through the OAuth provider (``pkg/api/login_oauth.go``)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from agencystack.sandbox.grafana.answers import Declined, json_object, unauthorized, wrong_password
from agencystack.sandbox.grafana.claims import Refused, person_of
from agencystack.sandbox.grafana.people import People
from agencystack.sandbox.grafana.sso import PROVIDER, SsoSettings
from agencystack.sandbox.relying_party import Registration, Trouble, exchange

STATE, VERIFIER, SESSION, ERROR = "oauth_state", "oauth_code_verifier", "grafana_session", "login_error"
STATE_LIFE, ERROR_LIFE, SESSION_LIFE = 600, 60, 30 * 86400
DENIED_THERE = "oauth.login.error"


class Login:
    """Sessions, and the ways to one.

    Args:
        people: the users.
        sso: settings of the provider.
        root_url: Grafana's public address without a slash at the end.
        ca_file: authority of the provider; the system's when absent.
    """

    def __init__(self, people: People, sso: SsoSettings, root_url: str, ca_file: Path | None) -> None:
        self._people = people
        self._sso = sso
        self._root_url = root_url
        self._ca_file = ca_file
        self._key = secrets.token_hex()
        self._sessions: dict[str, dict[str, Any]] = {}
        self._errors: dict[str, str] = {}

    def user(self, request: Request) -> dict[str, Any]:
        """Return who asks, by HTTP Basic or a session; declines everybody else."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            user = self._people.with_password(*_name_and_password(value))
            if user is None:
                raise wrong_password()
            return user
        session = self._sessions.get(request.cookies.get(SESSION, ""))
        if session is None:
            raise unauthorized()
        try:
            return self._people.get(session["user"])
        except Declined as declined:
            raise unauthorized() from declined

    async def page(self, request: Request) -> Response:
        """Answer the login page, which scripts draw from the settings in it."""
        settings = self._sso.in_use()
        boot: dict[str, Any] = {"disableLoginForm": False, "oauth": {}}
        if settings["enabled"]:
            boot["oauth"][PROVIDER] = {"name": settings["name"], "icon": settings.get("icon", "signin")}
        error = self._errors.pop(request.cookies.get(ERROR, ""), "")
        if error:
            boot["loginError"] = error
        text = json.dumps({"settings": boot}).replace("<", "\\u003c")
        answer = HTMLResponse(f"<!DOCTYPE html><title>Grafana</title><script>window.grafanaBootData = {text};</script>")
        if error:
            _forget(answer, ERROR)
        return answer

    async def with_password(self, request: Request) -> Response:
        """Answer name and password."""
        body = await json_object(request)
        user = self._people.with_password(str(body.get("user", "")), str(body.get("password", "")))
        if user is None:
            raise wrong_password()
        answer = JSONResponse({"message": "Logged in", "redirectUrl": "/"})
        self._open(answer, user, None)
        return answer

    async def oauth(self, request: Request) -> Response:
        """Send the browser to the provider, or take it back from there."""
        if "error" in request.query_params:
            return self._turned_away(DENIED_THERE)
        settings = self._sso.in_use()
        if not settings["enabled"]:
            return self._turned_away("OAuth client is disabled")
        if "code" not in request.query_params:
            return self._sent(settings)
        try:
            user, tokens = await self._returned(request, settings)
        except (Refused, Declined) as refused:
            answer = self._turned_away(str(refused))
        else:
            answer = RedirectResponse("/", status_code=302)
            self._open(answer, user, tokens)
        for cookie in (STATE, VERIFIER):
            _forget(answer, cookie)
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session, then send the browser where the provider's session ends."""
        session = self._sessions.pop(request.cookies.get(SESSION, ""), None)
        answer = RedirectResponse(self._after_logout(session), status_code=302)
        _forget(answer, SESSION)
        _forget(answer, f"{SESSION}_expiry")
        return answer

    async def ping(self, request: Request) -> Response:
        """Say whether the session lives."""
        self.user(request)
        return JSONResponse({"message": "Logged in"})

    def _sent(self, settings: Mapping[str, Any]) -> Response:
        state, verifier = _random(32), _random(96)
        query = {
            "client_id": settings["client_id"],
            "redirect_uri": self._registration(settings).redirect_uri,
            "response_type": "code",
            "scope": settings["scopes"].replace(",", " "),
            "state": state,
        }
        if settings["use_pkce"]:
            digest = hashlib.sha256(verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        answer = RedirectResponse(_joined(settings["auth_url"], query), status_code=302)
        _remember(answer, STATE, self._hashed(state, settings), STATE_LIFE)
        if settings["use_pkce"]:
            _remember(answer, VERIFIER, verifier, STATE_LIFE)
        return answer

    async def _returned(self, request: Request, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        state, verifier = request.cookies.get(STATE, ""), request.cookies.get(VERIFIER)
        if not state:
            raise Refused("Missing saved oauth state")
        if self._hashed(request.query_params.get("state", ""), settings) != state:
            raise Refused("Provided state does not match stored state")
        if settings["use_pkce"] and verifier is None:
            raise Refused("Missing required pkce cookie")
        try:
            tokens = await exchange(
                settings["token_url"],
                self._registration(settings),
                request.query_params["code"],
                verifier=verifier if settings["use_pkce"] else None,
                ca_file=self._ca_file,
            )
        except Trouble as trouble:
            raise Refused("Failed to get token from provider") from trouble
        person = await person_of(settings, tokens, self._ca_file)
        return self._people.sync(person, allow_sign_up=bool(settings["allow_sign_up"])), tokens

    def _registration(self, settings: Mapping[str, Any]) -> Registration:
        return Registration(settings["client_id"], settings["client_secret"], f"{self._root_url}/login/{PROVIDER}")

    def _hashed(self, state: str, settings: Mapping[str, Any]) -> str:
        return hashlib.sha256(f"{state}{self._key}{settings['client_secret']}".encode()).hexdigest()

    def _turned_away(self, why: str) -> RedirectResponse:
        token = secrets.token_hex()
        self._errors[token] = why
        answer = RedirectResponse("/login", status_code=302)
        _remember(answer, ERROR, token, ERROR_LIFE)
        return answer

    def _open(self, answer: Response, user: Mapping[str, Any], tokens: Mapping[str, Any] | None) -> None:
        session = secrets.token_hex(16)
        self._sessions[session] = {"user": user["id"], "id_token": (tokens or {}).get("id_token", ""), "by": tokens}
        _remember(answer, SESSION, session, SESSION_LIFE)
        answer.set_cookie(
            f"{SESSION}_expiry", str(int(time.time()) + 600), max_age=SESSION_LIFE, path="/", samesite="lax"
        )

    def _after_logout(self, session: Mapping[str, Any] | None) -> str:
        where = str(self._sso.in_use()["signout_redirect_url"])
        if session is None or session["by"] is None or not where:
            return "/login"
        if "post_logout_redirect_uri" not in dict(parse_qsl(urlsplit(where).query)) or not session["id_token"]:
            return where
        return _joined(where, {"id_token_hint": session["id_token"]})


def _joined(url: str, query: Mapping[str, str]) -> str:
    place = urlsplit(url)
    together = urlencode(sorted([*parse_qsl(place.query), *query.items()]))
    return urlunsplit(place._replace(query=together))


def _name_and_password(value: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _remember(answer: Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax")


def _forget(answer: Response, name: str) -> None:
    answer.set_cookie(name, "", max_age=0, path="/", httponly=True, samesite="lax")


def _random(length: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(length)).decode()
