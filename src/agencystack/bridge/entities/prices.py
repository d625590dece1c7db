"""Prices of one piece: regular and sale ones of WooCommerce, Item Prices in two price lists of ERPNext.

A canonical sale is ``{"price", "from", "to"}``, with dates or nothing. One that is over is none: WooCommerce itself
takes it away the next day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.record import Fields, Value
from agencystack.bridge.settings import Accounting
from agencystack.bridge.sides.erpnext.documents import Document, Documents, Made, Step
from agencystack.bridge.sides.wordpress.records import Native

Today = Callable[[], date]

_ITEM_PRICE = "Item Price"
_COLUMNS = (
    *("name", "item_code", "price_list", "price_list_rate", "uom"),
    *("customer", "valid_from", "valid_upto", "creation", "modified"),
)
_FIRST, _LAST = "0000-00-00", "9999-99-99"


def shop_prices(native: Native, digits: int, today: Today) -> Fields:
    """Return the canonical prices of a product or variation of WooCommerce.

    Args:
        native: as REST shows it; a price of a variable product is not its own.
        digits: of the shop's currency.
        today: the date in the shop's zone.
    """
    if native.get("type") == "variable":
        return {"regular_price": None, "sale": None}
    price = normal.price(native.get("sale_price"), digits)
    start, end = normal.day(native.get("date_on_sale_from")), normal.day(native.get("date_on_sale_to"))
    over = end is not None and end < today().isoformat()
    return {
        "regular_price": normal.price(native.get("regular_price"), digits),
        "sale": None if price is None or over else {"price": price, "from": start, "to": end},
    }


def shop_values(fields: Fields) -> dict[str, Any]:
    """Return what REST is sent: prices as text (a number is refused), a sale to the last second of its last day."""
    values: dict[str, Any] = {}
    if "regular_price" in fields:
        values["regular_price"] = fields["regular_price"] or ""
    if "sale" in fields:
        sale = fields["sale"]
        sale = sale if isinstance(sale, Mapping) else {}
        start, end = sale.get("from"), sale.get("to")
        values["sale_price"] = sale.get("price") or ""
        values["date_on_sale_from"] = f"{start}T00:00:00" if start else ""
        values["date_on_sale_to"] = f"{end}T23:59:59" if end else ""
    return values


class ItemPrices:
    """The Item Prices that count: of the settings' two lists, for everybody, in the stock unit.

    Args:
        documents: the way to ERPNext's documents.
        accounting: names the lists.
        today: the date in ERPNext's zone.
    """

    def __init__(self, documents: Documents, accounting: Accounting, today: Today) -> None:
        self._documents = documents
        self._accounting = accounting
        self._today = today
        self._digits = normal.digits_of(accounting.currency)

    def of(self, items: Sequence[str]) -> Mapping[str, list[Document]]:
        """Return the Item Prices of items, by item."""
        lists = [one for one in (self._accounting.price_list, self._accounting.sale_price_list) if one]
        filters = [["item_code", "in", list(items)], ["price_list", "in", lists]]
        found: dict[str, list[Document]] = {}
        for row in self._documents.select(_ITEM_PRICE, filters, _COLUMNS):
            if not row.get("customer"):
                found.setdefault(str(row["item_code"]), []).append(row)
        return found

    def fields(self, item: Document, rows: Sequence[Document]) -> Fields:
        """Return the canonical prices of an item."""
        regular, sale = self._regular(item, rows), self._sale(item, rows)
        return {
            "regular_price": normal.price(regular.get("price_list_rate"), self._digits) if regular else None,
            "sale": {
                "price": normal.price(sale.get("price_list_rate"), self._digits),
                "from": normal.day(sale.get("valid_from")),
                "to": normal.day(sale.get("valid_upto")),
            }
            if sale
            else None,
        }

    def steps(self, fields: Fields, item: Document, rows: Sequence[Document], name: str | Made) -> list[Step]:
        """Return what makes an item's prices those of the fields that are given.

        Args:
            fields: canonical ones.
            item: the Item; what is known of it for a creation.
            rows: its Item Prices.
            name: its name, or the step that makes it.
        """
        steps: list[Step] = []
        if "regular_price" in fields:
            there, price = self._regular(item, rows), fields["regular_price"]
            made = {"price_list": self._accounting.price_list}
            steps += self._kept(there, price, {}, {**made, "item_code": name}, "price")
        if "sale" in fields and self._accounting.sale_price_list:
            sale = fields["sale"]
            sale = sale if isinstance(sale, Mapping) else {}
            there, made = self._sale(item, rows), {"price_list": self._accounting.sale_price_list}
            steps += self._kept(there, sale.get("price"), self._dates(sale, there), {**made, "item_code": name}, "sale")
        return steps

    def _kept(
        self, there: Document | None, price: Value, dates: Mapping[str, Any], made: Mapping[str, Any], called: str
    ) -> list[Step]:
        if there is None:
            values = {**made, **dates, "price_list_rate": price, "selling": 1}
            return [Step("insert", _ITEM_PRICE, values=values, called=called)] if price is not None else []
        modified = str(there.get("modified") or "")
        if price is None:
            return [Step("delete", _ITEM_PRICE, str(there["name"]), called=called, modified=modified)]
        values = {"price_list_rate": price, **dates}
        return [Step("update", _ITEM_PRICE, str(there["name"]), values, called=called, modified=modified)]

    def _dates(self, sale: Mapping[str, Value], there: Document | None) -> dict[str, Any]:
        # Without a first day ERPNext takes today; a row that began already keeps its own.
        start = sale.get("from") or (there and normal.day(there.get("valid_from"))) or None
        dates: dict[str, Any] = {"valid_upto": sale.get("to")}
        return {**dates, "valid_from": start} if start else dates

    def _regular(self, item: Document, rows: Sequence[Document]) -> Document | None:
        mine = [one for one in rows if self._counts(one, item, self._accounting.price_list) and self._now(one)]
        return max(mine, key=_begin, default=None)

    def _sale(self, item: Document, rows: Sequence[Document]) -> Document | None:
        wanted, today = self._accounting.sale_price_list, self._today().isoformat()
        mine = [one for one in rows if self._counts(one, item, wanted) and _end(one) >= today]
        now = [one for one in mine if self._now(one)]
        return max(now, key=_begin) if now else min(mine, key=_begin, default=None)

    def _counts(self, row: Document, item: Document, price_list: str | None) -> bool:
        return row.get("price_list") == price_list and row.get("uom") in {
            None,
            "",
            item.get("stock_uom", self._accounting.uom),
        }

    def _now(self, row: Document) -> bool:
        return _begin(row)[0] <= self._today().isoformat() <= _end(row)


def _begin(row: Document) -> tuple[str, str]:
    return normal.day(row.get("valid_from")) or _FIRST, str(row.get("creation") or "")


def _end(row: Document) -> str:
    return normal.day(row.get("valid_upto")) or _LAST
