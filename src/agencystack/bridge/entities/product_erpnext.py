"""Products as ERPNext keeps them: Items and templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.attributes import ItemAttributes, options_of, ordered
from agencystack.bridge.entities.catalogue_erpnext import CatalogueOnErpNext
from agencystack.bridge.entities.product import SIMPLE, VARIABLE
from agencystack.bridge.entities.shared import LONGEST_NAME, Objection, real_name, safe_name
from agencystack.bridge.record import Fields, Ref, Value
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Step
from agencystack.bridge.sides.erpnext.form import Native

_USED = "Item Variant Attribute"


class ProductOnErpNext(CatalogueOnErpNext):
    """An Item that is no variant: for itself, or a template."""

    entity: ClassVar[str] = "product"
    which: Sequence[Sequence[Any]] = (["variant_of", "is", "not set"],)

    def shared(self, native: Native) -> bool:
        """Leave variants to their own entity."""
        return not native.document.get("variant_of") and super().shared(native)

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return prices, Bins, and of templates the attribute values their variants have."""
        found = super().gather(documents)
        templates = [str(one["name"]) for one in documents if normal.flag(one.get("has_variants"))]
        if not templates:
            return found
        columns = ["variant_of", "attribute", "attribute_value"]
        used: dict[str, list[Document]] = {name: [] for name in templates}
        for row in self.documents.select(_USED, [["variant_of", "in", templates]], columns, parent="Item"):
            used.setdefault(str(row["variant_of"]), []).append(row)
        return {name: {**related, "used": used.get(name, ())} for name, related in found.items()}

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of an Item."""
        item = native.document
        template = normal.flag(item.get("has_variants"))
        group = str(item.get("item_group") or "")
        return {
            **self.item_fields(native),
            "name": normal.line(item.get("item_name")),
            "type": VARIABLE if template else SIMPLE,
            "category": Ref("category", group) if group not in {"", self.accounting.item_group} else None,
            "attributes": _attributes(native) if template else None,
            "virtual": None,
        }

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done to an Item and its prices."""
        if operation.action is Action.RETIRE:
            return self.retired(operation)
        fields = operation.fields
        template = (
            fields.get("type") == VARIABLE if native is None else normal.flag(native.document.get("has_variants"))
        )
        values = self.item_values(fields)
        if "name" in fields:
            values["item_name"] = (normal.line(fields["name"]) or operation.id or self.new_code(fields))[:LONGEST_NAME]
        if "category" in fields or native is None:
            category = fields.get("category")
            values["item_group"] = category.id if isinstance(category, Ref) else self.accounting.item_group
        if template and "attributes" in fields:
            rows = self._rows(fields["attributes"], native)
            values |= {"attributes": rows} if rows else {}
        prices = self.price_steps(operation, native, template=template)
        if native is None:
            made = {**self._new(fields, template), **values}
            return [Step("insert", self.doctype, values=made, called="main"), *prices]
        return [self.update(operation, values), *prices] if values or prices else []

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Make sure of the Item Attributes templates need."""
        wanted: dict[str, tuple[str, ...]] = {}
        for one in operations:
            for name, options in options_of(one.fields.get("attributes")).items():
                wanted[name] = ordered((*wanted.get(name, ()), *options))
        if wanted:
            ItemAttributes(self.documents).have(wanted)

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop a change of type: ERPNext lets an Item in use become a template, and nobody can order it then."""
        wanted = operation.fields.get("type")
        if native is not None and operation.action is Action.UPDATE and wanted is not None:
            template = normal.flag(native.document.get("has_variants"))
            if (wanted == VARIABLE) is not template:
                return Objection(
                    f"product became {wanted}, Item {operation.id} is {'a template' if template else 'no template'}",
                    "make a new product of the other type with a SKU of its own, and end this one",
                )
        if native is None and wanted == VARIABLE and not options_of(operation.fields.get("attributes")):
            return Objection(
                "the variable product has no attribute used for variations; an ERPNext template needs one",
                "tick 'Used for variations' at an attribute of the product in WooCommerce",
            )
        return super().objection(operation, native)

    def _new(self, fields: Fields, template: bool) -> dict[str, Any]:
        code = self.new_code(fields)
        kind = {"has_variants": 1, "variant_based_on": "Item Attribute"} if template else {}
        return {
            "item_code": code,
            "item_name": code,
            "stock_uom": self.accounting.uom,
            "is_stock_item": 0 if fields.get("virtual") else 1,
            **kind,
        }

    def _rows(self, wanted: Value, native: Native | None) -> list[dict[str, Any]]:
        """Return the template's rows if one is to be added; what it has stays, in its place."""
        there = list((native.document if native else {}).get("attributes") or ())
        known = {str(one["attribute"]).casefold() for one in there}
        added = [name for one in options_of(wanted) if (name := safe_name(one)[:LONGEST_NAME]).casefold() not in known]
        if not added:
            return []
        kept = [{key: one[key] for key in ("name", "attribute") if key in one} for one in there]
        return [*kept, *({"attribute": name} for name in added)]


def _attributes(native: Native) -> dict[str, Value] | None:
    used: dict[str, list[str]] = {str(one["attribute"]): [] for one in native.document.get("attributes") or ()}
    for row in native.related.get("used", ()):
        if str(row.get("attribute")) in used:
            used[str(row["attribute"])].append(real_name(row.get("attribute_value")) or "")
    return {real_name(name) or name: ordered(options) for name, options in used.items()} or None
