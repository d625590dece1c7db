"""Every entity there and back through the real bridge, between both stand-ins: by plugin and app, and by REST alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.together import E, Together, W, sharing_of

GROUPS = {"customer_group": "Individual", "territory": "All Territories"}


@pytest.fixture(params=[True, False], ids=["plugin", "rest"])
def it(request: pytest.FixtureRequest, tmp_path: Path) -> Together:
    made = Together(tmp_path, plugin=request.param)
    made.run()
    return made


@pytest.fixture
def whole(tmp_path: Path) -> Together:
    made = Together(tmp_path, plugin=True)
    made.run()
    return made


def settled(it: Together) -> None:
    """Let the bridge work, and make sure that a second look at everything writes nothing."""
    it.run_later()
    assert it.refused() == it.asked() == []
    assert [(one.side, one.method, one.path, one.body[:400]) for one in it.quiet()] == []


def other(it: Together, entity: str, id_: str, side: str = W) -> str:
    """Return the id of a record's other half."""
    with it.store.reading(it.pairing) as reading:
        link = reading.links.of_records(side, entity, [id_])[id_]  # type: ignore[arg-type]
    return link.on(link_side(side))


def link_side(side: str) -> str:
    """Return the side across."""
    return E if side == W else W  # type: ignore[return-value]


def test_customers(it: Together) -> None:
    billing = {"first_name": "Anna", "last_name": "Muster", "address_1": "Weg 1", "city": "Bern", "country": "DE"}
    shop = it.customer("anna@example.test", billing={**billing, "phone": "+49 30 1"})
    office = {"customer_name": "Bert Büro", "customer_type": "Individual", "email_id": "bert@example.test"}
    it.make("Customer", {**office, **GROUPS})
    it.run_later()

    name = other(it, "customer", shop)
    assert it.doc("Contact", email_id="anna@example.test")["links"][0]["link_name"] == name
    assert it.doc("Address", address_line1="Weg 1")["city"] == "Bern"
    user = it.shop.customers.with_email("bert@example.test")
    assert user is not None
    assert user["first_name"] == "Bert Büro", "as the Contact has it that ERPNext makes"

    it.in_shop("PUT", f"wc/v3/customers/{shop}", {"last_name": "Neu"})
    address = it.doc("Address", address_line1="Weg 1")["name"]
    it.change("Address", address, city="Basel")
    settled(it)

    assert it.doc("Contact", email_id="anna@example.test")["last_name"] == "Neu"
    assert it.shown(f"wc/v3/customers/{shop}")["billing"]["city"] == "Basel"


def test_categories_and_products(it: Together) -> None:
    cups = it.put("wc/v3/products/categories", name="Cups & Mugs")
    big = it.put("wc/v3/products/categories", name="Big", parent=int(cups))
    mug = it.product(sku="MUG", name="Mug", categories=[{"id": int(big)}], description="<p>Holds <b>tea</b></p>")
    it.make("Item", {"item_code": "JUG", "item_name": "Jug", "item_group": "Products", "is_stock_item": 1})
    it.make("Item Price", {"item_code": "JUG", "price_list": "Standard Selling", "price_list_rate": 7.5, "selling": 1})
    it.run_later()

    group = it.doc("Item Group", name=other(it, "category", big))
    assert group["parent_item_group"] == other(it, "category", cups)
    item = it.doc("Item", item_code="MUG")
    assert item["item_group"] == group["name"]
    assert it.doc("Item Price", item_code="MUG", price_list="Standard Selling")["price_list_rate"] == 10.0
    jug = it.shown(f"wc/v3/products/{other(it, 'product', 'JUG', E)}")
    assert (jug["sku"], jug["name"], jug["regular_price"]) == ("JUG", "Jug", "7.50")

    it.in_shop("PUT", f"wc/v3/products/{mug}", {"description": "<p>Holds coffee</p>"})
    price = it.doc("Item Price", item_code="MUG", price_list="Standard Selling")["name"]
    it.change("Item Price", price, price_list_rate=12.0)
    it.change("Item", "MUG", item_name="Big Mug")
    settled(it)

    shown = it.shown(f"wc/v3/products/{mug}")
    assert (shown["name"], shown["regular_price"]) == ("Big Mug", "12.00")
    assert "coffee" in it.doc("Item", item_code="MUG")["description"]


def test_variable_products(it: Together) -> None:
    size = {"name": "Size", "variation": True, "visible": True, "options": ["S", "M"]}
    shirt = it.product(sku="SHIRT", name="Shirt", type="variable", attributes=[size])
    for option in ("S", "M"):
        chosen = [{"name": "Size", "option": option}]
        it.put(f"wc/v3/products/{shirt}/variations", sku=f"SHIRT-{option}", regular_price="20", attributes=chosen)
    it.run_later()

    variants = {one["item_code"] for one in it.docs("Item", variant_of="SHIRT")}
    assert variants == {"SHIRT-S", "SHIRT-M"}
    assert it.doc("Item Price", item_code="SHIRT-S")["price_list_rate"] == 20.0

    price = it.doc("Item Price", item_code="SHIRT-M")["name"]
    it.change("Item Price", price, price_list_rate=22.0)
    settled(it)

    shown = it.in_shop("GET", f"wc/v3/products/{shirt}/variations", context="edit")
    assert {one["sku"]: one["regular_price"] for one in shown} == {"SHIRT-S": "20", "SHIRT-M": "22.00"}


def test_stock_never_sells_a_piece_twice(it: Together) -> None:
    mug = it.product(sku="MUG", manage_stock=True, stock_quantity=0)
    it.run_later()
    it.receive("MUG", 10)
    it.run_later()
    assert it.shown(f"wc/v3/products/{mug}")["stock_quantity"] == 10

    # Sold in the shop, and not known to ERPNext yet, while ERPNext receives more and says so.
    before = it.shown(f"wc/v3/products/{mug}")["stock_quantity"]
    order = it.order({"product_id": int(mug), "quantity": 4})
    it.receive("MUG", 5)
    it.bridge.hint(E, "product", ["MUG"], "test")
    it.bridge.step()
    held = it.shown(f"wc/v3/products/{mug}")["stock_quantity"]
    assert held <= before + 5 - 4, "a push has put pieces back that an order took"
    settled(it)

    assert it.shown(f"wc/v3/products/{mug}")["stock_quantity"] == 11
    bins = it.doc("Bin", item_code="MUG", warehouse="Stores - LG")
    assert (bins["actual_qty"], bins["reserved_qty"]) == (15.0, 4.0)
    assert it.doc("Sales Order", name=other(it, "order", order))["docstatus"] == 1


def test_orders_of_the_shop(it: Together) -> None:
    mug = it.product(sku="MUG")
    person = it.customer()
    lines = {"product_id": int(mug), "quantity": 3}
    shipping = [{"method_id": "flat_rate", "method_title": "Post", "total": "4.90"}]
    order = it.order(lines, customer_id=int(person), shipping_lines=shipping, transaction_id="tx-1", status="pending")
    it.in_shop("PUT", f"wc/v3/orders/{order}", {"set_paid": True})
    guest = it.order({"product_id": int(mug), "quantity": 1}, status="on-hold")
    it.run_later()

    document = it.doc("Sales Order", name=other(it, "order", order))
    assert (document["grand_total"], document["customer"], document["docstatus"]) == (34.9, "Anna Muster", 1)
    assert it.doc("Sales Order", name=other(it, "order", guest))["customer"] == "Gina Gast"
    payment = it.doc("Payment Entry", reference_no="tx-1")
    assert (payment["paid_amount"], payment["docstatus"]) == (34.9, 1)
    assert payment["references"][0]["reference_name"] == document["name"]
    assert len(it.docs("Payment Entry")) == 1, "who has not paid has paid nothing"

    it.in_shop("PUT", f"wc/v3/orders/{order}", {"status": "completed"})
    settled(it)

    assert it.doc("Sales Order", name=document["name"])["agencystack_status"] == "completed"
    assert len(it.docs("Sales Order")) == 2


def test_an_edit_before_the_order_is_submitted_is_taken_over(tmp_path: Path) -> None:
    it = Together(tmp_path, plugin=True, sharing=sharing_of(accounting={"submit": False}))
    it.run()
    mug = it.product(sku="MUG")
    order = it.order({"product_id": int(mug), "quantity": 1})
    it.run()
    line = it.shown(f"wc/v3/orders/{order}")["line_items"][0]["id"]
    it.in_shop("PUT", f"wc/v3/orders/{order}", {"line_items": [{"id": line, "quantity": 2, "total": "20.00"}]})
    settled(it)

    assert it.doc("Sales Order", name=other(it, "order", order))["grand_total"] == 20.0


def test_an_edit_after_the_order_is_submitted_waits_for_a_person(it: Together) -> None:
    mug = it.product(sku="MUG")
    order = it.order({"product_id": int(mug), "quantity": 1})
    it.run_later()
    line = it.shown(f"wc/v3/orders/{order}")["line_items"][0]["id"]
    it.in_shop("PUT", f"wc/v3/orders/{order}", {"line_items": [{"id": line, "quantity": 2, "total": "20.00"}]})
    it.run_later()

    assert it.doc("Sales Order", name=other(it, "order", order))["grand_total"] == 10.0
    assert any("amend" in one for one in it.refused())


def test_orders_of_the_office(it: Together) -> None:
    mug, person = it.product(sku="MUG"), it.customer()
    it.run_later()
    row = {"item_code": "MUG", "qty": 2, "rate": 10.0, "delivery_date": "2026-12-01", "warehouse": "Stores - LG"}
    name = it.make(
        "Sales Order",
        {"customer": other(it, "customer", person), "delivery_date": "2026-12-01", "items": [row], "currency": "EUR"},
    )
    it.run_later()
    assert it.in_shop("GET", "wc/v3/orders") == [], "a draft that somebody types is no order yet"
    it.change("Sales Order", name, docstatus=1)
    settled(it)

    order = it.shown(f"wc/v3/orders/{other(it, 'order', name, E)}")
    assert (order["total"], order["customer_id"]) == ("20.00", int(person))
    assert [(one["product_id"], one["quantity"]) for one in order["line_items"]] == [(int(mug), 2)]
    assert len(it.docs("Sales Order")) == 1


@pytest.mark.parametrize("invoice", ["never", "on_completed"])
def test_refunds(tmp_path: Path, invoice: str) -> None:
    it = Together(tmp_path, plugin=True, sharing=sharing_of(accounting={"invoice": invoice}))
    it.run()
    mug = it.product(sku="MUG")
    order = it.order({"product_id": int(mug), "quantity": 2}, status="pending", transaction_id="tx-2")
    it.in_shop("PUT", f"wc/v3/orders/{order}", {"set_paid": True})
    it.run()
    it.in_shop("PUT", f"wc/v3/orders/{order}", {"status": "completed"})
    it.run()
    line = it.shown(f"wc/v3/orders/{order}")["line_items"][0]["id"]
    back = [{"id": line, "quantity": 1, "refund_total": 10.0}]
    it.put(f"wc/v3/orders/{order}/refunds", amount="10.00", reason="Broken", api_refund=False, line_items=back)
    settled(it)

    paid_back = it.doc("Payment Entry", payment_type="Pay")
    assert (paid_back["paid_amount"], paid_back["docstatus"]) == (10.0, 1)
    returns = [one for one in it.docs("Sales Invoice") if one.get("is_return")]
    assert [one["grand_total"] for one in returns] == ([-10.0] if invoice == "on_completed" else [])
    assert len(it.docs("Sales Invoice")) == (2 if invoice == "on_completed" else 0)


def test_submissions(whole: Together) -> None:
    it = whole
    one = it.fill_in("Vera Frage", "vera@example.test", "Do you deliver?")
    two = it.fill_in("Vera Frage", "vera@example.test", "And to Bern?")
    it.run()

    lead = it.doc("Lead", email_id="vera@example.test")
    told = it.docs("Communication", reference_name=lead["name"])
    assert len(told) == 2
    assert sorted("Bern" in one["content"] for one in told) == [False, True]

    it.change("Lead", lead["name"], status="Interested")
    it.make("Lead", {"first_name": "Kalt", "email_id": "kalt@example.test"})
    settled(it)

    shown = it.shop.state.data.submissions
    assert [shown[id_]["status"] for id_ in (one, two)] == ["Interested", "Interested"]
    assert len(shown) == 2, "a Lead born in ERPNext is no submission"


def test_posts_and_pages(it: Together) -> None:
    post = it.put("wp/v2/posts", title="News", content="<p>Old <script>x()</script></p>", status="publish")
    page = it.put("wp/v2/pages", title="About", content="<p>Us</p>", status="publish")
    it.run_later()

    blog = it.doc("Blog Post", name=other(it, "post", post))
    assert (blog["title"], blog["published"]) == ("News", 1)
    web = it.doc("Web Page", name=other(it, "page", page))
    assert web["title"] == "About"

    it.change("Web Page", web["name"], title="About us")
    it.in_shop("PUT", f"wp/v2/posts/{post}", {"title": "Newer"})
    settled(it)

    assert it.doc("Blog Post", name=blog["name"])["title"] == "Newer"
    assert it.shown(f"wp/v2/pages/{page}")["title"]["raw"] == "About us"


def test_what_is_deleted_is_archived_on_the_other_side_and_comes_back(whole: Together) -> None:
    it = whole
    mug = it.product(sku="MUG")
    it.run()
    it.in_shop("DELETE", f"wc/v3/products/{mug}")
    it.run()
    assert it.doc("Item", item_code="MUG")["disabled"] == 1
    assert it.refused() == it.asked() == []


def test_a_backfill_that_is_stopped_goes_on_where_it_was(whole: Together) -> None:
    it, told = whole, []
    for number in range(130):
        it.put("wp/v2/posts", title=f"News {number}", content="<p>x</p>", status="publish")

    class Stopped(Exception):
        """A person pressed Ctrl-C."""

    def stop(walked: int, _progress: object) -> None:
        told.append(walked)
        raise Stopped

    with pytest.raises(Stopped):
        it.bridge.backfill("post", W, stop)
    made = len(it.docs("Blog Post"))
    it.join()  # another process
    it.bridge.backfill("post", W, lambda walked, _progress: told.append(walked))
    it.run()

    assert (made, told) == (100, [100, 30])
    assert {one["title"] for one in it.docs("Blog Post")} == {f"News {number}" for number in range(130)}


def test_a_client_of_another_name_is_another_client_to_its_orders(tmp_path: Path) -> None:
    """As docs/data-bridge.md warns: its customers and products are matched, its orders and payments are not."""
    it = Together(tmp_path, plugin=False)
    it.run()
    mug = it.product(sku="MUG")
    anna = it.customer("anna@example.test")
    it.order({"product_id": int(mug), "quantity": 1}, customer_id=int(anna))
    it.run_later()
    people, items = len(it.docs("Customer")), len(it.docs("Item"))

    it.pairing = "renamed"
    it.join()
    for entity in it.bridge.context.entities:
        it.bridge.backfill(entity, W)
    it.run()

    numbers = sorted(one["po_no"] for one in it.docs("Sales Order"))
    assert [one.rsplit("-", 1)[0] for one in numbers] == ["WC-acme", "WC-renamed"]
    assert len(it.docs("Payment Entry")) == 2
    assert (len(it.docs("Customer")), len(it.docs("Item"))) == (people, items)
