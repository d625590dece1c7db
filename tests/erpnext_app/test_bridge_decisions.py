"""What the app's bridge decides without a site: who may call, what marks what, what may be asked, who may do what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Group, Step, step_token
from agencystack.bridge.signing import SigningKey, Unsigned, check
from agencystack.stack.secrets import Secret
from tests.erpnext_app.bridge_double import BridgeDouble, installed

SECRET, ROUTE, BODY, NOW = "s" * 64, "agencystack_connector.bridge.changes", b'{"limit": 5}', 1_790_000_000


@pytest.fixture
def site() -> Iterator[BridgeDouble]:
    with installed() as double:
        yield double


class Doc(dict[str, Any]):
    """A document, as far as marking looks at it."""

    def __init__(self, doctype: str, name: str = "N", before: Doc | None = None, **fields: Any) -> None:
        super().__init__(fields)
        self.doctype, self.name, self._before = doctype, name, before

    def get_doc_before_save(self) -> Doc | None:
        return self._before


def checked(site: BridgeDouble, headers: dict[str, str], *, nonces: set[str] | None = None, body: bytes = BODY) -> str:
    """Return the code a call is refused with; empty where it is let in."""
    signing, seen = site.load("signing"), nonces if nonces is not None else set()

    def first_time(nonce: str) -> bool:
        known = nonce in seen
        seen.add(nonce)
        return not known

    try:
        signing.check({"k": SECRET}, ROUTE, body, lambda name: headers.get(name, ""), first_time, clock=lambda: NOW)
    except signing.Unsigned as why:
        return str(why.code)
    return ""


def signed(at: int = NOW, key: str = "k") -> dict[str, str]:
    return SigningKey(key, Secret(SECRET)).headers(ROUTE, BODY, clock=lambda: at, nonce=lambda: "0" * 32)


def test_the_app_believes_what_the_bridge_signs_once(site: BridgeDouble) -> None:
    nonces: set[str] = set()
    assert checked(site, signed(), nonces=nonces) == ""
    assert checked(site, signed(), nonces=nonces) == "agencystack_replayed"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (signed(key="other"), BODY, "agencystack_unknown_key"),
        (signed(NOW - 301), BODY, "agencystack_late"),
        (signed(NOW + 301), BODY, "agencystack_late"),
        (signed(), BODY + b" ", "agencystack_unsigned"),
        ({**signed(), "X-AgencyStack-Nonce": "1" * 32}, BODY, "agencystack_unsigned"),
        ({**signed(), "X-AgencyStack-Nonce": "short"}, BODY, "agencystack_unsigned"),
        ({**signed(), "X-AgencyStack-Time": "²"}, BODY, "agencystack_late"),
        ({**signed(), "X-AgencyStack-Signature": "ü"}, BODY, "agencystack_unsigned"),
        ({}, BODY, "agencystack_unknown_key"),
    ],
)
def test_anything_else_is_refused(site: BridgeDouble, headers: dict[str, str], body: bytes, code: str) -> None:
    assert checked(site, headers, body=body) == code


def test_a_call_that_is_refused_uses_no_nonce_up(site: BridgeDouble) -> None:
    nonces: set[str] = set()
    checked(site, {**signed(), "X-AgencyStack-Signature": "0"}, nonces=nonces)
    assert not nonces


def test_the_bridge_believes_what_the_app_signs(site: BridgeDouble) -> None:
    sent = site.load("signing").headers("k", SECRET, "hooks/p/erpnext", b"{}", "a" * 32, NOW)
    lower = {name.lower(): value for name, value in sent.items()}
    keys = {"k": SigningKey("k", Secret(SECRET))}
    check(keys, "hooks/p/erpnext", b"{}", lower, lambda _: True, clock=lambda: NOW)
    with pytest.raises(Unsigned):
        check(keys, "hooks/p/erpnext", b"{ }", lower, lambda _: True, clock=lambda: NOW)


class Looked:
    """A site with variations, an amended order and a Lead of two submissions."""

    def item_kind(self, code: str) -> str:
        return "variation" if code.startswith("V-") else "product"

    def orders(self, name: str) -> list[str]:
        return [name, name.removesuffix("-1")] if name.endswith("-1") and name != "SO-1" else [name]

    def submissions(self, lead: str) -> list[str]:
        return [f"{lead}-a", f"{lead}-b"]


LINKS = {"links": [{"link_doctype": "Customer", "link_name": "C"}, {"link_doctype": "Supplier", "link_name": "S"}]}
OTHER = Doc("Contact", links=[{"link_doctype": "Customer", "link_name": "Before"}])
LINES = {"items": [{"item_code": "P-1", "sales_order": "SO-1", "against_sales_order": "SO-1"}, {"item_code": "V-1"}]}
STOCK = {("product", "P-1"), ("variation", "V-1")}
MARKS: list[tuple[Doc, set[tuple[str, str]]]] = [
    (Doc("Customer"), {("customer", "N")}),
    (Doc("Contact", **LINKS), {("customer", "C")}),
    (Doc("Address", before=OTHER, **LINKS), {("customer", "C"), ("customer", "Before")}),
    (Doc("Contact"), set()),
    (Doc("Item"), {("product", "N")}),
    (Doc("Item", variant_of="T"), {("variation", "N")}),
    (Doc("Item", before=Doc("Item", variant_of="T")), {("product", "N"), ("variation", "N")}),
    (Doc("Item Price", item_code="P-1"), {("product", "P-1")}),
    (
        Doc("Item Price", before=Doc("Item Price", item_code="P-2"), item_code="V-1"),
        {("variation", "V-1"), ("product", "P-2")},
    ),
    (Doc("Stock Ledger Entry", item_code="P-1"), {("product", "P-1")}),
    (Doc("Repost Item Valuation"), set()),
    (Doc("Item Group"), {("category", "N")}),
    (Doc("Sales Order", docstatus=0, **LINES), {("order", "N")}),
    (Doc("Sales Order", docstatus=1, **LINES), {("order", "N"), *STOCK}),
    (Doc("Sales Order", docstatus=2, packed_items=[{"item_code": "P-9"}]), {("order", "N"), ("product", "P-9")}),
    (Doc("Delivery Note", docstatus=0, **LINES), set()),
    (Doc("Delivery Note", docstatus=1, **LINES), {("order", "SO-1"), *STOCK}),
    (Doc("Sales Invoice", docstatus=1, **LINES), {("order", "SO-1")}),
    (Doc("Sales Invoice", docstatus=1, update_stock=1, **LINES), {("order", "SO-1"), *STOCK}),
    (Doc("Sales Invoice", docstatus=0, **LINES), set()),
    (Doc("Sales Order", "SO-7-1"), {("order", "SO-7-1"), ("order", "SO-7")}),
    (Doc("Payment Entry", party_type="Supplier"), set()),
    (
        Doc(
            "Payment Entry",
            party_type="Customer",
            references=[{"reference_doctype": "Sales Order", "reference_name": "SO-1"}],
        ),
        {("payment", "N"), ("order", "SO-1")},
    ),
    (
        Doc(
            "Payment Entry",
            party_type="Customer",
            payment_type="Pay",
            references=[
                {
                    "reference_doctype": "Sales Invoice",
                    "advance_voucher_type": "Sales Order",
                    "advance_voucher_no": "SO-2",
                }
            ],
        ),
        {("refund", "N"), ("order", "SO-2")},
    ),
    (
        Doc("Journal Entry", accounts=[{"reference_type": "Sales Order", "reference_name": "SO-1"}, {}]),
        {("order", "SO-1")},
    ),
    (Doc("Lead"), {("submission", "N-a"), ("submission", "N-b")}),
    (Doc("Communication", reference_doctype="Lead", reference_name="L", agencystack_token="t"), {("submission", "N")}),
    (Doc("Communication", reference_doctype="Lead", reference_name="L"), set()),
    (Doc("Communication", reference_doctype="Issue", reference_name="I"), set()),
    (Doc("Blog Post"), {("post", "N")}),
    (Doc("Web Page"), {("page", "N")}),
    (Doc("ToDo"), set()),
]


@pytest.mark.parametrize(("doc", "about"), MARKS, ids=lambda value: value.doctype if isinstance(value, Doc) else "")
def test_a_document_marks_the_records_it_is_about(site: BridgeDouble, doc: Doc, about: set[tuple[str, str]]) -> None:
    assert set(site.load("marking").marks(doc, Looked())) == about


def test_a_renamed_record_is_marked_under_both_names(site: BridgeDouble) -> None:
    marking = site.load("marking")
    assert set(marking.renamed(Doc("Customer", "New"), "Old", "New", Looked())) == {
        ("customer", "Old"),
        ("customer", "New"),
    }
    variant = Doc("Item", "New", variant_of="T")
    assert set(marking.renamed(variant, "Old", "New", Looked())) == {("variation", "Old"), ("variation", "New")}
    assert set(marking.renamed(Doc("Contact", "New", **LINKS), "Old", "New", Looked())) == {("customer", "C")}


def test_frappe_tells_of_each_document_that_marks(site: BridgeDouble) -> None:
    from importlib import import_module

    events = import_module("agencystack_connector.hooks").doc_events
    marking = site.load("marking")
    assert set(marking.ABOUT) == set(events) - {"Email Queue"}
    assert all("on_change" in events[doctype] for doctype in marking.ABOUT)
    assert all("after_rename" in events[doctype] and "after_delete" in events[doctype] for doctype in marking.OWN)


def test_rights_are_those_of_what_is_shared(site: BridgeDouble) -> None:
    entities = site.load("entities")
    assert entities.rights({}) == {}
    assert entities.rights({"page": "both"}) == {"Web Page": ("select", "read", "write", "create", "delete")}
    assert entities.rights({"page": "to_wordpress"}) == {"Web Page": ("select", "read")}
    assert entities.rights({"page": "off"}) == {}
    both = entities.rights({"order": "to_erpnext", "customer": "to_wordpress"})
    assert both["Customer"] == ("select", "read")
    assert both["Sales Order"] == ("select", "read", "write", "create", "submit", "cancel", "delete")
    assert "delete" not in both["Sales Invoice"]


@pytest.mark.parametrize("doctype", ["User", "Role", "System Settings", "DocType", "File", "Server Script", "Company"])
def test_nothing_shared_needs_to_write_what_runs_a_site(site: BridgeDouble, doctype: str) -> None:
    entities = site.load("entities")
    given = entities.rights(dict.fromkeys(entities.ENTITIES, "both")).get(doctype, ())
    assert set(given) <= {"select", "read"}


@given(
    st.sampled_from(["both", "to_erpnext", "to_wordpress", "off"]),
    st.sampled_from(["", "both", "to_erpnext", "to_wordpress", "off"]),
)
def test_what_people_narrow_never_widens(direction: str, to: str) -> None:
    ways = {"both": {1, 2}, "to_erpnext": {1}, "to_wordpress": {2}, "off": set(), "": {1, 2}}
    with installed() as site:
        assert ways[site.load("entities").narrowed(direction, to)] == ways[direction] & ways[to]


def test_tokens_are_kept_where_the_bridge_looks_for_them(site: BridgeDouble) -> None:
    fields = site.load("fields")
    assert fields.TOKEN == TOKEN_FIELD
    wanted = fields.wanted()
    for doctype in fields.TOKENED:
        [token] = [field for field in wanted[doctype] if field["fieldname"] == TOKEN_FIELD]
        assert (token["unique"], token["no_copy"], token["read_only"]) == (1, 1, 1)
    made = {
        doctype
        for rights in site.load("entities").ENTITIES.values()
        for doctype, given in rights.items()
        if "create" in given
    }
    assert made, "the app makes documents"
    assert made <= set(fields.TOKENED), "a creation whose answer was lost is found by its token"


def step(**given: Any) -> dict[str, Any]:
    return {"action": "insert", "doctype": "Customer", "called": "main", **given}


def group(*steps: Any, **given: Any) -> dict[str, Any]:
    return {"token": "t", "steps": list(steps), **given}


METHOD = "erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice"


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"token": "t"},
        {"token": "t", "steps": []},
        {"token": "", "steps": [step()]},
        group(None),
        group(step(action="explode")),
        group(step(doctype=7)),
        group(step(values=[1])),
        group(step(action="update")),
        group(step(action="map", doctype="Sales Invoice")),
        group(step(action="map", doctype="Sales Invoice", method="frappe.client.delete")),
        group(step(action="map", doctype="User", method=METHOD)),
        group(step(action="map", doctype="Sales Invoice", method=METHOD, arguments={"ignore_permissions": 1})),
        group(*[step()] * 51),
    ],
)
def test_what_is_no_group_is_refused(site: BridgeDouble, given: Any) -> None:
    steps = site.load("steps")
    with pytest.raises(steps.BadGroup):
        steps.group(given)


def test_names_of_what_was_made_are_put_in_their_place(site: BridgeDouble) -> None:
    steps = site.load("steps")
    made = {"$made": "main"}
    asked = json.loads(
        json.dumps(group(step(), step(action="submit", name=made, values={"links": [{"link_name": made}]})))
    )
    second = steps.group(asked).steps[1]
    assert steps.resolved(second.name, {"main": "C-1"}) == "C-1"
    assert steps.resolved(dict(second.values), {"main": "C-1"}) == {"links": [{"link_name": "C-1"}]}
    with pytest.raises(steps.BadGroup):
        steps.resolved(second.name, {})


def test_tokens_are_those_the_bridge_gives_without_the_app(site: BridgeDouble) -> None:
    steps = site.load("steps")
    for asked in (
        [step(called="a"), step(called="main"), step(called="")],
        [step(action="update", name="x"), step(called="main"), step(action="submit", name="y"), step(called="")],
    ):
        ours = steps.group(group(*asked))
        theirs = Group("t", tuple(Step(one["action"], one["doctype"], called=one["called"]) for one in asked))
        for index, one in enumerate(ours.steps):
            if one.action == "insert":
                assert ours.token_of(one) == step_token(theirs, index)


def test_a_group_is_known_by_its_main_document_or_the_first_that_is_made(site: BridgeDouble) -> None:
    steps = site.load("steps")
    assert steps.group(group(step(called="a"), step(called="main"))).bearer.called == "main"
    assert steps.group(group(step(called="a"), step(called="b"))).bearer.called == "a"
    assert steps.group(group(step(action="update", name="x"))).bearer is None


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("plain", "plain"),
        ("<b>Row #1:</b> no <a href='x'>Item</a> here", "Row #1: no Item here"),
        ("one<br>two<br/> three", "one\ntwo\nthree"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("3 < 4 units of A & B", "3 < 4 units of A & B"),
        ("no <strong>'<', '>'</strong>", "no '<', '>'"),
        ("<ul><li>x</li><li>y</li></ul>", "x\ny"),
    ],
)
def test_people_are_told_without_html(site: BridgeDouble, said: str, text: str) -> None:
    assert site.load("steps").plain(said) == text
