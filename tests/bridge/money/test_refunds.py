"""Refunds: what came back is returned, what was paid back is paid, each once; no gateway is ever asked to pay."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.bridge.entities.refund_erpnext import RefundOnErpNext
from agencystack.bridge.entities.refund_wordpress import RefundOnWordPress, order_of
from agencystack.bridge.record import Presence, Ref
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.records import Kind
from tests.bridge.money.erpnext import Books
from tests.bridge.money.making import accounting, books
from tests.bridge.money.test_sales_orders import assert_waits
from tests.bridge.money.test_shop_orders import Woo, ordered

TOKEN = "0192aa" + "0" * 26


def refund_record(**changes: Any) -> dict[str, Any]:
    """Return a refund as REST shows it (contract/wordpress/wc-refund-full-by-lines.json): 1 of 3, with its tax."""
    line = {
        "id": 900,
        "name": "Cup",
        "product_id": 1,
        "variation_id": 0,
        "quantity": -1,
        "total": "-3.33",
        "taxes": [{"id": 1, "total": "-0.27"}],
        "meta_data": [{"key": "_refunded_item_id", "value": "100"}],
    }
    return {
        "id": 70,
        "amount": "3.60",
        "reason": "Kulanz",
        "date_created_gmt": "2026-11-23T07:00:00",
        "parent_id": 5,
        "line_items": [line],
        "shipping_lines": [],
        "fee_lines": [],
        "meta_data": [],
        **changes,
    }


class WithRefunds(Woo):
    """A shop with refunds."""

    def __init__(self, refund: dict[str, Any], orders: list[dict[str, Any]]) -> None:
        super().__init__(orders)
        self.refund = refund

    def fetch(self, kind: Kind, ids: Any) -> Any:
        """Return refunds or orders."""
        return {"70": self.refund} if kind is Kind.REFUND else super().fetch(kind, ids)


def seen(refund: dict[str, Any], orders: list[dict[str, Any]] | None = None) -> Any:
    """Return a refund as the bridge sees it."""
    shop = WithRefunds(refund, [ordered()] if orders is None else orders)
    return RefundOnWordPress(shop, "shop").read(["70"])["70"]  # type: ignore[arg-type]


def test_a_refund_tells_what_came_back() -> None:
    fields = seen(refund_record()).fields
    assert (fields["reference"], fields["amount"], fields["currency"]) == ("WC-shop-refund-70", "3.60", "CHF")
    assert (fields["order"], fields["method"]) == (Ref("order", "5"), "bacs")
    (line,) = fields["content"]["lines"]
    assert (line["line"], line["quantity"], line["total"]) == ("line:100", "1", "3.33")
    assert fields["content"]["taxes"] == ({"code": "CH-MWST-1", "amount": "0.27"},)


@pytest.mark.parametrize(
    ("changes", "orders", "presence"),
    [({}, None, Presence.PRESENT), ({"amount": "0.00"}, None, Presence.GONE), ({}, [], Presence.HALF)],
)
def test_a_refund_of_nothing_is_none(changes: dict[str, Any], orders: Any, presence: Presence) -> None:
    assert seen(refund_record(**changes), orders).presence is presence


def test_a_refund_knows_its_order_however_it_was_read() -> None:
    assert order_of({"parent_id": 5}) == "5"
    assert order_of({"agencystack": {"parent": "5"}}) == "5"
    assert order_of({"_links": {"up": [{"href": "https://shop.example/wp-json/wc/v3/orders/5"}]}}) == "5"


def test_no_refund_is_ever_written_to_a_shop() -> None:
    form = RefundOnWordPress(WithRefunds(refund_record(), []), "shop")  # type: ignore[arg-type]
    assert_waits(form.apply([Operation(TOKEN, "refund", Action.CREATE)])[TOKEN], "never written")


def ledger(invoices: int = 1) -> Books:
    """Return an ERPNext with an order of 3 for 10.00 and shipping, and its invoice."""
    found = books()
    items = [
        {"name": "so-1", "item_code": "CUP", "qty": 2.0, "rate": 3.33, "agencystack_line": "line:100"},
        {"name": "so-2", "item_code": "CUP", "qty": 1.0, "rate": 3.34, "agencystack_line": "line:100"},
        {"name": "so-3", "item_code": "SHIPPING", "qty": 1.0, "rate": 7.9, "agencystack_line": "shipping:101"},
    ]
    order = {"name": "WC-shop-5", "docstatus": 1, "customer": "Anna", "items": items, "currency": "CHF"}
    rows = [
        {**row, "name": f"si-{at}", "so_detail": row["name"], "sales_order": "WC-shop-5"}
        for at, row in enumerate(items)
    ]
    found.tables["Sales Order"] = {"WC-shop-5": order}
    found.tables["Sales Invoice"] = {
        f"SI-{at}": {
            "name": f"SI-{at}",
            "docstatus": 1,
            "customer": "Anna",
            "currency": "CHF",
            "conversion_rate": 1.0,
            "selling_price_list": "Standard Selling",
            "plc_conversion_rate": 1.0,
            "items": [{key: value for key, value in row.items() if key != "agencystack_line"} for row in rows],
        }
        for at in range(invoices)
    }
    return found


def refunded(into: Books, settings: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """Enter a refund; ``changes`` are of its record in the shop."""
    record = {**refund_record(), **changes}
    told = seen(record).fields
    fields = {**told, "order": Ref("order", "WC-shop-5")}
    lines = [{**line, "product": Ref("product", "CUP")} for line in told["content"]["lines"]]
    fields["content"] = {**told["content"], "lines": tuple(lines)}
    form = RefundOnErpNext(into, accounting(**{"submit": True, **(settings or {})}), "shop")
    return form.apply([Operation(TOKEN, "refund", Action.CREATE, fields=fields)])[TOKEN]


def returns(into: Books) -> list[dict[str, Any]]:
    """Return the returns that were made."""
    return [one for one in into.tables["Sales Invoice"].values() if one.get("is_return")]


def entry(into: Books) -> dict[str, Any]:
    """Return the one Payment Entry."""
    (found,) = into.tables["Payment Entry"].values()
    return found


def test_without_an_invoice_the_money_alone_goes_back() -> None:
    """ERPNext refuses a payment back against a paid Sales Order: no reference rows."""
    into = ledger(invoices=0)
    assert refunded(into).result is Result.DONE
    paid = entry(into)
    assert (paid["payment_type"], paid["paid_amount"], paid["references"]) == ("Pay", 3.6, [])
    assert (paid["paid_from"], paid["paid_to"], paid["docstatus"]) == ("Lab Bank - LG", "Debtors - LG", 1)
    assert (paid["reference_no"], "Kulanz" in paid["remarks"]) == ("WC-shop-refund-70", True)


def test_with_an_invoice_its_rows_are_returned_and_paid() -> None:
    into = ledger()
    assert refunded(into).result is Result.DONE
    (made,) = returns(into)
    assert (made["return_against"], made["grand_total"], made["docstatus"]) == ("SI-0", -3.6, 1)
    (row,) = made["items"]
    assert (row["item_code"], row["qty"], row["rate"], row["sales_invoice_item"]) == ("CUP", -1.0, 3.33, "si-0")
    (reference,) = entry(into)["references"]
    assert (reference["reference_name"], reference["allocated_amount"]) == (made["name"], -3.6)


def test_several_pieces_come_back_from_the_rows_they_were_sold_in() -> None:
    into = ledger()
    line = {
        **refund_record()["line_items"][0],
        "quantity": -3,
        "total": "-10.00",
        "taxes": [{"id": 1, "total": "-0.81"}],
    }
    refunded(into, amount="10.81", line_items=[line])
    (made,) = returns(into)
    assert sorted((row["sales_invoice_item"], row["qty"], row["rate"]) for row in made["items"]) == [
        ("si-0", -2.0, 3.33),
        ("si-1", -1.0, 3.34),
    ]
    assert made["grand_total"] == -10.81


def test_what_came_back_before_does_not_come_back_again() -> None:
    into = ledger()
    before = {"name": "r", "sales_invoice_item": "si-0", "qty": -2.0, "docstatus": 1}
    into.tables["Sales Invoice"]["RET"] = {"name": "RET", "docstatus": 1, "items": [before]}
    refunded(into)
    made = returns(into)[-1]
    assert made["items"][0]["sales_invoice_item"] == "si-1"
    assert made["items"][0]["rate"] == 3.33
    assert made["grand_total"] == -3.6


def test_more_pieces_than_were_sold_are_money_alone() -> None:
    """WooCommerce does not check how many come back (contract/wordpress/wc-refund-quantity-more-than-sold.json)."""
    into = ledger()
    line = {**refund_record()["line_items"][0], "quantity": -40, "total": "-40.00", "taxes": []}
    refunded(into, amount="40.00", line_items=[line])
    (made,) = returns(into)
    assert sum(row["qty"] for row in made["items"] if row["item_code"] == "CUP") == -3
    assert made["grand_total"] == -40.0
    assert made["items"][-1]["item_code"] == "FEE"


def test_an_amount_without_lines_is_money_alone() -> None:
    into = ledger()
    refunded(into, amount="5.00", line_items=[])
    (made,) = returns(into)
    assert [(row["item_code"], row["qty"], row["rate"]) for row in made["items"]] == [("FEE", -1.0, 5.0)]
    assert_waits(refunded(ledger(), {"fee_item": None}, amount="5.00", line_items=[]), "5.00", "fee_item")


def test_a_line_of_no_pieces_is_money_alone() -> None:
    into = ledger()
    line = {**refund_record()["line_items"][0], "quantity": 0, "total": "-1.00", "taxes": []}
    refunded(into, amount="1.00", line_items=[line])
    (made,) = returns(into)
    assert [row["item_code"] for row in made["items"]] == ["FEE"]


def test_lines_worth_more_than_was_paid_back_wait() -> None:
    into = ledger()
    assert_waits(refunded(into, amount="1.00"), "1.00 CHF", "worth more")
    assert not returns(into)


def test_several_invoices_wait() -> None:
    assert_waits(refunded(ledger(invoices=2)), "several invoices", "by hand")


def test_a_refund_is_found_by_its_token_whichever_document_carries_it() -> None:
    into = ledger()
    outcome = refunded(into)
    form = RefundOnErpNext(into, accounting(), "shop")
    assert outcome.observed is not None
    assert form.find([TOKEN]) == {TOKEN: outcome.observed.id}
    assert form.candidates({"reference": "WC-shop-refund-70"}) == [outcome.observed.id]


def test_a_foreign_refund_of_an_invoice_is_reckoned_by_erpnext() -> None:
    into = ledger()
    into.tables["Sales Invoice"]["SI-0"]["currency"] = "USD"
    record = refund_record()
    told = {**seen(record).fields, "currency": "USD", "order": Ref("order", "WC-shop-5")}
    form = RefundOnErpNext(into, accounting(submit=True), "shop")
    outcome = form.apply([Operation(TOKEN, "refund", Action.CREATE, fields=told)])[TOKEN]
    assert outcome.result is Result.DONE
    assert entry(into)["arguments"] == {"dt": "Sales Invoice", "bank_account": "Lab Bank - LG"}
    assert_waits(
        form.apply([Operation("t" * 32, "refund", Action.CREATE, fields={**told, "order": None})])["t" * 32],
        "Sales Order",
    )


def test_drafts_stay_drafts() -> None:
    into = ledger()
    refunded(into, {"submit": False})
    assert returns(into) == []
    assert (entry(into)["docstatus"], entry(into)["references"]) == (0, [])
