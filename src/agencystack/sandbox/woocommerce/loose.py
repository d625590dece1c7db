"""What WooCommerce makes of a body in a batch, where it checks nothing: the same body alone would be refused.

Seen on 10.5: tests/contract/recordings/woocommerce/batch.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.currencies import CURRENCIES
from agencystack.sandbox.woocommerce.order_states import STATUSES
from agencystack.sandbox.woocommerce.products import TYPES
from agencystack.sandbox.woocommerce.wire import Json, RestError

Loosen = Callable[[Json], Json]

_TEXTS = ("name", "sku", "regular_price", "sale_price", "weight", "description", "short_description", "tax_class")
_CHOICES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "type": (TYPES, "simple"),
    "status": (("draft", "pending", "private", "publish", "future", "trash"), "draft"),
    "stock_status": (("instock", "outofstock", "onbackorder"), "instock"),
    "backorders": (("no", "notify", "yes"), "no"),
}


def product(body: Json) -> Json:
    """Return a product's body as it is taken."""
    made = {**body, **{name: str(body[name]) for name in _TEXTS if body.get(name) is not None}}
    for name, (choices, otherwise) in _CHOICES.items():
        if body.get(name) is not None and body[name] not in choices:
            made[name] = otherwise
    if body.get("tax_status") not in {None, "taxable", "shipping", "none"}:
        raise RestError("product_invalid_tax_status", "Invalid product tax status.")
    if body.get("manage_stock") is not None:
        made["manage_stock"] = body["manage_stock"] in {True, "yes", "true", "1"}
    if body.get("stock_quantity") is not None:
        made["stock_quantity"] = _truncated(body["stock_quantity"])
    for name in ("date_on_sale_from", "date_on_sale_to"):
        if body.get(name) and not _is_time(str(body[name])):
            made[name] = "1970-01-01T00:00:00"
    return made


def order(body: Json) -> Json:
    """Return an order's body as it is taken."""
    made = dict(body)
    if body.get("status") is not None:
        status = str(body["status"]).removeprefix("wc-")
        made["status"] = status if status in {*STATUSES, "checkout-draft", "auto-draft"} else "pending"
    if body.get("currency") and body["currency"] not in CURRENCIES:
        raise RestError("order_invalid_currency", "Invalid currency code")
    email = (body.get("billing") or {}).get("email")
    if email and not schema.is_email(email):
        raise RestError("order_invalid_billing_email", "Invalid billing email address")
    for name in ("line_items", "shipping_lines", "fee_lines"):
        if body.get(name):
            made[name] = [_line(line) for line in body[name]]
    return made


def customer(body: Json) -> Json:
    """Return a customer's body as it is taken: an e-mail that is none is emptied, on a change."""
    if body.get("email") and body.get("id") and not schema.is_email(str(body["email"])):
        return {**body, "email": "", "_emptied": True}
    return body if body.get("id") else {"email": "", **body}


def category(body: Json) -> Json:
    """Return a category's body as it is taken."""
    if not body.get("name") and not body.get("id"):
        raise RestError("empty_term_name", "A name is required for this term.")
    made = {name: value for name, value in body.items() if name != "display"}
    if body.get("parent") is not None:
        made["parent"] = _truncated(body["parent"])
    return made


def _line(line: Mapping[str, Any]) -> Json:
    made = dict(line)
    if line.get("quantity") is not None:
        # The price is that of what was sent; what is kept is whole.
        made |= {"quantity": _truncated(line["quantity"]), "_sent": str(line["quantity"])}
    return {**made, **{name: str(line[name]) for name in ("total", "subtotal") if line.get(name) is not None}}


def _truncated(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return 0


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
