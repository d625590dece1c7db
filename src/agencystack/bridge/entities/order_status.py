"""What state an order is in: a partial order that two sides may only climb, and what each state is in ERPNext.

The shop is where people and payment gateways decide about an order, so its own change is taken as it is. ERPNext only
moves an order on: it knows when goods left and when an order was cancelled. What it was told late, or reads late, never
moves an order back (woocommerce_fusion issues 187 and 218: shops mailed "your order failed" for completed orders).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.bridge.record import Value

PENDING, FAILED, ON_HOLD, PROCESSING = "pending", "failed", "on-hold", "processing"
CANCELLED, COMPLETED, REFUNDED = "cancelled", "completed", "refunded"

RANK: Mapping[str, int] = {
    PENDING: 0,
    FAILED: 1,
    ON_HOLD: 2,
    PROCESSING: 3,
    CANCELLED: 4,
    COMPLETED: 5,
    REFUNDED: 6,
}
"""WooCommerce's own statuses, by how far an order is. Cancelled is below completed: goods that left have left."""

ENDS = frozenset({CANCELLED, COMPLETED, REFUNDED})
STATUS_FIELD = "agencystack_status"
"""Custom field of Sales Orders: what the shop last said."""

UNFINISHED = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
"""A customer is still typing, or a program is still saving: no order yet."""


def further(one: str, other: str) -> str:
    """Return the status that is further on; a status of a plugin gives way only to an end."""
    if one in RANK and other in RANK:
        return max(one, other, key=RANK.__getitem__)
    for known, custom in ((one, other), (other, one)):
        if known in RANK and custom not in RANK:
            return known if known in ENDS else custom
    return max(one, other)


def join(base: Value, shop: Value, erp: Value) -> Value:
    """Return the status of both, from the last agreed one and what each side says now."""
    if not isinstance(shop, str) or not isinstance(erp, str):
        return shop if isinstance(shop, str) else erp
    if not isinstance(base, str):
        return further(shop, erp)
    if erp == base:
        return shop
    return further(shop, erp)


def said_by(document: Mapping[str, Any], born_in_shop: bool, mapped: Mapping[str, str]) -> str:
    """Return the status a Sales Order stands for.

    Args:
        document: the Sales Order; ``agencystack_status`` holds what the shop last said.
        born_in_shop: it came from the shop: that it was submitted then says nothing about payment.
        mapped: standard status by custom one (settings).
    """
    told, own = str(document.get(STATUS_FIELD) or ""), _own(document, born_in_shop)
    standard = mapped.get(told, told)
    if not told:
        return own
    if standard not in RANK:
        return own if own in ENDS else told
    return own if RANK[own] > RANK[standard] else told


def _own(document: Mapping[str, Any], born_in_shop: bool) -> str:
    docstatus, status = int(document.get("docstatus") or 0), str(document.get("status") or "")
    if docstatus == 2:  # of a shop's order: how ERPNext edits what was submitted (cancel, then amend)
        return PENDING if born_in_shop else CANCELLED
    if docstatus == 0:
        return PENDING
    started = float(document.get("per_delivered") or 0) + float(document.get("per_billed") or 0) > 0
    if status == "Closed":
        return COMPLETED if started else CANCELLED
    if status == "Completed":
        return COMPLETED
    if born_in_shop:
        return PENDING
    owed = float(document.get("grand_total") or 0) - float(document.get("advance_paid") or 0)
    return ON_HOLD if status == "On Hold" or owed > 0 else PROCESSING
