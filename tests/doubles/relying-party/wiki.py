"""A wiki of one page that lets people in by OpenID Connect, told how by environment variables: an application nobody
has written an integration for. It trusts nothing: state, PKCE, and every check of the ID token.

Started as ``python wiki.py PORT``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sys
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.sandbox.relying_party import Provider, Registration, Trouble, exchange

COOKIE = "wiki_session"
SESSIONS: dict[str, dict[str, Any]] = {}


def settings() -> dict[str, str]:
    return {
        name.removeprefix("WIKI_OIDC_").lower(): value for name, value in os.environ.items() if "WIKI_OIDC_" in name
    }


def session_of(request: Request) -> dict[str, Any]:
    return SESSIONS.get(request.cookies.get(COOKIE, ""), {})


def begun(answer: Response, session: dict[str, Any]) -> Response:
    key = secrets.token_urlsafe(24)
    SESSIONS[key] = session
    answer.set_cookie(COOKIE, key, httponly=True, samesite="lax")
    return answer


async def home(request: Request) -> Response:
    name = session_of(request).get("claims", {}).get("preferred_username", "nobody")
    return HTMLResponse(f"<title>Wiki</title><p>Read by {name}.</p>")


async def login(request: Request) -> Response:
    told = settings()
    if "issuer" not in told:
        return HTMLResponse("<title>Wiki</title><p>Logging in is not set up.</p>", 503)
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": told["client_id"],
        "redirect_uri": told["redirect_uri"],
        "scope": told["scopes"],
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    to = f"{(await Provider(told['issuer']).addresses())['authorization_endpoint']}?{urlencode(query)}"
    return begun(RedirectResponse(to, 302), {"state": state, "verifier": verifier})


async def callback(request: Request) -> Response:
    session, told = session_of(request), settings()
    if not session or request.query_params.get("state") != session.get("state"):
        return refused("This login was not begun here.")
    provider = Provider(told["issuer"])
    application = Registration(told["client_id"], told["client_secret"], told["redirect_uri"])
    try:
        url = (await provider.addresses())["token_endpoint"]
        tokens = await exchange(url, application, request.query_params.get("code", ""), verifier=session["verifier"])
        claims = await provider.verified(tokens["id_token"], told["client_id"])
    except Trouble as error:
        return refused(f"The provider says: {error}")
    if not claims.get("roles"):
        return refused("You have no role in this wiki.")
    return begun(RedirectResponse("/", 302), {"claims": claims, "id_token": tokens["id_token"]})


async def me(request: Request) -> Response:
    claims = session_of(request).get("claims")
    if claims is None:
        return JSONResponse({"user": None})
    user = {"login": claims["preferred_username"], "email": claims["email"], "roles": claims["roles"]}
    return JSONResponse({"user": user})


async def logout(request: Request) -> Response:
    session, told = session_of(request), settings()
    SESSIONS.pop(request.cookies.get(COOKIE, ""), None)
    if "id_token" not in session:
        return RedirectResponse("/", 302)
    query = {"id_token_hint": session["id_token"], "post_logout_redirect_uri": told["logout_uri"]}
    end = (await Provider(told["issuer"]).addresses())["end_session_endpoint"]
    return RedirectResponse(f"{end}?{urlencode(query)}", 302)


def refused(why: str) -> Response:
    return HTMLResponse(f"<title>Wiki</title><p>{why}</p>", 403)


ROUTES = {"/": home, "/login": login, "/callback": callback, "/api/me": me, "/logout": logout}
app = Starlette(routes=[Route(path, handler) for path, handler in ROUTES.items()])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
