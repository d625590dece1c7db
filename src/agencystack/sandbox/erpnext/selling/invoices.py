"""Sales Invoices, their returns, and Delivery Notes (contract/erpnext/32, 34)."""

from __future__ import annotations

from agencystack.sandbox.erpnext.documents import Behaviour
from agencystack.sandbox.erpnext.errors import bold, invalid, not_found
from agencystack.sandbox.erpnext.selling.money import rounded
from agencystack.sandbox.erpnext.selling.naming import give_back, named
from agencystack.sandbox.erpnext.selling.orders import progress
from agencystack.sandbox.erpnext.selling.sales import Sales
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_RETURNS = "erpnext.controllers.sales_and_purchase_return"


class Invoices:
    """What Sales Invoices and Delivery Notes do.

    Args:
        sales: what documents of sale share.
    """

    def __init__(self, sales: Sales) -> None:
        self._sales = sales

    def invoice(self) -> Behaviour:
        """Return what a Sales Invoice does."""
        return Behaviour(
            lambda one: str(one["name"]),
            named=named,
            prepare=self._prepare_invoice,
            validate=self._check_invoice,
            on_submit=self._invoiced,
            on_cancel=self._uninvoiced,
            on_trash=give_back,
        )

    def note(self) -> Behaviour:
        """Return what a Delivery Note does."""
        return Behaviour(
            lambda one: str(one["name"]),
            named=named,
            prepare=self._sales.prepare,
            validate=self._check_note,
            on_submit=self._delivered,
            on_cancel=self._taken_back,
            on_trash=give_back,
        )

    def _prepare_invoice(self, work: Work, invoice: Document, before: Document | None) -> None:
        self._sales.prepare(work, invoice, before)
        company = work.transaction.peek("Company", str(invoice["company"])) or {}
        invoice["debit_to"] = invoice.get("debit_to") or company.get("default_receivable_account")
        invoice["party_account_currency"] = company.get("default_currency")
        invoice["due_date"] = max(str(invoice.get("due_date") or ""), str(invoice["posting_date"]))
        invoice["title"] = invoice.get("customer_name")
        if invoice.get("is_return") and invoice.get("return_against"):
            self._prepare_return(work, invoice)

    def _prepare_return(self, work: Work, invoice: Document) -> None:
        against = work.transaction.peek("Sales Invoice", str(invoice["return_against"]))
        if against is None:
            raise not_found("Sales Invoice", str(invoice["return_against"]))
        if against["customer"] != invoice.get("customer"):
            text = (
                f"The Customer {bold(invoice.get('customer'))} does not match with the Customer "
                f"{bold(against['customer'])} in the Sales Invoice {against['name']}"
            )
            raise invalid(text)
        invoice["po_no"] = invoice.get("po_no") or against.get("po_no")

    def _check_invoice(self, work: Work, invoice: Document, before: Document | None) -> None:
        if invoice.get("is_return"):
            self._check_return(work, invoice)
        self._sales.check(work, invoice, before)
        invoice["outstanding_amount"] = claimed(invoice)
        # One that is made and submitted at once is answered as a draft, and read back as what it is (35_status_dupes).
        invoice["status"] = invoice_status(invoice) if before is not None and invoice["docstatus"] == 1 else "Draft"

    def _check_return(self, work: Work, invoice: Document) -> None:
        for row in invoice["items"]:
            if row["qty"] > 0:
                raise invalid(f"For an item {row['item_code']}, quantity must be negative number")
            if float(row.get("rate") or 0) < 0:
                raise invalid(f"Row #{row['idx']}: Rate cannot be negative in a return")
        against = work.transaction.peek("Sales Invoice", str(invoice.get("return_against") or ""))
        if against is None:
            return
        link = f'<a href="/app/sales-invoice/{against["name"]}">{against["name"]}</a>'
        text = (
            f"We can see {bold('Credit Note')} is made against {link}. If you want {link}'s outstanding to be updated, "
            f"uncheck the '{bold('Update Outstanding for Self')}' checkbox."
        )
        work.messages.append({"message": text, "title": "Message"})
        returned = self._returned(work, against, invoice["name"])
        for row in invoice["items"]:
            sold = [one for one in against["items"] if one["item_code"] == row["item_code"]]
            detail = row.get("sales_invoice_item")
            if detail:
                sold = [one for one in sold if one["name"] == detail]
            if not sold:
                continue
            left = sum(one["qty"] - returned.get(one["name"], 0.0) for one in sold)
            if left <= 0:
                text = f"Item {row['item_code']} has already been returned"
                raise invalid(text, kind="StockOverReturnError", module=_RETURNS)
            if -row["qty"] > left:
                text = f"Row # {row['idx']}: Cannot return more than {left} for Item {row['item_code']}"
                raise invalid(text, kind="StockOverReturnError", module=_RETURNS)

    def _returned(self, work: Work, against: Document, besides: str) -> dict[str, float]:
        """Return how much of each row of an invoice came back already."""
        returned: dict[str, float] = {}
        for other in work.transaction.having("Sales Invoice", "return_against", against["name"]):
            if other["docstatus"] != 1 or other["name"] == besides:
                continue
            for row in other["items"]:
                key = str(row.get("sales_invoice_item") or "")
                returned[key] = returned.get(key, 0.0) - row["qty"]
        return returned

    def _invoiced(self, work: Work, invoice: Document) -> None:
        if invoice.get("allocate_advances_automatically") and not invoice.get("is_return"):
            self._take_advances(work, invoice)
        stored = {**invoice, "status": invoice_status(invoice)}
        work.transaction.put({key: value for key, value in stored.items() if not key.startswith("__")})
        if invoice.get("update_stock"):
            self._move(work, invoice, -1.0)
        self._progress(work, invoice, "sales_order")

    def _take_advances(self, work: Work, invoice: Document) -> None:
        """Let what was paid for the order pay this invoice."""
        orders = {row.get("sales_order") for row in invoice["items"]} - {None}
        for payment in work.transaction.having("Payment Entry", "references.reference_name", *orders):
            if payment["docstatus"] != 1 or invoice["outstanding_amount"] <= 0:
                continue
            rows = []
            for row in payment["references"]:
                if row["reference_doctype"] == "Sales Order" and row["reference_name"] in orders:
                    used = min(row["allocated_amount"], invoice["outstanding_amount"])
                    invoice["outstanding_amount"] = rounded(invoice["outstanding_amount"] - used)
                    moved = {"reference_doctype": "Sales Invoice", "reference_name": invoice["name"]}
                    order = {"advance_voucher_type": "Sales Order", "advance_voucher_no": row["reference_name"]}
                    rows.append({**row, **moved, **order, "allocated_amount": used})
                else:
                    rows.append(row)
            work.transaction.put({**payment, "references": rows, "modified": work.now()})

    def _uninvoiced(self, work: Work, invoice: Document) -> None:
        if invoice.get("update_stock"):
            self._move(work, invoice, 1.0)
        self._progress(work, invoice, "sales_order")

    def _check_note(self, work: Work, note: Document, before: Document | None) -> None:
        self._sales.check(work, note, before)
        note["title"] = note.get("customer_name")
        note["status"] = note.get("status") or "Draft"

    def _delivered(self, work: Work, note: Document) -> None:
        note["status"] = "Return" if note.get("is_return") else "To Bill"
        work.transaction.put({key: value for key, value in note.items() if not key.startswith("__")})
        self._move(work, note, -1.0)
        self._progress(work, note, "against_sales_order")

    def _taken_back(self, work: Work, note: Document) -> None:
        note["status"] = "Cancelled"
        work.transaction.put(note)
        self._move(work, note, 1.0)
        self._progress(work, note, "against_sales_order")

    def _move(self, work: Work, document: Document, sign: float) -> None:
        stock = self._sales.stock
        for row in document["items"]:
            if row.get("warehouse") and stock.is_kept(work, row["item_code"]):
                stock.move(work, document, row["item_code"], row["warehouse"], sign * row["stock_qty"])

    def _progress(self, work: Work, document: Document, link: str) -> None:
        for name in {row.get(link) for row in document["items"]} - {None, ""}:
            progress(work, str(name))
        stock = self._sales.stock
        for row in document["items"]:
            if row.get(link) and row.get("warehouse") and stock.is_kept(work, row["item_code"]):
                stock.reserve(work, row["item_code"], row["warehouse"])


def claimed(invoice: Document) -> float:
    """Return what an invoice claims, in the currency of the customer's account."""
    base = "base_" if invoice.get("party_account_currency") not in (None, invoice.get("currency")) else ""
    return float(invoice.get(f"{base}rounded_total") or invoice.get(f"{base}grand_total") or 0.0)


def invoice_status(invoice: Document) -> str:
    """Return the status of a submitted invoice."""
    if invoice.get("is_return"):
        return "Return"
    outstanding, total = invoice["outstanding_amount"], claimed(invoice)
    if outstanding <= 0:
        return "Paid"
    return "Partly Paid" if outstanding < total else "Unpaid"
