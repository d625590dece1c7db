"""Refunds as ERPNext keeps them: a Payment Entry of type Pay, and the return of the invoice it pays back.

ERPNext refuses a payment back against a paid Sales Order (``contract/erpnext/32b_refund_more.json``); against the
credit note it wants a negative allocation; without reference rows it takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.invoices import INVOICE
from agencystack.bridge.entities.order_document import day
from agencystack.bridge.entities.order_lookup import Filters
from agencystack.bridge.entities.payment_entries import (
    MAKE,
    PAYMENT_ENTRY,
    PaymentEntries,
    order_named,
    way_of_paying,
)
from agencystack.bridge.entities.refund_return import return_values
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Made, Step
from agencystack.bridge.sides.erpnext.form import Native


class RefundOnErpNext(PaymentEntries):
    """ERPNext's refunds.

    Args:
        documents: the way to its documents.
        accounting: how the books are kept.
        site: the pairing's short name.
    """

    entity = "refund"
    which = (("payment_type", "=", "Pay"), ("party_type", "=", "Customer"))

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a refund; what it gave back is told by its return alone."""
        document = native.document
        currency = str(document.get("paid_to_account_currency") or self.accounting.currency)
        return {
            "reference": normal.line(document.get("reference_no")),
            "order": None,
            "amount": normal.money(document.get("paid_amount"), normal.digits_of(currency)),
            "currency": currency,
            "method": normal.line(document.get("mode_of_payment")),
            "content": None,
            "reason": None,
            "refunded": normal.day(document.get("posting_date")),
        }

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token: where a return was made first, that one carries the token itself."""
        found = self.documents.find(self.doctype, [*tokens, *(f"{token}-main" for token in tokens)]) if tokens else {}
        return {token.removesuffix("-main"): name for token, name in found.items()}

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done for an operation: a refund is entered once, and never changed."""
        if operation.action is not Action.CREATE:
            return ()
        fields = operation.fields
        order = order_named(fields, self._orders)
        _guard_amount(fields, order)
        if not self.accounting.submit:
            return [self._payment(fields, order, references=[])]
        invoices = [one.name for one in self._invoices.get(str(order["name"]), ()) if one.submitted]
        if len(invoices) > 1:
            raise Waits(
                f"{order['name']} has several invoices ({', '.join(invoices)})",
                "make the return of the right one in ERPNext by hand",
            )
        if not invoices:
            return [self._payment(fields, order, references=[]), Step("submit", PAYMENT_ENTRY, Made("main"))]
        return self._return(fields, order, invoices[0])

    def _return(self, fields: Fields, order: Document, invoice: str) -> list[Step]:
        document = self.documents.fetch(INVOICE, [invoice])[invoice]
        returned = self._returned([str(row["name"]) for row in document["items"]])
        values = return_values(fields, document, order, returned, self.accounting)
        return [
            Step("insert", INVOICE, values=values, called="return"),
            Step("submit", INVOICE, Made("return")),
            self._payment_of_return(fields, order),
            Step("submit", PAYMENT_ENTRY, Made("main")),
        ]

    def _payment_of_return(self, fields: Fields, order: Document) -> Step:
        if fields["currency"] == self.accounting.currency:
            allocation = {
                "reference_doctype": INVOICE,
                "reference_name": Made("return"),
                "allocated_amount": -float(str(fields["amount"])),
            }
            return self._payment(fields, order, references=[allocation])
        return Step(  # ERPNext reckons what a foreign amount is on the account
            "map",
            PAYMENT_ENTRY,
            values=self._head(fields, order),
            called="main",
            method=MAKE,
            source=Made("return"),
            arguments={"dt": INVOICE, "bank_account": self._account(fields)},
        )

    def _head(self, fields: Fields, order: Document) -> dict[str, Any]:
        on = day(str(fields["refunded"]), self.accounting).isoformat()
        return {
            "posting_date": on,
            "reference_no": fields["reference"],
            "reference_date": on,
            "mode_of_payment": way_of_paying(fields.get("method"), self.accounting).mode,
            "custom_remarks": 1,
            "remarks": f"Given back in the shop for {order['name']}: {fields.get('reason') or '(no reason)'}",
        }

    def _account(self, fields: Fields) -> str:
        return self.accounting.refund_account or way_of_paying(fields.get("method"), self.accounting).account

    def _payment(self, fields: Fields, order: Document, references: Sequence[Mapping[str, Any]]) -> Step:
        if fields["currency"] != self.accounting.currency:
            raise Waits(
                f"{fields['amount']} {fields['currency']} were given back for {order['name']}, in a foreign currency",
                "enter the refund in ERPNext by hand, at the rate of exchange of that day",
            )
        amount = float(str(fields["amount"]))
        return Step(
            "insert",
            PAYMENT_ENTRY,
            values={
                **self._head(fields, order),
                "payment_type": "Pay",
                "company": self.accounting.company,
                "party_type": "Customer",
                "party": order["customer"],
                "paid_from": self._account(fields),
                "paid_to": self.receivable.account(),
                "paid_amount": amount,
                "received_amount": amount,
                "references": list(references),
            },
            called="main",
        )

    def _returned(self, rows: Sequence[str]) -> Mapping[str, float]:
        filters: Filters = [["sales_invoice_item", "in", list(rows)], ["docstatus", "=", 1]]
        found = self.documents.select("Sales Invoice Item", filters, ["sales_invoice_item", "qty"], parent=INVOICE)
        sums: dict[str, float] = {}
        for one in found:
            sums[str(one["sales_invoice_item"])] = sums.get(str(one["sales_invoice_item"]), 0) - float(one["qty"])
        return sums


def _guard_amount(fields: Fields, order: Document) -> None:
    """Let a refund wait that is larger than all that was ordered.

    Raises:
        Waits: it is.
    """
    amount = normal.number(fields["amount"]) or 0
    ordered = normal.number(order.get("rounded_total") or order.get("grand_total")) or 0
    if ordered and amount > ordered and fields["currency"] == order.get("currency"):
        raise Waits(
            f"{fields['amount']} {fields['currency']} were given back for {order['name']}, which came to {ordered}",
            "correct or delete the refund in the shop, or enter it in ERPNext by hand",
        )
