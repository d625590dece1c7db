"""ERPNext's books as far as the bridge needs them: which documents are there, items of services, prices by orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agencystack.components.erpnext.site import FORBIDDEN, FrappeSite
from agencystack.stack.errors import AuthenticationFailed, Refused

STOCK_SETTINGS = "Stock Settings"
PRICES_BY_ORDERS = ("auto_insert_price_list_rate_if_missing", "update_existing_price_list_rate")
"""Settings by which ERPNext makes a price of an order's rate, and overwrites the one there is (facts, "Money")."""

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

    def lacks(self, doctype: str) -> bool:
        """Tell whether the site does not have a doctype at all: an app or a module of it is not installed."""
        if self._has_app():
            return bool(self.missing({"DocType": [doctype]}))
        try:
            self._site.documents(doctype, limit=1)
        except Refused:
            return True  # 404: what the user of our key may not read is 403
        except AuthenticationFailed as error:
            if error.message.startswith(FORBIDDEN):
                return False
            raise
        return False

    def currency(self, company: str) -> str:
        """Return the currency a company keeps its books in; empty where there is no such company."""
        if self._has_app():
            return str(self._site.call(f"{_METHODS}.company_currency", {"company": company}) or "")
        return str((self._site.document("Company", company) or {}).get("default_currency") or "")

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

    def price_settings(self) -> Mapping[str, bool]:
        """Return which of :data:`PRICES_BY_ORDERS` are on; one that this ERPNext does not have is left out."""
        if self._has_app():
            told = self._site.call(f"{_METHODS}.price_settings", {})
            if not isinstance(told, Mapping):
                raise self._site.bad_shape("which settings make prices of orders")
            return {str(name): bool(on) for name, on in told.items()}
        live = self._site.document(STOCK_SETTINGS, STOCK_SETTINGS) or {}
        return {name: bool(live[name]) for name in PRICES_BY_ORDERS if name in live}

    def set_price_settings(self, values: Mapping[str, bool]) -> None:
        """Set some of them."""
        plain = {name: int(on) for name, on in values.items()}
        if self._has_app():
            self._site.call(f"{_METHODS}.price_settings", {"values": plain})
        else:
            self._site.update(STOCK_SETTINGS, STOCK_SETTINGS, plain)

    def _lacking(self, doctype: str, names: Sequence[str]) -> list[str]:
        rows = self._site.documents(doctype, filters=[["name", "in", list(names)]])
        there = {str(row["name"]) for row in rows}
        return [name for name in names if name not in there]
