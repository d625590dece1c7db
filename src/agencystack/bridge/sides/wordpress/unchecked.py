"""Which writes may go in a batch: WooCommerce checks no type, choice or e-mail there, it makes something of them.

Seen on 10.5 (tests/contract/recordings/woocommerce/batch.json): in a batch a quantity of 1.5 becomes 1, an unknown
order state ``pending``, an unknown product state ``draft``, a date it cannot read 1970, and a customer's e-mail that is
none is emptied. The same write alone is refused with a sentence, so whatever is in doubt goes alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agencystack.bridge.sides.wordpress.records import Kind, Write

_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")
_STATES: Mapping[Kind, frozenset[str]] = {
    Kind.PRODUCT: frozenset({"draft", "pending", "private", "publish"}),
    Kind.VARIATION: frozenset({"draft", "pending", "private", "publish"}),
    Kind.ORDER: frozenset(
        {
            "auto-draft",
            "pending",
            "processing",
            "on-hold",
            "completed",
            "cancelled",
            "refunded",
            "failed",
            "checkout-draft",
        }
    ),
}
_CHOICES: Mapping[str, frozenset[object]] = {
    "type": frozenset({"simple", "variable", "grouped", "external"}),
    "stock_status": frozenset({"instock", "outofstock", "onbackorder"}),
    "backorders": frozenset({"no", "notify", "yes"}),
    "tax_status": frozenset({"taxable", "shipping", "none"}),
    "display": frozenset({"default", "products", "subcategories", "both"}),
    "manage_stock": frozenset({True, False}),
}
_TEXTS = ("name", "sku", "regular_price", "sale_price", "weight", "description", "short_description", "tax_class")
_DATES = ("date_on_sale_from", "date_on_sale_to", "date_on_sale_from_gmt", "date_on_sale_to_gmt")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?Z?")
_LINES = ("line_items", "shipping_lines", "fee_lines")


def may_be_batched(write: Write) -> bool:
    """Tell whether WooCommerce would take a write as it is, so that nothing is lost by not checking it."""
    values = write.values
    if "status" in values and values["status"] not in _STATES.get(write.kind, frozenset()):
        return False
    if any(name in values and not _is_hashed_in(values[name], choices) for name, choices in _CHOICES.items()):
        return False
    if any(not isinstance(values.get(name) or "", str) for name in _TEXTS):
        return False
    if any(values.get(name) and not _DATE.fullmatch(str(values[name])) for name in _DATES):
        return False
    if not _is_whole(values.get("stock_quantity") or 0) or not _is_whole(values.get("parent") or 0):
        return False
    if write.kind is Kind.CUSTOMER and "email" in values and not _EMAIL.fullmatch(str(values["email"])):
        return False
    return all(_line_is_plain(line) for name in _LINES for line in values.get(name) or ())


def _line_is_plain(line: Mapping[str, Any]) -> bool:
    whole = _is_whole(line.get("quantity") or 0)
    return whole and all(isinstance(line.get(name) or "", str) for name in ("total", "subtotal"))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_hashed_in(value: object, choices: frozenset[object]) -> bool:
    return isinstance(value, str | bool) and value in choices
