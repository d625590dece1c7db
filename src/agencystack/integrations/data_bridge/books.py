"""What the bridge needs of ERPNext's books: everything stack.yaml names is there, and orders write no prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agencystack.components.erpnext.books import STOCK_SETTINGS, ErpNextBooks
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.stack.sharing import Accounting

LEAD = "Lead"


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

    def __init__(self, books: ErpNextBooks, accounting: Accounting) -> None:
        self.component, self.key = books.where, "accounting"
        self._books, self._accounting = books, accounting

    def read(self) -> Reading:
        """Look whether it is there, and whether the company's currency is the one that is named.

        Raises:
            Blocked: something is not; all of it is named.
        """
        all_of_it = list(dict.fromkeys(named(self._accounting)))
        wanted: dict[str, list[str]] = {}
        for one in all_of_it:
            wanted.setdefault(one.doctype, []).append(one.name)
        lacking = self._books.missing(wanted)
        missing = [one for one in all_of_it if one.name in lacking.get(one.doctype, ())]
        if missing:
            raise Blocked(
                "ERPNext has no " + ", no ".join(f"{one.doctype} “{one.name}” ({one.key})" for one in missing),
                component=self.component,
                remedy="make it there, or correct data_bridge.accounting in stack.yaml (docs/connect-a-stack.md)",
            )
        self._check_currency()
        return Reading({})

    def wanted(self) -> Fields:
        """Want no change."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing: a client's books are theirs."""

    def _check_currency(self) -> None:
        company, told = self._accounting.company, self._accounting.currency
        live = self._books.currency(company)
        if live != told:
            raise Blocked(
                f"ERPNext's company “{company}” keeps its books in {live or 'no currency'}, "
                f"and stack.yaml says {told} (currency)",
                component=self.component,
                remedy=f"write currency: {live or 'its currency'} under data_bridge.accounting in stack.yaml "
                "(or name the company that is meant)",
            )


class Leads(Resource):
    """The doctype that form submissions become records of; it comes with ERPNext's CRM module."""

    def __init__(self, books: ErpNextBooks) -> None:
        self.component, self.key = books.where, f"doctype {LEAD}"
        self._books = books

    def read(self) -> Reading:
        """Look whether it is there.

        Raises:
            Blocked: it is not.
        """
        if self._books.lacks(LEAD):
            raise Blocked(
                f"ERPNext has no doctype {LEAD}, and form submissions are shared",
                component=self.component,
                remedy="install ERPNext with its module CRM, or write data_bridge.entities.submission: "
                "{direction: off} in stack.yaml",
            )
        return Reading({})

    def wanted(self) -> Fields:
        """Want no change."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing: which modules a site has is not ours to say."""


class ServiceItem(Resource):
    """An item without stock that stands for shipping, or for fees."""

    def __init__(self, books: ErpNextBooks, code: str, title: str, accounting: Accounting) -> None:
        self.component, self.key = books.where, f"item {code}"
        self._books, self._code, self._title, self._accounting = books, code, title, accounting

    def read(self) -> Reading:
        """Return the item."""
        live = self._books.item(self._code)
        return ABSENT if live is None else Reading({"stock": live.stock, "disabled": live.disabled})

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
        values: dict[str, object] = {
            "is_stock_item": int(bool(change.target["stock"])),
            "disabled": int(bool(change.target["disabled"])),
        }
        if change.live.absent:
            group = {"item_group": self._accounting.item_group, "stock_uom": self._accounting.uom}
            values = {"item_name": self._title, **group, **values}
        self._books.write_item(self._code, values, new=change.live.absent)

    def remove(self, live: Reading, before: Image) -> str:
        """Disable it: orders may name it."""
        self._books.write_item(self._code, {"disabled": 1}, new=False)
        return "it is disabled, as orders may name it"


class OrdersWriteNoPrices(Resource):
    """ERPNext makes a price of every order's rate unless it is told not to (facts/erpnext-in-depth.md "Money")."""

    def __init__(self, books: ErpNextBooks) -> None:
        self.component, self.key = books.where, f"prices by orders ({STOCK_SETTINGS})"
        self._books = books
        self._known: tuple[str, ...] = ()

    def read(self) -> Reading:
        """Return whether it does."""
        settings = self._books.price_settings()
        self._known = tuple(settings)
        return Reading(dict(settings))

    def wanted(self) -> Fields:
        """Want it not to, by any setting this ERPNext has."""
        return dict.fromkeys(self._known, False)

    def write(self, change: Change) -> None:
        """Set it."""
        self._books.set_price_settings({name: bool(change.target[name]) for name in change.names})


def books_of(books: ErpNextBooks, accounting: Accounting, entities: Sequence[str]) -> Iterator[Resource]:
    """Yield what of the books matters for what is shared."""
    yield Books(books, accounting)
    if "order" not in entities:
        return
    yield OrdersWriteNoPrices(books)
    for code, title in ((accounting.shipping_item, "Shipping"), (accounting.fee_item, "Fee")):
        if code:
            yield ServiceItem(books, code, title, accounting)
