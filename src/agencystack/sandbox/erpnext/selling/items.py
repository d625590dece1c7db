"""Items, their variants, prices and groups (contract/erpnext/04, 33, 33b)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from agencystack.sandbox.erpnext.documents import Behaviour, Documents
from agencystack.sandbox.erpnext.errors import bold, broken, invalid
from agencystack.sandbox.erpnext.selling.naming import named
from agencystack.sandbox.erpnext.selling.prices import ItemPrices
from agencystack.sandbox.erpnext.selling.settings import setting
from agencystack.sandbox.erpnext.selling.trees import Tree
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_ITEM = "erpnext.stock.doctype.item.item"
_VARIANT = "erpnext.controllers.item_variant"
# Fields a template hands to its variants each time it is saved (Item Variant Settings as they are installed).
_HANDED_DOWN = ("item_group", "stock_uom", "is_stock_item", "brand", "is_sales_item", "is_purchase_item")
_EAN_LENGTHS = {8, 13}


def behaviours(documents: Documents) -> Mapping[str, Behaviour]:
    """Return what items and what is around them do."""
    items, prices = _Items(documents), ItemPrices(documents)
    groups = Tree("parent_item_group", "All Item Groups", "Item")
    return {
        "Item": Behaviour(
            lambda one: str(one["name"]),
            named=_item_name,
            prepare=items.prepare,
            validate=items.check,
            on_update=items.saved,
            on_trash=items.trashed,
        ),
        "Item Price": prices.behaviour(),
        "Price List": prices.list_behaviour(),
        "Item Group": groups.behaviour(),
        "Item Attribute": Behaviour(lambda one: str(one["name"]), named=named, validate=_check_attribute),
    }


def _item_name(_: Work, item: Document) -> str:
    if not str(item.get("item_code") or "").strip():
        raise invalid("Item Code is required")
    return str(item["item_code"]).strip()


class _Items:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def prepare(self, work: Work, item: Document, before: Document | None) -> None:
        """Fill in what is not given."""
        if before is None:
            item["stock_uom"] = item.get("stock_uom") or setting(work, "Stock Settings", "stock_uom") or "Nos"
            item["naming_series"] = item.get("naming_series") or "STO-ITEM-.YYYY.-"
        template = work.transaction.peek("Item", str(item.get("variant_of") or ""))
        for row in item["attributes"] if template else ():
            if row["attribute"] not in {one["attribute"] for one in (template or {}).get("attributes", [])}:
                raise invalid(f"Attribute {bold(row['attribute'])} is not valid for the selected template.")

    def check(self, work: Work, item: Document, before: Document | None) -> None:
        """As ``Item.validate``."""
        item["item_code"] = item["name"]
        item["item_name"] = item.get("item_name") or item["item_code"]
        item["description"] = item.get("description") or item["item_name"]
        if before is not None and before["stock_uom"] != item["stock_uom"]:
            item["uoms"] = [row for row in item["uoms"] if row["uom"] != before["stock_uom"]]
        if not item["uoms"] or all(row["uom"] != item["stock_uom"] for row in item["uoms"]):
            item["uoms"] = [*item["uoms"], _row(item, "UOM Conversion Detail", "uoms", len(item["uoms"]) + 1)]
            item["uoms"][-1].update(uom=item["stock_uom"], conversion_factor=1.0)
        if before is None and not item["item_defaults"] and work.company:
            item["item_defaults"] = [_row(item, "Item Default", "item_defaults", 1)]
            warehouse = setting(work, "Stock Settings", "default_warehouse")
            item["item_defaults"][0].update(company=work.company, default_warehouse=warehouse)
        self._check_barcodes(work, item)
        if item.get("has_variants") and not item["attributes"]:
            raise invalid("Attribute table is mandatory")
        if item.get("variant_of"):
            _check_variant(work, item)
        for row in item["attributes"]:
            row["variant_of"] = item.get("variant_of")

    def _check_barcodes(self, work: Work, item: Document) -> None:
        for row in item["barcodes"]:
            code = str(row.get("barcode") or "").strip()
            taken = [
                one for one in work.transaction.having("Item", "barcodes.barcode", code) if one["name"] != item["name"]
            ]
            if taken:
                raise invalid(f"Barcode {code} already used in Item {taken[0]['name']}")
            if row.get("barcode_type") == "EAN" and not _is_ean(code):
                text = f"Barcode {code} is not a valid EAN code"
                raise invalid(text, kind="InvalidBarcode", module=_ITEM)

    def saved(self, work: Work, item: Document, before: Document | None) -> None:
        """Make the price of a new item, and hand a template's fields down."""
        if before is None and item.get("standard_rate"):
            price_list = setting(work, "Selling Settings", "selling_price_list") or "Standard Selling"
            values = {"item_code": item["name"], "price_list": price_list, "price_list_rate": item["standard_rate"]}
            self._documents.insert(work, "Item Price", values, checked=False)
        if before is not None and item.get("has_variants"):
            for variant in work.transaction.having("Item", "variant_of", item["name"]):
                changed = {**variant, **{field: item.get(field) for field in _HANDED_DOWN}, "modified": work.now()}
                work.transaction.put(changed)
        if before is not None and before.get("item_name") != item["item_name"]:
            for price in work.transaction.having("Item Price", "item_code", item["name"]):
                work.transaction.put({**price, "item_name": item["item_name"]})

    def trashed(self, work: Work, item: Document) -> None:
        """Take along what is only an item's: its bins, prices, and a template's variants."""
        for variant in work.transaction.having("Item", "variant_of", item["name"]):
            self._documents.delete(work, "Item", variant["name"], checked=False)
        for doctype in ("Item Price", "Bin"):
            for one in work.transaction.having(doctype, "item_code", item["name"]):
                self._documents.delete(work, doctype, one["name"], checked=False)


def _check_variant(work: Work, item: Document) -> None:
    for row in item["attributes"]:
        attribute = work.transaction.peek("Item Attribute", str(row["attribute"])) or {"item_attribute_values": []}
        values = {one["attribute_value"] for one in attribute["item_attribute_values"]}
        if row.get("attribute_value") not in values:
            told = f"Attribute Value {bold(row.get('attribute_value'))} is not valid"
            raise invalid(f"{told} for the selected attribute {bold(row['attribute'])}.")
    twin = variant_of(work, item["variant_of"], _combination(item))
    if twin and twin["name"] != item["name"]:
        text = f"Item variant {twin['name']} exists with same attributes"
        raise invalid(text, kind="ItemVariantExistsError", module=_VARIANT)


def variant_of(work: Work, template: str, combination: Mapping[str, str]) -> Document | None:
    """Return the variant of a template with exactly these attributes, or ``None``."""
    variants = work.transaction.having("Item", "variant_of", template)
    return next((one for one in variants if _combination(one) == dict(combination)), None)


def _combination(item: Document) -> dict[str, str]:
    return {row["attribute"]: str(row.get("attribute_value") or "") for row in item["attributes"]}


def _check_attribute(_: Work, attribute: Document, __: Document | None) -> None:
    seen: set[str] = set()
    for row in attribute["item_attribute_values"]:
        value, short = row.get("attribute_value"), row.get("abbr")
        if short is None:
            raise broken("AttributeError", "'NoneType' object has no attribute 'lower'")
        if str(value).lower() in seen:
            raise invalid(f"Attribute value: {value} must appear only once")
        seen.add(str(value).lower())
    shorts = [str(row["abbr"]).lower() for row in attribute["item_attribute_values"]]
    double = next((short for short in shorts if shorts.count(short) > 1), None)
    if double:
        raise invalid(f"Abbreviation: {double} must appear only once")


def _row(item: Document, doctype: str, table: str, index: int) -> Document:
    place = {"parent": item["name"], "parentfield": table, "parenttype": "Item", "idx": index, "docstatus": 0}
    return {"doctype": doctype, "name": secrets.token_hex(5), **place}


def _is_ean(code: str) -> bool:
    if not code.isdigit() or len(code) not in _EAN_LENGTHS:
        return False
    digits = [int(digit) for digit in code]
    total = sum(digit * (3 if at % 2 else 1) for at, digit in enumerate(reversed(digits[:-1]), 1))
    return (10 - total % 10) % 10 == digits[-1]
