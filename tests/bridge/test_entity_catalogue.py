"""Every entity has a form on each side, which says what its table of fields declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agencystack.bridge.entities.catalogue import (
    ENTITIES,
    ErpNextPlace,
    ShopPlace,
    counted_orders,
    forms_for_erpnext,
    forms_for_wordpress,
)
from agencystack.bridge.record import SideName
from agencystack.bridge.settings import Sharing
from agencystack.bridge.sides.erpnext.form import Native
from tests.bridge.form_doubles import ACCOUNTING, FakeDocuments, FakeRecords, erpnext, shop

SHARING = Sharing.model_validate(
    {
        "accounting": ACCOUNTING.model_dump(),
        "entities": {
            name: {"custom": {"size": {"wordpress": "size", "erpnext": "custom_size"}}} for name in ("product", "order")
        },
    }
)
MINE = ("category", "customer", "product", "variation", "submission", "post", "page")
SHOP_NATIVES: Mapping[str, Any] = {
    "category": "category",
    "customer": "customer",
    "product": "product",
    "post": "post",
    "page": "post",
}
DOCUMENTS: Mapping[str, str] = {
    "category": "item group",
    "customer": "customer",
    "product": "item",
    "variation": "variant",
    "submission": "communication",
    "post": "blog post",
    "page": "web page",
}


def test_every_entity_has_its_forms() -> None:
    wordpress = forms_for_wordpress(FakeRecords(), SHARING, ShopPlace("acme"))
    books = forms_for_erpnext(FakeDocuments(), SHARING, ErpNextPlace("acme"))
    assert set(wordpress) == set(books) == set(ENTITIES)
    assert all(form.entity == name for forms in (wordpress, books) for name, form in forms.items())


def test_orders_have_the_agencys_own_fields() -> None:
    forms = (
        forms_for_wordpress(FakeRecords(), SHARING, ShopPlace("acme"))["order"],
        forms_for_erpnext(FakeDocuments(), SHARING, ErpNextPlace("acme"))["order"],
    )
    assert [list(form.custom) for form in forms] == [["size"], ["size"]]  # type: ignore[attr-defined]


def test_without_accounting_there_is_what_needs_none() -> None:
    forms = forms_for_erpnext(FakeDocuments(), Sharing(), ErpNextPlace("acme"))
    assert set(forms) == {"customer", "submission", "post", "page"}


def test_what_others_need_comes_first() -> None:
    names = list(ENTITIES)
    for entity in ENTITIES.values():
        for needed in entity.needs:
            assert names.index(needed) <= names.index(entity.name)


@pytest.mark.parametrize("name", SHOP_NATIVES)
def test_wordpress_says_what_the_table_declares(name: str) -> None:
    form = forms_for_wordpress(FakeRecords(), SHARING, ShopPlace("acme"))[name]
    declared = {one.name for one in ENTITIES[name].fields}
    of_variable_products = {"attributes"} if name == "product" else set()
    assert set(form.fields(shop(SHOP_NATIVES[name]))) - {"size"} == declared - of_variable_products


@pytest.mark.parametrize("name", DOCUMENTS)
def test_erpnext_says_what_the_table_declares(name: str) -> None:
    form = forms_for_erpnext(FakeDocuments(), SHARING, ErpNextPlace("acme"))[name]
    declared = {one.name for one in ENTITIES[name].fields}
    written = {one.name for one in ENTITIES[name].fields if one.direction.reaches(SideName.WORDPRESS)}
    said = set(form.fields(Native(erpnext(DOCUMENTS[name])))) - {"size"}
    assert written <= said <= declared


@pytest.mark.parametrize("name", MINE)
def test_tables_tell_people_where_a_field_is(name: str) -> None:
    for one in ENTITIES[name].fields:
        assert one.wordpress
        assert one.erpnext


def test_orders_that_erpnext_counts() -> None:
    documents = FakeDocuments()
    for name, fields in {
        "WC-acme-1": {"docstatus": 1},
        "WC-acme-2": {"docstatus": 0},
        "WC-acme-3": {"docstatus": 2},
        "WC-acme-3-1": {"docstatus": 1, "amended_from": "WC-acme-3"},
        "SAL-ORD-1": {"docstatus": 1, "po_no": "WC-acme-4"},
        "SAL-ORD-2": {"docstatus": 1, "po_no": "WC-acme-5 (A-17)"},
        "WC-other-6": {"docstatus": 1},
    }.items():
        documents.put("Sales Order", {"name": name, **fields})
    counted = counted_orders(documents, "acme")
    assert set(counted(["1", "2", "3", "4", "5", "6", "7"])) == {"1", "3", "4", "5"}
    assert counted([]) == set()
