"""Products and variations: recorded records become canonical values, and canonical values what each product takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from agencystack.bridge.entities import attributes, images, prices, stock
from agencystack.bridge.entities.product import PRODUCT
from agencystack.bridge.entities.product_erpnext import ProductOnErpNext
from agencystack.bridge.entities.product_wordpress import CATEGORY_META, ProductOnWordPress
from agencystack.bridge.entities.variation_erpnext import VariationOnErpNext
from agencystack.bridge.entities.variation_wordpress import VariationOnWordPress
from agencystack.bridge.record import Presence, Ref
from agencystack.bridge.settings import CustomField
from agencystack.bridge.side import Action, Result
from agencystack.bridge.sides.erpnext.documents import Saved, Step
from agencystack.bridge.sides.wordpress.records import Kind, Write, Written
from agencystack.bridge.tokens import new_token
from tests.bridge.form_doubles import ACCOUNTING, FakeDocuments, FakeRecords, erpnext, operation, shop


@pytest.fixture
def records() -> FakeRecords:
    return FakeRecords()


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


def on_shop(records: FakeRecords, imported: Sequence[str] = ()) -> ProductOnWordPress:
    return ProductOnWordPress(records, currency="CHF", imported=lambda orders: set(orders) & set(imported))


def held(native: Any, **orders: int) -> Any:
    return {**native, "agencystack": {"held": {order.removeprefix("o"): str(taken) for order, taken in orders.items()}}}


# WooCommerce. -----------------------------------------------------------------------------------------------------


def test_a_simple_product_of_the_shop(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held(shop("product")))
    seen = on_shop(records).read([id_])[id_]
    assert seen.presence is Presence.PRESENT
    assert seen.created == "2026-11-22T18:20:17"
    assert seen.fields == {
        "sku": "MUG-1",
        "name": "Lab Mug",
        "type": "simple",
        "description": "<p>A mug</p>",
        "category": None,
        "image": None,
        "regular_price": "19.90",
        "sale": None,
        "stock": "10",
        "virtual": None,
    }
    assert set(seen.fields) == {one.name for one in PRODUCT.fields} - {"attributes"}, (
        "a simple product has no say in them"
    )


def test_grouped_and_external_products_are_left_alone(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held(shop("grouped")))
    other = records.put(Kind.PRODUCT, held({**shop("product"), "id": 77, "type": "external"}))
    seen = on_shop(records).read([id_, other])
    assert {one.presence for one in seen.values()} == {Presence.GONE}


def test_a_product_without_sku_is_named_by_its_id_and_keeps_no_sku(records: FakeRecords) -> None:
    form = on_shop(records)
    id_ = records.put(Kind.PRODUCT, held({**shop("product"), "sku": ""}))
    assert form.read([id_])[id_].fields["sku"] == "WP-12"
    form.apply([operation("product", {"sku": "WP-12"}, id_)])
    assert records.writes[-1].values["sku"] == ""


def test_only_attributes_of_variations_are_shared_and_the_others_stay(records: FakeRecords) -> None:
    native = shop("variable product")
    id_ = records.put(Kind.PRODUCT, held(native))
    form = on_shop(records)
    seen = form.read([id_])[id_].fields
    varying = {one["name"]: tuple(sorted(one["options"])) for one in native["attributes"] if one["variation"]}
    assert seen["attributes"] == varying
    assert seen["stock"] is None
    name = next(iter(varying))
    form.apply([operation("product", {"attributes": {name: (*varying[name], "Neu")}}, id_)])
    written = records.writes[-1].values["attributes"]
    assert [one["name"] for one in written] == [one["name"] for one in native["attributes"]]
    assert [one["id"] for one in written] == [one["id"] for one in native["attributes"]]
    changed = next(one for one in written if one["name"] == name)
    before = next(one for one in native["attributes"] if one["name"] == name)
    assert changed["options"] == [*before["options"], "Neu"]
    untouched = [one for one in native["attributes"] if not one["variation"]]
    assert all({**one, **kept} == one for one in untouched for kept in written if kept["name"] == one["name"])


def test_a_variable_product_is_never_made_a_simple_one(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held(shop("variable product")))
    one = operation("product", {"type": "simple"}, id_)
    outcome = on_shop(records).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert "variations" in outcome.message
    assert outcome.remedy
    assert records.writes == []


def test_a_new_product_is_a_draft(records: FakeRecords) -> None:
    one = operation("product", {"sku": "A", "name": "Tasse", "type": "simple", "regular_price": "9.90", "stock": "4"})
    outcome = on_shop(records).apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert records.writes[0].values == {
        "status": "draft",
        "sku": "A",
        "name": "Tasse",
        "type": "simple",
        "regular_price": "9.90",
        "manage_stock": True,
        "stock_quantity": 4,
    }


def test_a_new_category_takes_the_place_of_the_one_erpnext_knows(records: FakeRecords) -> None:
    categories = [{"id": 30, "slug": "sale"}, {"id": 20, "slug": "cups"}, {"id": 15, "slug": "uncategorized"}]
    meta = [{"key": CATEGORY_META, "value": "30"}]
    id_ = records.put(Kind.PRODUCT, held({**shop("product"), "categories": categories, "meta_data": meta}))
    form = on_shop(records)
    assert form.read([id_])[id_].fields["category"] == Ref("category", "30")
    form.apply([operation("product", {"category": Ref("category", "44")}, id_)])
    assert records.writes[-1].values["categories"] == [{"id": 44}, {"id": 20}]
    assert form.read([id_])[id_].fields["category"] == Ref("category", "44")


# Stock. -----------------------------------------------------------------------------------------------------------


def test_a_push_never_sells_again_what_an_unimported_order_took(records: FakeRecords) -> None:
    native = {**shop("product"), "stock_quantity": 5}
    id_ = records.put(Kind.PRODUCT, held(native, o90=2, o91=3))
    form = on_shop(records, imported=["90"])
    assert form.read([id_])[id_].fields["stock"] == "8"
    one = operation("product", {"stock": "20"}, id_)
    outcome = form.apply([one])[one.token]
    assert records.writes[-1].values == {"manage_stock": True, "stock_quantity": 17}
    assert outcome.observed is not None
    assert outcome.observed.fields["stock"] == "20"


def test_a_write_is_not_read_once_more(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held({**shop("product"), "stock_quantity": 5}, o91=3))
    form = on_shop(records)
    seen = form.read([id_])[id_]
    records.answer = lambda write: Written(
        write.token, Result.DONE, {**shop("product"), **write.values, "agencystack": {"version": "2"}}
    )
    fetched = len(records.fetches)
    for fields in ({"stock": "20"}, {"name": "Neu"}):
        one = operation("product", fields, id_, seen)
        after = form.apply([one])[one.token].observed
        assert after is not None
        assert after.fields["stock"] == {**seen.fields, **fields}["stock"]
    assert len(records.fetches) - fetched == 1  # what is held, for the stock


def test_stock_is_really_stored_where_it_was_not_managed(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held(shop("stock without manage")))
    form = on_shop(records)
    assert form.read([id_])[id_].fields["stock"] is None
    form.apply([operation("product", {"stock": "-3"}, id_)])
    assert records.writes[-1].values == {"manage_stock": True, "stock_quantity": -3}


def test_without_the_plugin_recent_orders_tell_what_is_held(records: FakeRecords) -> None:
    line = {"product_id": 12, "variation_id": 0, "meta_data": [{"key": "_reduced_stock", "value": "2"}]}
    unreduced = {"product_id": 12, "variation_id": 0, "meta_data": []}
    records.put(Kind.ORDER, {"id": 5, "status": "processing", "line_items": [line, line, unreduced]})
    records.put(Kind.ORDER, {"id": 6, "status": "cancelled", "line_items": [line]})
    id_ = records.put(Kind.PRODUCT, shop("product"))
    assert on_shop(records).read([id_])[id_].fields["stock"] == "14"
    kind, params = records.searches[-1]
    assert kind is Kind.ORDER
    assert params["dates_are_gmt"] == "true"


@pytest.mark.parametrize(
    ("bins", "ours", "wanted"),
    [
        ([], False, "0"),
        ([], True, None),
        ([{"actual_qty": 0.0, "reserved_qty": 3.0, "valuation_rate": 0.0}], True, None),
        ([{"actual_qty": 7.0, "reserved_qty": 3.0}], True, "4"),
        ([{"actual_qty": 7.0, "reserved_qty": 3.0}, {"actual_qty": 1.5, "reserved_qty": 0.0}], True, "5"),
        ([{"actual_qty": 5.0, "reserved_qty": 12.0}], True, "-7"),
        ([{"actual_qty": 0.0, "reserved_qty": 0.0, "valuation_rate": 2.0}], True, "0"),
    ],
)
def test_what_erpnext_may_sell(bins: list[dict[str, float]], ours: bool, wanted: str | None) -> None:
    assert stock.sellable({"is_stock_item": 1, "has_variants": 0}, bins, ours=ours) == wanted


def test_services_and_templates_have_no_stock() -> None:
    assert stock.sellable({"is_stock_item": 0}, [{"actual_qty": 3.0}], ours=False) is None
    assert stock.sellable({"is_stock_item": 1, "has_variants": 1}, [], ours=False) is None


# Prices. ----------------------------------------------------------------------------------------------------------


def test_sale_prices_with_dates() -> None:
    native = {"type": "simple", "regular_price": "10", "sale_price": "8.5", "date_on_sale_to": "2026-12-24T23:59:59"}
    seen = prices.shop_prices(native, 2, lambda: date(2026, 12, 24))
    assert seen == {"regular_price": "10.00", "sale": {"price": "8.50", "from": None, "to": "2026-12-24"}}
    assert prices.shop_prices(native, 2, lambda: date(2026, 12, 25))["sale"] is None
    assert prices.shop_values({"sale": {"price": "8.50", "from": "2026-12-01", "to": "2026-12-24"}}) == {
        "sale_price": "8.50",
        "date_on_sale_from": "2026-12-01T00:00:00",
        "date_on_sale_to": "2026-12-24T23:59:59",
    }
    assert prices.shop_values({"sale": None, "regular_price": None}) == {
        "regular_price": "",
        "sale_price": "",
        "date_on_sale_from": "",
        "date_on_sale_to": "",
    }


def test_the_item_price_that_counts_today(documents: FakeDocuments) -> None:
    for row in erpnext("item prices"):
        documents.put("Item Price", {**row, "item_code": "B", "currency": "CHF"})
    documents.put(
        "Item Price", {"item_code": "B", "price_list": "Standard Selling", "customer": "X", "currency": "CHF"}
    )
    now = [date(2026, 11, 22)]
    item_prices = prices.ItemPrices(documents, ACCOUNTING, lambda: now[0])
    rows = item_prices.of(["B"])["B"]
    expected = {date(2026, 11, 22): "3.88", date(2026, 12, 5): "8.50", date(2026, 12, 15): "8.10"}
    for day, wanted in expected.items():
        now[0] = day
        assert item_prices.fields({"stock_uom": "Nos"}, rows)["regular_price"] == wanted


def test_a_shop_may_sell_in_another_currency_than_the_books_are_kept_in(documents: FakeDocuments) -> None:
    """Every Item Price is in the currency of its price list: erpnext/stock/doctype/item_price/item_price.py."""
    priced = {"item_code": "B", "price_list": ACCOUNTING.price_list, "price_list_rate": 9.9, "currency": "EUR"}
    documents.put("Item Price", priced)
    item_prices = prices.ItemPrices(documents, ACCOUNTING, lambda: date(2026, 11, 22))
    rows = item_prices.of(["B"])["B"]
    assert item_prices.fields({"stock_uom": "Nos"}, rows)["regular_price"] == "9.90"


def test_prices_are_made_changed_and_taken_away(documents: FakeDocuments) -> None:
    form = ProductOnErpNext(documents, ACCOUNTING)
    made = operation("product", {"sku": "M", "type": "simple", "regular_price": "9.90", "sale": {"price": "8.00"}})
    seen = form.apply([made])[made.token].observed
    assert seen is not None
    assert seen.fields["regular_price"] == "9.90"
    lists = {one["price_list"]: one["price_list_rate"] for one in documents.tables["Item Price"].values()}
    assert lists == {"Standard Selling": "9.90", "Sale": "8.00"}
    changed = operation("product", {"regular_price": "11.00", "sale": None}, "M", seen)
    after = form.apply([changed])[changed.token].observed
    assert after is not None
    assert (after.fields["regular_price"], after.fields["sale"]) == ("11.00", None)
    assert len(documents.tables["Item Price"]) == 1


# ERPNext. ---------------------------------------------------------------------------------------------------------


def test_an_item_of_erpnext(documents: FakeDocuments) -> None:
    documents.put("Item", erpnext("item"))
    seen = ProductOnErpNext(documents, ACCOUNTING, site="https://erp.example").read(["SKU-001"])["SKU-001"]
    assert seen.fields["description"] == "<p>Widget</p>"
    assert seen.fields["category"] == Ref("category", "Imported")
    assert (seen.fields["sku"], seen.fields["name"], seen.fields["type"]) == ("SKU-001", "Widget", "simple")
    assert set(seen.fields) == {one.name for one in PRODUCT.fields}


def test_an_item_made_of_a_product_reads_back_as_it(documents: FakeDocuments, records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held({**shop("product"), "sku": "A <b>", "name": "😀 שלום <b>&amp;"}))
    there = on_shop(records).read([id_])[id_].fields
    wanted = {name: value for name, value in there.items() if value is not None and name != "stock"}
    form = ProductOnErpNext(documents, ACCOUNTING)
    one = operation("product", wanted)
    seen = form.apply([one])[one.token].observed
    assert seen is not None
    assert seen.id == "A \uff1cb\uff1e"
    same = ("sku", "name", "type", "description", "category", "regular_price", "sale")
    assert {name: seen.fields[name] for name in same} == {name: there[name] for name in same}
    assert form.candidates({"sku": "a <B>"}) == [seen.id]


def test_services_of_the_settings_and_disabled_items_are_no_products(documents: FakeDocuments) -> None:
    accounting = ACCOUNTING.model_copy(update={"shipping_item": "SHIP"})
    documents.put("Item", {**erpnext("item"), "name": "SHIP", "item_code": "SHIP"})
    documents.put("Item", {**erpnext("item"), "disabled": 1})
    documents.put("Item", {**erpnext("item"), "name": "RAW", "is_sales_item": 0})
    seen = ProductOnErpNext(documents, accounting).read(["SHIP", "SKU-001", "RAW"])
    assert {one.presence for one in seen.values()} == {Presence.GONE}


def test_an_end_of_a_product_disables_its_item(documents: FakeDocuments) -> None:
    documents.put("Item", erpnext("item"))
    form = ProductOnErpNext(documents, ACCOUNTING)
    one = operation("product", {}, "SKU-001", action=Action.RETIRE)
    outcome = form.apply([one])[one.token]
    assert documents.tables["Item"]["SKU-001"]["disabled"] == 1
    assert outcome.observed is not None
    assert outcome.observed.presence is Presence.GONE


def test_an_item_that_was_archived_is_enabled_when_it_is_brought_back(documents: FakeDocuments) -> None:
    documents.put("Item", {**erpnext("item"), "disabled": 1})
    form = ProductOnErpNext(documents, ACCOUNTING)
    archived = form.read(["SKU-001"])["SKU-001"]
    assert archived.presence is Presence.GONE
    one = operation("product", {"name": "Back"}, "SKU-001", archived)
    outcome = form.apply([one])[one.token]
    item = documents.tables["Item"]["SKU-001"]
    assert (item["disabled"], item["item_name"]) == (0, "Back")
    assert outcome.observed is not None
    assert outcome.observed.presence is Presence.PRESENT


@pytest.mark.parametrize(("before", "after"), [("publish", "publish"), (None, "draft")])
def test_a_product_leaves_the_bin_as_what_it_was(records: FakeRecords, before: str | None, after: str) -> None:
    native = held(shop("product"))
    kept = [{"key": "_wp_trash_meta_status", "value": before}] if before else []
    records.put(Kind.PRODUCT, {**native, "status": "trash", "meta_data": [*native["meta_data"], *kept]})
    form = ProductOnWordPress(records)
    id_ = str(native["id"])
    one = operation("product", {"sku": "A", "name": "Back"}, id_, form.read([id_])[id_])
    form.apply([one])
    assert records.writes[-1].values["status"] == after


@pytest.mark.parametrize(
    ("fields", "id_", "says"),
    [
        ({"type": "variable"}, "SKU-001", "new product"),
        ({"sku": "x" * 141, "type": "simple"}, "", "shorten"),
        ({"sku": "V", "type": "variable"}, "", "Used for variations"),
        ({"type": "simple", "sku": None}, "", "SKU"),
    ],
)
def test_what_erpnext_cannot_do_waits_for_a_person(
    documents: FakeDocuments, fields: dict[str, Any], id_: str, says: str
) -> None:
    documents.put("Item", erpnext("item"))
    one = operation("product", fields, id_)
    outcome = ProductOnErpNext(documents, ACCOUNTING).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert says in outcome.remedy
    assert documents.groups == []


def test_a_product_that_gets_another_sku_keeps_its_item(documents: FakeDocuments) -> None:
    documents.put("Item", erpnext("item"))
    form = ProductOnErpNext(documents, ACCOUNTING)
    one = operation("product", {"sku": "OTHER"}, "SKU-001")
    outcome = form.apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert outcome.observed is not None
    assert outcome.observed.fields["sku"] == "SKU-001"
    assert documents.groups == []


def test_a_changed_item_is_looked_at_again(documents: FakeDocuments) -> None:
    documents.put("Item", erpnext("item"))
    form = ProductOnErpNext(documents, ACCOUNTING)
    seen = form.read(["SKU-001"])["SKU-001"]
    documents.tables["Item"]["SKU-001"]["modified"] = "2026-11-23 00:00:00.000000"
    one = operation("product", {"name": "Neu"}, "SKU-001", seen)
    assert form.apply([one])[one.token].result is Result.STALE
    assert documents.tables["Item"]["SKU-001"]["item_name"] == "Widget"


def test_a_description_of_five_megabytes_stays_in_the_shop(documents: FakeDocuments) -> None:
    """ERPNext copies it into Item Price.item_description (Text, 65,535 bytes), and refuses the Item else."""
    long = "<p>" + "ä <b>" * 900_000 + "</p>"
    form = ProductOnErpNext(documents, ACCOUNTING)
    one = operation("product", {"sku": "L", "type": "simple", "description": long, "regular_price": "1.00"})
    outcome = form.apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert "without its description" in outcome.message
    assert "description" not in documents.tables["Item"]["L"]
    short = operation("product", {"description": "<p>ä 😀</p>"}, "L")
    assert form.apply([short])[short.token].message == ""
    assert documents.tables["Item"]["L"]["description"] == "<p>ä 😀</p>"


# Variations. ------------------------------------------------------------------------------------------------------


def test_variations_of_the_shop(records: FakeRecords) -> None:
    for one in shop("variations"):
        records.put(Kind.VARIATION, held(one))
    records.put(Kind.PRODUCT, shop("variable product"))
    form = VariationOnWordPress(records, currency="CHF")
    seen = form.read(["5382", "5383"])
    assert seen["5382"].fields["options"] == {"Farbe378114": "Blau", "Grösse": "M"}
    assert seen["5382"].fields["product"] == Ref("product", "5379")
    assert seen["5382"].fields["stock"] == "5"
    assert seen["5383"].fields["options"] == {"Farbe378114": "gelb"}
    assert seen["5383"].fields["stock"] is None


def test_a_variation_that_shows_its_products_sku_has_none(records: FakeRecords) -> None:
    native = shop("variations")[0]
    records.put(Kind.PRODUCT, shop("variable product"))
    id_ = records.put(Kind.VARIATION, held({**native, "sku": shop("variable product")["sku"]}))
    assert VariationOnWordPress(records).read([id_])[id_].fields["sku"] == f"WP-{id_}"


def test_a_variation_is_made_with_its_option_in_the_product(records: FakeRecords) -> None:
    product = shop("variable product")
    records.put(Kind.PRODUCT, product)
    fields = {"product": Ref("product", "5379"), "sku": "N", "options": {"Farbe378114": "Türkis"}}
    one = operation("variation", fields)
    VariationOnWordPress(records).apply([one])
    first, second = records.writes
    assert (first.kind, first.action, first.id) == (Kind.PRODUCT, "update", "5379")
    offered = next(one for one in first.values["attributes"] if one["name"] == "Farbe378114")
    assert "Türkis" in offered["options"]
    assert (second.kind, second.parent) == (Kind.VARIATION, "5379")
    assert second.values["attributes"] == [{"name": "Farbe378114", "option": "Türkis"}]


def test_variants_get_attributes_and_values_that_are_missing(documents: FakeDocuments) -> None:
    documents.put("Item Attribute", erpnext("attribute"))
    documents.put("Item", erpnext("template"))
    options = {"Woo Colour": "red", "Grösse": "Extra Large"}
    fields = {"product": Ref("product", "WOO-T1"), "sku": "WOO-T1-X", "options": options, "regular_price": "5.00"}
    one, other = (
        operation("variation", fields),
        operation("variation", {**fields, "sku": "Y", "options": {"Woo Colour": "Rot"}}),
    )
    outcomes = VariationOnErpNext(documents, ACCOUNTING).apply([one, other])
    assert [outcomes[each.token].result for each in (one, other)] == [Result.DONE, Result.DONE]
    colours = documents.tables["Item Attribute"]["Woo Colour"]["item_attribute_values"]
    assert [(row["attribute_value"], row["abbr"]) for row in colours] == [("Red", "R"), ("Blue", "B"), ("Rot", "ROT")]
    made = documents.tables["Item"]["WOO-T1-X"]
    assert made["variant_of"] == "WOO-T1"
    assert made["item_name"] == "T-Shirt: red, Extra Large"
    rows = {row["attribute"]: row["attribute_value"] for row in made["attributes"]}
    assert rows["Woo Colour"] == "Red"


def test_a_variation_open_in_every_attribute_waits(documents: FakeDocuments) -> None:
    one = operation("variation", {"product": Ref("product", "T"), "sku": "ANY"})
    outcome = VariationOnErpNext(documents, ACCOUNTING).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert "attribute" in outcome.remedy


def test_options_of_both_sides_are_kept() -> None:
    shop_side, erpnext_side = {"Farbe": ("Blau", "Rot")}, {"farbe": ("rot", "Grün"), "Grösse": ("M",)}
    united = attributes.united(None, shop_side, erpnext_side)
    assert united == {"Farbe": ("Blau", "Grün", "rot"), "Grösse": ("M",)}
    assert attributes.united(None, united, united) == united
    assert attributes.united(None, None, None) is None


# What WooCommerce refuses. ----------------------------------------------------------------------------------------


def refused(name: str) -> Any:
    said = shop(name)
    return lambda write: Written(
        write.token, Result.REFUSED, code=said["code"], message=said["message"], data=said["data"]
    )


def test_a_refused_image_does_not_keep_the_product_away(records: FakeRecords) -> None:
    answer = refused("refused image")

    def image_only(write: Write) -> Written | None:
        found: Written | None = answer(write) if "images" in write.values else None
        return found

    records.answer = image_only
    one = operation("product", {"sku": "A", "name": "A", "type": "simple", "image": "http://10.0.0.1/a.png"})
    outcome = on_shop(records).apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert "without its image" in outcome.message
    assert len(records.writes) == 2


@pytest.mark.parametrize(("name", "says"), [("sku taken", "product 12"), ("sku in the bin", "bin")])
def test_a_taken_sku_says_who_has_it(records: FakeRecords, name: str, says: str) -> None:
    records.answer = refused(name)
    one = operation("product", {"sku": "A", "name": "A", "type": "simple"})
    outcome = on_shop(records).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert says in f"{outcome.message} {outcome.remedy}"


def test_erpnexts_refusals_say_what_to_do(documents: FakeDocuments) -> None:
    def taken(step: Step) -> Saved | None:
        return Saved("", Result.REFUSED, kind="DuplicateEntryError", message="Duplicate entry") if step else None

    documents.refuse = taken
    one = operation("product", {"sku": "A", "type": "simple"})
    outcome = ProductOnErpNext(documents, ACCOUNTING).apply([one])[one.token]
    assert outcome.result is Result.REFUSED
    assert "Item A is there already" in outcome.remedy


# Images, custom fields, SKUs. -------------------------------------------------------------------------------------


def test_an_image_is_known_by_where_it_was_fetched_from() -> None:
    source = "https://erp.example/files/Rote%20Tasse.png"
    own = "https://shop.example/wp-content/uploads/2026/11/rote-tasse-1.png"
    meta = {images.SOURCE_META: source}
    assert images.shop_image([{"id": 4, "src": own}], meta) == source
    assert (
        images.shop_image([{"id": 5, "src": "https://shop.example/other.png"}], meta)
        == "https://shop.example/other.png"
    )
    assert images.shop_image([{"id": 4, "src": own}], {}) == own
    assert images.new_images(source, [{"id": 4}, {"id": 5}]) == [{"src": source}, {"id": 5}]


def test_images_of_erpnext_are_whole_addresses() -> None:
    site = "https://erp.example/"
    assert images.image_of("/files/a.png", site) == "https://erp.example/files/a.png"
    assert images.image_of("https://cdn.example/a.png", site) == "https://cdn.example/a.png"
    assert images.image_of("/private/files/a.png", site) is None
    assert images.image_of("data:image/png;base64,AA", site) is None


def test_fields_of_the_agencys_own(records: FakeRecords, documents: FakeDocuments) -> None:
    custom = {"size": CustomField(wordpress="erp_item_code", erpnext="custom_size")}
    form = ProductOnWordPress(records, custom=custom)
    id_ = records.put(Kind.PRODUCT, held(shop("product")))
    assert form.read([id_])[id_].fields["size"] == "ITM-0001"
    form.apply([operation("product", {"size": "XL"}, id_)])
    assert records.writes[-1].values == {"meta_data": [{"key": "erp_item_code", "value": "XL"}]}
    documents.put("Item", {**erpnext("item"), "custom_size": 4.0})
    other = ProductOnErpNext(documents, ACCOUNTING, custom=custom)
    assert other.read(["SKU-001"])["SKU-001"].fields["size"] == "4"
    other.apply([operation("product", {"size": "XL"}, "SKU-001")])
    assert documents.tables["Item"]["SKU-001"]["custom_size"] == "XL"


def test_many_skus_are_searched_at_once(records: FakeRecords) -> None:
    ids = [records.put(Kind.PRODUCT, {**shop("product"), "id": at, "sku": f"S-{at}"}) for at in range(1, 60)]
    found = on_shop(records).candidates_of([{"sku": f"s-{at}"} for at in range(1, 60)] + [{"sku": None}])
    assert found == [*([one] for one in ids), []]
    assert len(records.searches) == 2


@pytest.mark.parametrize(("created", "token"), [("2026-11-22T18:20:17", True), ("2026-12-22T18:20:17", False)])
def test_a_copy_of_a_product_of_ours_is_a_product_of_its_own(records: FakeRecords, created: str, token: bool) -> None:
    ours = new_token(datetime(2026, 11, 22, 18, 20, tzinfo=UTC))
    meta = [{"key": "_agencystack_token", "value": ours}]
    id_ = records.put(Kind.PRODUCT, {**shop("product"), "meta_data": meta, "date_created_gmt": created})
    assert on_shop(records).read([id_])[id_].token == (ours if token else "")


def test_a_sku_with_a_comma_is_not_searched_as_two(records: FakeRecords) -> None:
    id_ = records.put(Kind.PRODUCT, held({**shop("product"), "sku": "A,B"}))
    form = on_shop(records)
    assert form.candidates({"sku": "a,b"}) == [id_]
    assert form.candidates({"sku": "A"}) == []
