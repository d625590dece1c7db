"""What orders come to: every recorded order of a real WooCommerce, added up by the stand-in to the same cents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agencystack.sandbox.woocommerce import Request, Shop

RECORDED = json.loads((Path(__file__).parent / "recordings" / "woocommerce" / "money.json").read_text())
# What the recorder's shop sold, by the ids it had there.
PRODUCTS = {
    5287: {"name": "M 9.99", "regular_price": "9.99"},
    5288: {"name": "M 10", "regular_price": "10.00"},
    5289: {"name": "M red 4.95", "regular_price": "4.95", "tax_class": "reduced-rate"},
    5290: {"name": "M 3.333", "regular_price": "3.333"},
    5291: {"name": "M untaxed", "regular_price": "5.00", "tax_status": "none"},
}
RATES = (
    {"country": "CH", "rate": "8.1", "name": "MWST"},
    {"country": "CH", "rate": "2.6", "name": "MWST red", "class": "reduced-rate"},
    {"country": "FR", "rate": "8.1", "name": "T1", "priority": 1},
    {"country": "FR", "rate": "2.6", "name": "T2c", "priority": 2, "compound": True},
)
COUPONS: Mapping[str, Mapping[str, Any]] = {
    "fc11795377908": {"discount_type": "fixed_cart", "amount": "1.00"},
    "fc51795377908": {"discount_type": "fixed_cart", "amount": "5.00"},
    "fp21795377908": {"discount_type": "fixed_product", "amount": "2.00", "product_ids": [5287]},
    "pc101795377908": {"discount_type": "percent", "amount": "10"},
    "all1001795377908": {"discount_type": "percent", "amount": "100", "product_ids": [5287]},
}
TOTALS = ("discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total", "total_tax")


def call(shop: Shop, method: str, path: str, body: Mapping[str, Any]) -> Any:
    answer = shop.handle(Request(method, f"/wp-json/wc/v3/{path}", body=json.dumps(body).encode()))
    assert answer.status in {200, 201}, answer.data
    return answer.data


def shop_of(name: str) -> tuple[Shop, dict[int, int]]:
    """Set a shop up as the recorder's was for an order of that name; returns our ids by the recorded ones too."""
    shop = Shop()
    settings = {
        "tax/woocommerce_prices_include_tax": "yes" if name.startswith("incl-yes") else "no",
        "tax/woocommerce_tax_round_at_subtotal": "yes" if "subround-yes" in name else "no",
        "general/woocommerce_price_num_decimals": "0" if name.startswith("shop-JPY") else "2",
        "general/woocommerce_currency": "JPY" if name.startswith("shop-JPY") else "CHF",
    }
    for setting, value in settings.items():
        call(shop, "PUT", f"settings/{setting}", {"value": value})
    for rate in RATES:
        call(shop, "POST", "taxes", rate)
    ours = {id_: call(shop, "POST", "products", product)["id"] for id_, product in PRODUCTS.items()}
    for code, coupon in COUPONS.items():
        restricted = [ours[id_] for id_ in coupon.get("product_ids", ())]
        call(shop, "POST", "coupons", {**coupon, "code": code, "product_ids": restricted})
    return shop, ours


def amounts(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything an order says in money, and of which rate and product."""
    found: dict[str, Any] = {name: order[name] for name in TOTALS}
    found["lines"] = [
        (
            one["name"],
            one["quantity"],
            one["subtotal"],
            one["subtotal_tax"],
            one["total"],
            one["total_tax"],
            one["price"],
        )
        for one in order["line_items"]
    ]
    found["line taxes"] = [
        [(tax["total"], tax["subtotal"]) for tax in one["taxes"]]
        for kind in ("line_items", "shipping_lines", "fee_lines")
        for one in order[kind]
    ]
    found["others"] = [
        (one["total"], one["total_tax"]) for kind in ("shipping_lines", "fee_lines") for one in order[kind]
    ]
    found["coupons"] = [(one["code"], one["discount"], one["discount_tax"]) for one in order["coupon_lines"]]
    rates = ("rate_code", "label", "compound", "rate_percent", "tax_total", "shipping_tax_total")
    found["taxes"] = [tuple(one[name] for name in rates) for one in order["tax_lines"]]
    found["terms"] = (order["currency"], order["prices_include_tax"], order["customer_note"])
    return found


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one["name"])
def test_an_order_comes_to_the_same_cents(recorded: Mapping[str, Any]) -> None:
    shop, ours = shop_of(recorded["name"])
    told = recorded["answer"]
    body = {
        **recorded["sent"],
        "status": "pending",
        "currency": told["currency"],
        "customer_note": told["customer_note"],
        "billing": told["billing"],
        "shipping": told["shipping"],
        "line_items": [{**one, "product_id": ours[one["product_id"]]} for one in recorded["sent"]["line_items"]],
    }
    if recorded["name"] == "prices_include_tax-sent":
        body["prices_include_tax"] = True
    assert amounts(call(shop, "POST", "orders", body)) == amounts(told)
