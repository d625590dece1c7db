"""Invoices: what ERPNext makes of a Sales Order when the shop says it is completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.bridge.settings import Accounting
from agencystack.bridge.sides.erpnext.documents import Made, Step

_MAKE = "erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice"


def invoice_steps(source: str | Made, accounting: Accounting, addresses: Mapping[str, Any]) -> list[Step]:
    """Return the steps that invoice a submitted Sales Order as a whole, taking what was paid in advance.

    ``make_sales_invoice`` proposes no advances by itself (``contract/erpnext/32_invoice_payment_return.json``, 27-29).
    A Sales Order that has an invoice already gets none: the taxes are whole amounts, which every further invoice would
    claim again (``31_money_more``, "partial invoice").

    Args:
        source: the Sales Order.
        accounting: how the books are kept.
        addresses: those of the order, which ERPNext would replace by the customer's own.
    """
    steps = [
        Step(
            "map",
            "Sales Invoice",
            values={"allocate_advances_automatically": 1, "disable_rounded_total": 1, **addresses},
            called="invoice",
            method=_MAKE,
            source=source,
        )
    ]
    if accounting.submit:
        steps.append(Step("submit", "Sales Invoice", Made("invoice")))
    return steps
