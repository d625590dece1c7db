"""What a WooCommerce order says, in canonical words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.guests import BY_EMAIL, BY_ORDER
from agencystack.bridge.record import Ref, Value
from agencystack.bridge.settings import Guests
from agencystack.bridge.sides.wordpress.records import Native

ADDRESS = (
    *("first_name", "last_name", "company"),
    *("address_1", "address_2", "city", "state", "postcode", "country"),
    *("email", "phone"),
)


def customer(native: Native, guests: Guests, accounts: Mapping[str, str]) -> Value:
    """Return whose order it is: the account's, else by the guests' policy (nobody's where one customer stands for all).

    Args:
        native: the order.
        guests: the policy.
        accounts: accounts by e-mail address, so that a customer who was not logged in is no second one.
    """
    if native.get("customer_id"):
        return Ref("customer", str(native["customer_id"]))
    if guests.policy == "one_customer":
        return None
    email = email_of(native)
    if guests.policy == "by_email" and email:
        return Ref("customer", accounts.get(email) or f"{BY_EMAIL}{email}")
    return Ref("customer", f"{BY_ORDER}{native['id']}")


def email_of(native: Native) -> str | None:
    """Return the address somebody typed when ordering."""
    return normal.email((native.get("billing") or {}).get("email"))


def content(native: Native) -> Value:
    """Return what was ordered and what it costs, as one value."""
    codes = {str(one.get("rate_id")): one.get("rate_code") for one in native.get("tax_lines", ())}
    digits = _digits(native)
    return {
        "lines": tuple(_line(one, codes, digits) for one in native.get("line_items", ())),
        "shipping": tuple(
            {
                "id": str(one["id"]),
                "title": normal.line(one.get("method_title")),
                "method": normal.line(one.get("method_id")),
                "total": normal.money(one.get("total"), digits),
            }
            for one in native.get("shipping_lines", ())
        ),
        "fees": tuple(
            {
                "id": str(one["id"]),
                "name": normal.line(one.get("name")),
                "total": normal.money(one.get("total"), digits),
            }
            for one in native.get("fee_lines", ())
        ),
        "coupons": tuple(
            {"code": normal.line(one.get("code")), "discount": normal.money(one.get("discount"), digits)}
            for one in native.get("coupon_lines", ())
        ),
        "taxes": tuple(_tax(one, digits) for one in native.get("tax_lines", ())),
        "total": normal.money(native.get("total"), digits),
    }


def address(told: Mapping[str, Any] | None) -> Value:
    """Return an address as the order holds it; ``None`` where nothing of it is filled in."""
    found = {name: normal.line((told or {}).get(name)) for name in ADDRESS}
    return found if any(value for name, value in found.items() if name != "country") else None


def _line(one: Mapping[str, Any], codes: Mapping[str, Any], digits: int) -> dict[str, Value]:
    return {
        "id": str(one["id"]),
        "product": _product(one),
        "name": normal.line(one.get("name")),
        "sku": normal.line(one.get("sku")),
        "quantity": normal.quantity(one.get("quantity")),
        "subtotal": normal.money(one.get("subtotal"), digits),
        "total": normal.money(one.get("total"), digits),
        "taxes": tuple(
            {"code": codes.get(str(tax.get("id"))), "amount": normal.money(tax.get("total"), digits)}
            for tax in one.get("taxes", ())
            if tax.get("total") not in ("", None)
        ),
    }


def _tax(one: Mapping[str, Any], digits: int) -> dict[str, Value]:
    parts = [normal.number(one.get(name)) or 0 for name in ("tax_total", "shipping_tax_total")]
    return {
        "code": normal.line(one.get("rate_code")),
        "label": normal.line(one.get("label")),
        "percent": normal.quantity(one.get("rate_percent")),
        "compound": bool(one.get("compound")),
        "amount": normal.money(sum(parts), digits),
    }


def _product(one: Mapping[str, Any]) -> Value:
    if one.get("variation_id"):
        return Ref("variation", str(one["variation_id"]))
    return Ref("product", str(one["product_id"])) if one.get("product_id") else None


def _digits(native: Native) -> int:
    """Return how many digits an order's amounts have: as many as WooCommerce shows, and at least the currency's.

    The shop's setting decides, not the currency (``wc-money-*-JPY-order-on-CHF-shop``): 52.34 yen must be seen as such.
    """
    shown = str(native.get("total") or "")
    return max(len(shown.partition(".")[2]), normal.digits_of(str(native.get("currency") or "")))


def looks_half_written(native: Native) -> bool:
    """Tell whether the request that saved an order died: its total is nothing, its parts are something or missing."""
    priced = [*native.get("line_items", ()), *native.get("shipping_lines", ()), *native.get("fee_lines", ())]
    if normal.number(native.get("total")) != 0:
        return False
    return not priced or sum(normal.number(one.get("total")) or 0 for one in priced) > 0
