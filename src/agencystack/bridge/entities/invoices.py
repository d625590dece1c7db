"""Which invoices bill Sales Orders, asked for once a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agencystack.bridge.entities.order_lookup import Filters
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.settings import Accounting
from agencystack.bridge.sides.erpnext.documents import Documents

INVOICE = "Sales Invoice"


@dataclass(frozen=True)
class Invoice:
    """An invoice (no return, not cancelled).

    Args:
        name: its name.
        submitted: it is in the books.
        owed: somebody still has to pay it.
    """

    name: str
    submitted: bool
    owed: bool


def invoices_of(documents: Documents, orders: Collection[str]) -> Mapping[str, Sequence[Invoice]]:
    """Return the invoices of Sales Orders, by Sales Order; one without is left out."""
    if not orders:
        return {}
    rows: Filters = [["sales_order", "in", sorted(orders)], ["docstatus", "<", 2], ["qty", ">", 0]]
    billed = documents.select("Sales Invoice Item", rows, ["sales_order", "parent"], parent=INVOICE)
    pairs = sorted({(str(one["sales_order"]), str(one["parent"])) for one in billed})
    names: Filters = [["name", "in", sorted({invoice for _, invoice in pairs})]]
    fields = ["name", "docstatus", "outstanding_amount"]
    heads = {str(one["name"]): one for one in documents.select(INVOICE, names, fields)} if pairs else {}
    found: dict[str, list[Invoice]] = {}
    for order, name in pairs:
        head = heads.get(name, {})
        submitted = int(head.get("docstatus") or 0) == 1
        owed = submitted and float(head.get("outstanding_amount") or 0) > 0
        found.setdefault(order, []).append(Invoice(name, submitted, owed))
    return found


class Receivable:
    """The account customers owe to, asked for once a batch.

    Args:
        documents: the way to documents.
        accounting: names the company.
    """

    def __init__(self, documents: Documents, accounting: Accounting) -> None:
        self._documents, self._accounting = documents, accounting
        self._account = ""

    def forget(self) -> None:
        """Ask again."""
        self._account = ""

    def account(self) -> str:
        """Return it.

        Raises:
            Waits: the company has none.
        """
        name = self._accounting.company
        if not self._account:
            company = self._documents.fetch("Company", [name]).get(name, {})
            self._account = str(company.get("default_receivable_account") or "")
        if not self._account:
            raise Waits(
                f"the company {name} has no default receivable account", "set it in ERPNext (Company, Accounts)"
            )
        return self._account
