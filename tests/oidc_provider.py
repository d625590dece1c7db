"""A small OpenID provider for tests of relying parties: the test sets who logs in and what is wrong with the answer.

Real logins are proven against Keycloak; this one is for the answers Keycloak never gives (a forged signature, a token
for somebody else) and for contract tests where no Keycloak runs. Its refusals are worded as Keycloak's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

KEY_ID = "signing-key"


@dataclass
class OidcProvider:
    """The provider; :attr:`app` is to be served, then :attr:`issuer` set to where it is.

    Attributes:
        clients: secret by client id.
        person: the claims of who is logged in at the provider; None shows a login page instead of going back.
        id_token: claims that replace those of the ID token; None takes one out.
        forge: sign with a key that is not published.
        seen: every request: method, path, parameters without secrets.
    """

    clients: dict[str, str]
    person: dict[str, Any] | None = None
    issuer: str = ""
    id_token: dict[str, Any] = field(default_factory=dict)
    forge: bool = False
    seen: list[dict[str, Any]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self._other_key = rsa.generate_private_key(65537, 2048)
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/jwks", self._jwks),
                Route("/logout", self._logout),
            ]
        )

    def _note(self, request: Request, given: dict[str, str]) -> None:
        shown = {key: "<secret>" if key == "client_secret" else value for key, value in given.items()}
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        self.seen.append(
            {"method": request.method, "path": request.url.path, "parameters": shown, "authorization": scheme}
        )

    async def _discovery(self, request: Request) -> Response:
        self._note(request, {})
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/logout",
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
            }
        )

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        self._note(request, given)
        if given.get("client_id") not in self.clients:
            return PlainTextResponse("Client not found.", status_code=400)
        if self.person is None:
            return PlainTextResponse("Sign in to your account")
        code = secrets.token_urlsafe(16)
        self._codes[code] = given
        back = {"state": given.get("state", ""), "code": code}
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        self._note(request, given)
        client, secret = _credentials(request.headers.get("authorization", ""), given)
        if self.clients.get(client) != secret:
            words = "Invalid client or Invalid client credentials"
            return JSONResponse({"error": "unauthorized_client", "error_description": words}, status_code=401)
        asked = self._codes.pop(given.get("code", ""), None)
        if asked is None or asked["client_id"] != client or asked["redirect_uri"] != given.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant", "error_description": "Code not valid"}, status_code=400)
        if not _proves(asked.get("code_challenge"), given.get("code_verifier")):
            words = "PKCE verification failed"
            return JSONResponse({"error": "invalid_grant", "error_description": words}, status_code=400)
        access = secrets.token_urlsafe(24)
        self._tokens[access] = dict(self.person or {})
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": client, "iat": now, "exp": now + 300, **(self.person or {})}
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        claims = {key: value for key, value in (claims | self.id_token).items() if value is not None}
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": self._signed(claims)}
        return JSONResponse(answer)

    async def _userinfo(self, request: Request) -> Response:
        self._note(request, {})
        claims = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return JSONResponse(claims) if claims else JSONResponse({"error": "invalid_token"}, status_code=401)

    async def _jwks(self, request: Request) -> Response:
        self._note(request, {})
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": _number(numbers.n), "e": "AQAB"}
        return JSONResponse({"keys": [key]})

    async def _logout(self, request: Request) -> Response:
        given = dict(request.query_params)
        self._note(request, given)
        self.person = None
        return RedirectResponse(given.get("post_logout_redirect_uri", "/"), status_code=302)

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        text = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        key = self._other_key if self.forge else self._key
        return f"{text}.{_text(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _credentials(header: str, given: dict[str, str]) -> tuple[str, str]:
    if not header.startswith("Basic "):
        return given.get("client_id", ""), given.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _proves(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return verifier is None
    return verifier is not None and _text(hashlib.sha256(verifier.encode()).digest()) == challenge


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
