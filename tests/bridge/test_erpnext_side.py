"""ERPNext's documents by REST and through our app: what is made once, what an answer means, what is seen to change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from agencystack.bridge.entities.submission_erpnext import SubmissionOnErpNext
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Action, Operation, Outcome, Range, Result
from agencystack.bridge.sides.erpnext.app import AppDocuments, _saved
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Group, Made, Step, step_token
from agencystack.bridge.sides.erpnext.exchange import Answer, Exchange
from agencystack.bridge.sides.erpnext.form import ErpNextForm, Native, Watch
from agencystack.bridge.sides.erpnext.polling import PolledChanges
from agencystack.bridge.sides.erpnext.rest import RestDocuments
from agencystack.bridge.sides.erpnext.side import ErpNextSide
from agencystack.bridge.sides.erpnext.verdict import verdict
from agencystack.bridge.sides.outbox import OutboxChanges
from agencystack.bridge.signing import SigningKey
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ConfigurationError, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.bridge.erpnext_site import TOKEN, URL, WHERE, Site

T1, T2 = "1" * 32, "2" * 32


@pytest.fixture(params=[False, True], ids=["rest", "app"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(app=request.param)


@pytest.fixture
def plain() -> Site:
    return Site()


def customer(token: str = T1, name: str = "Anna Müller", **values: Any) -> Group:
    contact = {"first_name": name, "links": [{"link_doctype": "Customer", "link_name": Made("main")}]}
    return Group(
        token,
        (
            Step("insert", "Customer", values={"customer_name": name, **values}, called="main"),
            Step("insert", "Contact", values=contact, called="contact"),
        ),
    )


class CustomerForm(ErpNextForm):
    entity = "customer"
    doctype = "Customer"
    watched = (Watch("Contact", "links.link_name", (("Dynamic Link", "link_doctype", "=", "Customer"),)),)

    def fields(self, native: Native) -> Fields:
        return {"name": native.document["customer_name"], "website": native.document.get("website")}

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        if operation.fields.get("name") == "":
            raise Refused("a customer without a name", remedy="give the customer a name")
        if native is None:
            return [Step("insert", "Customer", values={"customer_name": operation.fields["name"]}, called="main")]
        if operation.action is Action.RETIRE:
            return [Step("update", "Customer", native.document["name"], {"disabled": 1}, called="main")]
        values = {"website": operation.fields["website"]}
        modified = native.document["modified"]
        return [Step("update", "Customer", native.document["name"], values, called="main", modified=modified)]

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        return [[["customer_name", "=", fields["name"]]]]


class ItemForm(CustomerForm):
    entity = "product"
    doctype = "Item"
    which = (["variant_of", "is", "not set"],)
    watched = (Watch("Item Price", "item_code"), Watch("Bin", "item_code"))


# Making. --------------------------------------------------------------------------------------------------------------


def test_a_group_makes_its_documents_once_however_often_it_is_sent(site: Site) -> None:
    documents = site.documents()

    first = documents.save([customer()])[T1]
    again = documents.save([customer()])[T1]

    assert (first.result, first.name) == (Result.DONE, "Anna Müller") == (again.result, again.name)
    assert len(site.held("Customer")) == len(site.held("Contact", first_name="Anna Müller")) == 1
    assert documents.find("Customer", [T1, T2]) == {T1: "Anna Müller"}
    assert site.held("Contact")[0]["links"][0]["link_name"] == "Anna Müller"


def test_the_main_document_carries_the_token_wherever_it_stands(site: Site) -> None:
    steps = (
        Step("insert", "Customer", values={"customer_name": "Late"}, called="customer"),
        Step("insert", "Item", values={"item_code": "SKU-9", "item_group": "Products"}, called="main"),
    )

    saved = site.documents().save([Group(T1, steps)])[T1]

    assert saved.name == "SKU-9"
    assert site.documents().find("Item", [T1]) == {T1: "SKU-9"}
    assert step_token(Group(T1, steps), 0) == f"{T1}-customer"


@pytest.mark.parametrize("trouble", ["lost after", "broken after"])
def test_a_lost_answer_leaves_nothing_doubled(site: Site, trouble: str) -> None:
    posts = iter([trouble])
    making = ("/api/resource/Customer", "bridge.apply")
    site.misbehaving(lambda method, path: next(posts, None) if method == "POST" and path.endswith(making) else None)

    first = site.documents().save([customer()])[T1]
    again = site.documents().save([customer()])[T1]

    # By REST the token is looked up at once; a whole batch of the app is looked up by the bridge.
    assert first.result in ({Result.UNKNOWN} if site.app else {Result.DONE})
    assert (again.result, again.name) == (Result.DONE, "Anna Müller")
    assert len(site.held("Customer")) == len(site.held("Contact")) == 1


def test_what_was_not_sent_may_be_tried_later(site: Site) -> None:
    site.misbehaving(lambda method, path: "unreachable" if path.endswith(("Customer", "apply")) else None)

    saved = site.documents().save([customer()])[T1]

    assert saved.result is Result.LATER
    assert site.held("Customer") == []


def test_one_refusal_does_not_keep_others_from_happening(site: Site) -> None:
    bad = Group(T2, (Step("insert", "Customer", values={"customer_name": "a < b <b>"}, called="main"),))

    saved = site.documents().save([bad, customer()])

    assert (saved[T2].result, saved[T2].kind, saved[T2].step) == (Result.REFUSED, "NameError", "insert Customer")
    assert "<" not in saved[T2].message.replace("'<'", "")
    assert saved[T1].result is Result.DONE


def test_a_group_that_fails_halfway_is_finished_by_its_next_run(site: Site) -> None:
    broken = customer()
    broken = Group(T1, (*broken.steps[:1], Step("update", "Item", "SKU-1", {"stock_uom": "Nope"}, called="item")))
    documents = site.documents()

    refused = documents.save([broken])[T1]
    # With the app nothing of it happened; without, the customer is there and found again.
    assert refused.result is Result.REFUSED
    assert len(site.held("Customer")) == (0 if site.app else 1)

    assert documents.save([customer()])[T1].result is Result.DONE
    assert len(site.held("Customer")) == 1


def test_an_order_is_submitted_in_two_steps_and_has_its_status(site: Site) -> None:
    site.make("Customer", {"customer_name": "Buyer"})
    order = {
        "customer": "Buyer",
        "delivery_date": "2026-12-20",
        "items": [{"item_code": "SKU-1", "qty": 2, "rate": 9.99}],
    }
    steps = (Step("insert", "Sales Order", values=order, called="main"), Step("submit", "Sales Order", Made("main")))

    saved = site.documents().save([Group(T1, steps)])[T1]

    document = site.documents().fetch("Sales Order", [saved.name])[saved.name]
    assert (document["docstatus"], document["status"]) == (1, "To Deliver and Bill")
    assert document["grand_total"] == 19.98
    assert site.held("Bin")[0]["reserved_qty"] == 2.0


def test_a_document_is_made_of_another_and_changed_on_the_way(site: Site) -> None:
    site.make("Customer", {"customer_name": "Buyer"})
    rows = [{"item_code": "SKU-1", "qty": 3, "rate": 3.33}]
    order = site.make("Sales Order", {"customer": "Buyer", "delivery_date": "2026-12-20", "items": rows})
    site.change("Sales Order", order, {"docstatus": 1})
    method = "erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice"
    step = Step("map", "Sales Invoice", values={"po_no": "W-7"}, called="main", method=method, source=order)

    saved = site.documents().save([Group(T1, (step, Step("submit", "Sales Invoice", Made("main"))))])[T1]

    invoice = site.held("Sales Invoice", name=saved.name)[0]
    assert (invoice["po_no"], invoice["grand_total"], invoice["status"]) == ("W-7", 9.99, "Unpaid")
    assert site.held("Sales Order", name=order)[0]["per_billed"] == 100.0


def test_without_the_field_for_tokens_nothing_is_made(plain: Site) -> None:
    group = Group(T1, (Step("insert", "Blogger", values={"short_name": "a", "full_name": "A"}, called="main"),))

    with pytest.raises(ConfigurationError, match="Blogger has no field agencystack_token"):
        plain.rest().save([group])
    assert plain.held("Blogger") == []


# Changing. ------------------------------------------------------------------------------------------------------------


def test_a_changed_document_is_stale_and_stays(site: Site) -> None:
    site.make("Customer", {"customer_name": "Anna"})
    documents = site.documents()
    seen = documents.fetch("Customer", ["Anna"])["Anna"]["modified"]
    site.change("Customer", "Anna", {"website": "https://theirs"})

    step = Step("update", "Customer", "Anna", {"website": "https://ours"}, called="main", modified=seen)
    saved = documents.save([Group(T1, (step,))])[T1]

    assert saved.result is Result.STALE
    assert site.held("Customer")[0]["website"] == "https://theirs"


def test_what_is_gone_is_stale_and_deleting_it_again_is_done(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Anna"})
    documents = plain.rest()
    delete = Group(T1, (Step("delete", "Customer", "Anna"),))

    assert documents.save([delete])[T1].result is Result.DONE
    assert documents.save([delete])[T1].result is Result.DONE
    update = Group(T2, (Step("update", "Customer", "Anna", {"website": "x"}, called="main"),))
    assert documents.save([update])[T2].result is Result.STALE


def test_cancelling_what_is_cancelled_is_done(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Buyer"})
    rows = [{"item_code": "SKU-1", "qty": 1, "rate": 1}]
    order = plain.make("Sales Order", {"customer": "Buyer", "delivery_date": "2026-12-20", "items": rows})
    plain.change("Sales Order", order, {"docstatus": 1})
    cancel = Group(T1, (Step("cancel", "Sales Order", order, called="main"),))

    assert [plain.rest().save([cancel])[T1].result for _ in range(2)] == [Result.DONE, Result.DONE]
    assert plain.held("Sales Order")[0]["docstatus"] == 2


# Reading. -------------------------------------------------------------------------------------------------------------


def test_one_document_and_many_are_read_alike(site: Site) -> None:
    names = ["50% A/B & Co?", "Ünï #1", "Anna", "Zoë", "x" * 140]
    for name in names:
        site.make("Customer", {"customer_name": name})
    site.make("Contact", {"first_name": "A", "links": [{"link_doctype": "Customer", "link_name": "Anna"}]})
    documents = site.documents()

    many = documents.fetch("Customer", [*names, "nobody"])
    assert set(many) == set(names)
    assert [documents.fetch("Customer", [name])[name] for name in names] == [many[name] for name in names]


def test_modified_is_told_in_utc_too(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Anna"})

    observed = CustomerForm(plain.rest()).read(["Anna"])["Anna"]

    local = plain.held("Customer")[0]["modified"]
    assert observed.modified is not None
    assert observed.modified.isoformat().startswith(local.replace(" 19:", "T18:"))


def test_a_walk_sees_each_document_once_in_order_of_creation(site: Site) -> None:
    made = [site.make("Customer", {"customer_name": f"C {number}"}) for number in range(7)]
    documents, after, seen = site.documents(), "", []
    while True:
        page = documents.walk("Customer", [], after, 3)
        seen += page.ids
        if not page.next:
            break
        after = page.next
    assert seen == made


def test_a_walk_tells_documents_of_one_moment_apart(plain: Site) -> None:
    moment = plain.clock()
    plain.stand_in._clock = lambda: moment
    made = {plain.make("Customer", {"customer_name": f"C {number}"}) for number in range(5)}
    documents, after, seen = plain.rest(), "", list[str]()
    for _ in range(5):
        page = documents.walk("Customer", [], after, 2)
        seen += page.ids
        after = page.next
        if not after:
            break
    assert sorted(seen) == sorted(made)


def test_digests_of_ranges_change_with_what_hangs_on_a_document() -> None:
    site = Site(app=True)
    site.make("Customer", {"customer_name": "Anna"})
    documents = site.documents()
    before = documents.summaries("Customer", [Range(), Range("2099", "")])
    site.make("Contact", {"first_name": "A", "links": [{"link_doctype": "Customer", "link_name": "Anna"}]})
    after = documents.summaries("Customer", [Range(), Range("2099", "")])

    assert before is not None
    assert after is not None
    assert (before[0].count, after[0].count) == (1, 1)
    assert before[0].digest != after[0].digest
    assert before[1] == after[1]
    assert documents.rows("Customer", Range()) == {"Anna": after[0].digest}
    assert documents.fetch("Customer", ["Anna"])["Anna"]["agencystack_row"] == after[0].digest


def test_unreachable_forbidden_and_absent_are_three_answers(plain: Site) -> None:
    documents = plain.rest()
    assert documents.fetch("Customer", ["nobody"]) == {}
    stranger = RestDocuments(Exchange(WHERE, URL, Secret("token a:b"), transport=plain.inside), parallel=1)
    with pytest.raises(AuthenticationFailed, match="401"):
        stranger.fetch("Customer", ["nobody"])
    plain.misbehaving(lambda method, path: "unreachable")
    with pytest.raises(Unavailable, match="cannot be reached"):
        documents.fetch("Customer", ["nobody"])
    plain.misbehaving(lambda method, path: None)
    page = httpx.MockTransport(lambda request: httpx.Response(200, html="<html>Sign in</html>"))
    with pytest.raises(BadAnswer):
        RestDocuments(Exchange(WHERE, URL, Secret("x"), transport=page), parallel=1).select("Customer", [], ["name"])


# What answers mean. ---------------------------------------------------------------------------------------------------


UNIQUE = json.dumps([json.dumps({"message": "Item Code must be unique"})])


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(200, {"data": {}}), Result.DONE),
        (Answer(trouble="did not answer"), Result.UNKNOWN),
        (Answer(sent=False, trouble="refused"), Result.LATER),
        (Answer(429, {}), Result.LATER),
        (Answer(503, None), Result.LATER),
        (Answer(502, None), Result.UNKNOWN),
        (Answer(504, None), Result.UNKNOWN),
        (Answer(500, None), Result.UNKNOWN),
        (Answer(401, {"exc_type": "AuthenticationError"}), Result.LATER),
        (Answer(403, {"exc_type": "PermissionError"}), Result.REFUSED),
        (Answer(409, {"exc_type": "DuplicateEntryError"}), Result.REFUSED),
        (Answer(417, {"exc_type": "ValidationError"}), Result.REFUSED),
        (Answer(417, {"exc_type": "TimestampMismatchError"}), Result.STALE),
        (Answer(500, {"exc_type": "AttributeError", "exception": "AttributeError: x"}), Result.REFUSED),
        (Answer(500, {"exc_type": "DataError", "exception": "pymysql.err.DataError: (1406, 'x')"}), Result.REFUSED),
        (Answer(404, {"exc_type": "DoesNotExistError", "exception": "x"}), Result.REFUSED),
        (Answer(404, {"exc_type": "DoesNotExistError", "_server_messages": UNIQUE}), Result.LATER),
        (Answer(500, {"exc_type": "QueryDeadlockError", "exception": "x"}), Result.LATER),
        (Answer(500, {"exc_type": "OperationalError", "exception": "x: (1205, 'Lock wait')"}), Result.LATER),
        (Answer(500, {"exc_type": "OperationalError", "exception": "x: (1054, 'column')"}), Result.REFUSED),
    ],
)
def test_what_an_answer_means(answer: Answer, result: Result) -> None:
    assert verdict(answer).result is result


def test_waiting_as_long_as_asked() -> None:
    assert verdict(Answer(429, {}, after=7.0)).after == 7.0


# Making all at once. --------------------------------------------------------------------------------------------------

MANY = "/api/method/frappe.client.insert_many"


def product(code: str = "SKU-7", price_list: str = "Standard Selling", **values: Any) -> Group:
    price = {"item_code": Made("main"), "price_list": price_list, "price_list_rate": 9.5}
    return Group(
        T1,
        (
            Step("insert", "Item", values={"item_code": code, "item_group": "Products", **values}, called="main"),
            Step("insert", "Item Price", values=price, called="price"),
        ),
    )


@pytest.fixture
def asked(plain: Site) -> list[str]:
    """What is asked by POST beside lists."""
    paths: list[str] = []

    def note(method: str, path: str) -> None:
        if method == "POST" and not path.endswith("get_list"):
            paths.append(path)

    plain.misbehaving(note)
    return paths


def test_what_names_one_another_by_names_we_know_is_made_in_one_request(plain: Site, asked: list[str]) -> None:
    saved = plain.rest().save([product()])[T1]

    assert (saved.result, saved.name) == (Result.DONE, "SKU-7")
    assert asked == [MANY]
    assert [one["item_code"] for one in plain.held("Item Price", price_list_rate=9.5)] == ["SKU-7"]
    assert plain.rest().find("Item", [T1]) == {T1: "SKU-7"}
    again = plain.rest().save([product()])[T1]
    assert (again.result, again.name) == (Result.DONE, "SKU-7")
    assert asked == [MANY], "the second run finds all of it by the tokens"


def test_of_what_is_refused_together_each_is_tried_by_itself(plain: Site, asked: list[str]) -> None:
    saved = plain.rest().save([product(price_list="Nowhere")])[T1]

    assert saved.result is Result.REFUSED
    assert (saved.step, "Nowhere" in saved.message) == ("insert Item Price", True)
    assert asked[:2] == [MANY, "/api/resource/Item"]
    assert [one["name"] for one in plain.held("Item", item_code="SKU-7")] == ["SKU-7"]
    assert plain.rest().save([product()])[T1].result is Result.DONE, "only the price is left to be made"
    assert len(plain.held("Item", item_code="SKU-7")) == len(plain.held("Item Price", item_code="SKU-7")) == 1


@pytest.mark.parametrize(("trouble", "result"), [("broken after", Result.DONE), ("unreachable", Result.LATER)])
def test_a_lost_answer_about_all_of_it_is_looked_up(plain: Site, trouble: str, result: Result) -> None:
    times = iter([trouble])
    plain.misbehaving(lambda _method, path: next(times, None) if path == MANY else None)

    first = plain.rest().save([product()])[T1]

    assert first.result is result
    assert plain.rest().save([product()])[T1].result is Result.DONE
    assert len(plain.held("Item", item_code="SKU-7")) == len(plain.held("Item Price", item_code="SKU-7")) == 1


class PricedForm(ItemForm):
    def fields(self, native: Native) -> Fields:
        return {"name": native.document["item_name"]}

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        return product(item_name=operation.fields["name"]).steps


@pytest.mark.parametrize("meddled", [False, True])
def test_who_saves_what_was_just_made_is_noticed(plain: Site, meddled: bool) -> None:
    made: list[str] = []

    def meddle(method: str, path: str) -> None:
        if path == MANY:
            made.append("SKU-7")
        elif method == "GET" and made and meddled:
            plain.change("Item", made.pop(), {"item_name": "Theirs"})

    plain.misbehaving(meddle)
    outcome = PricedForm(plain.rest()).apply([Operation(T1, "product", Action.CREATE, fields={"name": "Ours"})])[T1]

    assert outcome.result is Result.DONE
    assert (outcome.observed is None) is meddled


# The form. ------------------------------------------------------------------------------------------------------------


def test_a_form_says_what_became_of_each_operation(site: Site) -> None:
    site.make("Customer", {"customer_name": "Old"})
    form = CustomerForm(site.documents())
    old = form.read(["Old"])["Old"]
    site.change("Customer", "Old", {"website": "https://theirs"})
    operations = [
        Operation(T1, "customer", Action.CREATE, fields={"name": "New"}),
        Operation(T2, "customer", Action.UPDATE, "Old", {"website": "https://ours"}, expected=old),
        Operation("3" * 32, "customer", Action.CREATE, fields={"name": ""}),
        Operation("4" * 32, "customer", Action.UPDATE, "nobody", {"website": "x"}),
        Operation("5" * 32, "customer", Action.RETIRE, "nobody"),
    ]

    outcomes = form.apply(operations)

    assert [outcomes[one.token].result for one in operations] == [
        Result.DONE,
        Result.STALE,
        Result.REFUSED,
        Result.STALE,
        Result.DONE,
    ]
    made = outcomes[T1].observed
    assert made is not None
    assert (made.id, made.fields, made.token) == ("New", {"name": "New", "website": None}, T1)
    assert outcomes["3" * 32].remedy == "give the customer a name"


def test_a_write_that_cannot_be_read_back_stays_done(plain: Site) -> None:
    plain.misbehaving(lambda method, path: 503 if method == "GET" else None)

    outcome = CustomerForm(plain.rest()).apply([Operation(T1, "customer", Action.CREATE, fields={"name": "A"})])[T1]

    assert (outcome.result, outcome.observed) == (Result.DONE, None)


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE])
def test_a_change_made_between_our_write_and_the_look_at_it_is_not_taken_for_ours(plain: Site, action: Action) -> None:
    plain.make("Customer", {"customer_name": "Old"})
    form = CustomerForm(plain.rest())
    old = form.read(["Old"])["Old"]
    made = Operation(T1, "customer", Action.CREATE, fields={"name": "New"})
    changed = Operation(T1, "customer", Action.UPDATE, "Old", {"website": "https://ours"}, expected=old)
    written: list[str] = []

    def meddle(method: str, path: str) -> None:
        if method in {"POST", "PUT"} and path.startswith("/api/resource/Customer"):
            written.append("New" if method == "POST" else "Old")
        elif method == "GET" and written:
            plain.change("Customer", written.pop(), {"website": "https://theirs"})

    plain.misbehaving(meddle)
    one = made if action is Action.CREATE else changed
    assert form.apply([one])[one.token] == Outcome(one.token, Result.DONE)


def test_what_our_app_says_of_a_documents_last_change_is_known() -> None:
    told = {"result": "done", "name": "A", "modified": "2026-11-23 09:00:00.000001"}
    assert _saved(customer(), told).modified == "2026-11-23 09:00:00.000001"


# Changes. -------------------------------------------------------------------------------------------------------------


def records(marks: Sequence[Any]) -> set[tuple[str, str]]:
    return {(mark.entity, mark.record) for mark in marks}


def forms(site: Site) -> Mapping[str, ErpNextForm]:
    return {"customer": CustomerForm(site.rest()), "product": ItemForm(site.rest())}


def drained(source: PolledChanges) -> str:
    """Return a cursor after everything there is; what changed just before the first call is told by the second."""
    return source.changes(source.changes("", (), 100).cursor, (), 100).cursor


def test_polling_tells_each_change_once_and_what_hangs_on_a_record(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Anna"})
    source = PolledChanges(plain.rest(), forms(plain), URL)
    side = ErpNextSide(forms(plain), source)
    cursor = side.changes("", (), 100).cursor

    plain.make("Customer", {"customer_name": "Bert"})
    plain.make("Contact", {"first_name": "A", "links": [{"link_doctype": "Customer", "link_name": "Anna"}]})
    price = plain.held("Item Price")[0]["name"]
    plain.change("Item Price", price, {"price_list_rate": 11})
    told = side.changes(cursor, (), 100)
    assert records(told.marks) == {("customer", "Bert"), ("customer", "Anna"), ("product", "SKU-1")}
    assert side.changes(told.cursor, (), 100).marks == ()

    plain.change("Customer", "Bert", {"website": "x"})
    assert records(side.changes(told.cursor, (), 100).marks) == {("customer", "Bert")}


def test_polling_sees_what_was_committed_after_a_later_change(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Anna"})
    source = PolledChanges(plain.rest(), forms(plain), URL)
    cursor = drained(source)
    slow = plain.stand_in.work()
    plain.stand_in.documents.insert(slow, "Customer", {"customer_name": "Slow"})

    plain.clock.now += timedelta(seconds=2)
    plain.make("Customer", {"customer_name": "Fast"})
    first = source.changes(cursor, (), 100)
    slow.transaction.commit()
    second = source.changes(first.cursor, (), 100)

    assert records(first.marks) == {("customer", "Fast")}
    assert records(second.marks) == {("customer", "Slow")}
    held = {one["name"]: one["modified"] for one in plain.held("Customer")}
    assert held["Slow"] < held["Fast"]


def test_polling_goes_through_many_changes_in_parts(plain: Site) -> None:
    source = PolledChanges(plain.rest(), forms(plain), URL)
    cursor = drained(source)
    made = {("customer", plain.make("Customer", {"customer_name": f"C {number}"})) for number in range(12)}

    seen, more, calls = set(), True, 0
    while more:
        told = source.changes(cursor, (), 5)
        assert len(told.marks) <= 5
        seen |= records(told.marks)
        cursor, more, calls = told.cursor, told.more, calls + 1
        assert calls < 10

    assert seen == made


def test_polling_tells_a_submission_when_its_lead_moves_on(plain: Site) -> None:
    plain.make("Custom Field", {"dt": "Communication", **TOKEN})
    leads = [plain.make("Lead", {"first_name": name, "email_id": f"{name}@example.test"}) for name in ("anna", "bert")]
    for number, lead in enumerate(leads):
        said = {"subject": "Hello", "reference_doctype": "Lead", "reference_name": lead, TOKEN_FIELD: f"t{number}"}
        plain.make("Communication", said)
    source = PolledChanges(plain.rest(), {"submission": SubmissionOnErpNext(plain.rest())}, URL)
    cursor = drained(source)

    plain.change("Lead", leads[0], {"status": "Replied"})

    [told] = records(source.changes(cursor, (), 100).marks)
    assert told[0] == "submission"
    assert plain.held("Communication", name=told[1])[0]["reference_name"] == leads[0]


def test_polling_tells_deletions_by_the_log(plain: Site) -> None:
    plain.make("Customer", {"customer_name": "Anna"})
    source = PolledChanges(plain.rest(), forms(plain), URL)
    cursor = source.changes("", (), 100).cursor

    plain.delete("Customer", "Anna")
    plain.delete("Item Price", plain.held("Item Price")[0]["name"])

    assert records(source.changes(cursor, (), 100).marks) == {("customer", "Anna"), ("product", "SKU-1")}
    assert len(json.dumps(cursor)) < 2000


def test_the_app_keeps_marks_until_exactly_these_are_acknowledged() -> None:
    site = Site(app=True)
    side = ErpNextSide({}, OutboxChanges(site.calls()))
    first = side.changes("", (), 500)
    assert ("product", "SKU-1") in records(first.marks)
    ids = [mark.id for mark in first.marks]
    site.change("Item", "SKU-1", {"item_name": "Changed meanwhile"})

    again = side.changes("", ids, 500)

    assert records(again.marks) == {("product", "SKU-1")}
    assert again.marks[0].id not in ids
    assert (again.identity.epoch or 0) > (first.identity.epoch or 0)
    assert again.identity.instance == first.identity.instance
    assert side.changes("", [again.marks[0].id], 500).marks == ()


def test_the_apps_own_writes_are_no_news_but_what_else_they_change_is() -> None:
    site = Site(app=True)
    site.make("Customer", {"customer_name": "Buyer"})
    side = ErpNextSide({}, OutboxChanges(site.calls()))
    told = side.changes("", (), 500)
    side.changes("", [mark.id for mark in told.marks], 500)
    order = {
        "customer": "Buyer",
        "delivery_date": "2026-12-20",
        "items": [{"item_code": "SKU-1", "qty": 2, "rate": 10}],
    }
    steps = (Step("insert", "Sales Order", values=order, called="main"), Step("submit", "Sales Order", Made("main")))

    site.documents().save([Group(T1, steps)])

    assert records(side.changes("", (), 500).marks) == {("product", "SKU-1")}


def test_a_wrong_key_is_an_authentication_failure_and_loses_nothing() -> None:
    site = Site(app=True)
    stranger = site.calls(SigningKey("k1", Secret("another")))

    with pytest.raises(AuthenticationFailed, match="signature does not match"):
        OutboxChanges(stranger).identity()
    saved = AppDocuments(stranger, parallel=1).save([customer()])[T1]
    assert (saved.result, saved.kind) == (Result.LATER, "agencystack_unsigned")
    assert site.held("Customer") == []


def test_a_site_without_our_app_says_so(plain: Site) -> None:
    with pytest.raises(BadAnswer, match="has no call changes of our app"):
        OutboxChanges(plain.calls()).identity()


def test_batches_are_as_large_as_the_last_ones_were_fast() -> None:
    site = Site(app=True)
    seconds = iter(range(0, 100_000, 2))
    documents = AppDocuments(site.calls(), parallel=1, clock=lambda: float(next(seconds)))
    groups = [
        Group(f"{number:032x}", (Step("insert", "Customer", values={"customer_name": f"C {number}"}, called="main"),))
        for number in range(120)
    ]
    site.inside.calls.clear()

    saved = documents.save(groups)

    assert {one.result for one in saved.values()} == {Result.DONE}
    assert len(site.held("Customer")) == 120
    sizes = len([path for _, path in site.inside.calls if path.endswith("apply")])
    assert 2 <= sizes <= 4


def test_a_batch_writes_upon_what_it_just_read_and_asks_nothing_twice(site: Site) -> None:
    form = CustomerForm(site.documents())
    name = site.make("Customer", {"customer_name": "Ada"})
    seen = form.read([name])[name]
    site.inside.calls.clear()
    one = Operation(T1, "customer", Action.UPDATE, name, {"website": "https://ours"}, expected=seen)
    native = form.upon([one])[name]
    assert native.document["customer_name"] == "Ada"
    assert site.inside.calls == []
    assert form.apply([one])[T1].result is Result.DONE


def test_what_changed_since_it_was_read_is_not_written_upon(site: Site) -> None:
    form = CustomerForm(site.documents())
    name = site.make("Customer", {"customer_name": "Ada"})
    seen = form.read([name])[name]
    site.change("Customer", name, {"website": "https://theirs"})
    one = Operation(T1, "customer", Action.UPDATE, name, {"website": "https://ours"}, expected=seen)
    assert form.apply([one])[T1].result is Result.STALE
    assert site.held("Customer", name=name)[0]["website"] == "https://theirs"


def test_a_page_of_items_is_read_without_the_tables_nobody_looks_at(plain: Site) -> None:
    names = [plain.make("Item", {"item_code": f"I-{at}", "item_group": "Products"}) for at in range(5)]
    documents = plain.rest()
    documents.fetch("Item", names)
    plain.inside.calls.clear()
    found = documents.fetch("Item", names)
    assert list(found) == names
    assert found["I-0"]["attributes"] == []
    assert len(plain.inside.calls) == 2, "the Items, and their attributes"


def test_cookies_of_a_guest_are_not_sent_back() -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        return httpx.Response(200, json={"data": {}}, headers={"Set-Cookie": "sid=Guest; Path=/"})

    exchange = Exchange(WHERE, "http://erp.localhost", transport=httpx.MockTransport(answer))
    for _ in range(2):
        assert exchange.send("GET", "/api/resource/Item").done
    assert sent == [None, None]


@pytest.mark.parametrize(
    ("address", "proxy"),
    [("https://erp.example", "http://proxy.example:3128"), ("https://erp.internal:8000", None), ("http://a", None)],
)
def test_the_proxy_that_the_environment_names_is_used(
    address: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.internal")
    taken: list[object] = []
    monkeypatch.setattr(httpx, "HTTPTransport", lambda **given: taken.append(given["proxy"]))
    Exchange(WHERE, address)
    assert taken == [proxy]
