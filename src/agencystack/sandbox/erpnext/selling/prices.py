"""Item Prices and Price Lists (contract/erpnext/04, 33b)."""

from __future__ import annotations

from datetime import UTC

from agencystack.sandbox.erpnext.documents import Behaviour, Documents
from agencystack.sandbox.erpnext.errors import bold, invalid
from agencystack.sandbox.erpnext.selling.naming import named
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_MODULE = "erpnext.stock.doctype.item_price.item_price"
_KEY = ("price_list", "uom", "customer", "supplier", "currency", "batch_no", "packing_unit", "valid_from", "valid_upto")


class ItemPrices:
    """What prices and their lists do.

    Args:
        documents: the site's.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def behaviour(self) -> Behaviour:
        """Return what Item Prices do."""
        return Behaviour(lambda one: str(one["name"]), named=named, prepare=self._prepare, validate=self._check)

    def list_behaviour(self) -> Behaviour:
        """Return what Price Lists do."""
        return Behaviour(lambda one: str(one["name"]), named=named, validate=_check_list, on_update=self._list_saved)

    def _prepare(self, work: Work, price: Document, before: Document | None) -> None:
        item = work.transaction.peek("Item", str(price.get("item_code") or ""))
        if price.get("item_code") and item is None:
            raise invalid(f"Item {price['item_code']} not found.")
        if item:
            price["uom"] = price.get("uom") or item["stock_uom"]
        if before is None and not price.get("valid_from"):
            price["valid_from"] = work.today()

    def _check(self, work: Work, price: Document, _: Document | None) -> None:
        prices = work.transaction.peek("Price List", str(price.get("price_list") or ""))
        item = work.transaction.peek("Item", str(price.get("item_code") or "")) or {}
        if item.get("has_variants"):
            text = f"Item Price cannot be created for the template item {bold(price['item_code'])}"
            raise invalid(text)
        if prices is None or not prices["enabled"]:
            raise invalid(f"The price list {price.get('price_list')} does not exist or is disabled")
        price["buying"], price["selling"], price["currency"] = (prices[k] for k in ("buying", "selling", "currency"))
        price["item_name"], price["item_description"] = item.get("item_name"), item.get("description")
        if price.get("valid_upto") and str(price["valid_upto"]) < str(price.get("valid_from") or ""):
            raise invalid("Valid From Date must be lesser than Valid Up To Date.", kind="InvalidDates")
        for other in work.transaction.having("Item Price", "item_code", price["item_code"]):
            if other["name"] != price["name"] and all((other.get(k) or "") == (price.get(k) or "") for k in _KEY):
                text = (
                    "Item Price appears multiple times based on Price List, Supplier/Customer, Currency, Item, Batch, "
                    "UOM, Qty, and Dates."
                )
                raise invalid(text, kind="ItemPriceDuplicateItem", module=_MODULE)

    def _list_saved(self, work: Work, prices: Document, before: Document | None) -> None:
        """Hand a changed currency to all prices; ERPNext stamps them in UTC, an hour before they were made."""
        if before is None or before["currency"] == prices["currency"]:
            return
        stamp = work.clock().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        for price in work.transaction.having("Item Price", "price_list", prices["name"]):
            work.transaction.put({**price, "currency": prices["currency"], "modified": stamp})


def _check_list(_: Work, prices: Document, __: Document | None) -> None:
    if not prices["buying"] and not prices["selling"]:
        raise invalid("Price List must be applicable for Buying or Selling")
    prices["enabled"] = int(prices.get("enabled") or 0)


def price_on(work: Work, item_code: str, price_list: str, date: str, customer: str = "") -> float:
    """Return an item's price of a day: the latest ``valid_from`` wins; 0 where there is none."""
    fitting = [
        one
        for one in work.transaction.having("Item Price", "item_code", item_code)
        if one["price_list"] == price_list
        and (not one.get("valid_from") or str(one["valid_from"]) <= date)
        and (not one.get("valid_upto") or str(one["valid_upto"]) >= date)
        and (one.get("customer") or "") in ("", customer)
    ]
    best = max(fitting, key=lambda one: (one.get("customer") or "", str(one.get("valid_from") or "")), default=None)
    return float(best["price_list_rate"]) if best else 0.0
