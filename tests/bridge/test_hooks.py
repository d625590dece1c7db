"""What products call: believed when signed, and only as a hint."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, MutableMapping

import pytest
from starlette.testclient import TestClient

from agencystack.bridge.record import SideName
from agencystack.bridge.serving import hooks
from agencystack.bridge.serving.hooks import MOST_BYTES, MOST_OF_OURS, Bucket, Hint, application
from agencystack.bridge.signing import SigningKey
from agencystack.stack.secrets import Secret

KEY = SigningKey("k1", Secret("known-to-both"))
ROUTE = "hooks/acme/wordpress"


class Ears:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, SideName, tuple[Hint, ...]]] = []
        self.nonces: set[str] = set()
        self.asked: list[str] = []

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        self.asked.append(pairing)
        return {"k1": KEY} if pairing in {"acme", "bell"} and side is SideName.WORDPRESS else {}

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
    # The clock stands: how much is let through does not depend on how fast the machine asks.
    return TestClient(application(ears, clock=lambda: 0.0))


def of_product(body: bytes) -> str:
    return base64.b64encode(hmac.new(b"known-to-both", body, hashlib.sha256).digest()).decode()


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
    assert ears.told == [("acme", SideName.WORDPRESS, (Hint("order", "41"), Hint("payment", "41")))]


def test_woocommerces_own_webhook_tells_a_refund_with_its_order_and_a_variation_as_a_product(
    http: TestClient, ears: Ears
) -> None:
    # facts/woocommerce-in-depth.md: there is no topic of refunds, and a variation's save is told as product.updated.
    for resource, record in (
        ("order", {"id": 41, "refunds": [{"id": 42, "total": "-5.00"}, {"id": "x"}]}),
        ("product", {"id": 7, "type": "variation", "parent_id": 6}),
    ):
        body = json.dumps(record).encode()
        headers = {"X-WC-Webhook-Signature": of_product(body), "X-WC-Webhook-Resource": resource}
        assert http.post(f"/{ROUTE}", content=body, headers=headers).status_code == 200
    assert [hints for _, _, hints in ears.told] == [
        (Hint("order", "41"), Hint("payment", "41"), Hint("refund", "42")),
        (Hint("variation", "7"),),
    ]


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


@pytest.mark.parametrize("pairing", ["..", "%2e%2e", "..%2Facme", "acme%00", "ACME", "a" * 64, "shared", ".hidden"])
def test_a_name_from_outside_never_names_a_file(http: TestClient, ears: Ears, pairing: str) -> None:
    ears.asked.clear()
    assert http.post(f"/hooks/{pairing}/wordpress", content=b"{}").status_code in (404, 405)
    assert not ears.asked, "no key was looked for"


def test_our_own_calls_are_short(http: TestClient, ears: Ears) -> None:
    body = b"x" * (MOST_OF_OURS + 1)
    assert http.post(f"/{ROUTE}", content=body, headers=KEY.headers(ROUTE, body)).status_code == 413
    assert not ears.told


def test_strangers_are_put_off_and_our_plugin_is_not(http: TestClient, ears: Ears) -> None:
    answers = [http.post(f"/{ROUTE}", content=b"{}").status_code for _ in range(int(Bucket.AT_ONCE) + 20)]
    assert answers == [401] * int(Bucket.AT_ONCE) + [429] * 20
    assert http.post(f"/{ROUTE}", content=b"{}", headers=KEY.headers(ROUTE, b"{}")).status_code == 200
    other = http.post("/hooks/bell/wordpress", content=b"{}", headers=KEY.headers("hooks/bell/wordpress", b"{}"))
    assert other.status_code == 200, "another client is not put off"


def test_a_flood_of_a_products_own_webhooks_is_looked_for_later_and_none_is_refused(
    http: TestClient, ears: Ears
) -> None:
    # WooCommerce switches off a webhook after five answers in a row that are no success.
    for number in range(int(Bucket.AT_ONCE) + 50):
        body = json.dumps({"id": number}).encode()
        headers = {"X-WC-Webhook-Signature": of_product(body), "X-WC-Webhook-Resource": "order"}
        assert http.post(f"/{ROUTE}", content=body, headers=headers).status_code == 200
    assert ears.told[0][2] == (Hint("order", "0"), Hint("payment", "0"))
    assert ears.told[-1][2] == (Hint(),)


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = Bucket(lambda: now[0])
    assert sum(bucket.take() for _ in range(1000)) == Bucket.AT_ONCE
    now[0] += 3
    assert sum(bucket.take() for _ in range(1000)) == 3 * Bucket.A_SECOND


def test_a_slow_body_is_given_up(ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "LONGEST_BODY", 0.05)
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(5)
        raise AssertionError("nobody waits so long")

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/{ROUTE}",
        "raw_path": f"/{ROUTE}".encode(),
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(application(ears)(scope, receive, send))
    assert sent[0]["status"] == 408
