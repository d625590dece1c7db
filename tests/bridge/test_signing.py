"""Calls between the bridge and its plugins: signed, lately, and once."""

from collections.abc import Callable

import pytest

from agencystack.bridge.signing import KEY, NONCE, SIGNATURE, TIME, WINDOW, SigningKey, Unsigned, check
from agencystack.stack.secrets import Secret

ROUTE = "agencystack/v1/bridge/changes"
NOW = 1_795_000_000.0
NEW, OLD = SigningKey("k2", Secret("second secret")), SigningKey("k1", Secret("first secret"))


class Nonces:
    """Remembers what came."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, nonce: str) -> bool:
        new = nonce not in self.seen
        self.seen.add(nonce)
        return new


def signed(key: SigningKey = NEW, body: bytes = b"{}", now: float = NOW, route: str = ROUTE) -> dict[str, str]:
    return {name.lower(): value for name, value in key.headers(route, body, clock=lambda: now).items()}


def assert_accepted(
    headers: dict[str, str], body: bytes = b"{}", first_time: Callable[[str], bool] | None = None
) -> None:
    keys = {key.id: key for key in (NEW, OLD)}
    check(keys, ROUTE, body, headers, first_time or Nonces(), clock=lambda: NOW)


@pytest.mark.parametrize("key", [NEW, OLD])
def test_a_call_with_the_new_or_the_former_key_is_accepted(key: SigningKey) -> None:
    assert_accepted(signed(key))


def test_the_signature_is_the_one_plugin_and_app_compute() -> None:
    # By hand: HMAC-SHA256 of route, time, nonce and SHA-256 of the body, a line each; plugin and app test the same.
    assert (
        SigningKey("k1", Secret("secret")).signature(ROUTE, b'{"limit":1}', "1795000000", "0" * 32)
        == "f61d7eb5b86f7a6107a9939f76ced85e570711ad7c53c61dcf02e9a7202fe9dc"
    )


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no key of that id"),
        ({**signed(), KEY.lower(): "k9"}, "no key of that id"),
        (signed(now=NOW - WINDOW - 1), "more than 300 s"),
        (signed(now=NOW + WINDOW + 1), "more than 300 s"),
        ({**signed(), TIME.lower(): "soon"}, "more than 300 s"),
        ({**signed(), NONCE.lower(): "short"}, "32 characters"),
        ({**signed(), NONCE.lower(): "a" * 32}, "does not match"),
        ({**signed(), SIGNATURE.lower(): "0" * 64}, "does not match"),
        (signed(route="agencystack/v1/bridge/apply"), "does not match"),
        (signed(body=b'{"limit": 2}'), "does not match"),
        ({**signed(OLD), KEY.lower(): "k2"}, "does not match"),
    ],
)
def test_any_other_is_refused_and_says_why(headers: dict[str, str], why: str) -> None:
    with pytest.raises(Unsigned, match=why):
        assert_accepted(headers)


def test_the_same_call_is_accepted_once() -> None:
    headers, nonces = signed(), Nonces()
    assert_accepted(headers, first_time=nonces)
    with pytest.raises(Unsigned, match="came before"):
        assert_accepted(headers, first_time=nonces)


def test_a_forged_call_uses_up_no_nonce() -> None:
    headers, nonces = signed(), Nonces()
    with pytest.raises(Unsigned):
        assert_accepted({**headers, SIGNATURE.lower(): "0" * 64}, first_time=nonces)
    assert_accepted(headers, first_time=nonces)
