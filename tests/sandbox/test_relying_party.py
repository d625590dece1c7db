"""What stand-ins that log people in must never believe of a provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from agencystack.sandbox.relying_party import (
    Provider,
    Registration,
    Trouble,
    exchange,
    signed_claims,
    unverified,
    userinfo,
)
from tests.oidc_provider import OidcProvider
from tests.serving import free_port, served

HERE = "http://application.example/callback"
APPLICATION = Registration("acme-news", "the-client-secret", HERE)
PERSON = {"sub": "f2b1", "email": "mara@acme.example"}


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    provider = OidcProvider({"acme-news": "the-client-secret"}, person=dict(PERSON))
    with served(provider.app) as url:
        provider.issuer = url
        yield provider


def code_from(provider: OidcProvider, **asked: str) -> str:
    query = {"client_id": "acme-news", "redirect_uri": HERE, "state": "s", **asked}
    location = httpx.get(f"{provider.issuer}/authorize", params=query).headers["location"]
    return dict(parse_qsl(urlsplit(location).query))["code"]


def tokens_from(provider: OidcProvider) -> dict[str, Any]:
    return asyncio.run(exchange(f"{provider.issuer}/token", APPLICATION, code_from(provider)))


def test_a_good_token_is_believed_and_userinfo_read(provider: OidcProvider) -> None:
    tokens = tokens_from(provider)
    claims = asyncio.run(Provider(provider.issuer).verified(tokens["id_token"], "acme-news"))
    assert (claims["sub"], claims["aud"]) == ("f2b1", "acme-news")
    assert asyncio.run(userinfo(f"{provider.issuer}/userinfo", tokens["access_token"])) == PERSON


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "http://other.example"}, "issued by a different provider"),
        ({"aud": ["other", "another"]}, 'expected audience "acme-news" got ["other", "another"]'),
        ({"aud": None}, "expected audience"),
        ({"exp": int(time.time()) - 1}, "token is expired"),
        ({"exp": None}, "token is expired"),
        ({"nbf": int(time.time()) + 86400}, "before the nbf"),
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(provider: OidcProvider, claims: dict[str, Any], words: str) -> None:
    provider.id_token = claims
    with pytest.raises(Trouble) as trouble:
        asyncio.run(Provider(provider.issuer).verified(tokens_from(provider)["id_token"], "acme-news"))
    assert words in str(trouble.value)


def test_a_forged_token_is_refused_and_the_keys_are_asked_for_again(provider: OidcProvider) -> None:
    known = Provider(provider.issuer)
    good = tokens_from(provider)["id_token"]

    async def both() -> None:
        await known.verified(good, "acme-news")
        with pytest.raises(Trouble, match="failed to verify id token signature"):
            await known.verified(forged, "acme-news")

    provider.forge = True
    forged = tokens_from(provider)["id_token"]
    provider.seen.clear()
    asyncio.run(both())
    assert [call["path"] for call in provider.seen].count("/jwks") == 2
    with pytest.raises(Trouble, match="signature"):
        asyncio.run(signed_claims(forged, f"{provider.issuer}/jwks"))


def test_a_code_without_its_verifier_is_refused(provider: OidcProvider) -> None:
    code = code_from(
        provider, code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method="S256"
    )
    with pytest.raises(Trouble, match="PKCE verification failed"):
        asyncio.run(exchange(f"{provider.issuer}/token", APPLICATION, code))


def test_what_is_no_token_is_refused() -> None:
    for text in ("", "a.b", "a.!!.c", "e30.W10.e30"):
        with pytest.raises(Trouble, match="malformed jwt"):
            unverified(text)
    assert unverified("e30.eyJzdWIiOiJ4In0.e30") == {"sub": "x"}


def test_a_provider_that_is_away_or_no_provider_is_named() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Trouble, match=r"dial tcp 127.0.0.1:\d+: connect: connection refused"):
        asyncio.run(Provider(nowhere).addresses())

    async def page(_: Request) -> Response:
        return HTMLResponse("<h1>Bad Gateway</h1>", status_code=502)

    with served(Starlette(routes=[Route("/{path:path}", page, methods=["GET", "POST"])])) as url:
        with pytest.raises(Trouble, match="502 Bad Gateway"):
            asyncio.run(Provider(url).addresses())
        with pytest.raises(Trouble, match="cannot fetch token: 502 Bad Gateway"):
            asyncio.run(exchange(f"{url}/token", APPLICATION, "code"))


def test_a_provider_of_another_name_is_refused(provider: OidcProvider) -> None:
    with pytest.raises(Trouble, match="issuer did not match"):
        asyncio.run(Provider(f"{provider.issuer}/").addresses())
    assert [call["path"] for call in provider.seen] == ["/.well-known/openid-configuration"]
