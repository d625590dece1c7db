"""An ID token is believed only when everything about it holds (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from importlib import import_module
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER, CLIENT = "https://id.example/realms/acme", "acme-erpnext"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public(key: Any, kid: str, **changes: str) -> dict[str, Any]:
    algorithm = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    name = "ES256" if algorithm is jwt.algorithms.ECAlgorithm else "RS256"
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": name, "use": "sig", **changes}


KEYS = {"keys": [public(KEY, "one"), public(CURVE_KEY, "curve"), public(OTHER_KEY, "for-encryption", use="enc")]}


def token(key: Any = KEY, kid: str | None = "one", algorithm: str = "RS256", **changes: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "s-1", "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": "n", **changes}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm, headers=headers)


def check(text: str, nonce: str | None = "n", keys: dict[str, Any] = KEYS) -> dict[str, Any]:
    module = import_module("agencystack_connector.sso.token")
    claims: dict[str, Any] = module.check_id_token(text, keys, module.Expected(ISSUER, CLIENT, nonce))
    return claims


def refusal(text: str, nonce: str | None = "n", keys: dict[str, Any] = KEYS) -> str:
    with pytest.raises(import_module("agencystack_connector.sso.refusals").LoginRefused) as refused:
        check(text, nonce, keys)
    return str(refused.value.code)


def test_a_token_that_holds_is_believed() -> None:
    assert check(token())["sub"] == "s-1"
    assert check(token(CURVE_KEY, "curve", "ES256"))["sub"] == "s-1"
    assert check(token(aud=[CLIENT, "account"], azp=CLIENT))["sub"] == "s-1"
    assert check(token(nonce=None), nonce=None)["sub"] == "s-1", "a proof's token has no nonce"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://id.example/realms/other"}, "issuer"),
        ({"iss": f"{ISSUER}/"}, "issuer"),
        ({"aud": "acme-wordpress"}, "audience"),
        ({"aud": []}, "missing-claim"),
        ({"aud": [CLIENT, "other"]}, "authorized-party"),
        ({"azp": "acme-wordpress"}, "authorized-party"),
        ({"exp": int(time.time()) - 600}, "expired"),
        ({"iat": int(time.time()) + 86400}, "not-yet-valid"),
        ({"nbf": int(time.time()) + 86400}, "not-yet-valid"),
        ({"exp": None}, "missing-claim"),
        ({"iat": None}, "missing-claim"),
        ({"sub": None}, "missing-claim"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
    ],
)
def test_a_claim_that_does_not_hold_is_named(changes: dict[str, object], code: str) -> None:
    assert refusal(token(**changes)) == code


def test_clocks_may_differ_by_a_minute_and_no_more() -> None:
    assert check(token(exp=int(time.time()) - 30, iat=int(time.time()) + 30))
    assert refusal(token(exp=int(time.time()) - 90)) == "expired"


def test_a_signature_that_is_not_the_providers_is_refused() -> None:
    assert refusal(token(OTHER_KEY)) == "signature"
    assert refusal(token()[:-6] + "AAAAAA") == "signature"
    head, _, signature = token().split(".")
    assert refusal(f"{head}.{token(sub='somebody-else').split('.')[1]}.{signature}") == "signature"


def test_the_public_key_is_not_taken_for_a_shared_secret() -> None:
    """The key set is public: a token "signed" with it by HMAC could be anybody's."""

    def text(part: bytes) -> str:
        return jwt.utils.base64url_encode(part).decode()

    head = text(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    body = token().split(".")[1]
    signature = text(hmac.new(PUBLIC, f"{head}.{body}".encode(), hashlib.sha256).digest())
    assert refusal(f"{head}.{body}.{signature}") == "algorithm"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512"])
def test_an_algorithm_that_proves_nothing_is_refused(algorithm: str) -> None:
    head = jwt.utils.base64url_encode(json.dumps({"alg": algorithm, "kid": "one"}).encode()).decode()
    assert refusal(f"{head}.{token().split('.')[1]}.") == "algorithm"


def test_a_key_must_be_known_and_meant_for_signing() -> None:
    assert refusal(token(OTHER_KEY, "never-published")) == "unknown-key"
    assert refusal(token(OTHER_KEY, "for-encryption")) == "unknown-key"
    assert refusal(token(), keys={}) == "unknown-key"
    assert refusal(token(kid=None)) == "unknown-key", "of several keys none is guessed"
    assert check(token(kid=None), keys={"keys": [public(KEY, "one")]})["sub"] == "s-1"


def test_a_key_of_another_kind_than_the_algorithm_is_refused() -> None:
    assert refusal(token(KEY, "curve")) in {"malformed", "signature"}


def test_a_kind_of_key_we_do_not_know_does_not_hide_the_others() -> None:
    keys = {"keys": [{"kty": "later", "kid": "one", "use": "sig"}, *KEYS["keys"]]}
    assert check(token(), keys=keys)["sub"] == "s-1"


@pytest.mark.parametrize("text", ["", "no token", "a.b", "a.b.c", "..", "é.é.é"])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refusal(text) == "malformed"
