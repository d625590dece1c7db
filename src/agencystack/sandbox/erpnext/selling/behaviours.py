"""Every business doctype with what it does."""

from __future__ import annotations

from collections.abc import Mapping

from agencystack.sandbox.erpnext.documents import Behaviour, Documents
from agencystack.sandbox.erpnext.selling import content, customising, items, parties, payments, recorded
from agencystack.sandbox.erpnext.selling.invoices import Invoices
from agencystack.sandbox.erpnext.selling.naming import named, with_abbr
from agencystack.sandbox.erpnext.selling.orders import Orders
from agencystack.sandbox.erpnext.selling.sales import Sales
from agencystack.sandbox.erpnext.selling.stock import Stock
from agencystack.sandbox.erpnext.selling.trees import Tree
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work


def selling_behaviours(documents: Documents) -> Mapping[str, Behaviour]:
    """Return the behaviours by doctype."""
    stock = Stock(documents)
    sales = Sales(documents, stock)
    invoices = Invoices(sales)
    plain = Behaviour(_kept, named=named)
    return {
        **{one.name: plain for one in recorded.doctypes() if one.autoname and not one.is_table},
        **parties.behaviours(documents),
        **items.behaviours(documents),
        **stock.behaviours(),
        **customising.behaviours(),
        **content.behaviours(),
        "Customer Group": Tree("parent_customer_group", "All Customer Groups", "Customer Group").behaviour(),
        "Territory": Tree("parent_territory", "All Territories", "Territory").behaviour(),
        "Account": Behaviour(
            _kept, prepare=_root_of_parent, named=lambda work, one: with_abbr(work, one, "account_name")
        ),
        "Warehouse": Behaviour(_kept, named=lambda work, one: with_abbr(work, one, "warehouse_name")),
        "Cost Center": Behaviour(_kept, named=lambda work, one: with_abbr(work, one, "cost_center_name")),
        "Sales Order": Orders(sales).behaviour(),
        "Sales Invoice": invoices.invoice(),
        "Delivery Note": invoices.note(),
        "Payment Entry": payments.behaviour(),
    }


def _kept(document: Document) -> str:
    return str(document["name"])


def _root_of_parent(work: Work, account: Document, before: Document | None) -> None:
    parent = work.transaction.peek("Account", str(account.get("parent_account") or "")) or {}
    account["root_type"] = account.get("root_type") or parent.get("root_type")
    company = work.transaction.peek("Company", str(account.get("company") or "")) or {}
    account["account_currency"] = account.get("account_currency") or company.get("default_currency")
