"""Product categories as WooCommerce keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.category import ALONE
from agencystack.bridge.entities.shared import SharedWordPressForm, stored_term
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.side import Operation
from agencystack.bridge.sides.wordpress.records import Kind, Native, Written


class CategoryOnWordPress(SharedWordPressForm):
    """A product category. Names come HTML-escaped from REST (contract/wordpress/wc-prod-cat-create-grandchild.json)."""

    entity: ClassVar[str] = "category"
    kind: ClassVar[Kind] = Kind.CATEGORY

    def shared(self, native: Native) -> bool:
        """Leave the category of what has none alone."""
        return native.get("slug") != ALONE

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a category."""
        parent = native.get("parent") or 0
        return {
            "name": normal.line(native.get("name")),
            "parent": Ref("category", str(parent)) if parent else None,
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent."""
        values: dict[str, Any] = {}
        if "name" in fields:
            values["name"] = fields["name"] or "?"
        if "parent" in fields:
            parent = fields["parent"]
            values["parent"] = int(parent.id) if isinstance(parent, Ref) else 0
        return values

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Find categories of that name; REST searches by part, so :meth:`candidates` looks closer."""
        name = fields.get("name")
        return [{"search": stored_term(name)}] if isinstance(name, str) else []

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the categories of exactly that name under the same parent."""
        wanted, parent = normal.line(fields.get("name")), fields.get("parent")
        under = int(parent.id) if isinstance(parent, Ref) else 0
        return [
            str(one["id"])
            for search in self.search_for(fields)
            for one in self.records.search(self.kind, search)
            if (normal.line(one.get("name")) or "").casefold() == (wanted or "").casefold()
            and (one.get("parent") or 0) == under
            and self.shared(one)
        ]

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said = f"WooCommerce refused the category {operation.fields.get('name') or operation.id}: {written.message}"
        if written.code == "term_exists":
            other = written.data.get("resource_id", "")
            return (
                said,
                f"rename category {other} in WooCommerce, or the Item Group in ERPNext: they stand side by side",
            )
        return said, "change the Item Group in ERPNext so that WooCommerce takes it as a category"
