"""Random refunds of random invoices: each return is worth what was paid back, and takes back nothing twice."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from agencystack.bridge.entities.order_erpnext import OrderOnErpNext
from agencystack.bridge.entities.order_wordpress import OrderOnWordPress
from agencystack.bridge.entities.refund_erpnext import RefundOnErpNext
from agencystack.bridge.record import Ref, exchanged
from agencystack.bridge.side import Action, Operation, Result
from tests.bridge.money.erpnext import Books
from tests.bridge.money.making import accounting, books, native, random_order

INVOICES = 150
SETTINGS = {"submit": True, "invoice": "on_completed", "threshold": Decimal(1), "rounding_account": "Round Off - LG"}


def invoiced(dice: random.Random) -> tuple[Books, dict[str, Any]]:
    """Return books with one random order in the company's currency, and its invoice."""
    totals: dict[str, Any] = {"currency": ""}
    while totals["currency"] != "CHF" or Decimal(totals["total"]) <= 0:
        totals = random_order(dice)[1]
    order = native(totals, 5, status="completed")
    into = books()
    fields = exchanged(
        OrderOnWordPress(None, "shop").fields(order),  # type: ignore[arg-type]
        lambda ref: Ref(ref.entity, f"{ref.entity}-{ref.id}"),  # type: ignore[union-attr]
    )
    form = OrderOnErpNext(into, accounting(**SETTINGS), "shop")
    operation = Operation("0" * 32, "order", Action.CREATE, fields=fields)  # type: ignore[arg-type]
    assert form.apply([operation])["0" * 32].result is Result.DONE
    return into, order


def refund(dice: random.Random, order: dict[str, Any], at: int) -> dict[str, Any]:
    """Return a refund of some pieces of some lines, or of an amount alone."""
    lines, amount = [], Decimal(0)
    for one in order["line_items"]:
        pieces = dice.randint(0, one["quantity"])
        worth = (Decimal(one["total"]) * pieces / one["quantity"]).quantize(Decimal("0.01"))
        if pieces and worth:
            lines.append(
                {
                    "line": f"line:{one['id']}",
                    "product": Ref("product", f"product-{one['product_id']}"),
                    "name": one["name"],
                    "quantity": str(pieces),
                    "total": f"{worth:.2f}",
                }
            )
            amount += worth
    if not lines or dice.random() < 0.2:
        lines, amount = [], Decimal(dice.randint(1, 500)).scaleb(-2)
    tax = (amount * Decimal("0.081")).quantize(Decimal("0.01"))
    taxes = ({"code": "CH-MWST-1", "amount": f"{tax:.2f}"},) if tax and lines else ()
    return {
        "reference": f"WC-shop-refund-{at}",
        "order": Ref("order", "WC-shop-5"),
        "amount": f"{amount + (tax if taxes else 0):.2f}",
        "currency": "CHF",
        "method": "bacs",
        "content": {"lines": tuple(lines), "taxes": taxes},
        "reason": None,
        "refunded": "2026-11-23T07:00:00Z",
    }


@pytest.mark.parametrize("seed", range(INVOICES))
def test_returns_are_worth_what_was_paid_back(seed: int) -> None:
    dice = random.Random(f"refunds {seed}")
    into, order = invoiced(dice)
    form = RefundOnErpNext(into, accounting(**SETTINGS), "shop")
    (invoice,) = into.tables["Sales Invoice"].values()
    sold = {row["name"]: (row["qty"], row["rate"]) for row in invoice["items"]}
    for at in range(1, 4):
        told = refund(dice, order, at)
        outcome = form.apply([Operation(f"{at:032x}", "refund", Action.CREATE, fields=told)])[f"{at:032x}"]
        if Decimal(str(told["amount"])) > Decimal(order["total"]):
            assert outcome.result is Result.REFUSED, outcome
            assert "came to" in outcome.message
            continue
        assert outcome.result is Result.DONE, outcome
        made = list(into.tables["Sales Invoice"].values())[-1]
        assert Decimal(repr(made["grand_total"])) == -Decimal(str(told["amount"]))
        assert all(
            row["rate"] <= sold[row["sales_invoice_item"]][1] for row in made["items"] if "sales_invoice_item" in row
        )
        assert all(row["qty"] < 0 for row in made["items"])
    back: dict[str, float] = {}
    for made in list(into.tables["Sales Invoice"].values())[1:]:
        for row in made["items"]:
            if "sales_invoice_item" in row:
                back[row["sales_invoice_item"]] = back.get(row["sales_invoice_item"], 0) - row["qty"]
    assert all(pieces <= sold[row][0] for row, pieces in back.items())
