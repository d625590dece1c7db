"""The return of an invoice: its rows again, negative, as many and at most as dear as they were sold.

ERPNext refuses to take back more pieces than a row sold, or at a higher price than it had, and rows of no pieces
(``contract/erpnext/32_invoice_payment_return.json``). What a shop gave back beyond that is money only: a row of the
item of fees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agencystack.bridge.entities.order import rows
from agencystack.bridge.entities.order_address import printed_on
from agencystack.bridge.entities.order_document import LINE_FIELD, account_of, day
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.money import NotExact, Unit, split
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.settings import Accounting


@dataclass
class _Sold:
    """A row of the invoice, and how many of its pieces may still come back."""

    name: str
    item: str
    line: str
    rate: int
    left: int


def return_values(
    fields: Fields,
    invoice: Mapping[str, Any],
    order: Mapping[str, Any],
    returned: Mapping[str, float],
    accounting: Accounting,
) -> dict[str, Any]:
    """Return the return invoice that gives back exactly a refund's amount.

    Args:
        fields: the refund's.
        invoice: the invoice.
        order: the Sales Order it was made of, whose rows know the shop's lines.
        returned: pieces that came back already, by row of the invoice.
        accounting: how the books are kept.

    Raises:
        Waits: its lines are worth more than its amount, or there is no item for money alone.
    """
    unit = Unit.of(str(fields["currency"]))
    try:
        amount = unit.whole(fields["amount"])
        taxes = _taxes(fields, unit, accounting)
        sold = _sold(invoice, order, returned, unit)
        items, given = _rows(fields, sold, unit)
    except NotExact as error:
        raise Waits(f"the refund cannot be kept exactly: {error}", "enter its return in ERPNext by hand") from error
    rest = amount - given - sum(-unit.whole(str(row["tax_amount"])) for row in taxes)
    if rest < 0:
        raise Waits(
            f"the refund gave back {unit.text(amount)} {unit.currency}, and its lines are worth more",
            "make the return and the payment in ERPNext by hand",
        )
    if rest:
        items.append(_money_only(rest, unit, accounting))
    return {
        "is_return": 1,
        "return_against": invoice["name"],
        "customer": invoice["customer"],
        "company": accounting.company,
        "set_posting_time": 1,
        "posting_date": day(str(fields["refunded"]), accounting).isoformat(),
        "currency": invoice["currency"],
        "conversion_rate": invoice["conversion_rate"],
        "selling_price_list": invoice["selling_price_list"],
        "plc_conversion_rate": invoice["plc_conversion_rate"],
        "ignore_pricing_rule": 1,
        "disable_rounded_total": 1,
        "update_stock": 0,
        "update_outstanding_for_self": 1,
        "remarks": f"{fields['reference']}: {fields.get('reason') or '(no reason)'}",
        **printed_on(invoice),
        "items": items,
        "taxes": taxes,
    }


def _taxes(fields: Fields, unit: Unit, accounting: Accounting) -> list[dict[str, Any]]:
    return [
        {
            "charge_type": "Actual",
            "account_head": account_of(row["code"], accounting),
            "description": str(row["code"]),
            "tax_amount": -float(unit.text(unit.whole(row["amount"]))),
        }
        for row in rows(fields["content"], "taxes")
    ]


def _sold(
    invoice: Mapping[str, Any], order: Mapping[str, Any], returned: Mapping[str, float], unit: Unit
) -> list[_Sold]:
    lines = {str(row["name"]): str(row.get(LINE_FIELD) or "") for row in order.get("items", ())}
    return [
        _Sold(
            name=str(row["name"]),
            item=str(row["item_code"]),
            line=str(row.get(LINE_FIELD) or lines.get(str(row.get("so_detail")), "")),
            rate=unit.whole(row["rate"]),
            left=int(float(row["qty"]) - returned.get(str(row["name"]), 0)),
        )
        for row in invoice["items"]
    ]


def _rows(fields: Fields, sold: Sequence[_Sold], unit: Unit) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of what came back, and what they are worth."""
    items: list[dict[str, Any]] = []
    given = 0
    for line in rows(fields["content"], "lines"):
        if unit.whole(line["total"]) <= 0 or not int(line["quantity"] or 0):
            continue  # money without pieces, or pieces without money
        for piece in sorted(split(unit.whole(line["total"]), line["quantity"]), key=lambda one: -one.rate):
            wanted = int(piece.quantity)
            for row in _fitting(line, sold, piece.rate):
                taken = min(wanted, row.left)
                rate = min(piece.rate, row.rate)
                items.append(_row(row, taken, rate, unit))
                row.left, wanted, given = row.left - taken, wanted - taken, given + taken * rate
                if not wanted:
                    break
    return items, given


def _fitting(line: Mapping[str, Any], sold: Sequence[_Sold], rate: int) -> list[_Sold]:
    product = line.get("product")
    item = product.id if isinstance(product, Ref) else ""
    left = [row for row in sold if row.left > 0]
    ours = [row for row in left if row.line == line["line"]] or [
        row for row in left if not row.line and row.item == item
    ]
    return sorted(ours, key=lambda row: (row.rate != rate, row.rate < rate, row.rate))


def _row(row: _Sold, pieces: int, rate: int, unit: Unit) -> dict[str, Any]:
    return {
        "item_code": row.item,
        "qty": -float(pieces),
        "rate": float(unit.text(rate)),
        "sales_invoice_item": row.name,
        LINE_FIELD: row.line,
        **({} if rate else {"discount_percentage": 100}),
    }


def _money_only(amount: int, unit: Unit, accounting: Accounting) -> dict[str, Any]:
    if not accounting.fee_item:
        raise Waits(
            f"the refund gave back {unit.text(amount)} {unit.currency} without naming pieces",
            "set the Item for such money in the accounting settings (fee_item) and retry, or make the return by hand",
        )
    return {"item_code": accounting.fee_item, "qty": -1.0, "rate": float(unit.text(amount))}
