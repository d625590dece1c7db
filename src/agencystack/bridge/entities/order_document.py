"""What a Sales Order says that is equal to a WooCommerce order to the cent, or why there is none.

The shape was measured on the real ERPNext (``contract/erpnext/30_money.json``, ``31_*``): whole prices, at most two
rows a line, one ``Actual`` row a tax rate, no rounding of totals, nothing left to pricing rules or price lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from agencystack.bridge.entities.order import net, rows, tax, total
from agencystack.bridge.entities.shared import safe_name
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.money import NotExact, Unit, split
from agencystack.bridge.record import Fields, Ref, Value
from agencystack.bridge.settings import Accounting

LINE_FIELD = "agencystack_line"
"""Custom field of rows: ``line:5932``, ``shipping:5937``, ``fee:5940``."""

_LONGEST = 140  # of Data fields; ERPNext would write tags out longer than they came
ROUNDING = "Rounding in the shop"


@dataclass(frozen=True)
class Rates:
    """Rates of exchange to the company's currency.

    Args:
        order: of the order's currency.
        price_list: of the price list's currency.
    """

    order: Decimal = Decimal(1)
    price_list: Decimal = Decimal(1)


def amounts(content: Value, unit: Unit, accounting: Accounting) -> dict[str, Any]:
    """Return rows, taxes and discount of a Sales Order.

    Raises:
        Waits: there is no Sales Order with that total; the remedy says what to do.
    """
    try:
        items = [row for row in _items(content, unit, accounting) if row]
        taxes = list(_taxes(content, unit, accounting))
        off = -unit.total(row["total"] for row in rows(content, "fees") if unit.whole(row["total"]) < 0)
        sold = net(content, unit) + off
        difference = total(content, unit) - net(content, unit) - tax(content, unit)
    except NotExact as error:
        raise Waits(f"an amount cannot be kept exactly: {error}", _remedy_of_digits(unit)) from error
    if not items:
        raise Waits("the order has no lines", "delete it in the shop, or give it a line")
    if off > sold or total(content, unit) < 0:
        raise Waits("its discounts are higher than what it sells", "correct the negative fee in the shop")
    if difference:
        taxes.append(_adjustment(difference, unit, accounting))
    if not taxes and accounting.taxes:  # else ERPNext adds its own template's taxes to an order without any
        taxes.append(_tax_row(next(iter(accounting.taxes.values())), "No tax", 0, unit))
    discount = {"apply_discount_on": "Net Total", "discount_amount": _float(off, unit)}
    return {"items": items, "taxes": taxes, **discount}


def header(fields: Fields, accounting: Accounting, key: str, rates: Rates) -> dict[str, Any]:
    """Return the head of a new Sales Order."""
    placed = day(str(fields["placed"]), accounting)
    return {
        "company": accounting.company,
        "order_type": "Sales",
        "transaction_date": placed.isoformat(),
        "delivery_date": (placed + timedelta(days=accounting.delivery_days)).isoformat(),
        "po_no": po_no(key, fields),
        "po_date": placed.isoformat(),
        "currency": fields["currency"],
        "conversion_rate": float(rates.order),
        "selling_price_list": accounting.price_list,
        "plc_conversion_rate": float(rates.price_list),
        "ignore_pricing_rule": 1,
        "disable_rounded_total": 1,
        "set_warehouse": accounting.warehouses[0],
    }


def po_no(key: str, fields: Fields) -> str:
    """Return what stands as the customer's number: ERPNext refuses a second order of a customer with the same one."""
    number = fields.get("number")
    return key if number in (None, fields.get("shop_id")) else safe_name(f"{key} ({number})")[:_LONGEST]


def day(placed: str, accounting: Accounting) -> Any:
    """Return the day a moment falls on where the books are kept."""
    return datetime.fromisoformat(placed).astimezone(ZoneInfo(accounting.time_zone)).date()


def account_of(code: str | None, accounting: Accounting) -> str:
    """Return the account of a tax rate.

    Raises:
        Waits: none is set.
    """
    account = accounting.taxes.get(code or "") or accounting.taxes.get("*")
    if not account:
        raise Waits(
            f"no account is set for the tax rate {code}",
            f"add it to the accounting settings (taxes: {{{code}: account}}), or * for every other rate",
        )
    return account


def goods_of(document: Mapping[str, Any]) -> list[Any]:
    """Return rows, taxes and discount of a Sales Order (or of what is to be one) in a form that can be compared."""
    return [
        _columns(document.get("items", ()), ("item_code", "qty", "rate")),
        _columns(document.get("taxes", ()), ("account_head", "tax_amount")),
        round(float(document.get("discount_amount") or 0), 6),
    ]


def _columns(listed: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [
        [one[name] if isinstance(one[name], str) else round(float(one[name]), 6) for name in names] for one in listed
    ]


def _items(content: Value, unit: Unit, accounting: Accounting) -> Iterator[dict[str, Any]]:
    warehouse = accounting.warehouses[0]
    for row in rows(content, "lines"):
        amount = unit.whole(row["total"])
        if not amount and row["quantity"] in ("0", None):
            continue
        sold = _item_of(row, accounting)
        yield from _row_of(f"line:{row['id']}", sold, row["name"], amount, row["quantity"], unit, warehouse)
    for kind, item, setting in (
        ("shipping", accounting.shipping_item, "shipping_item"),
        ("fees", accounting.fee_item, "fee_item"),
    ):
        for row in rows(content, kind):
            amount = unit.whole(row["total"])
            if amount <= 0:  # a negative fee is a discount, free shipping is nothing
                continue
            if not item:
                raise Waits(
                    f"the order has {kind}, and no Item is set for them",
                    f"make an Item that is not kept in stock and write it into the accounting settings ({setting})",
                )
            called = row.get("title") or row.get("name")
            yield from _row_of(f"{kind.rstrip('s')}:{row['id']}", item, called, amount, "1", unit, warehouse)


def _item_of(row: Mapping[str, Any], accounting: Accounting) -> str:
    product = row.get("product")
    if isinstance(product, Ref):
        return product.id
    if accounting.unknown_item:
        return accounting.unknown_item
    raise Waits(
        f"the product of the line “{row.get('name')}” was deleted in the shop",
        "enter the order by hand, or set unknown_item in the accounting settings for such lines",
    )


def _row_of(
    line: str, item: str, name: Any, amount: int, quantity: Any, unit: Unit, warehouse: str
) -> Iterator[dict[str, Any]]:
    try:
        pieces = split(amount, quantity)
    except NotExact as error:
        raise Waits(
            f"the line “{name}”: {error}", "correct the line in the shop, or enter the order by hand"
        ) from error
    for piece in pieces:
        row = {
            "item_code": item,
            "qty": float(piece.quantity),
            "rate": _float(piece.rate, unit),
            "warehouse": warehouse,
            LINE_FIELD: line,
        }
        if name:
            row["description"] = escape(str(name))
        if not piece.rate:  # else ERPNext puts the price list's price there (31_money_more "rate 0 only")
            row["discount_percentage"] = 100
        yield row


def _taxes(content: Value, unit: Unit, accounting: Accounting) -> Iterator[dict[str, Any]]:
    for row in rows(content, "taxes"):
        amount = unit.whole(row["amount"])
        account = account_of(row.get("code"), accounting)
        percent = f" {row['percent']} %" if row.get("percent") else ""
        yield _tax_row(account, f"{row.get('label') or row.get('code')}{percent}", amount, unit)


def _tax_row(account: str, description: str, amount: int, unit: Unit) -> dict[str, Any]:
    return {
        "charge_type": "Actual",
        "account_head": account,
        "description": description,
        "tax_amount": _float(amount, unit),
    }


def _adjustment(difference: int, unit: Unit, accounting: Accounting) -> dict[str, Any]:
    told = f"its lines, shipping, fees and taxes miss its total by {unit.text(difference)} {unit.currency}"
    if abs(difference) > accounting.threshold.scaleb(unit.digits):
        raise Waits(
            told,
            "set WooCommerce's “Round tax at subtotal level” to no, allow such a difference (threshold in the "
            "accounting settings), or enter the order by hand",
        )
    if not accounting.rounding_account:
        raise Waits(told, "write the account for such differences (Round Off) as rounding_account into the settings")
    return _tax_row(accounting.rounding_account, ROUNDING, difference, unit)


def _remedy_of_digits(unit: Unit) -> str:
    return (
        f"set the shop's number of decimals to {unit.digits} for {unit.currency}, and enter this order by hand with "
        "the amount that was paid"
    )


def _float(whole: int, unit: Unit) -> float:
    return float(unit.text(whole))
