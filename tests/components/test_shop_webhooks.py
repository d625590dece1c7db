"""WooCommerce's own webhooks, on the stand-in whose answers are those recorded of a real one."""

from __future__ import annotations

import httpx
import pytest

from agencystack.components.woocommerce import RestApi
from agencystack.components.woocommerce.webhooks import ShopWebhook, ShopWebhooks
from agencystack.sandbox.woocommerce import HOME, Shop, ShopTransport
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret

WHERE = ComponentRef("acme", "wordpress")
NAME = "AgencyStack acme order.updated"
WANTED = ShopWebhook("order.updated", "https://bridge.example/hooks/acme/wordpress", True)
SECRET = Secret("a-secret-of-a-test")


class Now:
    """The REST interface, or nobody who may ask."""

    def __init__(self, api: RestApi | None) -> None:
        self.api = api

    def __call__(self) -> RestApi | None:
        return self.api

    def close(self) -> None:
        if self.api is not None:
            self.api.close()


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def webhooks(shop: Shop) -> ShopWebhooks:
    return ShopWebhooks(WHERE, Now(RestApi(WHERE, HOME, transport=ShopTransport(shop))))


def answering(status: int, body: object) -> ShopWebhooks:
    """Webhooks of a site that lists none and answers each write so."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[]) if request.method == "GET" else httpx.Response(status, json=body)

    return ShopWebhooks(WHERE, Now(RestApi(WHERE, HOME, transport=httpx.MockTransport(answer))))


def test_one_is_made_changed_and_deleted_by_its_name(shop: Shop, webhooks: ShopWebhooks) -> None:
    assert webhooks.read(NAME) is None
    webhooks.write(NAME, WANTED, SECRET, new=True)
    assert webhooks.read(NAME) == WANTED
    [kept] = shop.state.data.webhooks.values()
    assert kept["secret"] == SECRET.reveal()
    moved = ShopWebhook(WANTED.topic, "https://elsewhere.example/hooks/acme/wordpress", True)
    webhooks.write(NAME, moved, SECRET, new=False)
    assert webhooks.read(NAME) == moved
    assert webhooks.remove(NAME) == ""
    assert webhooks.remove(NAME) == ""
    assert (webhooks.read(NAME), shop.state.data.webhooks) == (None, {})


def test_one_that_woocommerce_disabled_reads_so_and_begins_to_count_anew(shop: Shop, webhooks: ShopWebhooks) -> None:
    webhooks.write(NAME, WANTED, SECRET, new=True)
    [kept] = shop.state.data.webhooks.values()
    kept |= {"status": "disabled", "failure_count": 6}
    webhooks.forget()
    assert webhooks.read(NAME) == ShopWebhook(WANTED.topic, WANTED.url, False)
    webhooks.write(NAME, WANTED, SECRET, new=False)
    assert webhooks.read(NAME) == WANTED
    assert kept["failure_count"] == 0


def test_many_are_found_whatever_else_the_shop_has(webhooks: ShopWebhooks) -> None:
    for number in range(120):
        webhooks.write(f"somebody's {number}", WANTED, SECRET, new=True)
    webhooks.write(NAME, WANTED, SECRET, new=True)
    assert webhooks.read(NAME) == WANTED


def test_while_nobody_may_ask_there_is_none_and_what_may_be_left_is_told() -> None:
    webhooks = ShopWebhooks(WHERE, Now(None))
    assert webhooks.read(NAME) is None
    assert NAME in webhooks.remove(NAME)
    with pytest.raises(Refused, match="nobody may ask"):
        webhooks.write(NAME, WANTED, SECRET, new=True)


def test_a_refusal_a_login_and_silence_are_three_answers() -> None:
    body = {"code": "woocommerce_rest_shop_webhook_invalid_topic", "message": "Webhook topic must be valid."}
    with pytest.raises(Refused, match="topic must be valid"):
        answering(400, body).write(NAME, WANTED, SECRET, new=True)
    with pytest.raises(AuthenticationFailed):
        answering(401, {"code": "woocommerce_rest_cannot_create"}).write(NAME, WANTED, SECRET, new=True)
    with pytest.raises(Unavailable):
        answering(503, {}).write(NAME, WANTED, SECRET, new=True)
