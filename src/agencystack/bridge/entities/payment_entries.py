"""Payment Entries of customers: what money that came in and money that was given back have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.bridge.entities.invoices import Invoice, Receivable, invoices_of
from agencystack.bridge.entities.order_amendments import amendments
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.entities.waiting_erpnext import WaitingErpNextForm
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.settings import Accounting, Payment
from agencystack.bridge.side import Operation
from agencystack.bridge.sides.erpnext.documents import Document, Documents
from agencystack.bridge.sides.erpnext.form import Native

PAYMENT_ENTRY = "Payment Entry"
MAKE = "erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry"


class PaymentEntries(WaitingErpNextForm):
    """Payment Entries that belong to orders of a shop.

    Args:
        documents: the way to its documents.
        accounting: how the books are kept.
        site: the pairing's short name.
    """

    doctype = PAYMENT_ENTRY

    def __init__(self, documents: Documents, accounting: Accounting, site: str) -> None:
        super().__init__(documents)
        self.accounting, self.site = accounting, site
        self.receivable = Receivable(documents, accounting)
        self._orders: Mapping[str, Document] = {}
        self._invoices: Mapping[str, Sequence[Invoice]] = {}

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """They are found for many at once: see :meth:`candidates_of`."""
        return ()

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return entries that may be one of the shop's."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return them for each of many, by the reference they carry."""
        wanted = sorted({str(one["reference"]) for one in many if one.get("reference")})
        filters = [*self.which, ["reference_no", "in", wanted], ["docstatus", "<", 2]]
        listed = self.documents.select(PAYMENT_ENTRY, filters, ["name", "reference_no"]) if wanted else ()
        found: dict[str, list[str]] = {}
        for one in listed:
            found.setdefault(str(one["reference_no"]), []).append(str(one["name"]))
        return [found.get(str(one.get("reference") or ""), ()) for one in many]

    def prepare(self, operations: Sequence[Operation], natives: Mapping[str, Native]) -> None:
        """Fetch the Sales Orders the money belongs to, and their invoices."""
        self.receivable.forget()
        self._orders = _orders_of(self.documents, operations)
        self._invoices = invoices_of(self.documents, {str(one["name"]) for one in self._orders.values()})


def _orders_of(documents: Documents, operations: Sequence[Operation]) -> Mapping[str, Document]:
    """Return the Sales Orders that operations on payments and refunds name, each as its newest amendment says."""

    def natives(names: Sequence[str]) -> Mapping[str, Native]:
        found = documents.fetch("Sales Order", names) if names else {}
        return {name: Native(document) for name, document in found.items()}

    named = (one.fields.get("order") for one in operations)
    found = natives(sorted({ref.id for ref in named if isinstance(ref, Ref)}))
    newest = {**found, **amendments(documents, found, natives)}
    return {name: one.document for name, one in newest.items()}


def order_named(fields: Fields, orders: Mapping[str, Document]) -> Document:
    """Return the Sales Order a payment or refund is for.

    Raises:
        Waits: it is gone.
    """
    ref = fields.get("order")
    order = orders.get(ref.id) if isinstance(ref, Ref) else None
    if order is None:
        raise Waits(
            "the Sales Order this money belongs to is not there any more", "enter the payment in ERPNext by hand"
        )
    return order


def way_of_paying(method: Any, accounting: Accounting) -> Payment:
    """Return where the money of a payment method arrives.

    Raises:
        Waits: it is not set.
    """
    found = accounting.payments.get(str(method or "")) or accounting.payments.get("*")
    if found is None:
        raise Waits(
            f"no account is set for the payment method {method or '(none)'}",
            f"add it to the accounting settings (payments: {{{method or '*'}: {{mode: …, account: …}}}}) and retry",
        )
    return found
