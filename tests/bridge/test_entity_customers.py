"""Customers, guests and categories: people stay themselves, and names survive what each product refuses."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.bridge.entities.category_erpnext import CategoryOnErpNext
from agencystack.bridge.entities.category_wordpress import CategoryOnWordPress
from agencystack.bridge.entities.customer import CUSTOMER
from agencystack.bridge.entities.customer_documents import dialled
from agencystack.bridge.entities.customer_erpnext import CustomerOnErpNext
from agencystack.bridge.entities.customer_wordpress import CustomerOnWordPress
from agencystack.bridge.entities.shared import real_name, safe_name
from agencystack.bridge.entity import Deletion
from agencystack.bridge.record import Presence, Ref
from agencystack.bridge.side import Action, Result
from agencystack.bridge.sides.erpnext.documents import Saved
from agencystack.bridge.sides.wordpress.records import Kind, Written
from tests.bridge.form_doubles import ACCOUNTING, FakeDocuments, FakeRecords, erpnext, operation, shop

ADDRESS = {"line1": "Weg 1", "line2": None, "city": "Bern", "postcode": "3000", "state": "BE", "country": "CH"}
ANNA = {
    "email": "anna@example.test",
    "first_name": "Anna",
    "last_name": "Muster",
    "phone": "+41 44 000 00 00",
    "billing": ADDRESS,
    "shipping": {**ADDRESS, "line1": "Gasse 2", "recipient": "Bob Boss"},
}


@pytest.fixture
def records() -> FakeRecords:
    return FakeRecords()


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


def made(documents: FakeDocuments, fields: dict[str, Any], **options: Any) -> Any:
    one = operation("customer", fields)
    outcome = CustomerOnErpNext(documents, ACCOUNTING, **options).apply([one])[one.token]
    assert outcome.result is Result.DONE, outcome.message
    return outcome.observed


# WordPress. -------------------------------------------------------------------------------------------------------


def test_a_customer_of_the_shop(records: FakeRecords) -> None:
    id_ = records.put(Kind.CUSTOMER, shop("customer"))
    seen = CustomerOnWordPress(records).read([id_])[id_]
    assert seen.presence is Presence.PRESENT
    assert seen.fields == {
        "email": "anna@example.test",
        "first_name": "Anna",
        "last_name": "Muster",
        "company": None,
        "phone": "+41 44 000 00 00",
        "billing": {
            "line1": "Bahnhofstrasse 1",
            "line2": None,
            "city": "Zürich",
            "postcode": "8001",
            "state": "ZH",
            "country": "CH",
        },
        "shipping": None,
        "guest": None,
    }
    assert set(seen.fields) == {one.name for one in CUSTOMER.fields}


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "administrator"},
        {"role": "shop_manager"},
        {"role": ""},
        {"agencystack": {"roles": ["customer", "editor"]}},
        {"username": "agencystack-probe-7f"},
    ],
)
def test_people_who_are_no_customers_are_left_alone(records: FakeRecords, changes: dict[str, Any]) -> None:
    id_ = records.put(Kind.CUSTOMER, {**shop("customer"), **changes})
    form = CustomerOnWordPress(records, roles=("customer", "administrator"))
    assert form.read([id_])[id_].presence is Presence.GONE
    assert form.candidates({"email": "anna@example.test"}) == []


def test_a_new_user_gets_no_role_and_a_password_nobody_knows(records: FakeRecords) -> None:
    form = CustomerOnWordPress(records)
    form.apply([operation("customer", ANNA), operation("customer", ANNA)])
    first, second = (one.values for one in records.writes)
    assert "role" not in first
    assert first["password"] != second["password"]
    assert first["billing"]["address_1"] == "Weg 1"
    assert (first["shipping"]["first_name"], first["shipping"]["last_name"]) == ("Bob", "Boss")


def test_a_change_sends_what_changed_alone(records: FakeRecords) -> None:
    id_ = records.put(Kind.CUSTOMER, shop("customer"))
    CustomerOnWordPress(records).apply([operation("customer", {"phone": None, "last_name": "Meier"}, id_)])
    assert records.writes[0].values == {"last_name": "Meier", "billing": {"last_name": "Meier", "phone": ""}}


def test_a_customer_without_an_address_to_write_to_waits(records: FakeRecords) -> None:
    one, other = operation("customer", {"company": "X"}), operation("customer", {"email": None}, "2")
    outcomes = CustomerOnWordPress(records).apply([one, other])
    assert [outcomes[each.token].result for each in (one, other)] == [Result.REFUSED, Result.REFUSED]
    assert "e-mail" in outcomes[one.token].remedy
    assert records.writes == []


def test_a_user_is_never_put_into_a_bin_wordpress_does_not_have(records: FakeRecords) -> None:
    one = operation("customer", {}, "2", action=Action.RETIRE)
    outcome = CustomerOnWordPress(records).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert one.how is Deletion.ARCHIVE
    assert "deletion: keep" in outcome.remedy


def test_a_taken_address_says_what_to_do(records: FakeRecords) -> None:
    code = "registration-error-email-exists"
    records.answer = lambda write: Written(write.token, Result.REFUSED, code=code, message="taken")
    one = operation("customer", ANNA)
    assert "another address" in CustomerOnWordPress(records).apply([one])[one.token].remedy


# Guests. ----------------------------------------------------------------------------------------------------------


def guest_order(id_: int, **billing: str) -> dict[str, Any]:
    native = shop("guest order")
    return {**native, "id": id_, "customer_id": 0, "billing": {**native["billing"], **billing}}


def test_a_guest_is_what_the_first_order_said(records: FakeRecords) -> None:
    records.put(Kind.ORDER, guest_order(9, email="Guest@Example.test", first_name="Later"))
    records.put(Kind.ORDER, guest_order(8, email="guest@example.test", first_name="First"))
    records.put(Kind.ORDER, {**guest_order(7, email="guest@example.test", first_name="Account"), "customer_id": 3})
    seen = CustomerOnWordPress(records).read(["guest:guest@example.test", "guest-order:9", "guest:no@example.test"])
    by_email, by_order = seen["guest:guest@example.test"], seen["guest-order:9"]
    assert by_email.fields["email"] == "guest@example.test"
    assert by_email.fields["guest"]["first_name"] == "First"  # type: ignore[index,call-overload]
    assert by_order.fields["email"] is None
    assert by_order.fields["guest"]["first_name"] == "Later"  # type: ignore[index,call-overload]
    assert seen["guest:no@example.test"].presence is Presence.GONE


def test_a_guest_never_overwrites_a_person(documents: FakeDocuments) -> None:
    anna = made(documents, ANNA)
    before = {name: dict(rows) for name, rows in documents.tables.items()}
    said = {"email": "anna@example.test", "first_name": "Mallory", "shipping": {**ADDRESS, "recipient": "Mallory"}}
    one = operation("customer", {"guest": said}, anna.id, anna)
    outcome = CustomerOnErpNext(documents, ACCOUNTING).apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert documents.tables == before


def test_a_guest_becomes_a_customer_of_erpnext(documents: FakeDocuments) -> None:
    seen = made(documents, {"email": "g@example.test", "guest": {**ANNA, "email": "g@example.test"}})
    assert seen.fields["billing"] == ADDRESS
    assert seen.fields["email"] == "g@example.test"


def test_what_would_change_a_guest_changes_nothing(records: FakeRecords) -> None:
    records.put(Kind.ORDER, guest_order(8, email="guest@example.test"))
    one = operation("customer", {"phone": "1"}, "guest:guest@example.test")
    outcome = CustomerOnWordPress(records).apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert outcome.observed is not None
    assert records.writes == []


# ERPNext. ---------------------------------------------------------------------------------------------------------


def test_a_customer_reads_back_as_it_was_made(documents: FakeDocuments) -> None:
    seen = made(documents, ANNA)
    assert {name: seen.fields[name] for name in ANNA} == ANNA
    assert seen.fields["company"] is None
    assert len(documents.tables["Contact"]) == 1
    assert len(documents.tables["Address"]) == 2
    customer = documents.tables["Customer"][seen.id]
    assert customer["customer_primary_contact"] in documents.tables["Contact"]
    assert customer["customer_type"] == "Individual"
    assert "User" not in documents.tables


@pytest.mark.parametrize("name", ["Müller & Söhne <GmbH> 100%", "שלום 😀", "x" * 100])
def test_companies_keep_their_names(documents: FakeDocuments, name: str) -> None:
    seen = made(documents, {"company": name, "email": "info@example.test"})
    assert seen.fields["company"] == name
    assert documents.tables["Customer"][seen.id]["customer_type"] == "Company"
    assert "<" not in seen.id


def test_names_are_made_safe_and_real_again() -> None:
    assert real_name(safe_name("a <b> & c")) == "a <b> & c"
    assert "<" not in safe_name("<<>>")


def test_a_persons_other_addresses_and_numbers_stay(documents: FakeDocuments) -> None:
    seen = made(documents, ANNA)
    links = [{"link_doctype": "Customer", "link_name": seen.id}]
    other = documents.put("Address", {**erpnext("address"), "name": "Other", "address_type": "Office", "links": links})
    contact = next(iter(documents.tables["Contact"].values()))
    contact["email_ids"] = [*contact["email_ids"], {"name": "r2", "email_id": "work@example.test", "is_primary": 0}]
    form = CustomerOnErpNext(documents, ACCOUNTING)
    fields = {"email": "neu@example.test", "billing": {**ADDRESS, "city": "Genf"}}
    one = operation("customer", fields, seen.id, form.read([seen.id])[seen.id])
    assert form.apply([one])[one.token].result is Result.DONE
    assert documents.tables["Address"][other]["city"] == erpnext("address")["city"]
    rows = {row["email_id"]: row["is_primary"] for row in contact["email_ids"]}
    assert rows == {"neu@example.test": 1, "work@example.test": 0}
    cities = sorted(row["city"] for row in documents.tables["Address"].values())
    assert cities == sorted(["Genf", "Bern", erpnext("address")["city"]])


def test_a_contact_changed_by_somebody_is_looked_at_again(documents: FakeDocuments) -> None:
    seen = made(documents, ANNA)
    contact = next(iter(documents.tables["Contact"].values()))
    contact |= {"first_name": "Anne", "modified": "2026-11-23 00:00:00.000000"}
    form = CustomerOnErpNext(documents, ACCOUNTING)
    assert form.read([seen.id])[seen.id].version != seen.version
    one = operation("customer", {"first_name": "Annika"}, seen.id, seen)
    assert form.apply([one])[one.token].result is Result.STALE
    assert contact["first_name"] == "Anne"


def test_an_address_of_a_country_alone_is_none_and_a_half_one_is_completed(documents: FakeDocuments) -> None:
    half = {**ADDRESS, "line1": None, "city": None}
    seen = made(documents, {"email": "a@example.test", "billing": half})
    assert seen.fields["billing"] == half
    stored = next(iter(documents.tables["Address"].values()))
    assert (stored["address_line1"], stored["city"], stored["country"]) == ("-", "-", "Switzerland")


def test_nothing_is_longer_than_erpnext_takes(documents: FakeDocuments) -> None:
    long = "x" * 500
    made(documents, {"first_name": long, "last_name": long, "email": "a@b.test", "billing": {**ADDRESS, "line1": long}})
    for doctype in ("Customer", "Contact", "Address"):
        for document in documents.tables[doctype].values():
            assert all(len(value) <= 140 for value in document.values() if isinstance(value, str))
    (contact,) = documents.tables["Contact"].values()
    (customer,) = documents.tables["Customer"].values()
    assert len(f"{contact['first_name']} {contact['last_name']}-{customer['name']}-1") <= 140
    (address,) = documents.tables["Address"].values()
    assert len(f"{address['address_title']}-Shipping-") <= 100  # a series, which numbers a second one of this title


def test_long_names_of_people_are_not_cut(documents: FakeDocuments) -> None:
    seen = made(documents, {"first_name": "Maria Magdalena Franziska", "last_name": "von und zu Hohenberg-Waldburg"})
    assert seen.fields["first_name"] == "Maria Magdalena Franziska"
    assert seen.fields["last_name"] == "von und zu Hohenberg-Waldburg"


def test_customers_of_erpnext_are_found_by_address_whatever_its_case(documents: FakeDocuments) -> None:
    documents.put("Customer", erpnext("customer"))
    documents.put("Contact", erpnext("contact"))
    form = CustomerOnErpNext(documents, ACCOUNTING)
    email = erpnext("contact")["email_ids"][0]["email_id"]
    assert email == email.lower()
    documents.tables["Contact"]["Jane Roe-Acme Ltd"]["email_ids"][0]["email_id"] = email.upper()
    asked = [{"email": email}, {"email": None}, {"email": "nobody@example.test"}]
    assert form.candidates_of(asked) == [("Acme Ltd",), (), ()]
    assert form.candidates({"email": email}) == ("Acme Ltd",)
    seen = form.read(["Acme Ltd"])["Acme Ltd"].fields
    assert (seen["company"], seen["first_name"], seen["last_name"]) == ("Acme Ltd", "Jane", "Roe")


def test_a_name_given_in_erpnext_stays_when_the_person_changes(documents: FakeDocuments) -> None:
    seen = made(documents, ANNA)
    documents.tables["Customer"][seen.id]["customer_name"] = "Frau Dr. Muster"
    form = CustomerOnErpNext(documents, ACCOUNTING)
    one = operation("customer", {"last_name": "Meier"}, seen.id)
    assert form.apply([one])[one.token].result is Result.DONE
    assert documents.tables["Customer"][seen.id]["customer_name"] == "Frau Dr. Muster"
    two = operation("customer", {"company": "Meier AG"}, seen.id)
    form.apply([two])
    assert documents.tables["Customer"][seen.id]["customer_name"] == "Meier AG"
    assert documents.tables["Customer"][seen.id]["customer_type"] == "Company"


def test_two_people_of_one_name_made_at_the_same_moment(documents: FakeDocuments) -> None:
    taken = iter([Saved("", Result.REFUSED, kind="DuplicateEntryError", message="Customer Ada L already exists"), None])
    documents.refuse = lambda step: next(taken) if step.doctype == "Customer" and step.action == "insert" else None
    one = operation("customer", {"email": "ada@example.com", "first_name": "Ada", "last_name": "L"})
    outcome = CustomerOnErpNext(documents, ACCOUNTING).apply([one])[one.token]
    assert (outcome.result, len(documents.tables["Customer"])) == (Result.DONE, 1)


def test_website_users_are_made_without_mail_and_roles(documents: FakeDocuments) -> None:
    seen = made(documents, ANNA, website_users=True)
    (user,) = documents.tables["User"].values()
    assert user["user_type"] == "Website User"
    assert user["send_welcome_email"] == 0
    assert "roles" not in user
    assert documents.tables["Customer"][seen.id]["portal_users"] == [{"user": user["name"]}]


def test_a_desk_user_is_never_made_a_customers_user(documents: FakeDocuments) -> None:
    documents.put("User", {"name": "anna@example.test", "user_type": "System User"})
    seen = made(documents, ANNA, website_users=True)
    assert len(documents.tables["User"]) == 1
    assert "portal_users" not in documents.tables["Customer"][seen.id]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("+41 44 000 00 00", "+41 44 000 00 00"),
        ("+41 44 000 00 00 abends", "+41 44 000 00 00"),
        ("ruf an", None),
        (None, None),
        ("1" * 30, "1" * 20),
    ],
)
def test_numbers_as_erpnext_takes_them(said: str | None, wanted: str | None) -> None:
    assert dialled(said) == wanted


# Categories. ------------------------------------------------------------------------------------------------------


def groups(documents: FakeDocuments) -> CategoryOnErpNext:
    for one in erpnext("item groups")["data"] if isinstance(erpnext("item groups"), dict) else erpnext("item groups"):
        documents.put("Item Group", {**one, "item_group_name": one["name"]})
    return CategoryOnErpNext(documents, ACCOUNTING)


def test_categories_of_the_shop(records: FakeRecords) -> None:
    id_ = records.put(Kind.CATEGORY, shop("category with entities"))
    other = records.put(Kind.CATEGORY, {**shop("category"), "id": 15, "slug": "uncategorized"})
    seen = CategoryOnWordPress(records).read([id_, other])
    assert seen[id_].fields == {"name": "Grand & Kind 378114", "parent": Ref("category", "21")}
    assert seen[other].presence is Presence.GONE


def test_one_name_under_two_parents(documents: FakeDocuments) -> None:
    form = groups(documents)
    parents = [operation("category", {"name": name}) for name in ("Women", "Men")]
    form.apply(parents)
    several = [operation("category", {"name": "Shoes", "parent": Ref("category", name)}) for name in ("Women", "Men")]
    names = []
    for one in several:
        outcome = form.apply([one])[one.token]
        assert outcome.observed is not None
        names.append(outcome.observed.id)
        assert outcome.observed.fields == one.fields
    assert names == ["Shoes", "Shoes (Men)"]
    assert form.candidates({"name": "Shoes", "parent": Ref("category", "Men")}) == ["Shoes (Men)"]


def test_groups_that_are_no_categories(documents: FakeDocuments) -> None:
    seen = groups(documents).read(["All Item Groups", "Products", "Services"])
    assert seen["All Item Groups"].presence is Presence.GONE
    assert seen["Products"].presence is Presence.GONE
    assert seen["Services"].fields == {"name": "Services", "parent": None}


def test_a_leaf_that_gets_a_child_becomes_a_group(documents: FakeDocuments) -> None:
    form = groups(documents)
    one = operation("category", {"name": "Haircut", "parent": Ref("category", "Services")})
    form.apply([one])
    assert documents.tables["Item Group"]["Services"]["is_group"] == 1
    assert documents.tables["Item Group"]["Haircut"]["parent_item_group"] == "Services"
