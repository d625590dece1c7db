"""Payments as ERPNext keeps them: a Payment Entry against the Sales Order, or against its invoice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.invoices import INVOICE
from agencystack.bridge.entities.order_document import day
from agencystack.bridge.entities.payment_entries import (
    MAKE,
    PAYMENT_ENTRY,
    PaymentEntries,
    order_named,
    way_of_paying,
)
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Fields, Observed, Ref
from agencystack.bridge.settings import Payment
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native

_PAID_ALREADY = ("fully paid", "unbilled", "Paid Amount is mandatory")


class PaymentOnErpNext(PaymentEntries):
    """ERPNext's payments of customers.

    Args:
        documents: the way to its documents.
        accounting: how the books are kept.
        site: the pairing's short name.
    """

    entity = "payment"
    which = (("payment_type", "=", "Receive"), ("party_type", "=", "Customer"))

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
