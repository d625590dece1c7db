"""What a Sales Order says, in the words of an order: rows become lines again, by the line each was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.order_document import LINE_FIELD
from agencystack.bridge.record import Ref, Value
from agencystack.bridge.settings import Accounting, Guests
from agencystack.bridge.sides.erpnext.documents import Document
from agencystack.bridge.sides.erpnext.form import Native

VARIANTS = "variants"
"""What related Items that are variants are called."""


def customer_of(document: Document, guests: Guests) -> Value:
    """Return whose order it is; the customer of all guests is nobody."""
    name = document.get("customer")
    if not name or (guests.policy == "one_customer" and name == guests.customer):
        return None
    return Ref("customer", str(name))


def content(native: Native, accounting: Accounting) -> Value:
    """Return what was ordered and what it costs, as one value."""
    document = native.document
    digits = normal.digits_of(document.get("currency"))
    variants = {str(one["name"]) for one in native.related.get(VARIANTS, ())}
    lines, shipping, fees = [], [], []
    for rows in _grouped(document.get("items", ())):
        item = str(rows[0].get("item_code") or "")
        kind, _, line = str(rows[0].get(LINE_FIELD) or "").partition(":")
        name = normal.plain(rows[0].get("description")) or normal.line(rows[0].get("item_name"))
        amount = normal.money(sum((_number(row.get("amount")) for row in rows), Decimal(0)), digits)
        if kind == "shipping" or (not kind and item == accounting.shipping_item):
            shipping.append({"id": line or None, "title": name, "method": None, "total": amount})
        elif kind == "fee" or (not kind and item == accounting.fee_item):
            fees.append({"id": line or None, "name": name, "total": amount})
        else:
            lines.append(
                {
                    "id": line or None,
                    "product": _product(item, variants, accounting),
                    "name": name,
                    "sku": item,
                    "quantity": normal.quantity(sum((_number(row.get("qty")) for row in rows), Decimal(0))),
                    "subtotal": amount,
                    "total": amount,
                    "taxes": (),
                }
            )
    if off := _number(document.get("discount_amount")):
        fees.append({"id": None, "name": "Discount", "total": normal.money(-off, digits)})
    return {
        "lines": tuple(lines),
        "shipping": tuple(shipping),
        "fees": tuple(fees),
        "coupons": (),
        "taxes": tuple(_tax(row, digits, accounting) for row in document.get("taxes", ())),
        "total": normal.money(document.get("rounded_total") or document.get("grand_total"), digits),
    }


def _grouped(items: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the rows of each line: those that carry its id, else neighbours of one item and description."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for at, row in enumerate(items):
        key = str(row.get(LINE_FIELD) or "")
        if not key:
            before = items[at - 1] if at else {}
            alike = all(row.get(name) == before.get(name) for name in ("item_code", "description"))
            key = next(reversed(groups)) if alike and groups and not before.get(LINE_FIELD) else f"row {at}"
        groups.setdefault(key, []).append(row)
    yield from groups.values()


def _product(item: str, variants: set[str], accounting: Accounting) -> Value:
    if not item or item == accounting.unknown_item:
        return None
    return Ref("variation" if item in variants else "product", item)


def _tax(row: Mapping[str, Any], digits: int, accounting: Accounting) -> dict[str, Value]:
    account = row.get("account_head")
    codes = [code for code, known in accounting.taxes.items() if known == account and code != "*"]
    return {
        "code": codes[0] if codes else None,
        "label": normal.plain(row.get("description")),
        "percent": normal.quantity(row.get("rate")) if _number(row.get("rate")) else None,
        "compound": False,
        "amount": normal.money(row.get("tax_amount_after_discount_amount", row.get("tax_amount")), digits),
    }


def _number(value: Any) -> Decimal:
    return normal.number(value) or Decimal(0)
