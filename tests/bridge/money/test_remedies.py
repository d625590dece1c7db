"""What ERPNext refuses becomes a sentence that says what to do; its words were recorded, or seen on the real one."""

from __future__ import annotations

import pytest

from agencystack.bridge.entities.order_erpnext import OrderOnErpNext
from agencystack.bridge.entities.payment_erpnext import PaymentOnErpNext
from agencystack.bridge.side import Action, Operation, Result
from agencystack.bridge.sides.erpnext.documents import Saved
from tests.bridge.money.making import accounting, books

OPERATION = Operation("0" * 32, "order", Action.CREATE)


@pytest.mark.parametrize(
    ("kind", "message", "word"),
    [
        ("ValidationError", "Item CUP entered multiple times in the same document", "Selling Settings"),
        (
            "ValidationError",
            "Sales Order SO-1 already exists against Customer's Purchase Order WC-shop-5",
            "link or delete",
        ),
        ("UOMMustBeIntegerError", "Quantity (1.5) cannot be a fraction in row 1", "fractions"),
        ("FiscalYearError", "Date 05.05.2019 is not in any active Fiscal Year for Lab GmbH", "fiscal year"),
        ("ClosedAccountingPeriod", "You cannot create entries within the closed Accounting Period 2025", "reopen"),
        ("PartyDisabled", "Customer Anna is disabled", "enable the Customer"),
        ("PartyFrozen", "Customer Anna is frozen", "unfreeze"),
        ("DoesNotExistError", "Item CUP not found", "not in ERPNext"),
        ("LinkValidationError", "Could not find Mode of Payment: Nix", "accounting settings"),
        ("ValidationError", "Row #1: Account X does not belong to company Lab GmbH", "account of that company"),
        ("ValidationError", "Item CUP is disabled", "enable it"),
        ("PermissionError", "No permission for Sales Order", "rights"),
    ],
)
def test_a_refusal_says_what_to_do(kind: str, message: str, word: str) -> None:
    form = OrderOnErpNext(books(), accounting(), "shop")
    said, remedy = form.refusal(Saved("0" * 32, Result.REFUSED, kind=kind, message=message, step="insert X"), OPERATION)
    assert message in said
    assert word in remedy


@pytest.mark.parametrize(
    "message", ["Sales Order SO-1 has already been fully paid.", "Paid Amount is mandatory", "against unbilled"]
)
def test_a_second_payment_is_told_as_one(message: str) -> None:
    form = PaymentOnErpNext(books(), accounting(), "shop")
    _, remedy = form.refusal(Saved("0" * 32, Result.REFUSED, kind="ValidationError", message=message), OPERATION)
    assert "paid in ERPNext already" in remedy
