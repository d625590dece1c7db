"""Variations as ERPNext keeps them: variants of a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.attributes import ItemAttributes, ordered
from agencystack.bridge.entities.catalogue_erpnext import CatalogueOnErpNext
from agencystack.bridge.entities.shared import LONGEST_NAME, Objection, real_name, safe_name
from agencystack.bridge.record import Fields, Ref, Value
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Step
from agencystack.bridge.sides.erpnext.form import Native


class VariationOnErpNext(CatalogueOnErpNext):
    """A variant of a template."""

    entity: ClassVar[str] = "variation"
    which: Sequence[Sequence[Any]] = (["variant_of", "is", "set"],)

    _spelt: Mapping[str, Mapping[str, str]] = {}
    _templates: Mapping[str, Document] = {}

    def shared(self, native: Native) -> bool:
        """Leave what is no variant to products."""
        return bool(native.document.get("variant_of")) and super().shared(native)

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a variant."""
        item = native.document
        options = {
            real_name(one["attribute"]) or "": value
            for one in item.get("attributes") or ()
            if (value := real_name(one.get("attribute_value")))
        }
        return {
            **self.item_fields(native),
            "product": Ref("product", str(item["variant_of"])) if item.get("variant_of") else None,
            "options": options or None,
            "virtual": None,
        }

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done to a variant and its prices."""
        if operation.action is Action.RETIRE:
            return self.retired(operation)
        fields, values = operation.fields, self.item_values(operation.fields)
        if "options" in fields:
            values["attributes"] = self._rows(fields["options"])
        prices = self.price_steps(operation, native, template=False)
        if native is None:
            made = {**self._new(fields), **values}
            return [Step("insert", self.doctype, values=made, called="main"), *prices]
        return [self.update(operation, values), *prices] if values or prices else []

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Make sure of the Item Attributes and values variants need."""
        wanted: dict[str, tuple[str, ...]] = {}
        for one in operations:
            for name, option in _pairs(one.fields.get("options")):
                wanted[name] = ordered((*wanted.get(name, ()), option))
        self._spelt = ItemAttributes(self.documents).have(wanted)
        templates = [product.id for one in operations if isinstance(product := one.fields.get("product"), Ref)]
        self._templates = self._heads(templates)

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop what ERPNext cannot do to a variant."""
        if operation.action is Action.UPDATE and "product" in operation.fields:
            return Objection(
                f"the variation of Item {operation.id} belongs to another product now",
                "disable this variant in ERPNext; the variation gets a new one under another SKU",
            )
        if operation.action is Action.CREATE and not _pairs(operation.fields.get("options")):
            return Objection(
                "the variation leaves every attribute open ('Any'): ERPNext knows no variant without a value",
                "choose a value for at least one attribute of the variation in WooCommerce",
            )
        return super().objection(operation, native)

    def _new(self, fields: Fields) -> dict[str, Any]:
        product, code = fields.get("product"), self.new_code(fields)
        template = product.id if isinstance(product, Ref) else ""
        head = self._templates.get(template, {})
        said = ", ".join(option for _, option in _pairs(fields.get("options")))
        name = f"{normal.line(head.get('item_name')) or template}: {said}"
        return {
            "item_code": code,
            "item_name": name[:LONGEST_NAME],
            "variant_of": template,
            "item_group": head.get("item_group") or self.accounting.item_group,
            "stock_uom": head.get("stock_uom") or self.accounting.uom,
            "is_stock_item": 0 if fields.get("virtual") else 1,
        }

    def _rows(self, options: Value) -> list[dict[str, Any]]:
        rows = []
        for name, option in _pairs(options):
            spelt = self._spelt.get(name.casefold(), {})
            written = spelt.get(option.casefold(), option)
            rows.append({"attribute": spelt.get("", safe_name(name)), "attribute_value": written})
        return rows

    def _heads(self, names: Sequence[str]) -> Mapping[str, Document]:
        columns = ["name", "item_name", "item_group", "stock_uom"]
        rows = self.documents.select(self.doctype, [["name", "in", sorted(set(names))]], columns) if names else ()
        return {str(one["name"]): one for one in rows}


def _pairs(options: Value) -> list[tuple[str, str]]:
    return [(str(name), str(one)) for name, one in options.items() if one] if isinstance(options, Mapping) else []
