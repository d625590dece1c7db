"""Payments: entered once, against what was ordered or invoiced, to the account of the settings; or they wait."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.bridge.entities.payment_erpnext import PaymentOnErpNext
from agencystack.bridge.entities.payment_wordpress import PaymentOnWordPress
from agencystack.bridge.record import Presence, Ref
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.records import TOKEN_META
from tests.bridge.money.erpnext import Books
from tests.bridge.money.making import accounting, books, native
from tests.bridge.money.test_sales_orders import assert_waits
from tests.bridge.money.test_shop_orders import Woo, ordered

TOKEN = "0192aa" + "0" * 26
PAID = {
    "reference": "pi_1",
    "order": Ref("order", "WC-shop-5"),
    "amount": "10.81",
    "currency": "CHF",
    "method": "stripe",
    "paid": "2026-11-22T23:30:00Z",
}


@pytest.mark.parametrize(
    ("changes", "presence"),
    [
        ({}, Presence.PRESENT),
        ({"date_paid_gmt": None}, Presence.GONE),
        ({"total": "0.00", "line_items": []}, Presence.GONE),
        ({"status": "trash"}, Presence.GONE),
        ({"payment_method": "cod"}, Presence.GONE),
        ({"payment_method": "cod", "status": "completed"}, Presence.PRESENT),
        ({"status": "cancelled"}, Presence.PRESENT),
        ({"meta_data": [{"key": TOKEN_META, "value": TOKEN}]}, Presence.GONE),
    ],
)
def test_a_payment_is_there_once_the_shop_was_paid(changes: dict[str, Any], presence: Presence) -> None:
    form = PaymentOnWordPress(Woo([ordered(**changes)]), "shop")  # type: ignore[arg-type]
    assert form.read(["5"])["5"].presence is presence


def test_a_payment_is_known_by_its_transaction_else_by_its_order() -> None:
    form = PaymentOnWordPress(Woo([]), "shop")  # type: ignore[arg-type]
    assert form.fields(ordered(transaction_id=" pi_1 "))["reference"] == "pi_1"
    assert form.fields(ordered())["reference"] == "WC-shop-5"


def test_nothing_is_ever_paid_in_a_shop() -> None:
    form = PaymentOnWordPress(Woo([]), "shop")  # type: ignore[arg-type]
    outcome = form.apply([Operation(TOKEN, "payment", Action.CREATE, fields=PAID)])[TOKEN]
    assert_waits(outcome, "never written")


def ledger(docstatus: int = 1, **tables: Any) -> Books:
    """Return an ERPNext with the Sales Order that was paid."""
    found = books()
    order = {"name": "WC-shop-5", "docstatus": docstatus, "customer": "Anna", "items": [], "grand_total": 10.81}
    found.tables |= {"Sales Order": {"WC-shop-5": order}, **tables}
    return found


def paid(into: Books, settings: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """Enter a payment."""
    form = PaymentOnErpNext(into, accounting(**{"submit": True, **(settings or {})}), "shop")
    return form.apply([Operation(TOKEN, "payment", Action.CREATE, fields={**PAID, **changes})])[TOKEN]


def test_a_payment_is_entered_against_the_sales_order() -> None:
    into = ledger()
    assert paid(into).result is Result.DONE
    (entry,) = into.tables["Payment Entry"].values()
    assert (entry["mapped_from"], entry["docstatus"]) == ("WC-shop-5", 1)
    assert entry["arguments"] == {"dt": "Sales Order", "bank_account": "Lab Bank - LG"}
    assert (entry["reference_no"], entry["mode_of_payment"]) == ("pi_1", "Wire Transfer")


def test_a_payment_is_dated_where_the_books_are_kept() -> None:
    into = ledger()
    paid(into, {"time_zone": "Europe/Zurich"})
    (entry,) = into.tables["Payment Entry"].values()
    assert entry["posting_date"] == "2026-11-23"


def test_an_invoice_that_is_owed_is_paid_rather_than_its_order() -> None:
    row = {"name": "row", "sales_order": "WC-shop-5", "qty": 3}
    invoice = {"name": "SI-1", "docstatus": 1, "outstanding_amount": 10.81, "grand_total": 10.81, "items": [row]}
    into = ledger(**{"Sales Invoice": {"SI-1": invoice}})
    paid(into)
    (entry,) = into.tables["Payment Entry"].values()
    assert (entry["mapped_from"], entry["arguments"]["dt"]) == ("SI-1", "Sales Invoice")


def test_a_payment_of_a_draft_stands_alone() -> None:
    into = ledger(docstatus=0)
    assert paid(into, {"submit": False}).result is Result.DONE
    (entry,) = into.tables["Payment Entry"].values()
    assert (entry["paid_from"], entry["paid_to"], entry["paid_amount"]) == ("Debtors - LG", "Lab Bank - LG", 10.81)
    assert (entry["docstatus"], entry["party"], entry.get("references")) == (0, "Anna", None)
    assert_waits(paid(ledger(docstatus=0), currency="USD"), "draft", "submit WC-shop-5")


def test_a_payment_is_found_by_its_transaction() -> None:
    into = ledger()
    paid(into)
    form = PaymentOnErpNext(into, accounting(), "shop")
    assert len(form.candidates(PAID)) == 1
    assert form.candidates({**PAID, "reference": "pi_2"}) == ()


def test_a_payment_is_never_changed() -> None:
    into = ledger()
    paid(into)
    form = PaymentOnErpNext(into, accounting(), "shop")
    (name,) = into.tables["Payment Entry"]
    groups = len(into.groups)
    outcome = form.apply([Operation("u" * 32, "payment", Action.UPDATE, name, {"reference": "pi_9"})])["u" * 32]
    assert (outcome.result, len(into.groups)) == (Result.DONE, groups)


def test_a_way_of_paying_without_an_account_is_named() -> None:
    assert_waits(paid(ledger(), {"payments": {}}), "stripe", "payments")


def test_a_payment_of_a_cancelled_order_waits() -> None:
    assert_waits(paid(ledger(docstatus=2)), "cancelled", "pay it back")


def test_a_payment_goes_to_the_amendment_of_its_order() -> None:
    into = ledger(docstatus=2)
    amendment = {"name": "WC-shop-5-1", "docstatus": 1, "amended_from": "WC-shop-5", "items": [], "grand_total": 10.81}
    into.tables["Sales Order"]["WC-shop-5-1"] = amendment
    assert paid(into).result is Result.DONE
    (entry,) = into.tables["Payment Entry"].values()
    assert entry["mapped_from"] == "WC-shop-5-1"


def test_a_payment_of_an_order_that_is_gone_waits() -> None:
    assert_waits(paid(books()), "not there any more")


def test_an_amount_erpnext_makes_different_is_told() -> None:
    into = ledger(docstatus=0)
    into.digits = 2
    form = PaymentOnErpNext(into, accounting(), "shop")
    fields = {**PAID, "amount": "10.81"}
    outcome = form.apply([Operation(TOKEN, "payment", Action.CREATE, fields=fields)])[TOKEN]
    assert outcome.result is Result.DONE
    name = outcome.observed.id if outcome.observed else ""
    into.tables["Payment Entry"][name]["paid_amount"] = 5.0
    after = form.read([name])[name]
    with pytest.raises(Exception, match=r"10\.81 CHF were paid, ERPNext entered 5\.00"):
        form.checked(Operation(TOKEN, "payment", Action.CREATE, fields=fields), after)


def test_the_order_of_the_shop_is_what_was_paid() -> None:
    assert native({"currency": "CHF", "total": "1.00"}, 5)["date_paid_gmt"]
