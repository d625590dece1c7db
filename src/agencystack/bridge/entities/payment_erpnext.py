"""Payments as ERPNext keeps them: a Payment Entry against the Sales Order, or against its invoice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.invoices import INVOICE, Invoice, Receivable, invoices_of
from agencystack.bridge.entities.order_amendments import amendments
from agencystack.bridge.entities.order_document import day
from agencystack.bridge.entities.order_lookup import Filters
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.entities.waiting_erpnext import WaitingErpNextForm
from agencystack.bridge.record import Fields, Observed, Ref
from agencystack.bridge.settings import Accounting, Payment
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Documents, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native

PAYMENT_ENTRY = "Payment Entry"
_PAID_ALREADY = ("fully paid", "unbilled", "Paid Amount is mandatory")
MAKE = "erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry"


class PaymentOnErpNext(WaitingErpNextForm):
    """ERPNext's payments of customers.

    Args:
        documents: the way to its documents.
        accounting: how the books are kept.
        site: the pairing's short name.
    """

    entity = "payment"
    doctype = PAYMENT_ENTRY
    which = (("payment_type", "=", "Receive"), ("party_type", "=", "Customer"))

    def __init__(self, documents: Documents, accounting: Accounting, site: str) -> None:
        super().__init__(documents)
        self.accounting, self.site = accounting, site
        self.receivable = Receivable(documents, accounting)
        self._orders: Mapping[str, Document] = {}
        self._invoices: Mapping[str, Sequence[Invoice]] = {}

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a payment."""
        document = native.document
        orders = [
            str(one["reference_name"])
            for one in document.get("references", ())
            if one.get("reference_doctype") == "Sales Order"
        ]
        currency = str(document.get("paid_from_account_currency") or self.accounting.currency)
        return {
            "reference": normal.line(document.get("reference_no")),
            "order": Ref("order", orders[0]) if orders else None,
            "amount": normal.money(document.get("paid_amount"), normal.digits_of(currency)),
            "currency": currency,
            "method": normal.line(document.get("mode_of_payment")),
            "paid": normal.day(document.get("posting_date")),
        }

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Payments are found for many at once: see :meth:`candidates_of`."""
        return ()

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return payments that may be one of the shop's."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return them for each of many, by the reference they carry."""
        return by_reference(self.documents, self.which, many)

    def prepare(self, operations: Sequence[Operation], natives: Mapping[str, Native]) -> None:
        """Fetch the Sales Orders that were paid, and their invoices."""
        self.receivable.forget()
        self._orders = orders_of(self.documents, operations)
        self._invoices = invoices_of(self.documents, names_of(self._orders))

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done for an operation: a payment is entered once, and never changed."""
        if operation.action is not Action.CREATE:
            return ()
        fields = operation.fields
        order = self._order(fields)
        where = way_of_paying(fields.get("method"), self.accounting)
        values = {
            "posting_date": day(str(fields["paid"]), self.accounting).isoformat(),
            "reference_no": fields["reference"],
            "reference_date": day(str(fields["paid"]), self.accounting).isoformat(),
            "mode_of_payment": where.mode,
        }
        return [self._entry(fields, order, where, values), *self._submission(order)]

    def checked(self, operation: Operation, after: Observed | None) -> None:
        """Make sure the amount is the shop's, where it was paid in the account's currency."""
        if operation.action is not Action.CREATE or after is None or not after.fields:
            return
        meant, came = operation.fields, after.fields
        if meant["currency"] == came["currency"] and meant["amount"] != came["amount"]:
            raise Waits(
                f"{meant['amount']} {meant['currency']} were paid, ERPNext entered {came['amount']} ({after.id})",
                f"look which other payment or return the Sales Order has, and correct {after.id} by hand",
            )

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person when ERPNext refused."""
        message, remedy = super().refusal(saved, operation)
        if any(words in saved.message for words in _PAID_ALREADY):
            return message, "the order is paid in ERPNext already: link that Payment Entry, or dismiss this one"
        return message, remedy

    def _order(self, fields: Fields) -> Document:
        order = order_named(fields, self._orders)
        if int(order.get("docstatus") or 0) == 2:
            raise Waits(
                f"the order was paid, and its Sales Order {order['name']} is cancelled",
                f"amend {order['name']} and enter the payment for the amendment, or pay it back",
            )
        return order

    def _entry(self, fields: Fields, order: Document, where: Payment, values: Mapping[str, Any]) -> Step:
        if int(order.get("docstatus") or 0) == 0:
            return self._unallocated(fields, order, where, values)
        owed = [one.name for one in self._invoices.get(str(order["name"]), ()) if one.owed]
        source, kind = (owed[0], INVOICE) if owed else (str(order["name"]), "Sales Order")
        return Step(
            "map",
            PAYMENT_ENTRY,
            values=values,
            called="main",
            method=MAKE,
            source=source,
            arguments={"dt": kind, "bank_account": where.account},
        )

    def _unallocated(self, fields: Fields, order: Document, where: Payment, values: Mapping[str, Any]) -> Step:
        """ERPNext takes no payment against a draft (PaymentEntry.validate_reference_documents): it stands alone."""
        if fields["currency"] != self.accounting.currency:
            raise Waits(
                f"{fields['amount']} {fields['currency']} were paid for {order['name']}, which is a draft",
                f"submit {order['name']} and retry: ERPNext then reckons the payment in {self.accounting.currency}",
            )
        return Step(
            "insert",
            PAYMENT_ENTRY,
            values={
                **values,
                "payment_type": "Receive",
                "company": self.accounting.company,
                "party_type": "Customer",
                "party": order["customer"],
                "paid_from": self.receivable.account(),
                "paid_to": where.account,
                "paid_amount": float(str(fields["amount"])),
                "received_amount": float(str(fields["amount"])),
                "custom_remarks": 1,
                "remarks": f"Paid in the shop for {order['name']} ({fields['reference']})",
            },
            called="main",
        )

    def _submission(self, order: Document) -> list[Step]:
        if not self.accounting.submit:
            return []
        return [Step("submit", PAYMENT_ENTRY, Made("main"))]


def orders_of(documents: Documents, operations: Sequence[Operation]) -> Mapping[str, Document]:
    """Return the Sales Orders that operations on payments and refunds name, each as its newest amendment says."""

    def natives(names: Sequence[str]) -> Mapping[str, Native]:
        found = documents.fetch("Sales Order", names) if names else {}
        return {name: Native(document) for name, document in found.items()}

    named = (one.fields.get("order") for one in operations)
    found = natives(sorted({ref.id for ref in named if isinstance(ref, Ref)}))
    newest = {**found, **amendments(documents, found, natives)}
    return {name: one.document for name, one in newest.items()}


def by_reference(documents: Documents, which: Filters, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
    """Return the Payment Entries that carry the reference of each of many payments."""
    wanted = sorted({str(one["reference"]) for one in many if one.get("reference")})
    filters = [*which, ["reference_no", "in", wanted], ["docstatus", "<", 2]]
    listed = documents.select(PAYMENT_ENTRY, filters, ["name", "reference_no"]) if wanted else ()
    found: dict[str, list[str]] = {}
    for one in listed:
        found.setdefault(str(one["reference_no"]), []).append(str(one["name"]))
    return [found.get(str(one.get("reference") or ""), ()) for one in many]


def names_of(orders: Mapping[str, Document]) -> set[str]:
    """Return what Sales Orders are called now."""
    return {str(one["name"]) for one in orders.values()}


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
