"""Products as WooCommerce keeps them."""

from __future__ import annotations

from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import attributes, images, prices
from agencystack.bridge.entities.catalogue_wordpress import CatalogueOnWordPress
from agencystack.bridge.entities.category import ALONE
from agencystack.bridge.entities.product import SHARED_TYPES, SIMPLE, VARIABLE, shop_sku, sku_of
from agencystack.bridge.entities.shared import Objection, meta_of
from agencystack.bridge.entities.stock import shop_stock
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.wordpress.records import Kind, Native

CATEGORY_META = "_agencystack_category"
"""Which of a product's categories is the one ERPNext knows: an Item has one group, a product many categories."""

_NEEDS_NATIVE = {"stock", "category", "image", "attributes", "type", "sku"}


class ProductOnWordPress(CatalogueOnWordPress):
    """A simple or variable product."""

    entity: ClassVar[str] = "product"
    kind: ClassVar[Kind] = Kind.PRODUCT
    needs_native: ClassVar[frozenset[str]] = frozenset(_NEEDS_NATIVE)

    def shared(self, native: Native) -> bool:
        """Leave alone what is no Item (grouped, external, bundles), and drafts WordPress keeps for itself."""
        return native.get("type") in SHARED_TYPES and native.get("status") != "auto-draft"

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a product."""
        return {
            "sku": sku_of(normal.line(native.get("sku")), native["id"]),
            "name": normal.line(native.get("name")),
            "type": normal.line(native.get("type")),
            "description": normal.html(native.get("description")),
            "category": _category(native),
            "image": images.shop_image(native.get("images") or (), meta_of(native)),
            **prices.shop_prices(native, self.digits, self.today),
            "stock": shop_stock(native),
            # A simple product has no say in them: where it once was variable, its Item keeps them.
            **({"attributes": attributes.shop_options(native)} if native.get("type") == VARIABLE else {}),
            # None and not False: ERPNext tells nothing here, and what is no difference needs no writing.
            "virtual": normal.flag(native.get("virtual")) or normal.flag(native.get("downloadable")) or None,
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent. A new product is a draft: publishing is a shop manager's decision."""
        there = native or {}
        values: dict[str, Any] = {} if native is not None else {"status": "draft"}
        if "sku" in fields:
            values["sku"] = shop_sku(str(fields["sku"] or ""), there.get("id", ""))
        if "name" in fields:
            values["name"] = fields["name"] or "?"
        if "type" in fields:
            values["type"] = fields["type"] or SIMPLE
        if "description" in fields:
            values["description"] = fields["description"] or ""
        if fields.get("type", there.get("type")) == VARIABLE:
            fields = {name: value for name, value in fields.items() if name not in {"regular_price", "sale", "stock"}}
        values |= prices.shop_values(fields) | self.stock_values(fields, native)
        if "attributes" in fields:
            values["attributes"] = attributes.shop_values(fields["attributes"], there.get("attributes") or ())
        meta: list[dict[str, Any]] = []
        if "category" in fields:
            values["categories"], mark = _categories(fields["category"], native)
            meta.append(mark)
        if "image" in fields:
            values["images"] = images.new_images(fields["image"], there.get("images") or ())
            meta.append({"key": images.SOURCE_META, "value": fields["image"]})
        return {**values, "meta_data": meta} if meta else values

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop what would destroy variations: WooCommerce drops them at once (wc-prod-variable-to-simple.json)."""
        wanted = operation.fields.get("type")
        if operation.action is Action.UPDATE and native is not None and wanted not in {None, native.get("type")}:
            return Objection(
                f"Item became {wanted}, product {operation.id} is {native.get('type')}: "
                "changing it would delete or orphan its variations",
                "change the product's type in WooCommerce yourself, or the Item's 'Has Variants' back in ERPNext",
            )
        return super().objection(operation, native)


def _category(native: Native) -> Ref | None:
    ids = [int(one["id"]) for one in native.get("categories") or () if one.get("slug") != ALONE]
    chosen = str(meta_of(native).get(CATEGORY_META) or "")
    if not ids:
        return None
    return Ref("category", chosen if chosen in map(str, ids) else str(min(ids)))


def _categories(wanted: Any, native: Native | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    there = native or {}
    before = _category(there) if there else None
    kept = [
        {"id": one["id"]}
        for one in there.get("categories") or ()
        if one.get("slug") != ALONE and (before is None or str(one["id"]) != before.id)
    ]
    if not isinstance(wanted, Ref):
        return kept, {"key": CATEGORY_META, "value": None}
    first = [{"id": int(wanted.id)}]
    others = [one for one in kept if str(one["id"]) != wanted.id]
    return [*first, *others], {"key": CATEGORY_META, "value": wanted.id}
