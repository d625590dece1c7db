"""What shops and offices really type, all of it at once: each record ends synced, or shown with what to do about it.

One pairing holds every bad record beside good ones, so that none can hide behind another's trouble.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agencystack.bridge.side import Range
from tests.bridge.together import E, Together, W

NASTY = "<script>alert(1)</script>😀 <b>שלום</b> & \" ' \\ {{ frappe.db }} %s \u202e"
"""Script, HTML, emoji, right to left with its override, quotes, a backslash, a template and a format."""
MEGABYTES = 5_000_000
ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "phone")


class Shop:
    """A pairing full of bad input; records by what is wrong with them."""

    def __init__(self, folder: Path, *, plugin: bool) -> None:
        self.it = Together(folder, plugin=plugin, calc_taxes="yes")
        self.id: dict[str, str] = {}
        self.it.run()
        self._sold()
        self._people()
        self._catalogue()
        self._orders()
        self._office()
        self._good()
        self.it.run()
        self.it.run_later()
        self._who_was_first()
        self._changes_after()
        self.it.run()
        self.it.run_later()

    def _who_was_first(self) -> None:
        """Call the one of two that came across the first: their requests go side by side."""
        if not self.across("product", "first of two"):
            ids = self.id
            ids["first of two"], ids["second of two"] = ids["second of two"], ids["first of two"]

    def said(self, what: str, entity: str = "") -> str:
        """Return all that a person is told about a record: what is wrong, and what to do."""
        id_ = self.id[what]
        letters = [
            f"{one.message} -> {one.remedy}"
            for one in self.it.bridge.dead_letters(limit=1000)
            if id_ in (one.wordpress_id, one.erpnext_id) and entity in ("", one.entity)
        ]
        asked = [
            f"{one.kind} {one.field} {one.candidates}"
            for one in self.it.bridge.conflicts(limit=1000)
            if id_ in (one.wordpress_id, one.erpnext_id) and entity in ("", one.entity)
        ]
        return "\n".join([*letters, *asked])

    def across(self, entity: str, what: str, side: Any = W) -> str:
        """Return the id of a record's other half; empty where it has none."""
        with self.it.store.reading(self.it.pairing) as reading:
            link = reading.links.of_records(side, entity, [self.id[what]]).get(self.id[what])
        return link.on(side.other) if link else ""

    # What was there before. ---------------------------------------------------------------------------------------

    def _sold(self) -> None:
        it = self.it
        self.id["sold"] = it.product(sku="SOLD")
        self.id["doomed"] = it.product(sku="DOOMED")
        it.run()

    def _line(self, quantity: int = 1, product: str = "sold") -> dict[str, int]:
        return {"product_id": int(self.id[product]), "quantity": quantity}

    def _people(self) -> None:
        it = self.it
        self.id["< in a name"] = it.customer("lt@example.test", first_name="<Anna", last_name="B < C > D")
        self.id["no e-mail"] = it.customer("was@example.test", first_name="Ohne", last_name="Mail")
        it.shop.state.data.users[self.id["no e-mail"]]["email"] = ""
        nasty = dict.fromkeys(ADDRESS, NASTY) | {"country": "DE"}
        self.id["nasty person"] = it.customer(
            "nasty@example.test", first_name=NASTY, last_name=NASTY, billing=nasty, shipping=nasty
        )
        self.id["rtl"] = it.customer("rtl@example.test", first_name="محمد", last_name="بن علي")
        for name in ("Anna Eins", "Anna Zwei"):
            customer = it.make("Customer", {"customer_name": name, "customer_type": "Individual", **_GROUPS})
            self._contact(name, customer, "twice@example.test")
        self.id["twice"] = it.customer("twice@example.test")

    def _contact(self, name: str, customer: str, email: str) -> None:
        links = [{"link_doctype": "Customer", "link_name": customer}]
        mail = [{"email_id": email, "is_primary": 1}]
        self.it.make("Contact", {"first_name": name, "email_ids": mail, "links": links})

    def _catalogue(self) -> None:
        it, data = self.it, self.it.shop.state.data
        self.id["no sku"] = it.product(sku="", name="Nameless")
        self.id["first of two"] = it.product(sku="TWICE", name="First")
        self.id["second of two"] = it.product(sku="OTHER", name="Second")
        data.products[self.id["second of two"]]["sku"] = "TWICE"  # as an import plugin does
        self.id["huge"] = it.product(sku="HUGE", description=f"<p>{'x' * MEGABYTES}</p>")
        term = it.put("wc/v3/products/categories", name=NASTY)
        self.id["nasty category"] = term
        sku = "A<b>&'\"😀"
        self.id["nasty product"] = it.product(sku=sku, name=NASTY, description=NASTY, categories=[{"id": int(term)}])
        self.id["negative stock"] = it.product(sku="NEG", manage_stock=True, stock_quantity=-3, backorders="yes")
        self.id["price as text"] = it.product(sku="TEXT")
        data.products[self.id["price as text"]]["regular_price"] = "on request"
        self._variable()
        one = it.put("wc/v3/products/categories", name="Circle A")
        other = it.put("wc/v3/products/categories", name="Circle B", parent=int(one))
        data.categories[one]["parent"] = int(other)
        self.id["circle"] = one
        self.id["in a circle"] = it.product(sku="ROUND", categories=[{"id": int(other)}])
        self.id["nasty post"] = it.put("wp/v2/posts", title=NASTY, content=NASTY, excerpt=NASTY, status="publish")
        self.id["huge page"] = it.put(
            "wp/v2/pages", title="Huge", content=f"<p>{'😀x ' * 70_000}</p>", status="publish"
        )

    def _variable(self) -> None:
        size = {"name": "Size", "variation": True, "visible": True, "options": ["S", "M", NASTY]}
        self.id["variable"] = parent = self.it.product(sku="SHIRT", type="variable", attributes=[size])
        children = f"wc/v3/products/{parent}/variations"
        self.id["without attributes"] = self.it.put(children, sku="SHIRT-ANY", regular_price="5")
        chosen = [{"name": "Size", "option": "M"}]
        self.id["variation"] = self.it.put(children, sku="SHIRT-M", regular_price="5", attributes=chosen)
        chosen = [{"name": "Size", "option": NASTY}]
        self.id["nasty variation"] = self.it.put(children, sku="SHIRT-N", regular_price="5", attributes=chosen)

    def _orders(self) -> None:
        it, orders = self.it, self.it.shop.state.data.orders
        self.id["deleted product"] = it.order(self._line(product="doomed"))
        it.in_shop("DELETE", f"wc/v3/products/{self.id['doomed']}", force="true")
        it.shop.state.data.statuses.append("packed")
        self.id["unknown status"] = it.order(self._line(), status="packed")
        self.id["unknown currency"] = it.order(self._line(), currency="BTC")
        self.id["unknown payment"] = it.order(self._line(), payment_method="bitcoin")
        self.id["fraction"] = it.order(self._line())
        orders[self.id["fraction"]]["items"][0]["quantity"] = 1.5
        self.id["closed year"] = it.order(self._line())
        orders[self.id["closed year"]] |= {"created": "2019-05-01T10:00:00", "paid": "2019-05-01T10:00:00"}
        self.id["to be cancelled"] = it.order(self._line())
        self.id["to be refunded"] = it.order(self._line())
        nasty = dict.fromkeys(ADDRESS, NASTY) | {"country": "DE", "email": "nasty@example.test"}
        self.id["nasty order"] = it.order(
            self._line(2),
            customer_id=int(self.id["nasty person"]),
            billing=nasty,
            shipping=nasty,
            customer_note=NASTY,
            payment_method_title=NASTY,
            transaction_id=NASTY,
            shipping_lines=[{"method_title": NASTY, "method_id": "flat_rate", "total": "5.00"}],
            fee_lines=[{"name": NASTY, "total": "1.00"}],
        )

    def _office(self) -> None:
        self.id["refused image"] = self.it.make(
            "Item", {"item_code": "IMAGE", "item_group": "Products", "image": "https://cdn.example/file.exe"}
        )
        self.id["office's Customer without e-mail"] = self.it.make(
            "Customer", {"customer_name": "Nur Name", "customer_type": "Individual", **_GROUPS}
        )

    def _good(self) -> None:
        it = self.it
        self.id["good person"] = it.customer("good@example.test", first_name="Gut", last_name="Mensch")
        self.id["good product"] = it.product(sku="GOOD")
        self.id["good order"] = it.order(self._line(product="good product"), customer_id=int(self.id["good person"]))

    def _changes_after(self) -> None:
        it = self.it
        it.change("Sales Order", self.across("order", "to be cancelled"), docstatus=2)
        it.in_shop("PUT", f"wc/v3/products/{self.id['variable']}", {"type": "simple", "regular_price": "3"})
        order = self.id["to be refunded"]
        it.in_shop("PUT", f"wc/v3/orders/{order}", {"transaction_id": "tx-9"})
        self.id["larger than its order"] = it.put(f"wc/v3/orders/{order}/refunds", amount="1.00", api_refund=False)
        it.shop.state.data.refunds[self.id["larger than its order"]]["amount"] = "999.00"
        it.run()
        it.in_shop("PUT", f"wc/v3/orders/{self.id['to be cancelled']}", {"status": "completed"})


_GROUPS = {"customer_group": "Individual", "territory": "All Territories"}


@pytest.fixture(scope="module", params=[True, False], ids=["plugin", "rest"])
def bad(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("bad"), plugin=request.param)


def test_good_records_go_through_beside_bad_ones(bad: Shop) -> None:
    order = bad.it.doc("Sales Order", name=bad.across("order", "good order"))

    assert (order["customer"], order["docstatus"], order["grand_total"]) == ("Gut Mensch", 1, 10.0)
    assert bad.it.docs("Item", item_code="GOOD")


@pytest.mark.parametrize(
    ("what", "entity", "wrong", "remedy"),
    [
        ("second of two", "product", "TWICE", "change one of the SKUs"),
        ("twice", "customer", "ambiguous", "Anna Eins"),
        ("office's Customer without e-mail", "customer", "no e-mail address", "add an e-mail address"),
        ("deleted product", "order", "was deleted in the shop", "unknown_item"),
        ("unknown status", "order", "packed", "say what it counts as"),
        ("unknown currency", "order", "no rate of exchange from BTC", "enter one"),
        ("unknown payment", "payment", "bitcoin", "add it to the accounting settings"),
        ("fraction", "order", "1.5 pieces", "correct the line"),
        ("closed year", "payment", "Fiscal", "make the fiscal year"),
        ("to be cancelled", "order", "is cancelled", "amend"),
        ("without attributes", "variation", "leaves every attribute open", "choose a value"),
        ("variable", "product", "became simple", "make a new product"),
        ("larger than its order", "refund", "999.00 EUR were given back", "correct or delete the refund"),
        ("circle", "category", "does not come across", "circle"),
        ("in a circle", "product", "does not come across", "look at what is said about category"),
    ],
)
def test_it_is_shown_with_what_to_do(bad: Shop, what: str, entity: str, wrong: str, remedy: str) -> None:
    said = bad.said(what, entity)

    assert wrong in said
    assert remedy in said


@pytest.mark.parametrize("what", ["second of two", "deleted product", "unknown currency", "fraction", "in a circle"])
def test_nothing_is_half_written(bad: Shop, what: str) -> None:
    entity = "product" if what in {"second of two", "in a circle"} else "order"

    assert bad.across(entity, what) == ""
    assert [one for one in bad.it.docs("Sales Order") if not one["items"] or one["docstatus"] == 0] == []


@pytest.mark.parametrize("doctype", ["Sales Order", "Payment Entry", "Sales Invoice"])
def test_what_erpnext_refuses_to_submit_is_not_left_as_a_draft(bad: Shop, doctype: str) -> None:
    assert [one["name"] for one in bad.it.docs(doctype) if one["docstatus"] == 0] == []


@pytest.mark.parametrize(
    ("entity", "what"),
    [
        ("product", "no sku"),
        ("product", "first of two"),
        ("product", "huge"),
        ("product", "nasty product"),
        ("product", "negative stock"),
        ("product", "price as text"),
        ("category", "nasty category"),
        ("variation", "variation"),
        ("variation", "nasty variation"),
        ("customer", "< in a name"),
        ("customer", "no e-mail"),
        ("customer", "nasty person"),
        ("customer", "rtl"),
        ("order", "nasty order"),
        ("post", "nasty post"),
        ("page", "huge page"),
    ],
)
def test_it_goes_across(bad: Shop, entity: str, what: str) -> None:
    assert bad.across(entity, what), bad.said(what)
    assert bad.said(what, entity) == ""


def test_an_item_goes_across_without_the_image_that_wordpress_refuses(bad: Shop) -> None:
    product = bad.across("product", "refused image", E)

    assert bad.it.shown(f"wc/v3/products/{product}")["images"] == []


def test_texts_arrive_as_they_were_typed_and_nothing_of_them_runs(bad: Shop) -> None:
    it = bad.it
    item = it.doc("Item", name=bad.across("product", "nasty product"))
    order = it.doc("Sales Order", name=bad.across("order", "nasty order"))

    assert "😀" in item["item_name"]
    assert "שלום" in item["item_name"]
    for stored in (item["description"], *(row["description"] for row in order["items"]), order["address_display"]):
        assert "<script" not in stored.lower()
    assert order["grand_total"] == 26.0


def test_a_name_with_angles_comes_back_unchanged(bad: Shop) -> None:
    """The wide forms that ERPNext needs never reach the shop."""
    user = bad.it.shop.state.data.users[bad.id["< in a name"]]

    # WordPress itself has cleaned them when they were typed.
    assert (user["first_name"], user["last_name"]) == ("&lt;Anna", "B D")


def test_stock_that_is_negative_is_never_sold(bad: Shop) -> None:
    assert bad.it.shop.state.data.products[bad.id["negative stock"]]["stock_quantity"] == -3


def test_a_second_look_at_it_all_writes_nothing(bad: Shop) -> None:
    bad.it.quiet()

    assert [(one.side, one.method, one.path, one.body[:300]) for one in bad.it.quiet()] == []


def test_nothing_waits_without_being_shown(bad: Shop) -> None:
    """Every record without its other half has a letter or a question."""
    it, unshown = bad.it, []
    told = {(one.entity, one.wordpress_id or one.erpnext_id) for one in it.bridge.dead_letters(limit=1000)}
    told |= {(one.entity, one.wordpress_id or one.erpnext_id) for one in it.bridge.conflicts(limit=1000)}
    for entity in ("customer", "product", "variation", "order", "category", "post", "page"):
        ids = it.bridge.context.form(W, entity).walk("", 1000).ids
        with it.store.reading(it.pairing) as reading:
            linked = reading.links.of_records(W, entity, ids)
        unshown += [
            (entity, id_) for id_ in ids if not (linked.get(id_) and linked[id_].on(E)) and (entity, id_) not in told
        ]
    not_shared = [("customer", "1"), ("category", "15")]  # the administrator, and the category of what has none

    assert [one for one in unshown if one not in not_shared] == []


def test_records_that_vanish_between_list_and_read_stop_nothing(tmp_path: Path, plugin: bool) -> None:
    it = Together(tmp_path, plugin=plugin)
    it.run()
    gone = it.product(sku="GONE")
    it.product(sku="THERE")
    real, done = it.shop.dispatch, []

    def vanishing(request: Any, body: Any) -> Any:
        reads = "records" in request.path or "include" in request.params
        if reads and "product" in request.path + str(body.get("kind")) and not done:
            done.append(it.shop.state.data.products.pop(gone))
        return real(request, body)

    it.shop.dispatch = vanishing  # type: ignore[method-assign]
    it.run()

    assert done
    assert [one["name"] for one in it.docs("Item") if one["name"] in {"GONE", "THERE"}] == ["THERE"]
    assert it.refused() == it.asked() == []


def test_a_customer_merged_in_erpnext_is_one_customer_with_all_orders(tmp_path: Path, plugin: bool) -> None:
    it = Together(tmp_path, plugin=plugin)
    it.run()
    person, mug = it.customer("merged@example.test", first_name="Alt", last_name="Name"), it.product(sku="MUG")
    it.order({"product_id": int(mug), "quantity": 1}, customer_id=int(person))
    it.run()
    it.run_later()
    rename(it, "Customer", "Alt Name", "Neu Name")
    it.run_later()
    it.order({"product_id": int(mug), "quantity": 2}, customer_id=int(person))
    it.run()
    it.run_later()

    assert it.refused() == it.asked() == []
    assert sorted(one["customer"] for one in it.docs("Sales Order")) == ["Neu Name", "Neu Name"]
    assert [one["name"] for one in it.docs("Customer")] == ["Neu Name"]


def rename(it: Together, doctype: str, old: str, new: str) -> None:
    """Rename a document as Menu > Rename does."""
    work = it.erp.work()
    it.erp.documents.rename(work, doctype, old, new)
    work.transaction.commit()


@pytest.fixture(params=[True, False], ids=["plugin", "rest"])
def plugin(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_ranges_are_summed_up_only_with_our_plugin(bad: Shop) -> None:
    """The variant without plugin really is without it."""
    summed = bad.it.bridge.context.form(W, "product").summaries([Range()])

    assert (summed is not None) is bad.it.plugin
