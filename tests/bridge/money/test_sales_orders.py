"""Orders of the shop in ERPNext: made, edited, cancelled, completed; and every one that waits says what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from agencystack.bridge.entities.order import wanted
from agencystack.bridge.entities.order_erpnext import OrderOnErpNext
from agencystack.bridge.entities.order_wordpress import OrderOnWordPress
from agencystack.bridge.record import Fields, Presence, Ref, exchanged, same
from agencystack.bridge.settings import CustomField, Guests
from agencystack.bridge.side import Action, Operation, Outcome, Result
from tests.bridge.money.erpnext import Books
from tests.bridge.money.making import FULL, LOW, accounting, books, native
from tests.bridge.money.woocommerce import Line, Order, Shop, calculated

TOKEN = "0192aa" + "0" * 26


def ordered(id_: int = 5, **changes: Any) -> dict[str, Any]:
    """Return an order: 3 for 10.00, 2 for 9.90 at the low rate, shipping 7.90."""
    lines = [Line(Decimal("10.00"), (FULL,), 3, product=1), Line(Decimal("9.90"), (LOW,), 2, product=2)]
    return native(calculated(Order(Shop(), lines, [Line(Decimal("7.90"), (FULL,))])), id_, **changes)


def told(order: dict[str, Any]) -> Fields:
    """Return what the shop says of an order, in ERPNext's references."""
    fields = OrderOnWordPress(None, "shop").fields(order)  # type: ignore[arg-type]
    return exchanged(fields, lambda ref: Ref(ref.entity, f"{ref.entity}-{ref.id}"))  # type: ignore[union-attr,return-value]


class Bookkeeping:
    """An ERPNext and its form."""

    def __init__(self, **settings: Any) -> None:
        self.books = books()
        self.guests = settings.pop("guests", None)
        self.form = OrderOnErpNext(self.books, accounting(**settings), "shop", self.guests)

    def create(self, order: dict[str, Any], **changes: Any) -> Outcome:
        """Import an order."""
        fields = {**told(order), **changes}
        return self.form.apply([Operation(TOKEN, "order", Action.CREATE, fields=fields)])[TOKEN]

    def update(self, name: str, **fields: Any) -> Outcome:
        """Change fields of an order."""
        expected = self.form.read([name])[name]
        return self.form.apply([Operation("u" * 32, "order", Action.UPDATE, name, fields, expected)])["u" * 32]

    def steps(self) -> list[tuple[str, str]]:
        """Return what was done, in order."""
        return [(step.action, step.doctype) for group in self.books.groups for step in group.steps]

    @property
    def order(self) -> dict[str, Any]:
        """The one Sales Order."""
        (found,) = self.books.tables["Sales Order"].values()
        return found


def assert_waits(outcome: Outcome, *words: str) -> None:
    """Make sure an order waits, and says why and what to do."""
    assert outcome.result is Result.REFUSED, outcome
    assert outcome.remedy
    for word in words:
        assert word in f"{outcome.message} {outcome.remedy}"


def test_an_order_becomes_a_sales_order_of_our_name() -> None:
    erp = Bookkeeping()
    outcome = erp.create(ordered())
    assert (outcome.result, outcome.observed and outcome.observed.id) == (Result.DONE, "WC-shop-5")
    assert erp.order["grand_total"] == 29.51
    assert (erp.order["po_no"], erp.order["customer"]) == ("WC-shop-5", "customer-7")
    assert (erp.order["ignore_pricing_rule"], erp.order["disable_rounded_total"]) == (1, 1)
    assert [(row["item_code"], row["qty"], row["rate"]) for row in erp.order["items"]] == [
        ("product-1", 2.0, 3.33),
        ("product-1", 1.0, 3.34),
        ("product-2", 2.0, 4.95),
        ("SHIPPING", 1.0, 7.9),
    ]
    assert [(row["account_head"], row["tax_amount"]) for row in erp.order["taxes"]] == [
        ("VAT 8.1 - LG", 1.45),
        ("VAT other - LG", 0.26),
    ]
    assert erp.steps() == [("insert", "Sales Order")]


def test_what_was_written_reads_back_equal_to_the_shops() -> None:
    """So that orders match without a word after the bridge has lost its store."""
    erp = Bookkeeping(submit=True)
    order = ordered(coupon_lines=[{"code": "ten", "discount": "1"}])
    order["billing"] |= {"first_name": "مريم", "last_name": "<M> & Co"}
    outcome = erp.create(order)
    assert outcome.observed is not None
    for name, value in told(order).items():
        assert same(outcome.observed.fields[name], value), name


def test_what_somebody_changes_in_erpnext_is_read_from_the_rows() -> None:
    erp = Bookkeeping()
    erp.create(ordered())
    erp.order["items"][2]["qty"] = 5.0
    read = erp.form.read(["WC-shop-5"])["WC-shop-5"].fields
    assert [(line["id"], line["quantity"]) for line in read["content"]["lines"]] == [("100", "3"), ("101", "5")]  # type: ignore[index,call-overload]


def test_a_line_that_was_given_away_costs_nothing() -> None:
    erp = Bookkeeping()
    totals = calculated(Order(Shop(), [Line(Decimal(0), (FULL,), 2, product=1)]))
    assert erp.create(native(totals, 5)).result is Result.DONE
    assert (erp.order["items"][0]["discount_percentage"], erp.order["grand_total"]) == (100, 0.0)


def test_an_untaxed_order_gets_no_taxes_of_a_template() -> None:
    erp = Bookkeeping()
    erp.create(native(calculated(Order(Shop(), [Line(Decimal(5), (), 1, product=1)])), 5))
    assert [row["tax_amount"] for row in erp.order["taxes"]] == [0.0]


def test_a_foreign_order_takes_the_rate_of_its_day() -> None:
    erp = Bookkeeping()
    erp.create(native(calculated(Order(Shop(currency="USD"), [Line(Decimal(5), (FULL,), 1, product=1)])), 5))
    assert (erp.order["currency"], erp.order["conversion_rate"], erp.order["plc_conversion_rate"]) == ("USD", 0.88, 1.0)


@pytest.mark.parametrize(
    ("status", "settings", "steps"),
    [
        ("processing", {}, ["insert"]),
        ("processing", {"submit": True}, ["insert", "submit"]),
        ("on-hold", {"submit": True}, ["insert", "submit"]),
        ("pending", {"submit": True}, ["insert"]),
        ("failed", {"submit": True}, ["insert"]),
        ("cancelled", {"submit": True}, ["insert"]),
        ("completed", {"submit": True}, ["insert", "submit"]),
        ("completed", {"submit": True, "invoice": "on_completed"}, ["insert", "submit", "map", "submit"]),
        ("completed", {"invoice": "on_completed"}, ["insert"]),
        ("packed", {"submit": True, "statuses": {"packed": "processing"}}, ["insert", "submit"]),
    ],
)
def test_a_status_decides_what_is_submitted(status: str, settings: dict[str, Any], steps: list[str]) -> None:
    erp = Bookkeeping(**settings)
    outcome = erp.create(ordered(status=status))
    assert [action for action, _ in erp.steps()] == steps
    assert outcome.observed is not None
    assert outcome.observed.fields["status"] == status


def test_an_order_is_invoiced_once() -> None:
    erp = Bookkeeping(submit=True, invoice="on_completed")
    erp.create(ordered())
    erp.update("WC-shop-5", status="completed")
    erp.update("WC-shop-5", status="processing")
    erp.update("WC-shop-5", status="completed")
    assert len(erp.books.tables["Sales Invoice"]) == 1


def test_a_drafts_lines_are_replaced() -> None:
    erp = Bookkeeping()
    erp.create(ordered())
    totals = calculated(Order(Shop(), [Line(Decimal(20), (FULL,), 3, product=1)]))
    outcome = erp.update("WC-shop-5", content=told(native(totals, 5))["content"])
    assert (outcome.result, erp.order["grand_total"], len(erp.order["items"])) == (Result.DONE, 21.62, 2)


def test_an_edit_after_submission_waits_and_says_what_changed() -> None:
    erp = Bookkeeping(submit=True)
    erp.create(ordered())
    totals = calculated(Order(Shop(), [Line(Decimal(20), (FULL,), 3, product=1)]))
    assert_waits(erp.update("WC-shop-5", content=told(native(totals, 5))["content"]), "29.51", "21.62", "amend")
    assert erp.order["grand_total"] == 29.51


def test_news_that_changes_no_money_changes_no_rows() -> None:
    erp = Bookkeeping(submit=True)
    erp.create(ordered())
    order = ordered(coupon_lines=[{"code": "ten", "discount": "1"}])
    assert erp.update("WC-shop-5", content=told(order)["content"]).result is Result.DONE
    assert "items" not in erp.books.groups[-1].steps[0].values


def test_a_cancelled_order_cancels_its_sales_order() -> None:
    erp = Bookkeeping(submit=True)
    erp.create(ordered())
    outcome = erp.update("WC-shop-5", status="cancelled")
    assert erp.order["docstatus"] == 2
    assert outcome.observed is not None
    assert (outcome.observed.presence, outcome.observed.fields["status"]) == (Presence.PRESENT, "cancelled")


def test_what_was_invoiced_is_not_cancelled() -> None:
    erp = Bookkeeping(submit=True, invoice="on_completed")
    erp.create(ordered(status="completed"))
    assert_waits(erp.update("WC-shop-5", status="cancelled"), "invoiced or delivered", "credit note")
    assert erp.order["docstatus"] == 1


def test_a_cancelled_sales_order_is_not_brought_back() -> None:
    erp = Bookkeeping(submit=True)
    erp.create(ordered())
    erp.update("WC-shop-5", status="cancelled")
    assert_waits(erp.update("WC-shop-5", status="processing"), "is cancelled", "amend")


def test_an_amendment_stands_for_what_it_amends() -> None:
    erp = Bookkeeping(submit=True)
    erp.create(ordered())
    origin = erp.order
    origin["docstatus"] = 2
    copied = {name: value for name, value in origin.items() if not name.startswith("agencystack_")}
    amendment = {**copied, "name": "WC-shop-5-1", "docstatus": 1, "amended_from": "WC-shop-5", "grand_total": 99.0}
    erp.books.tables["Sales Order"]["WC-shop-5-1"] = amendment
    read = erp.form.read(["WC-shop-5", "WC-shop-5-1"])
    assert read["WC-shop-5"].fields["content"]["total"] == "99.00"  # type: ignore[index,call-overload]
    assert (read["WC-shop-5"].fields["status"], read["WC-shop-5"].created) == ("processing", origin["creation"])
    assert read["WC-shop-5-1"].presence is Presence.GONE


def test_a_draft_somebody_types_in_erpnext_is_no_order_yet() -> None:
    erp = Bookkeeping()
    typed = {"name": "SO-1", "docstatus": 0, "company": "Lab GmbH", "items": [], "currency": "CHF"}
    erp.books.tables["Sales Order"] = {"SO-1": typed}
    assert erp.form.read(["SO-1"])["SO-1"].presence is Presence.GONE
    erp.books.tables["Sales Order"]["SO-1"]["docstatus"] = 1
    assert erp.form.read(["SO-1"])["SO-1"].presence is Presence.PRESENT


def test_what_another_company_sells_or_another_shop_sent_is_none_of_the_shops() -> None:
    erp = Bookkeeping()
    sold = {"docstatus": 1, "items": [], "currency": "CHF"}
    erp.books.tables["Sales Order"] = {
        "SO-1": {"name": "SO-1", "company": "Lab GmbH", **sold},
        "SO-2": {"name": "SO-2", "company": "Other GmbH", **sold},
        "WC-other-7": {"name": "WC-other-7", "company": "Lab GmbH", "agencystack_token": "0" * 32, **sold},
        "WC-shop-7": {"name": "WC-shop-7", "company": "Other GmbH", "agencystack_token": "1" * 32, **sold},
    }
    read = erp.form.read(["SO-1", "SO-2", "WC-other-7", "WC-shop-7"])
    assert [name for name, one in read.items() if one.presence is Presence.PRESENT] == ["SO-1", "WC-shop-7"]
    assert list(erp.form.which) == [("company", "=", "Lab GmbH")]


def test_an_order_is_found_by_the_shops_id() -> None:
    erp = Bookkeeping()
    erp.create(ordered())
    assert erp.form.candidates({"shop_id": "5"}) == ["WC-shop-5"]
    erp.order["name"] = "SAL-ORD-1"
    assert erp.form.candidates({"shop_id": "5"}) == ["SAL-ORD-1"]
    assert erp.form.candidates({"shop_id": "55"}) == ()
    assert erp.form.candidates_of([{"shop_id": "55"}, {"shop_id": "5"}, {}]) == [(), ["SAL-ORD-1"], ()]


def test_an_order_with_a_number_of_its_own_is_found_too() -> None:
    erp = Bookkeeping()
    erp.create(ordered(number="2026-17"))
    erp.order["name"] = "SAL-ORD-1"
    assert erp.order["po_no"] == "WC-shop-5 (2026-17)"
    assert erp.form.candidates({"shop_id": "5", "number": "2026-17"}) == ["SAL-ORD-1"]
    assert erp.form.read(["WC-shop-5"])["WC-shop-5"].fields["number"] == "2026-17"


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({"status": "packed"}, {}, ("packed", "statuses")),
        ({}, {"taxes": {"CH-MWST-1": "VAT"}}, ("CH-MWST RED-1", "taxes")),
        ({}, {"shipping_item": None}, ("shipping", "shipping_item")),
        ({"currency": "GBP"}, {}, ("GBP", "Currency Exchange")),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], settings: dict[str, Any], words: tuple[str, ...]) -> None:
    erp = Bookkeeping(**settings)
    assert_waits(erp.create(ordered(**changes)), *words)
    assert not erp.books.groups


def test_a_deleted_product_waits_or_takes_the_item_for_it() -> None:
    order = ordered()
    order["line_items"][0]["product_id"] = 0
    assert_waits(Bookkeeping().create(order), "was deleted", "unknown_item")
    erp = Bookkeeping(unknown_item="UNKNOWN")
    erp.create(order)
    assert erp.order["items"][0]["item_code"] == "UNKNOWN"


def test_an_amount_finer_than_its_currency_waits() -> None:
    order = ordered(currency="JPY")
    assert_waits(Bookkeeping().create(order), "JPY", "number of decimals to 0")


def test_a_negative_quantity_waits() -> None:
    order = ordered()
    order["line_items"][0] |= {"quantity": -2}
    assert_waits(Bookkeeping().create(order), "-2", "Line 0")


@pytest.mark.parametrize(
    ("threshold", "account", "equal"), [("0", "R", False), ("0.01", None, False), ("0.01", "R", True)]
)
def test_a_difference_is_a_row_of_its_own_or_waits(threshold: str, account: str | None, equal: bool) -> None:
    order = ordered(total="29.50")
    erp = Bookkeeping(threshold=Decimal(threshold), rounding_account=account)
    outcome = erp.create(order)
    if not equal:
        assert_waits(outcome, "-0.01 CHF")
        return
    assert erp.order["grand_total"] == 29.50
    assert erp.order["taxes"][-1]["account_head"] == "R"


def test_an_order_changes_no_price_of_the_shop() -> None:
    erp = Bookkeeping()
    erp.books.tables["Stock Settings"] = {"Stock Settings": {"auto_insert_price_list_rate_if_missing": 1}}
    assert_waits(erp.create(ordered()), "product-1", "Auto Insert Item Price")
    items = ("product-1", "product-2", "SHIPPING")
    erp.books.tables["Item Price"] = {item: {"item_code": item, "price_list": "Standard Selling"} for item in items}
    assert erp.create(ordered()).result is Result.DONE


def test_a_total_erpnext_makes_different_is_taken_back() -> None:
    erp = Bookkeeping(submit=True)
    erp.books.digits = 1  # currency_precision of System Settings
    assert_waits(erp.create(ordered()), "ERPNext makes 29.50", "currency_precision")
    assert erp.books.tables["Sales Order"] == {}


def test_guests_may_be_one_customer() -> None:
    guests = Guests(policy="one_customer", customer="Web")
    erp = Bookkeeping(guests=guests)
    erp.create(ordered(), customer=None)
    assert erp.order["customer"] == "Web"
    assert erp.form.read(["WC-shop-5"])["WC-shop-5"].fields["customer"] is None
    assert_waits(Bookkeeping().create(ordered(), customer=None), "no customer", "one_customer")


def test_one_order_that_waits_keeps_no_other_from_being_imported() -> None:
    erp = Bookkeeping()
    good, bad = told(ordered(1)), {**told(ordered(2)), "status": "packed"}
    operations = [Operation(f"{at:032x}", "order", Action.CREATE, fields=one) for at, one in enumerate((bad, good))]
    results = [one.result for one in erp.form.apply(operations).values()]
    assert sorted(results) == [Result.DONE, Result.REFUSED]
    assert list(erp.books.tables["Sales Order"]) == ["WC-shop-1"]


def test_books_of_tests_are_what_forms_ask_for() -> None:
    assert isinstance(Bookkeeping().books, Books)


def test_fields_of_the_agencys_own_travel_with_an_order() -> None:
    custom = {"gift": CustomField(wordpress="_gift", erpnext="custom_gift")}
    erp = Bookkeeping()
    erp.form.custom = custom
    erp.create(ordered(), gift="yes")
    assert erp.order["custom_gift"] == "yes"
    assert erp.form.read(["WC-shop-5"])["WC-shop-5"].fields["gift"] == "yes"
    erp.update("WC-shop-5", gift="no")
    assert erp.order["custom_gift"] == "no"


@pytest.mark.parametrize(
    ("status", "made"),
    [("pending", False), ("failed", False), ("cancelled", False), ("on-hold", True), ("processing", True), ("x", True)],
)
def test_an_abandoned_checkout_is_no_order(status: str, made: bool) -> None:
    assert wanted({"status": status, "payment": {"paid": None}}) is made
    assert wanted({"status": status, "payment": {"paid": "2026-11-22T20:06:00Z"}})


def test_hostile_text_is_text() -> None:
    evil = "<script>alert(1)</script> & مرحبا 🙂 '"
    order = ordered(customer_note=evil + "x" * 200_000, number=f"№ {evil * 20}")
    order["line_items"][0]["name"] = evil
    order["billing"] |= dict.fromkeys(("first_name", "company", "address_1", "city"), evil)
    erp = Bookkeeping()
    outcome = erp.create(order)
    assert outcome.result is Result.DONE
    assert "<script" not in erp.order["items"][0]["description"] + erp.order["address_display"]
    assert len(erp.order["po_no"]) <= 140
    assert len(erp.order["agencystack_note"].encode()) < 65_536
    assert outcome.observed is not None
    assert same(outcome.observed.fields["content"], told(order)["content"])


def test_an_order_goes_where_it_was_ordered_to() -> None:
    """ERPNext would put the customer's own address over the order's, unless the field that names one is empty."""
    erp = Bookkeeping(submit=True, invoice="on_completed")
    order = ordered(status="completed")
    order["shipping"] = {"first_name": "Gift", "address_1": "Lane 3", "city": "Bern", "country": "CH"}
    erp.create(order)
    (invoice,) = erp.books.tables["Sales Invoice"].values()
    for document in (erp.order, invoice):
        assert document["shipping_address"] == "Gift<br>Lane 3<br>Bern<br>CH"
        assert (document["customer_address"], document["shipping_address_name"]) == ("", "")


def test_an_order_with_one_address_is_not_sent_to_another() -> None:
    erp = Bookkeeping()
    erp.create(ordered(shipping={}))
    assert (erp.order["shipping_address"], erp.order["shipping_address_name"]) == ("", "")
    assert erp.form.read(["WC-shop-5"])["WC-shop-5"].fields["shipping_address"] is None
