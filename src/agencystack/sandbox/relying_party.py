"""What stand-ins that log people in through an OpenID provider share: they really ask it, as the products do.

A stand-in that only pretended to log in would pass with a wrong secret, a wrong redirect address or a foreign key.
Refusals are told in the words of Go's ``oauth2`` and ``go-oidc``, which Listmonk passes on (oidc_login.json).
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TIMEOUT = 10.0
# go-oidc forgives a clock that is this far behind when it looks at nbf, and nothing when it looks at exp.
LEEWAY = 300


class Trouble(Exception):
    """The provider could not be reached, refused, or answered what must not be trusted."""


@dataclass(frozen=True)
class Registration:
    """How an application is known at its provider."""

    client_id: str
    client_secret: str
    redirect_uri: str


class Provider:
    """A provider that was asked for its addresses.

    Args:
        issuer: its name, from which it is found.
        ca_file: authority of its certificate; the system's when absent.
    """

    def __init__(self, issuer: str, ca_file: Path | None = None) -> None:
        self.issuer = issuer
        self._ca_file = ca_file
        self._addresses: dict[str, str] | None = None
        self._keys: dict[str, rsa.RSAPublicKey] = {}

    async def addresses(self) -> dict[str, str]:
        """Return what discovery answers; asked once it has succeeded no more.

        Raises:
            Trouble: it cannot be reached or calls itself otherwise.
        """
        if self._addresses is None:
            url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            answer = await fetch("GET", url, self._ca_file)
            if answer.status_code != 200:
                raise Trouble(f"{answer.status_code} {answer.reason_phrase}: {answer.text[:300]}")
            said = _object(answer)
            if said.get("issuer") != self.issuer:
                raise Trouble(
                    "oidc: issuer did not match the issuer returned by provider, "
                    f'expected "{self.issuer}" got "{said.get("issuer")}"'
                )
            self._addresses = said
        return self._addresses

    async def verified(self, token: str, audience: str) -> dict[str, Any]:
        """Return the claims of an ID token that is this provider's, meant for ``audience``, valid now and unforged.

        Raises:
            Trouble: it is not.
        """
        claims = unverified(token)
        if claims.get("iss") != self.issuer:
            raise Trouble(
                f'oidc: id token issued by a different provider, expected "{self.issuer}" got "{claims.get("iss", "")}"'
            )
        meant_for = claims.get("aud", [])
        names = [meant_for] if isinstance(meant_for, str) else list(meant_for)
        if audience not in names:
            raise Trouble(f'oidc: expected audience "{audience}" got {json.dumps(names)}')
        _check_time(claims)
        if not await self._is_signed(token):
            raise Trouble("failed to verify signature: failed to verify id token signature")
        return claims

    async def _is_signed(self, token: str) -> bool:
        name = str(_part(token, 0).get("kid", ""))
        if name in self._keys and _fits(token, self._keys[name]):
            return True
        # Keys may have been changed at the provider: go-oidc asks once more before it refuses.
        await self._fetch_keys()
        return name in self._keys and _fits(token, self._keys[name])

    async def _fetch_keys(self) -> None:
        self._keys = await _keys((await self.addresses())["jwks_uri"], self._ca_file)


async def exchange(
    token_url: str,
    application: Registration,
    code: str,
    *,
    verifier: str | None = None,
    ca_file: Path | None = None,
) -> dict[str, Any]:
    """Return the tokens for ``code``.

    Raises:
        Trouble: with the provider's words.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": application.redirect_uri}
    if verifier is not None:
        form["code_verifier"] = verifier
    # RFC 6749 2.3.1: both are form-encoded before they become a user name and a password.
    login = (quote_plus(application.client_id), quote_plus(application.client_secret))
    answer = await fetch("POST", token_url, ca_file, form=form, auth=login)
    if answer.is_success:
        return _object(answer)
    try:
        said = _object(answer)
    except Trouble:
        said = {}
    if "error" in said:
        raise Trouble(f'oauth2: "{said["error"]}" "{said.get("error_description", "")}"')
    status = f"{answer.status_code} {answer.reason_phrase}"
    raise Trouble(f"oauth2: cannot fetch token: {status}\nResponse: {answer.text[:300]}")


async def userinfo(url: str, access_token: str, ca_file: Path | None = None) -> dict[str, Any]:
    """Return what the provider tells of the person.

    Raises:
        Trouble: it tells nothing.
    """
    answer = await fetch("GET", url, ca_file, headers={"Authorization": f"Bearer {access_token}"})
    if not answer.is_success:
        raise Trouble(f"{answer.status_code} {answer.reason_phrase}")
    return _object(answer)


async def signed_claims(token: str, keys_url: str, ca_file: Path | None = None) -> dict[str, Any]:
    """Return the claims of a token whose signature, and nothing else, was verified with one of the keys.

    Raises:
        Trouble: it was signed with another key, or the keys cannot be had.
    """
    keys = await _keys(keys_url, ca_file)
    key = keys.get(str(_part(token, 0).get("kid", "")))
    if key is None or not _fits(token, key):
        raise Trouble("failed to verify id token signature")
    return unverified(token)


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of a token, whoever made it.

    Raises:
        Trouble: it is no token.
    """
    return _part(token, 1)


async def fetch(
    method: str,
    url: str,
    ca_file: Path | None,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> httpx.Response:
    """Ask the provider.

    Raises:
        Trouble: it cannot be reached; in the words of a Go program.
    """
    trust = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    try:
        async with httpx.AsyncClient(verify=trust, timeout=TIMEOUT) as client:
            return await client.request(method, url, data=form, headers=headers, auth=auth)
    except httpx.ConnectError as error:
        place = urlsplit(url)
        reason = f"dial tcp {place.hostname}:{place.port}: connect: connection refused"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            reason = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        raise Trouble(f'{method.title()} "{url}": {reason}') from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Trouble(f'{method.title()} "{url}": {type(error).__name__}') from error


async def _keys(url: str, ca_file: Path | None) -> dict[str, rsa.RSAPublicKey]:
    rows = _object(await fetch("GET", url, ca_file)).get("keys", [])
    return {row.get("kid", ""): _public_key(row) for row in rows if _can_sign(row)}


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Trouble("oidc: failed to decode provider discovery object: invalid character")
    return said


def _part(token: str, index: int) -> dict[str, Any]:
    try:
        said = json.loads(_bytes(token.split(".")[index]))
    except (ValueError, IndexError, binascii.Error):
        said = None
    if not isinstance(said, dict):
        raise Trouble("oidc: malformed jwt")
    return said


def _check_time(claims: Mapping[str, Any]) -> None:
    now = time.time()
    if claims.get("exp", 0) < now:
        raise Trouble(f"oidc: token is expired (Token Expiry: {_said(claims.get('exp', 0))})")
    if claims.get("nbf", 0) > now + LEEWAY:
        raise Trouble(f"oidc: current time {_said(now)} before the nbf (not before) time: {_said(claims['nbf'])}")


def _said(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(moment))


def _can_sign(row: Mapping[str, Any]) -> bool:
    return row.get("kty") == "RSA" and row.get("use", "sig") == "sig"


def _public_key(row: Mapping[str, Any]) -> rsa.RSAPublicKey:
    exponent, modulus = (int.from_bytes(_bytes(row[name]), "big") for name in ("e", "n"))
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _fits(token: str, key: rsa.RSAPublicKey) -> bool:
    text, _, signature = token.rpartition(".")
    try:
        key.verify(_bytes(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        return False
    return _part(token, 0).get("alg") == "RS256"


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
