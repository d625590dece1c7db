"""Payments: what a shop's customer paid -> a Payment Entry in ERPNext, once. They only grow; nothing goes back."""

from __future__ import annotations

from agencystack.bridge.entity import Deletion, Direction, Entity, Field
from agencystack.bridge.record import SideName

SHOP, ONE_WAY = SideName.WORDPRESS, Direction.TO_ERPNEXT

PAYMENT = Entity(
    name="payment",
    title="Payments",
    fields=(
        Field("reference", SHOP, "transaction_id, else the order", "Payment Entry.reference_no", direction=ONE_WAY),
        Field("order", SHOP, "id", "Payment Entry.references", direction=ONE_WAY),
        Field("amount", SHOP, "total", "Payment Entry.paid_amount", direction=ONE_WAY),
        Field("currency", SHOP, "currency", "Payment Entry.paid_from_account_currency", direction=ONE_WAY),
        Field("method", SHOP, "payment_method", "Payment Entry.mode_of_payment", direction=ONE_WAY),
        Field("paid", SHOP, "date_paid_gmt", "Payment Entry.posting_date", direction=ONE_WAY),
    ),
    identity=("reference",),
    direction=ONE_WAY,
    deletion=Deletion.KEEP,
    needs=("order",),
    creates=(SideName.ERPNEXT,),
)
"""A payment's id in WordPress is its order's: WooCommerce knows one payment an order."""
