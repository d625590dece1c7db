"""WooCommerce as it answers: what was recorded with a real one, played to the stand-in and, where named, a real one.

Answers are compared whole, but for what is another one each time. Recorded with WordPress 6.9.1, WooCommerce 10.5.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from agencystack.components.woocommerce import ConsumerKey
from agencystack.sandbox.woocommerce import Access, Answer, Key, Killed, Request, Shop, ShopTransport
from agencystack.stack.secrets import Secret
from tests.contract.woocommerce_sites import RECORDINGS, SITES, differences

CONVERSATIONS = ("products", "variations", "categories", "customers", "orders", "content", "batch")


@pytest.mark.parametrize("recording", CONVERSATIONS)
@pytest.mark.parametrize("site", ["stand-in", pytest.param("real", marks=pytest.mark.real)])
def test_it_answers_as_recorded(site: str, recording: str) -> None:
    assert list(differences(SITES[site](), recording)) == []


# What only a shop of one's own can show. ------------------------------------------------------------------------


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(clock: Clock) -> Shop:
    return Shop(now=clock)


def ask(shop: Shop, method: str, path: str, body: Mapping[str, Any] | None = None, **params: str) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return shop.handle(Request(method, f"/wp-json/{path}", params, {}, content))


def made(shop: Shop, path: str, body: Mapping[str, Any]) -> Any:
    answer = ask(shop, "POST", path, body)
    assert answer.status in {200, 201}, answer.data
    return answer.data


STATES = json.loads((RECORDINGS / "states.json").read_text())


@pytest.mark.parametrize("row", STATES, ids=lambda row: f"{row.get('from', 'new')}-{row.get('to') or row['create']}")
def test_a_state_does_to_stock_and_dates_what_was_recorded(shop: Shop, row: Mapping[str, Any]) -> None:
    product = made(
        shop, "wc/v3/products", {"name": "S", "regular_price": "1", "manage_stock": True, "stock_quantity": 90}
    )
    lines = [{"product_id": product["id"], "quantity": 5}]

    def stock() -> int:
        return int(ask(shop, "GET", f"wc/v3/products/{product['id']}").data["stock_quantity"])

    if "create" in row:
        answer = ask(shop, "POST", "wc/v3/orders", {"status": row["create"], "line_items": lines})
        before = 90
    else:
        order = made(shop, "wc/v3/orders", {"status": row["from"], "line_items": lines})
        before = stock()
        answer = ask(shop, "PUT", f"wc/v3/orders/{order['id']}", {"status": row["to"]})
        refused = answer.data if answer.status == 200 else {"refunds": []}
        assert (answer.status, len(refused["refunds"])) == (row["http"], row["refunds"])
    moved = stock() - before
    change = row["stock"] if "create" in row else row["stock_change"]
    assert (answer.data.get("status", answer.data.get("code")), moved) == (row["result"], change)
    if "create" in row and answer.status == 201:
        assert (answer.data["date_paid"] is not None) == row["date_paid"]
    if answer.status in {200, 201}:
        assert (answer.data["date_completed"] is not None) == row["completed"]


# Recorded one after the other with the same order: what it was made as, then each state it was put into.
CHAINS = (
    (
        "pending",
        "processing",
        "completed",
        "pending",
        "on-hold",
        "cancelled",
        "failed",
        "on-hold",
        "processing",
        "refunded",
    ),
    ("completed", "processing", "cancelled", "failed", "completed"),
    ("on-hold", "failed", "cancelled", "completed"),
    ("cancelled",),
    ("failed",),
    ("refunded",),
)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: f"from-{chain[0]}")
def test_a_state_mails_whom_it_mailed(shop: Shop, chain: tuple[str, ...]) -> None:
    told = {
        row["action"]: [to for to, _ in row["mails"]] for row in json.loads((RECORDINGS / "mails.json").read_text())
    }
    product = made(shop, "wc/v3/products", {"name": "ML", "regular_price": "5"})
    body = {
        "status": chain[0],
        "billing": {"email": "m378444@example.test"},
        "line_items": [{"product_id": product["id"]}],
    }
    order = made(shop, "wc/v3/orders", body)
    assert sorted(_receivers(shop)) == sorted(told[f"order create {chain[0]}"])
    for before, after in pairwise(chain):
        shop.mails.clear()
        assert ask(shop, "PUT", f"wc/v3/orders/{order['id']}", {"status": after}).status == 200
        assert sorted(_receivers(shop)) == sorted(told[f"order {before} -> {after}"]), (before, after)


def test_selling_out_is_mailed_to_the_shop(shop: Shop) -> None:
    stocked = {"name": "ML", "regular_price": "5", "manage_stock": True, "stock_quantity": 6}
    product = made(shop, "wc/v3/products", stocked)
    subjects = []
    for quantity in (5, 1, 1):
        shop.mails.clear()
        made(
            shop,
            "wc/v3/orders",
            {"status": "processing", "line_items": [{"product_id": product["id"], "quantity": quantity}]},
        )
        subjects.append([one["subject"] for one in shop.mails if one["subject"].startswith("Product")])
    assert subjects == [
        ["Product low in stock"],
        ["Product out of stock"],
        ["Product out of stock", "Product backorder"],
    ]
    shop.mails.clear()
    assert ask(shop, "PUT", f"wc/v3/products/{product['id']}", {"stock_quantity": 0}).status == 200
    assert shop.mails == []


def _receivers(shop: Shop) -> list[str]:
    return [one["to"] for one in shop.mails]


def test_times_are_the_sites_own_unless_told_otherwise(shop: Shop, clock: Clock) -> None:
    order = made(shop, "wc/v3/orders", {})
    assert (order["date_modified"], order["date_modified_gmt"]) == ("2026-11-22T19:00:00", "2026-11-22T18:00:00")

    def since(text: str, **params: str) -> int:
        return len(ask(shop, "GET", "wc/v3/orders", None, modified_after=text, **params).data)

    # contract/wordpress/wc-orders-modified_after-*.json: exclusive, and in the zone of the site.
    assert since("2026-11-22T17:59:59", dates_are_gmt="true") == 1
    assert since("2026-11-22T18:00:00", dates_are_gmt="true") == 0
    assert since("2026-11-22T18:00:00Z", dates_are_gmt="true") == 0
    assert since("2026-11-22T18:59:59") == 1
    assert since("2026-11-22T19:00:00") == 0


def test_an_order_is_seen_by_halves_and_stays_so_when_php_dies(shop: Shop) -> None:
    product = made(
        shop, "wc/v3/products", {"name": "H", "regular_price": "10", "manage_stock": True, "stock_quantity": 9}
    )
    seen: list[tuple[str, str, int]] = []

    def look(stage: str, order: Mapping[str, Any]) -> None:
        shown = ask(shop, "GET", f"wc/v3/orders/{order['id']}").data
        if "total" in shown:
            seen.append((stage, shown["total"], len(shown["line_items"])))
        if stage == "before_totals":
            raise Killed

    shop.on_stage = look
    client = httpx.Client(transport=ShopTransport(shop), base_url=shop.state.url)
    answer = client.post("/wp-json/wc/v3/orders", json={"line_items": [{"product_id": product["id"]}]})
    assert answer.status_code == 502
    # contract/wordpress/wc-kill9.json: after the row no lines, after the lines a total of nothing; and a plain 200.
    assert seen == [("new_order", "0.00", 0), ("item", "0.00", 1), ("before_totals", "0.00", 1)]
    shop.on_stage = lambda stage, order: None
    (left,) = ask(shop, "GET", "wc/v3/orders").data
    assert (left["total"], left["status"], len(left["line_items"])) == ("0.00", "pending", 1)


def test_webhooks_are_late_say_what_is_and_give_up(shop: Shop, clock: Clock) -> None:
    hook = made(
        shop, "wc/v3/webhooks", {"topic": "order.updated", "delivery_url": "https://hooks.example/x", "secret": "s"}
    )
    assert "secret" not in hook
    order = made(shop, "wc/v3/orders", {})
    for note in ("n1", "n2"):
        ask(shop, "PUT", f"wc/v3/orders/{order['id']}", {"customer_note": note})
    got: list[tuple[str, str]] = []

    def post(url: str, headers: Mapping[str, str], body: bytes) -> bool:
        got.append((headers["X-WC-Webhook-Delivery-ID"], json.loads(body)["customer_note"]))
        return False

    # contract/wordpress/webhook-captured.json: each change is told, with the state at the telling.
    assert shop.events.run_cron(post) == 3
    assert [note for _, note in got] == ["n2", "n2", "n2"]
    for count in range(1, 5):
        ask(shop, "PUT", f"wc/v3/orders/{order['id']}", {"customer_note": f"again {count}"})
        shop.events.run_cron(post)
    # contract/wordpress/wc-webhook-disabled-after-failures.json
    assert ask(shop, "GET", f"wc/v3/webhooks/{hook['id']}").data["status"] == "disabled"
    tried = len(got)
    ask(shop, "PUT", f"wc/v3/orders/{order['id']}", {"customer_note": "unheard"})
    assert (shop.events.run_cron(post), len(got)) == (0, tried)
    # Two deliveries of one second have one id.
    assert len({delivery for delivery, _ in got}) == 1


def test_raw_writes_leave_no_time(shop: Shop, clock: Clock) -> None:
    product = made(shop, "wc/v3/products", {"name": "R", "regular_price": "1"})
    clock.forward(60)
    shop.state.data.products[str(product["id"])]["regular_price"] = "2"
    shown = ask(shop, "GET", f"wc/v3/products/{product['id']}").data
    assert (shown["regular_price"], shown["date_modified_gmt"]) == ("2", product["date_modified_gmt"])


# Who may ask (contract/wordpress/wc-auth-*.json). ---------------------------------------------------------------


@pytest.fixture
def guarded(shop: Shop) -> Shop:
    keys = {"ck_a": Key("cs_a"), "ck_read": Key("cs_r", writes=False)}
    shop.access = Access(keys, {"admin": "abcd efgh"})
    return shop


def client(shop: Shop, url: str, auth: httpx.Auth | tuple[str, str] | None) -> httpx.Client:
    return httpx.Client(transport=ShopTransport(shop), base_url=url, auth=auth)


HTTP, HTTPS = "http://shop.example", "https://shop.example"
REFUSED = [
    (HTTP, None, "woocommerce_rest_cannot_view"),
    (HTTP, ("ck_a", "cs_a"), "woocommerce_rest_cannot_view"),
    (HTTP, ("admin", "abcd efgh"), "woocommerce_rest_cannot_view"),
    (HTTPS, ("ck_a", "wrong"), "woocommerce_rest_authentication_error"),
    (HTTPS, ("ck_wrong", "cs_a"), "woocommerce_rest_cannot_view"),
    (HTTPS, ("admin", "wrong"), "incorrect_password"),
    (HTTP, ConsumerKey("ck_a", Secret("wrong")), "woocommerce_rest_authentication_error"),
]


@pytest.mark.parametrize(("url", "auth", "code"), REFUSED)
def test_who_is_refused(guarded: Shop, url: str, auth: httpx.Auth | tuple[str, str] | None, code: str) -> None:
    answer = client(guarded, url, auth).get("/wp-json/wc/v3/products")
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_who_may_ask(guarded: Shop) -> None:
    for url, auth in (
        (HTTPS, ("ck_a", "cs_a")),
        (HTTPS, ("admin", "abcdefgh")),
        (HTTP, ConsumerKey("ck_a", Secret("cs_a"), clock=lambda: guarded.state.now().timestamp())),
    ):
        answer = client(guarded, url, auth).get(
            "/wp-json/wc/v3/products", params={"search": "a b&c=ü", "per_page": "2"}
        )
        assert answer.status_code == 200, answer.text


def test_a_key_that_reads_answers_401_to_a_write(guarded: Shop) -> None:
    answer = client(guarded, HTTPS, ("ck_read", "cs_r")).post("/wp-json/wc/v3/products", json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "woocommerce_rest_authentication_error")


def test_a_signature_counts_once(guarded: Shop) -> None:
    key = ConsumerKey("ck_a", Secret("cs_a"), clock=lambda: guarded.state.now().timestamp())
    signed = next(key.auth_flow(httpx.Request("GET", f"{HTTP}/wp-json/wc/v3/products")))
    first, second = (httpx.Client(transport=ShopTransport(guarded)).send(signed) for _ in range(2))
    assert first.status_code == 200
    assert second.json()["message"] == "Invalid nonce - nonce has already been used."
