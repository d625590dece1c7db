"""Orders: a WooCommerce order <-> an ERPNext Sales Order, equal to the cent or waiting for a person.

What was ordered and what it costs is one value, ``content``: it changes as a whole, because lines, taxes and total of
two different moments never add up. Lines carry the id the shop gave them; coupons are information only, for their
discount is within the lines' totals already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from agencystack.bridge.entities import order_status
from agencystack.bridge.entity import Deletion, Direction, Entity, Field, Policy
from agencystack.bridge.money import Unit
from agencystack.bridge.record import Fields, SideName, Value

SHOP = SideName.WORDPRESS

_NOTHING_BOUGHT = frozenset({order_status.PENDING, order_status.FAILED, order_status.CANCELLED})


def wanted(fields: Fields) -> bool:
    """Tell whether an order that only one side has is to be made on the other.

    Checkouts that were abandoned, failed or ran out of time are none: ERPNext would fill with drafts nobody wants.
    What was paid is one all the same, and what was made stays in step, whatever becomes of it.
    """
    payment = fields.get("payment")
    paid = isinstance(payment, Mapping) and payment.get("paid") is not None
    return paid or fields.get("status") not in _NOTHING_BOUGHT


ORDER = Entity(
    name="order",
    title="Orders",
    fields=(
        Field("shop_id", SHOP, "id", "Sales Order.name, po_no", direction=Direction.TO_ERPNEXT),
        Field("number", SHOP, "number", "Sales Order.po_no", direction=Direction.TO_ERPNEXT),
        Field("customer", SHOP, "customer_id, else billing.email", "Sales Order.customer"),
        Field("placed", SHOP, "date_created_gmt", "Sales Order.transaction_date", direction=Direction.TO_ERPNEXT),
        Field("currency", SHOP, "currency", "Sales Order.currency", policy=Policy.ASK),
        Field(
            "prices_include_tax", SHOP, "prices_include_tax", "(amounts are net there)", direction=Direction.TO_ERPNEXT
        ),
        Field(
            "content",
            SHOP,
            "line_items, shipping_lines, fee_lines, coupon_lines, tax_lines, total",
            "Sales Order.items, taxes, discount_amount, grand_total",
            policy=Policy.ASK,
        ),
        Field(
            "payment",
            SHOP,
            "payment_method, payment_method_title, transaction_id, date_paid_gmt",
            "(Payment Entry)",
            direction=Direction.TO_ERPNEXT,
        ),
        Field("billing", SHOP, "billing", "Sales Order.address_display", personal=True),
        Field("shipping_address", SHOP, "shipping", "Sales Order.shipping_address", personal=True),
        Field("note", SHOP, "customer_note", "Sales Order.agencystack_note", personal=True),
        Field("status", SHOP, "status", "Sales Order.docstatus, status, agencystack_status", join=order_status.join),
    ),
    identity=("shop_id",),
    deletion=Deletion.ASK,
    needs=("customer", "product", "variation"),
    wanted=wanted,
)
"""Of ``content``:

- ``lines``: ``id, product (Ref or nothing), name, sku, quantity, subtotal, total, taxes ({code, amount})``, net amounts
- ``shipping``: ``id, title, method, total``; ``fees``: ``id, name, total``; ``coupons``: ``code, discount``
- ``taxes``: ``code, label, percent, compound, amount`` (with that on shipping)
- ``total``: what the customer pays.

Of ``payment``: ``method, title, transaction, paid``. Of ``billing`` and ``shipping_address``: WooCommerce's own names,
which are ``first_name, last_name, company, address_1, address_2, city, state, postcode, country, email, phone``.
"""


def rows(content: Value, name: str) -> Sequence[Mapping[str, Any]]:
    """Return one list of an order's content: ``lines``, ``shipping``, ``fees``, ``coupons``, ``taxes``."""
    listed = cast(Mapping[str, Any], content or {}).get(name) or ()
    return cast(Sequence[Mapping[str, Any]], listed)


def net(content: Value, unit: Unit) -> int:
    """Return the sum of lines, shipping and fees, in smallest units."""
    return unit.total(row["total"] for name in ("lines", "shipping", "fees") for row in rows(content, name))


def tax(content: Value, unit: Unit) -> int:
    """Return the sum of the taxes, in smallest units."""
    return unit.total(row["amount"] for row in rows(content, "taxes"))


def total(content: Value, unit: Unit) -> int:
    """Return what the customer pays, in smallest units."""
    return unit.whole(cast(Mapping[str, Any], content)["total"])
