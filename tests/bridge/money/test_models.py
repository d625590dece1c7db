"""The two arithmetic models do what the recorded products did; else all that is proven with them is worth nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.money.erpnext import totalled
from tests.bridge.money.woocommerce import Line, Order, Rate, Shop, calculated, net_of

RECORDINGS = Path(__file__).parents[2] / "contract" / "recordings"
SHOP = json.loads((RECORDINGS / "woocommerce" / "money.json").read_text())
BOOKS = json.loads((RECORDINGS / "erpnext" / "money.json").read_text())

RATES = {
    1: Rate(1, "CH-MWST-1", Decimal("8.1")),
    2: Rate(2, "CH-MWST RED-1", Decimal("2.6")),
    3: Rate(3, "FR-T1-1", Decimal("8.1")),
    4: Rate(4, "FR-T2C-2", Decimal("2.6"), compound=True),
}
PRICES = {5287: "9.99", 5288: "10.00", 5289: "4.95", 5290: "3.333", 5291: "5.00"}
SHOWN = ("total", "total_tax", "cart_tax", "shipping_tax", "shipping_total")


def _order(recorded: Mapping[str, Any]) -> Order:
    name, sent, answer = recorded["name"], recorded["sent"], recorded["answer"]
    shop = Shop(
        inclusive=answer["prices_include_tax"],
        at_subtotal="subround-yes" in name,
        digits=0 if "shop-JPY" in name else 2,
        currency=answer["currency"],
    )
    default = [RATES[3], RATES[4]] if "compound" in name else [RATES[1]]
    lines = [_line(one, told, sent, shop) for one, told in zip(sent["line_items"], answer["line_items"], strict=True)]
    shipping = [Line(Decimal(one["total"]), default) for one in sent.get("shipping_lines", ())]
    fees = [Line(Decimal(one["total"]), default) for one in sent.get("fee_lines", ())]
    return Order(shop, lines, shipping, fees)


def _line(one: Mapping[str, Any], told: Mapping[str, Any], sent: Mapping[str, Any], shop: Shop) -> Line:
    rates = [RATES[tax["id"]] for tax in told["taxes"]]
    quantity = max(told["quantity"], 0)
    if "coupon_lines" in sent:  # how a coupon is spread is not modelled: its result is taken from the answer
        total = (Decimal(str(told["price"])) * quantity).quantize(Decimal("0.000001"))
    elif "total" in one:
        total = Decimal(one["total"].replace(",", ""))
    else:
        price = Decimal(PRICES[one["product_id"]]) * quantity
        base = [RATES[1] if rate.id == 3 else rate for rate in rates if not rate.compound]
        total = net_of(price, base) if shop.inclusive else price
    return Line(total, rates, told["quantity"])


@pytest.mark.parametrize("recorded", SHOP, ids=lambda one: one["name"])
def test_woocommerce_is_modelled(recorded: Mapping[str, Any]) -> None:
    answer, model = recorded["answer"], calculated(_order(recorded))

    assert {name: model[name] for name in SHOWN} == {name: answer[name] for name in SHOWN}
    for kind in ("line_items", "shipping_lines", "fee_lines"):
        told = [(one["total"], one["total_tax"]) for one in answer[kind]]
        assert [(one["total"], one["total_tax"]) for one in model[kind]] == told
    names = ("rate_code", "tax_total", "shipping_tax_total")
    assert [[one[name] for name in names] for one in model["tax_lines"]] == [
        [one[name] for name in names] for one in answer["tax_lines"]
    ]


def _is_modelled(recorded: Mapping[str, Any]) -> bool:
    """Tell whether a recorded Sales Order is as the bridge sends them: Actual taxes, discounts on the net total."""
    sent = recorded["sent"]
    plain = all(row["charge_type"] == "Actual" for row in sent.get("taxes", ()))
    on_net = sent.get("apply_discount_on", "Net Total") == "Net Total"
    priced = all(row.get("rate") or row.get("discount_percentage") == 100 for row in sent["items"])
    return plain and on_net and priced and not any("discount_amount" in row for row in sent["items"])


@pytest.mark.parametrize("recorded", [one for one in BOOKS if _is_modelled(one)], ids=lambda one: one["name"])
def test_erpnext_is_modelled(recorded: Mapping[str, Any]) -> None:
    answer, model = recorded["answer"], totalled(recorded["sent"])

    names = ("total", "net_total", "total_taxes_and_charges", "grand_total")
    assert [round(model[name], 6) for name in names] == [round(answer[name], 6) for name in names]
    for mine, theirs in zip(model["items"], answer["items"], strict=True):
        assert (round(mine["amount"], 6), round(mine["net_amount"], 6)) == (theirs["amount"], theirs["net_amount"])


def test_most_recordings_are_used() -> None:
    assert len(SHOP) > 50
    assert sum(map(_is_modelled, BOOKS)) > 30
