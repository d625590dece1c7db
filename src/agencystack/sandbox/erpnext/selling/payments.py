"""Payment Entries: money received for orders and invoices, and paid back (contract/erpnext/06, 32, 32b)."""

from __future__ import annotations

from agencystack.sandbox.erpnext.documents import Behaviour
from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.selling.invoices import invoice_status
from agencystack.sandbox.erpnext.selling.money import rounded
from agencystack.sandbox.erpnext.selling.naming import give_back, named
from agencystack.sandbox.erpnext.selling.settings import require_year
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_SIDES = ("paid_from", "paid_to")


def behaviour() -> Behaviour:
    """Return what a Payment Entry does."""
    return Behaviour(
        lambda one: str(one["name"]),
        named=named,
        prepare=prepare,
        validate=_check,
        on_submit=_submitted,
        on_cancel=_cancelled,
        on_trash=give_back,
    )


def prepare(work: Work, payment: Document, _: Document | None) -> None:
    """Fill in accounts, currencies and the party's name."""
    payment["company"] = payment.get("company") or work.company
    payment["posting_date"] = payment.get("posting_date") or work.today()
    company = work.transaction.peek("Company", str(payment["company"])) or {}
    receivable, receives = company.get("default_receivable_account"), payment.get("payment_type") == "Receive"
    party = "paid_from" if receives else "paid_to"
    payment[party] = payment.get(party) or receivable
    mode = work.transaction.peek("Mode of Payment", str(payment.get("mode_of_payment") or "")) or {}
    accounts = (row["default_account"] for row in mode.get("accounts") or [] if row["company"] == payment["company"])
    bank = "paid_to" if receives else "paid_from"
    payment[bank] = payment.get(bank) or next(accounts, None)
    for side in _SIDES:
        account = work.transaction.peek("Account", str(payment.get(side) or "")) or {}
        payment[f"{side}_account_type"] = account.get("account_type")
        currency = account.get("account_currency") or company.get("default_currency")
        payment[f"{side}_account_currency"] = payment.get(f"{side}_account_currency") or currency
    customer = (
        work.transaction.peek(str(payment.get("party_type") or "Customer"), str(payment.get("party") or "")) or {}
    )
    payment["party_name"] = payment["title"] = customer.get("customer_name")
    payment["source_exchange_rate"] = payment.get("source_exchange_rate") or 1.0
    payment["target_exchange_rate"] = payment.get("target_exchange_rate") or 1.0


def _check(work: Work, payment: Document, _: Document | None) -> None:
    for field, label in (("paid_amount", "Paid Amount"), ("received_amount", "Received Amount")):
        if not payment.get(field):
            raise invalid(f"{label} is mandatory")
    by_bank = "Bank" in {payment["paid_from_account_type"], payment["paid_to_account_type"]}
    if by_bank and not (payment.get("reference_no") and payment.get("reference_date")):
        raise invalid("Reference No and Reference Date is mandatory for Bank transaction")
    for row in payment["references"]:
        _check_reference(work, payment, row)
    allocated = sum(row["allocated_amount"] for row in payment["references"])
    payment["total_allocated_amount"] = payment["base_total_allocated_amount"] = rounded(abs(allocated))
    if payment["total_allocated_amount"] > payment["paid_amount"]:
        raise invalid("Total Allocated Amount cannot be greater than the paid amount")
    payment["unallocated_amount"] = rounded(payment["paid_amount"] - payment["total_allocated_amount"])
    for field, rate in (("paid_amount", "source_exchange_rate"), ("received_amount", "target_exchange_rate")):
        payment[f"base_{field}"] = rounded(payment[field] * payment[rate])
        payment[f"{field}_after_tax"], payment[f"base_{field}_after_tax"] = payment[field], payment[f"base_{field}"]
    payment["difference_amount"] = rounded(payment["base_paid_amount"] - payment["base_received_amount"])
    if payment["docstatus"] == 1 and payment["difference_amount"]:
        raise invalid("Difference Amount must be zero")
    payment["status"] = "Submitted" if payment["docstatus"] == 1 else "Draft"


def _check_reference(work: Work, payment: Document, row: Document) -> None:
    doctype, name = str(row["reference_doctype"]), str(row["reference_name"])
    document = work.transaction.peek(doctype, name) or {}
    if document.get("customer") != payment.get("party"):
        raise invalid(f"{doctype} {name} is not associated with {payment.get('party_type')} {payment.get('party')}")
    if document.get("docstatus") != 1:
        raise invalid(f"{doctype} {name} must be submitted")
    total = document.get("rounded_total") or document["grand_total"]
    paid = float(document.get("advance_paid") or 0)
    open_ = rounded(total - paid) if doctype == "Sales Order" else float(document["outstanding_amount"])
    row["total_amount"], row["outstanding_amount"], row["exchange_rate"] = total, open_, 1.0
    if (open_ >= 0 and row["allocated_amount"] > open_) or open_ == 0:
        if open_ <= 0:
            raise invalid(f"{doctype} {name} has already been fully paid.")
        raise invalid(f"Row #{row['idx']}: Allocated Amount cannot be greater than Outstanding Amount.")
    if payment["payment_type"] == "Pay" and doctype == "Sales Order":
        raise invalid(f"{doctype} {name} has already been fully paid.")
    if open_ < 0 and row["allocated_amount"] < open_:
        raise invalid(f"Row #{row['idx']}: Allocated Amount cannot be greater than Outstanding Amount.")


def _submitted(work: Work, payment: Document) -> None:
    require_year(work, str(payment["posting_date"])[:10], str(payment["company"]))
    for row in payment["references"]:
        row["outstanding_amount"] = rounded(row["outstanding_amount"] - row["allocated_amount"])
    work.transaction.put({key: value for key, value in payment.items() if not key.startswith("__")})
    _apply(work, payment, 1.0)


def _cancelled(work: Work, payment: Document) -> None:
    _apply(work, payment, -1.0)


def _apply(work: Work, payment: Document, sign: float) -> None:
    for row in payment["references"]:
        document = work.transaction.get(str(row["reference_doctype"]), str(row["reference_name"]))
        if document is None:
            continue
        amount = sign * row["allocated_amount"]
        if document["doctype"] == "Sales Order":
            document["advance_paid"] = rounded(float(document.get("advance_paid") or 0) + amount)
        else:
            document["outstanding_amount"] = rounded(document["outstanding_amount"] - amount)
            document["status"] = invoice_status(document)
        document["modified"] = work.now()
        work.transaction.put(document)
