"""Variations as WooCommerce keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import attributes, images, prices
from agencystack.bridge.entities.catalogue_wordpress import CatalogueOnWordPress
from agencystack.bridge.entities.product import shop_sku, sku_of
from agencystack.bridge.entities.shared import Objection, meta_of
from agencystack.bridge.entities.stock import shop_stock
from agencystack.bridge.record import Fields, Ref, Value, digest
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write

_NEEDS_NATIVE = {"stock", "sku"}


class VariationOnWordPress(CatalogueOnWordPress):
    """A variation of a variable product."""

    entity: ClassVar[str] = "variation"
    kind: ClassVar[Kind] = Kind.VARIATION
    needs_native: ClassVar[frozenset[str]] = frozenset(_NEEDS_NATIVE)

    def natives(self, ids: Sequence[str]) -> Mapping[str, Native]:
        """Return variations with their own SKU: REST shows the product's where a variation has none, in any context.

        No two records may have one SKU, so that one which is the product's is not its own.
        """
        found = super().natives(ids)
        products = sorted({str(one.get("parent_id") or "") for one in found.values() if one.get("sku")} - {""})
        parents = self.records.fetch(Kind.PRODUCT, products) if products else {}
        return {
            id_: {**one, "sku": ""} if one.get("sku") == parents.get(str(one.get("parent_id")), {}).get("sku") else one
            for id_, one in found.items()
        }

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a variation. One that takes its stock from the product has none of its own."""
        image = native.get("image") or {}
        return {
            "product": Ref("product", str(native["parent_id"])) if native.get("parent_id") else None,
            "sku": sku_of(normal.line(native.get("sku")), native["id"]),
            "options": _options(native),
            "description": normal.html(native.get("description")),
            "image": images.shop_image([image], meta_of(native)),
            **prices.shop_prices(native, self.digits, self.today),
            "stock": shop_stock(native),
            # None and not False: ERPNext tells nothing here, and what is no difference needs no writing.
            "virtual": normal.flag(native.get("virtual")) or normal.flag(native.get("downloadable")) or None,
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent."""
        values: dict[str, Any] = {**prices.shop_values(fields), **self.stock_values(fields, native)}
        if "sku" in fields:
            values["sku"] = shop_sku(str(fields["sku"] or ""), (native or {}).get("id", ""))
        if "options" in fields and isinstance(fields["options"], Mapping):
            values["attributes"] = [{"name": name, "option": one} for name, one in fields["options"].items()]
        if "description" in fields:
            values["description"] = fields["description"] or ""
        if "image" in fields:
            url = fields["image"]
            values["image"] = {"src": url} if url else {}
            values["meta_data"] = [{"key": images.SOURCE_META, "value": url}]
        return values

    def parent(self, operation: Operation) -> str:
        """Return the product a variation is made for."""
        product = operation.fields.get("product")
        return product.id if isinstance(product, Ref) else ""

    def write_of(self, operation: Operation, native: Native | None = None) -> Write:
        """Return the write; it names the product."""
        return replace(super().write_of(operation, native), parent=self.parent(operation))

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop a move to another product, which WooCommerce does not know."""
        if operation.action is Action.UPDATE and "product" in operation.fields:
            return Objection(
                f"the variant of variation {operation.id} belongs to another template now",
                "delete the variation in WooCommerce: it is made again where it belongs",
            )
        return super().objection(operation, native)

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Make sure products offer the options their variations have: one that is not listed cannot be bought."""
        wanted: dict[str, dict[str, Value]] = {}
        for one in operations:
            parent, options = self.parent(one), one.fields.get("options")
            if parent and isinstance(options, Mapping):
                known = {name: (value,) for name, value in options.items() if value}
                wanted[parent] = dict(_mapping(attributes.united(None, wanted.get(parent), known)))
        if not wanted:
            return
        writes = []
        for id_, product in self.records.fetch(Kind.PRODUCT, list(wanted)).items():
            there = attributes.shop_options(product)
            if attributes.united(None, there, wanted[id_]) != attributes.united(None, there, None):
                values = {"attributes": attributes.shop_values(wanted[id_], product.get("attributes") or ())}
                writes.append(Write(digest([id_, wanted[id_]]), Kind.PRODUCT, "update", id_, values=values))
        if writes:
            self.records.write(writes)


def _options(native: Native) -> dict[str, Value] | None:
    return {
        name: option
        for one in native.get("attributes") or ()
        if (name := normal.line(one.get("name"))) and (option := normal.line(one.get("option")))
    } or None


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
