"""Orders as WooCommerce keeps them: whole or half, whose they are, and those that come from ERPNext."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from agencystack.bridge.entities.order_wordpress import DRAFT, OrderOnWordPress
from agencystack.bridge.record import Presence, Ref
from agencystack.bridge.settings import CustomField, Guests
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.records import TOKEN_META, Kind, Write, Written
from tests.bridge.money.making import FULL, native
from tests.bridge.money.woocommerce import Line, Order, Shop, calculated

TOKEN = "0192aa" + "0" * 26


class Woo:
    """A WooCommerce that taxes by its own rates, whatever it is sent."""

    def __init__(self, orders: Sequence[dict[str, Any]] = (), accounts: Mapping[str, int] | None = None) -> None:
        self.orders = {str(one["id"]): one for one in orders}
        self.accounts = accounts or {}
        self.writes: list[Write] = []

    def fetch(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Return orders by id."""
        return {id_: self.orders[id_] for id_ in ids if id_ in self.orders}

    def search(self, kind: Kind, params: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        """Return the account of an e-mail address."""
        id_ = self.accounts.get(params.get("email", ""))
        return [{"id": id_, "email": params["email"]}] if id_ else []

    def find(self, kind: Kind, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by token."""
        meta = {str(one["value"]): id_ for id_, order in self.orders.items() for one in order["meta_data"]}
        return {token: meta[token] for token in tokens if token in meta}

    def write(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        """Make, change and delete orders."""
        self.writes += writes
        return {one.token: self._written(one) for one in writes}

    def _written(self, write: Write) -> Written:
        if write.action == "create":
            id_ = str(100 + len(self.orders))
            lines = [
                Line(Decimal(one["total"]), (FULL,), one["quantity"], product=one.get("product_id", 0))
                for one in write.values["line_items"]
            ]
            shipping = [Line(Decimal(one["total"]), (FULL,)) for one in write.values["shipping_lines"]]
            fees = [Line(Decimal(one["total"]), (FULL,)) for one in write.values["fee_lines"]]
            totals = calculated(Order(Shop(currency=write.values["currency"]), lines, shipping, fees))
            meta = [{"key": TOKEN_META, "value": write.token}, *write.values["meta_data"]]
            made = native(totals, int(id_), status=write.values["status"], meta_data=meta)
            self.orders[id_] = made
            return Written(write.token, Result.DONE, native=made)
        if write.action == "delete":
            self.orders.pop(write.id)
            return Written(write.token, Result.DONE)
        self.orders[write.id] |= write.values
        return Written(write.token, Result.DONE, native=self.orders[write.id])


def ordered(**changes: Any) -> dict[str, Any]:
    """Return an order of the shop."""
    totals = calculated(Order(Shop(), [Line(Decimal("10.00"), (FULL,), 3, product=1)]))
    return native(totals, 5, **changes)


def form(*orders: dict[str, Any], guests: Guests | None = None, accounts: Mapping[str, int] | None = None) -> Any:
    """Return the form on a shop with these orders."""
    return OrderOnWordPress(Woo(orders, accounts), "shop", guests)  # type: ignore[arg-type]


def seen(order: dict[str, Any], **settings: Any) -> Any:
    """Return an order as the bridge sees it."""
    return form(order, **settings).read(["5"])["5"]


@pytest.mark.parametrize(
    ("changes", "presence"),
    [
        ({}, Presence.PRESENT),
        ({"status": "trash"}, Presence.GONE),
        ({"status": "checkout-draft"}, Presence.HALF),
        ({"status": "auto-draft"}, Presence.HALF),
        ({"agencystack": {"half": True}}, Presence.HALF),
        ({"total": "0.00"}, Presence.HALF),  # killed at after_order_object_save: all lines, total 0.00
        ({"total": "0.00", "line_items": []}, Presence.HALF),  # killed before the first item
        ({"status": "cancelled"}, Presence.PRESENT),
        ({"status": "packed"}, Presence.PRESENT),
    ],
)
def test_an_order_is_whole_half_or_gone(changes: dict[str, Any], presence: Presence) -> None:
    assert seen(ordered(**changes)).presence is presence


def test_a_gift_is_a_whole_order() -> None:
    order = native(calculated(Order(Shop(), [Line(Decimal(0), (FULL,), 1, product=1)])), 5)
    assert seen(order).presence is Presence.PRESENT


def test_an_order_of_an_account_is_the_accounts() -> None:
    assert seen(ordered()).fields["customer"] == Ref("customer", "7")


@pytest.mark.parametrize(
    ("guests", "email", "customer"),
    [
        (Guests(), "Anna@Example.test", Ref("customer", "guest:anna@example.test")),
        (Guests(), "", Ref("customer", "guest-order:5")),
        (Guests(policy="per_order"), "anna@example.test", Ref("customer", "guest-order:5")),
        (Guests(policy="one_customer", customer="Web"), "anna@example.test", None),
    ],
)
def test_a_guests_order_is_whose_the_policy_says(guests: Guests, email: str, customer: Ref | None) -> None:
    assert seen(ordered(customer_id=0, billing={"email": email}), guests=guests).fields["customer"] == customer


def test_a_guest_who_has_an_account_is_that_customer() -> None:
    order = ordered(customer_id=0, billing={"email": "anna@example.test"})
    assert seen(order, accounts={"anna@example.test": 9}).fields["customer"] == Ref("customer", "9")


def test_lines_name_variations_before_products() -> None:
    order = ordered()
    order["line_items"][0]["variation_id"] = 77
    assert seen(order).fields["content"]["lines"][0]["product"] == Ref("variation", "77")
    order["line_items"][0] |= {"variation_id": 0, "product_id": 0}
    assert seen(order).fields["content"]["lines"][0]["product"] is None


def test_amounts_are_shown_as_fine_as_the_shop_has_them() -> None:
    assert seen(ordered(currency="JPY")).fields["content"]["total"] == "10.81"


def creation(total: str = "10.81", **changes: Any) -> Operation:
    """Return the creation of an order that was born in ERPNext."""
    line = {"id": None, "product": Ref("product", "1"), "name": "Cup", "quantity": "3", "total": "10.00"}
    content = {"lines": (line,), "shipping": (), "fees": (), "coupons": (), "taxes": (), "total": total}
    fields = {
        "currency": "CHF",
        "customer": Ref("customer", "7"),
        "content": content,
        "status": "processing",
        **changes,
    }
    return Operation(TOKEN, "order", Action.CREATE, fields=fields)


def made(shop: Any, operation: Operation) -> Outcome:
    """Carry one operation out."""
    outcome: Outcome = shop.apply([operation])[operation.token]
    return outcome


def test_an_order_of_erpnext_is_seen_once_its_total_is_equal() -> None:
    shop = form()
    outcome = made(shop, creation())
    assert outcome.result is Result.DONE
    assert outcome.observed is not None
    assert (outcome.observed.token, outcome.observed.fields["status"]) == (TOKEN, "processing")
    first, second = shop.records.writes
    assert first.values["status"] == DRAFT
    assert {"key": "_order_stock_reduced", "value": "yes"} in first.values["meta_data"]
    assert first.values["line_items"] == [{"product_id": 1, "quantity": 3, "subtotal": "10.00", "total": "10.00"}]
    assert (second.values, second.token != TOKEN, len(second.token)) == ({"status": "processing"}, True, 32)


def test_an_order_the_shop_would_tax_otherwise_waits_and_leaves_nothing() -> None:
    shop = form()
    outcome = made(shop, creation("10.80"))
    assert outcome.result is Result.REFUSED
    assert "10.80" in outcome.message
    assert "10.81" in outcome.message
    assert shop.records.orders == {}


def test_a_draft_a_crash_left_is_not_made_yet() -> None:
    """The op token is looked up after a crash between draft and comparison: nobody compared that order."""
    draft = ordered(status=DRAFT, meta_data=[{"key": TOKEN_META, "value": TOKEN}])
    assert form(draft).find([TOKEN]) == {}
    assert form({**draft, "status": "processing"}).find([TOKEN]) == {TOKEN: "5"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"quantity": "1.5"}, "whole pieces"),
        ({"product": None, "name": "Work"}, "free text"),
    ],
)
def test_what_woocommerce_cannot_sell_waits(line: dict[str, Any], words: str) -> None:
    operation = creation()
    content = operation.fields["content"]
    content["lines"][0].update(line)  # type: ignore[index,call-overload]
    shop = form()
    outcome = made(shop, operation)
    assert outcome.result is Result.REFUSED
    assert words in outcome.remedy
    assert shop.records.writes == []


def test_a_status_is_written_alone() -> None:
    shop = form(ordered())
    outcome = made(shop, Operation(TOKEN, "order", Action.UPDATE, "5", {"status": "completed"}, seen(ordered())))
    assert outcome.result is Result.DONE
    assert [one.values for one in shop.records.writes] == [{"status": "completed"}]


def test_lines_of_a_placed_order_are_not_rewritten() -> None:
    shop = form(ordered())
    fields = creation().fields
    outcome = made(shop, Operation(TOKEN, "order", Action.UPDATE, "5", {"content": fields["content"]}, seen(ordered())))
    assert outcome.result is Result.REFUSED
    assert "changed in ERPNext" in outcome.message
    assert shop.records.writes == []


def test_fields_of_the_agencys_own_are_meta() -> None:
    custom = {"gift": CustomField(wordpress="_gift", erpnext="custom_gift")}
    order = ordered(meta_data=[{"key": "_gift", "value": "yes"}])
    shop = OrderOnWordPress(Woo([order]), "shop", custom=custom)  # type: ignore[arg-type]
    assert shop.read(["5"])["5"].fields["gift"] == "yes"
    made(shop, Operation(TOKEN, "order", Action.UPDATE, "5", {"gift": "no"}, seen(order)))
    assert shop.records.writes[0].values == {"meta_data": [{"key": "_gift", "value": "no"}]}  # type: ignore[attr-defined]


def test_an_order_is_found_by_the_id_a_sales_order_keeps() -> None:
    assert form(ordered()).candidates_of([{"shop_id": "5"}, {"shop_id": "6"}, {}]) == [("5",), (), ()]
