"""ERPNext's books as far as the bridge needs them: which documents are there, items of services, prices by orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agencystack.components.erpnext.site import FrappeSite

STOCK_SETTINGS = "Stock Settings"
AUTO_PRICE = "auto_insert_price_list_rate_if_missing"
_METHODS = "agencystack_connector.books"


@dataclass(frozen=True)
class ServiceItem:
    """An item that stands for shipping, or for fees.

    Args:
        code: its code.
        stock: it holds stock.
        disabled: it is not used any more.
    """

    code: str
    stock: bool
    disabled: bool


class ErpNextBooks:
    """The books of one site.

    Our app answers a System Manager; without it the user of our key needs the roles of the books as well.

    Args:
        site: its client.
        has_app: says whether it has our app in a version that knows the bridge.
    """

    def __init__(self, site: FrappeSite, has_app: Callable[[], bool]) -> None:
        self.where = site.where
        self._site, self._has_app = site, has_app

    def missing(self, wanted: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        """Return which documents are not there, by doctype; what all are there of is left out.

        Raises:
            AuthenticationFailed: without our app: the user may not read them; the remedy names the role.
        """
        if self._has_app():
            told = self._site.call(f"{_METHODS}.missing", {"wanted": {name: list(of) for name, of in wanted.items()}})
            if not isinstance(told, Mapping):
                raise self._site.bad_shape("what the books lack")
            return {str(name): [str(one) for one in of] for name, of in told.items()}
        found = {doctype: self._lacking(doctype, names) for doctype, names in wanted.items()}
        return {doctype: names for doctype, names in found.items() if names}

    def item(self, code: str) -> ServiceItem | None:
        """Return an item, None where there is none of that code."""
        if self._has_app():
            found = self._site.call(f"{_METHODS}.service_item", {"code": code})
        else:
            found = self._site.document("Item", code)
        if not found:
            return None
        return ServiceItem(code, bool(found.get("is_stock_item")), bool(found.get("disabled")))

    def write_item(self, code: str, values: Mapping[str, object], *, new: bool) -> None:
        """Make an item, or change one."""
        if self._has_app():
            self._site.call(f"{_METHODS}.service_item", {"code": code, "values": dict(values)})
        elif new:
            self._site.insert("Item", {"item_code": code, "description": values.get("item_name", code), **values})
        else:
            self._site.update("Item", code, values)

    def prices_by_orders(self) -> bool:
        """Say whether ERPNext makes a price of the rate of an order's new item (facts/erpnext-in-depth.md "Money")."""
        if self._has_app():
            told = self._site.call(f"{_METHODS}.prices_by_orders", {})
            return bool(told.get("on")) if isinstance(told, Mapping) else False
        return bool((self._site.document(STOCK_SETTINGS, STOCK_SETTINGS) or {}).get(AUTO_PRICE))

    def set_prices_by_orders(self, on: bool) -> None:
        """Have it do so, or not."""
        if self._has_app():
            self._site.call(f"{_METHODS}.prices_by_orders", {"wanted": int(on)})
        else:
            self._site.update(STOCK_SETTINGS, STOCK_SETTINGS, {AUTO_PRICE: int(on)})

    def _lacking(self, doctype: str, names: Sequence[str]) -> list[str]:
        rows = self._site.documents(doctype, filters=[["name", "in", list(names)]])
        there = {str(row["name"]) for row in rows}
        return [name for name in names if name not in there]
