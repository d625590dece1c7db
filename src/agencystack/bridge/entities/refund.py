"""Refunds: money a shop gave back -> a Payment Entry of type Pay in ERPNext, and the return of the invoice.

They only grow. No refund at a payment gateway is ever started by the bridge: it writes none to a shop.
"""

from __future__ import annotations

from agencystack.bridge.entity import Deletion, Direction, Entity, Field
from agencystack.bridge.record import SideName

SHOP, ONE_WAY = SideName.WORDPRESS, Direction.TO_ERPNEXT

REFUND = Entity(
    name="refund",
    title="Refunds",
    fields=(
        Field("reference", SHOP, "id", "Payment Entry.reference_no", direction=ONE_WAY),
        Field("order", SHOP, "parent_id", "(Sales Order, Sales Invoice)", direction=ONE_WAY),
        Field("amount", SHOP, "amount", "Payment Entry.paid_amount", direction=ONE_WAY),
        Field("currency", SHOP, "(of the order)", "Payment Entry.paid_to_account_currency", direction=ONE_WAY),
        Field("method", SHOP, "(of the order)", "Payment Entry.mode_of_payment", direction=ONE_WAY),
        Field("content", SHOP, "line_items, shipping_lines, fee_lines", "Sales Invoice.items", direction=ONE_WAY),
        Field("reason", SHOP, "reason", "Payment Entry.remarks", direction=ONE_WAY, personal=True),
        Field("refunded", SHOP, "date_created_gmt", "Payment Entry.posting_date", direction=ONE_WAY),
    ),
    identity=("reference",),
    direction=ONE_WAY,
    deletion=Deletion.KEEP,
    needs=("order", "product", "variation"),
    creates=(SideName.ERPNEXT,),
)
"""Of ``content``: ``lines`` (``line, product, name, quantity, total``) and ``taxes`` (``code, amount``), positive."""
