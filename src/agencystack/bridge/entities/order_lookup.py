"""What Sales Orders must know of other documents: exchange rates, prices that would be made, variants, invoices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from agencystack.bridge import normal
from agencystack.bridge.entities.order import rows
from agencystack.bridge.entities.order_address import ADDRESSES
from agencystack.bridge.entities.order_document import Rates
from agencystack.bridge.entities.order_read import VARIANTS
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.settings import Accounting
from agencystack.bridge.sides.erpnext.documents import Document, Documents

Filters: TypeAlias = Sequence[Sequence[Any]]

_STOCK = "Stock Settings"


class Lookup:
    """Documents beside Sales Orders, asked for once a batch.

    Args:
        documents: the way to them.
        accounting: how the books are kept.
    """

    def __init__(self, documents: Documents, accounting: Accounting) -> None:
        self.documents, self.accounting = documents, accounting
        self._exchange: list[tuple[str, str, Decimal]] = []
        self._list_currency = accounting.currency
        self._makes_prices = self._rewrites_prices = False
        self._priced: set[str] = set()

    def load(self, orders: Sequence[Fields]) -> None:
        """Look up what these orders need."""
        creations = [one for one in orders if one.get("currency") and one.get("content")]
        if not creations:
            return
        lists = self.documents.select("Price List", [["name", "=", self.accounting.price_list]], ["name", "currency"])
        self._list_currency = str(lists[0]["currency"]) if lists else self.accounting.currency
        foreign = {str(one["currency"]) for one in creations} | {self._list_currency}
        self._exchange = self._rates_of(sorted(foreign - {self.accounting.currency}))
        settings = self.documents.fetch(_STOCK, [_STOCK]).get(_STOCK, {})
        self._makes_prices = normal.flag(settings.get("auto_insert_price_list_rate_if_missing"))
        self._rewrites_prices = normal.flag(settings.get("update_existing_price_list_rate"))
        if self._makes_prices:
            self._priced = self._with_price(_items_of(creations, self.accounting))

    def rates(self, currency: str, on: date) -> Rates:
        """Return the rates of exchange for an order of that day.

        Raises:
            Waits: ERPNext has none; it would ask the internet for one, and fail without.
        """
        order = self._rate(currency, on)
        price_list = order if self._list_currency == currency else self._rate(self._list_currency, on)
        return Rates(order, price_list)

    def guard_prices(self, items: Iterable[str], currency: str) -> None:
        """Make sure that importing an order changes no price of the shop.

        Args:
            items: of its rows.
            currency: the order's; ERPNext keeps prices of orders in the price list's own currency alone.

        Raises:
            Waits: ERPNext would make an Item Price of it, or overwrite one.
        """
        if currency != self._list_currency:
            return
        missing = sorted({item for item in items if item not in self._priced})
        if self._rewrites_prices or (self._makes_prices and missing):
            concerned = "every Item of it" if self._rewrites_prices else ", ".join(missing[:3])
            raise Waits(
                f"ERPNext would make the prices of this order the price list's prices ({concerned})",
                "untick “Auto Insert Item Price If Missing” and “Update Existing Price List Rate” in ERPNext's Stock "
                "Settings, then retry",
            )

    def related(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return variants among the items of Sales Orders, and the addresses they name."""
        codes = sorted(
            {str(row["item_code"]) for one in documents for row in one.get("items", ()) if row.get("item_code")}
        )
        filters: Filters = [["name", "in", codes], ["variant_of", "is", "set"]]
        variants = self.documents.select("Item", filters, ["name"]) if codes else ()
        fields = ("customer_address", "shipping_address_name")
        names = sorted({str(one[field]) for one in documents for field in fields if one.get(field)})
        addresses = self._addresses(names) if names else ()
        return {str(one["name"]): {VARIANTS: variants, ADDRESSES: addresses} for one in documents}

    def _addresses(self, names: Sequence[str]) -> Sequence[Document]:
        found = list(self.documents.fetch("Address", names).values())
        countries = sorted({str(one["country"]) for one in found if one.get("country")})
        listed = self.documents.select("Country", [["name", "in", countries]], ["name", "code"]) if countries else ()
        codes = {str(one["name"]): str(one.get("code") or "").upper() for one in listed}
        return [{**one, "agencystack_country_code": codes.get(str(one.get("country")))} for one in found]

    def _rates_of(self, currencies: Sequence[str]) -> list[tuple[str, str, Decimal]]:
        if not currencies:
            return []
        filters: Filters = [["from_currency", "in", currencies], ["to_currency", "=", self.accounting.currency]]
        found = self.documents.select(
            "Currency Exchange", filters, ["from_currency", "date", "exchange_rate", "for_selling"]
        )
        return sorted(
            (str(one["from_currency"]), str(one["date"])[:10], normal.number(one["exchange_rate"]) or Decimal(0))
            for one in found
            if normal.flag(one.get("for_selling", 1))
        )

    def _rate(self, currency: str, on: date) -> Decimal:
        if currency == self.accounting.currency:
            return Decimal(1)
        known = [rate for code, since, rate in self._exchange if code == currency and since <= on.isoformat() and rate]
        if not known:
            raise Waits(
                f"ERPNext has no rate of exchange from {currency} to {self.accounting.currency} for {on.isoformat()}",
                f"enter one (Currency Exchange, {currency} to {self.accounting.currency}, for selling) and retry",
            )
        return known[-1]

    def _with_price(self, items: Sequence[str]) -> set[str]:
        filters: Filters = [["price_list", "=", self.accounting.price_list], ["item_code", "in", items]]
        return {str(one["item_code"]) for one in self.documents.select("Item Price", filters, ["item_code"])}


def _items_of(orders: Sequence[Fields], accounting: Accounting) -> list[str]:
    settings = (accounting.shipping_item, accounting.fee_item, accounting.unknown_item)
    items = {item for item in settings if item}
    for one in orders:
        products = (line.get("product") for line in rows(one["content"], "lines"))
        items |= {product.id for product in products if isinstance(product, Ref)}
    return sorted(items)
