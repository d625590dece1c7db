"""Product categories as ERPNext keeps them: Item Groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.category import plain_name, told_apart
from agencystack.bridge.entities.shared import (
    LONGEST_NAME,
    Custom,
    Objection,
    SharedErpNextForm,
    real_name,
    safe_name,
)
from agencystack.bridge.record import Fields, Ref
from agencystack.bridge.settings import Accounting
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Documents, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native

_GROUP = "Item Group"


class CategoryOnErpNext(SharedErpNextForm):
    """A product category: an Item Group below the root, save the default one, which stands for having none.

    Args:
        documents: the way to ERPNext's documents.
        accounting: names the default Item Group.
        custom: further fields, by canonical name.
    """

    entity: ClassVar[str] = "category"
    doctype: ClassVar[str] = _GROUP

    def __init__(self, documents: Documents, accounting: Accounting, custom: Custom | None = None) -> None:
        super().__init__(documents, custom)
        self.accounting = accounting

    @cached_property
    def root(self) -> str:
        """The tree's root; its name is in the site's language."""
        found = self.documents.select(_GROUP, [["parent_item_group", "is", "not set"]], ["name"])
        return str(found[0]["name"]) if found else "All Item Groups"

    def shared(self, native: Native) -> bool:
        """Leave the root and the default group alone."""
        return bool(native.document.get("parent_item_group")) and native.document["name"] != self.accounting.item_group

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return each group's parent, whose name may stand in its own."""
        parents = {str(one.get("parent_item_group") or "") for one in documents} - {""}
        rows = self.documents.select(_GROUP, [["name", "in", sorted(parents)]], ["name", "item_group_name"])
        named = {str(one["name"]): one for one in rows}
        return {
            str(one["name"]): {"parent": (named[parent],)}
            for one in documents
            if (parent := str(one.get("parent_item_group") or "")) in named
        }

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of an Item Group."""
        parent = str(native.document.get("parent_item_group") or "")
        above = next(iter(native.related.get("parent", ())), {})
        said = real_name(native.document.get("item_group_name") or native.document.get("name")) or ""
        return {
            "name": plain_name(said, real_name(above.get("item_group_name"))) or None,
            "parent": None if parent in {"", self.root, self.accounting.item_group} else Ref("category", parent),
        }

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done. Groups we make may hold others: a leaf that got a child cannot be moved any more."""
        if operation.action is Action.RETIRE:
            return [Step("delete", _GROUP, operation.id, called="main")]
        fields, steps, values = operation.fields, list[Step](), dict[str, Any]()
        if "parent" in fields or native is None:
            parent = fields.get("parent")
            values["parent_item_group"] = parent.id if isinstance(parent, Ref) else self.root
            if isinstance(parent, Ref) and self._is_leaf(parent.id):
                steps.append(Step("update", _GROUP, parent.id, {"is_group": 1}, called="parent"))
        if "name" in fields or native is None:
            values["item_group_name"] = self._name(operation, native, str(values.get("parent_item_group", "")))
        if native is None:
            return [*steps, Step("insert", _GROUP, values={**values, "is_group": 1}, called="main")]
        return [*steps, self.update(operation, values)]

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Find the Item Group of that name: there is one at most in the whole tree."""
        name, parent = fields.get("name"), fields.get("parent")
        if not isinstance(name, str):
            return []
        under = parent.id if isinstance(parent, Ref) else self.root
        here = ["parent_item_group", "=", under]
        apart = safe_name(told_apart(name, parent.id if isinstance(parent, Ref) else None))
        return [
            [["item_group_name", "=", safe_name(name)], here],
            [["item_group_name", "=", apart], here],
        ]

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Refuse names ERPNext cannot keep."""
        name = operation.fields.get("name")
        if isinstance(name, str) and len(name) > LONGEST_NAME:
            return Objection(
                f"The category's name has {len(name)} characters, an Item Group's may have {LONGEST_NAME}",
                "shorten the category's name in WooCommerce",
            )
        return None

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said, remedy = super().refusal(saved, operation)
        if saved.kind == "DuplicateEntryError":
            remedy = "two categories of that name were made at once: retry, or rename one of them"
        elif "leaf node" in saved.message:
            remedy = "tick 'Is Group' of the Item Group in ERPNext, then retry"
        return said, remedy

    def _is_leaf(self, name: str) -> bool:
        return bool(self.documents.select(_GROUP, [["name", "=", name], ["is_group", "=", 0]], ["name"]))

    def _name(self, operation: Operation, native: Native | None, parent: str) -> str:
        wanted = safe_name(normal.line(operation.fields.get("name")) or "?")
        there = self.documents.select(_GROUP, [["item_group_name", "=", wanted]], ["name"])
        taken = [one for one in there if native is None or one["name"] != native.document["name"]]
        if not taken:
            return wanted
        return safe_name(told_apart(wanted, None if parent in {"", self.root} else parent))[:LONGEST_NAME]
