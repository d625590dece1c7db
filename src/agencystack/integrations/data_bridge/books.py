"""What the bridge needs of ERPNext's books: everything stack.yaml names is there, and orders write no prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agencystack.components.erpnext import ErpNext
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.stack.sharing import Accounting

STOCK_SETTINGS = "Stock Settings"
AUTO_PRICE = "auto_insert_price_list_rate_if_missing"


@dataclass(frozen=True)
class Named:
    """One document of ERPNext that stack.yaml names.

    Args:
        doctype: its type.
        name: its name.
        key: where stack.yaml names it.
    """

    doctype: str
    name: str
    key: str


def named(accounting: Accounting) -> Iterator[Named]:
    """Yield what stack.yaml says is there; items of services are made where they are missing."""
    yield Named("Company", accounting.company, "company")
    yield Named("Currency", accounting.currency, "currency")
    yield Named("Price List", accounting.price_list, "price_list")
    if accounting.sale_price_list:
        yield Named("Price List", accounting.sale_price_list, "sale_price_list")
    for warehouse in accounting.warehouses:
        yield Named("Warehouse", warehouse, "warehouses")
    for account in accounting.taxes.values():
        yield Named("Account", account, "taxes")
    for payment in accounting.payments.values():
        yield Named("Mode of Payment", payment.mode, "payments")
        yield Named("Account", payment.account, "payments")
    for key in ("refund_account", "rounding_account"):
        if account := getattr(accounting, key):
            yield Named("Account", account, key)
    yield Named("Item Group", accounting.item_group, "item_group")
    yield Named("UOM", accounting.uom, "uom")
    yield Named("Customer Group", accounting.customer_group, "customer_group")
    yield Named("Territory", accounting.territory, "territory")


class Books(Resource):
    """Everything the accounting of stack.yaml names; nothing of it is ever written by us."""

    def __init__(self, erpnext: ErpNext, accounting: Accounting) -> None:
        self.component, self.key = erpnext.where, "accounting"
        self._erpnext, self._accounting = erpnext, accounting

    def read(self) -> Reading:
        """Look whether it is there.

        Raises:
            Blocked: something is not; all of it is named.
        """
        wanted = list(dict.fromkeys(named(self._accounting)))
        there = {doctype: self._names(doctype, wanted) for doctype in dict.fromkeys(one.doctype for one in wanted)}
        missing = [one for one in wanted if one.name not in there[one.doctype]]
        if missing:
            raise Blocked(
                "ERPNext has no " + ", no ".join(f"{one.doctype} “{one.name}” ({one.key})" for one in missing),
                component=self.component,
                remedy="make it there, or correct data_bridge.accounting in stack.yaml (docs/connect-a-stack.md)",
            )
        return Reading({})

    def wanted(self) -> Fields:
        """Want no change."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing: a client's books are theirs."""

    def _names(self, doctype: str, wanted: Sequence[Named]) -> set[str]:
        """Return which names of one type are there; one call, however many are wanted."""
        names = [one.name for one in wanted if one.doctype == doctype]
        return {str(row["name"]) for row in self._erpnext.documents(doctype, filters=[["name", "in", names]])}


class ServiceItem(Resource):
    """An item without stock that stands for shipping, or for fees."""

    def __init__(self, erpnext: ErpNext, code: str, title: str, accounting: Accounting) -> None:
        self.component, self.key = erpnext.where, f"item {code}"
        self._erpnext, self._code, self._title, self._accounting = erpnext, code, title, accounting

    def read(self) -> Reading:
        """Return the item."""
        live = self._erpnext.document("Item", self._code)
        if live is None:
            return ABSENT
        return Reading({"stock": bool(live.get("is_stock_item")), "disabled": bool(live.get("disabled"))})

    def wanted(self) -> Fields:
        """Want it without stock, and in use."""
        return {"stock": False, "disabled": False}

    def write(self, change: Change) -> None:
        """Make it; one that holds stock is a person's to change."""
        if "stock" in change.names and not change.live.absent and not change.target["stock"]:
            raise Blocked(
                f"the item {self._code} holds stock, and shall stand for {self._title.lower()}",
                component=self.component,
                remedy="name another item in data_bridge.accounting of stack.yaml",
            )
        values = {"is_stock_item": int(bool(change.target["stock"])), "disabled": int(bool(change.target["disabled"]))}
        if change.live.absent:
            made = {"item_code": self._code, "item_name": self._title, "description": self._title}
            group = {"item_group": self._accounting.item_group, "stock_uom": self._accounting.uom}
            self._erpnext.insert("Item", {**made, **group, **values})
        else:
            self._erpnext.update("Item", self._code, values)

    def remove(self, live: Reading, before: Image) -> str:
        """Disable it: orders may name it."""
        self._erpnext.update("Item", self._code, {"disabled": 1})
        return "it is disabled, as orders may name it"


class OrdersWriteNoPrices(Resource):
    """ERPNext makes a price of every order's rate unless it is told not to (facts/erpnext-in-depth.md "Money")."""

    def __init__(self, erpnext: ErpNext) -> None:
        self.component, self.key = erpnext.where, f"{STOCK_SETTINGS} {AUTO_PRICE}"
        self._erpnext = erpnext

    def read(self) -> Reading:
        """Return whether it does."""
        live = self._erpnext.document(STOCK_SETTINGS, STOCK_SETTINGS) or {}
        return Reading({AUTO_PRICE: bool(live.get(AUTO_PRICE))})

    def wanted(self) -> Fields:
        """Want it not to."""
        return {AUTO_PRICE: False}

    def write(self, change: Change) -> None:
        """Set it."""
        self._erpnext.update(STOCK_SETTINGS, STOCK_SETTINGS, {AUTO_PRICE: int(bool(change.target[AUTO_PRICE]))})


def books_of(erpnext: ErpNext, accounting: Accounting, entities: Sequence[str]) -> Iterator[Resource]:
    """Yield what of the books matters for what is shared."""
    yield Books(erpnext, accounting)
    if "order" not in entities:
        return
    yield OrdersWriteNoPrices(erpnext)
    for code, title in ((accounting.shipping_item, "Shipping"), (accounting.fee_item, "Fee")):
        if code:
            yield ServiceItem(erpnext, code, title, accounting)
