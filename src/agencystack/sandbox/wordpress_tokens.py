"""What a stand-in WordPress makes of an ID token, as our connector does (includes/class-oidc-token.php)."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from agencystack.sandbox import wordpress_sso as sso
from agencystack.sandbox.wordpress_store import Refusal, Store

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384")
LEEWAY = 60
TIMEOUT = 15.0
NEEDED = ("login", "issuer", "client_id", "scope", "authorize_url", "token_url", "jwks_url")
_CODES = {
    jwt.InvalidAlgorithmError: "algorithm",
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "future",
    jwt.InvalidIssuerError: "issuer",
    jwt.InvalidAudienceError: "audience",
    jwt.InvalidSignatureError: "signature",
    jwt.MissingRequiredClaimError: "time",
}


class Refused(Exception):
    """A login that is not let through.

    Args:
        code: the word our connector has for it.
        why: for a person.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def complete(settings: Mapping[str, Any]) -> bool:
    """Say whether the connector's single sign-on is set up."""
    return all(settings[name] for name in NEEDED)


def check(store: Store, args: Mapping[str, Any]) -> Any:
    """Judge a token with the live settings."""
    settings = connectors(store)
    if not sso.is_active(store, sso.CONNECTOR) or not complete(settings):
        raise Refusal("not-active", "the connector's single sign-on is not set up")
    try:
        roles = roles_in(settings, claims_of(settings, args["token"], args["nonce"]))
    except Refused as refused:
        return {"accepted": False, "code": refused.code, "why": refused.why, "roles": []}
    return {"accepted": True, "code": "", "why": "", "roles": roles}


def connectors(store: Store) -> dict[str, Any]:
    """Return what the connector itself holds: what it checks tokens of others with."""
    return sso.settings(store, sso.CONNECTOR)


def claims_of(settings: Mapping[str, Any], token: Any, nonce: str | None) -> dict[str, Any]:
    """Return the claims of a token that holds.

    Raises:
        Refused: it does not.
    """
    try:
        head = jwt.get_unverified_header(str(token))
        if head.get("alg") not in ALGORITHMS:
            raise _wrong("algorithm", f"it is signed with '{head.get('alg')}'")
        claims: dict[str, Any] = jwt.decode(
            str(token),
            _key(settings, head),
            algorithms=[head["alg"]],
            audience=settings["client_id"],
            issuer=settings["issuer"],
            leeway=LEEWAY,
            options={"require": ["exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "form")
        raise _wrong(code, str(error)) from None
    _check_party(settings, claims)
    if nonce is not None and claims.get("nonce") != nonce:
        raise _wrong("nonce", "it answers another request (nonce)")
    return claims


def _check_party(settings: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else settings["client_id"]) != settings["client_id"]:
        raise _wrong("party", f"its authorized party is {claims.get('azp', 'missing')}")
    if not claims.get("sub"):
        raise _wrong("subject", 'it names nobody (sub); on Keycloak 25 and later the client needs the scope "basic"')


def roles_in(settings: Mapping[str, Any], claims: Mapping[str, Any]) -> list[str]:
    """Return the managed roles a token names, at least one.

    Raises:
        Refused: there is none, or WordPress does not know one.
    """
    named = claims.get("roles")
    wanted = [role for role in settings["roles"] if isinstance(named, list) and role in named]
    if not wanted:
        raise Refused("roles", "you have no role on this site; ask its owner to put you into a group that has one")
    unknown = [role for role in wanted if role not in sso.ROLES]
    if unknown:
        raise Refused("unknown_role", f"this site has no role named {', '.join(unknown)}")
    return wanted


def _key(settings: Mapping[str, Any], head: Mapping[str, Any]) -> Any:
    url = settings["jwks_url"]
    answer = fetch(settings, "GET", url)
    try:
        keys = jwt.PyJWKSet.from_dict(answer.json()).keys if answer.is_success else []
    except (jwt.PyJWTError, json.JSONDecodeError, AttributeError):
        keys = []
    if not keys:
        raise Refused("keys", f"this site cannot read the provider's keys at {url}: status {answer.status_code}")
    fitting = [
        key for key in keys if key.public_key_use in {"sig", None} and ("kid" not in head or key.key_id == head["kid"])
    ]
    if len(fitting) != 1:
        raise Refused("key", "the ID token is signed with a key the provider does not publish")
    return fitting[0].key


def fetch(
    settings: Mapping[str, Any],
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> httpx.Response:
    """Ask the provider, its certificate verified.

    Raises:
        Refused: it cannot be reached.
    """
    trust = ssl.create_default_context(cadata=settings["ca"] or None)
    try:
        return httpx.request(method, url, data=form, auth=auth, verify=trust, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused("unreachable", f"this site cannot reach the provider at {url}: {error}") from None


def _wrong(code: str, why: str) -> Refused:
    return Refused(code, f"the provider's ID token does not hold: {why}")
