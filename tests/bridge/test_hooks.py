"""What products call: believed when signed, and only as a hint."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

import pytest
from starlette.testclient import TestClient

from agencystack.bridge.hooks import MOST_BYTES, Hint, application
from agencystack.bridge.record import SideName
from agencystack.bridge.signing import SigningKey
from agencystack.stack.secrets import Secret

KEY = SigningKey("k1", Secret("shared"))
ROUTE = "hooks/acme/wordpress"


class Ears:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, SideName, tuple[Hint, ...]]] = []
        self.nonces: set[str] = set()

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        return {"k1": KEY} if (pairing, side) == ("acme", SideName.WORDPRESS) else {}

    def first_time(self, nonce: str) -> bool:
        new = nonce not in self.nonces
        self.nonces.add(nonce)
        return new

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        self.told.append((pairing, side, tuple(hints)))


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def http(ears: Ears) -> TestClient:
    return TestClient(application(ears))


def of_product(body: bytes) -> str:
    return base64.b64encode(hmac.new(b"shared", body, hashlib.sha256).digest()).decode()


def test_our_plugins_call_asks_to_look_what_changed(http: TestClient, ears: Ears) -> None:
    body = b'{"epoch": 7}'
    answer = http.post(f"/{ROUTE}", content=body, headers=KEY.headers(ROUTE, body))
    assert (answer.status_code, answer.json()) == (200, {"noted": 1})
    assert ears.told == [("acme", SideName.WORDPRESS, (Hint(),))]


def test_a_replay_of_it_is_refused_and_tells_nothing(http: TestClient, ears: Ears) -> None:
    headers = KEY.headers(ROUTE, b"{}")
    assert http.post(f"/{ROUTE}", content=b"{}", headers=headers).status_code == 200
    again = http.post(f"/{ROUTE}", content=b"{}", headers=headers)
    assert again.status_code == 401
    assert "came before" in again.text
    assert len(ears.told) == 1


@pytest.mark.parametrize("path", ["/hooks/other/wordpress", "/hooks/acme/erpnext"])
def test_a_key_is_good_for_its_own_pairing_and_side(http: TestClient, ears: Ears, path: str) -> None:
    assert http.post(path, content=b"{}", headers=KEY.headers(path[1:], b"{}")).status_code == 401
    assert not ears.told


def test_woocommerces_own_webhook_names_the_record(http: TestClient, ears: Ears) -> None:
    body = json.dumps({"id": 41, "status": "processing"}).encode()
    headers = {"X-WC-Webhook-Signature": of_product(body), "X-WC-Webhook-Resource": "order"}
    assert http.post(f"/{ROUTE}", content=body, headers=headers).status_code == 200
    assert ears.told == [("acme", SideName.WORDPRESS, (Hint("order", "41"),))]


def test_frappes_own_webhook_names_the_record(http: TestClient, ears: Ears) -> None:
    body = json.dumps({"doctype": "Item", "name": "SHIRT-M", "variant_of": "SHIRT"}).encode()
    headers = {"X-Frappe-Webhook-Signature": of_product(body)}
    assert http.post(f"/{ROUTE}", content=body, headers=headers).status_code == 200
    assert ears.told == [("acme", SideName.WORDPRESS, (Hint("variation", "SHIRT-M"),))]


def test_a_resource_that_is_not_shared_is_a_hint_to_look(http: TestClient, ears: Ears) -> None:
    body = b'{"id": 3}'
    headers = {"X-WC-Webhook-Signature": of_product(body), "X-WC-Webhook-Resource": "coupon"}
    http.post(f"/{ROUTE}", content=body, headers=headers)
    assert ears.told[0][2] == (Hint(),)


@pytest.mark.parametrize("header", ["X-WC-Webhook-Signature", "X-Frappe-Webhook-Signature"])
def test_a_forged_webhook_is_refused(http: TestClient, ears: Ears, header: str) -> None:
    answer = http.post(f"/{ROUTE}", content=b'{"id": 3}', headers={header: of_product(b'{"id": 4}')})
    assert answer.status_code == 401
    assert not ears.told


def test_woocommerces_unsigned_ping_is_answered_and_ignored(http: TestClient, ears: Ears) -> None:
    # contract/wordpress/webhook-captured.json: the ping has neither signature nor JSON, and must get a 200.
    assert http.post(f"/{ROUTE}", content=b"webhook_id=3").status_code == 200
    assert http.post("/hooks/acme/erpnext", content=b"webhook_id=3").status_code == 401
    assert not ears.told


def test_an_unsigned_call_a_long_one_and_an_unknown_side_are_refused(http: TestClient, ears: Ears) -> None:
    assert http.post(f"/{ROUTE}", content=b"{}").status_code == 401
    assert http.post(f"/{ROUTE}", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert http.post("/hooks/acme/magento", content=b"{}").status_code == 404
    assert not ears.told
