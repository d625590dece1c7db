"""Documents in a tree: item groups, customer groups, territories (contract/erpnext/33)."""

from __future__ import annotations

from dataclasses import dataclass

from agencystack.sandbox.erpnext.documents import Behaviour
from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.selling.naming import named
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_NESTED = "frappe.utils.nestedset"


@dataclass(frozen=True)
class Tree:
    """One kind of tree.

    Args:
        parent: the field that names what a node is under.
        root: under which a node is that says nothing.
        member: what messages call a node in the way of itself.
    """

    parent: str
    root: str
    member: str

    def behaviour(self) -> Behaviour:
        """Return what its documents do."""
        return Behaviour(
            lambda one: str(one["name"]),
            named=named,
            prepare=self._prepare,
            validate=self._check,
            on_trash=self._trash,
        )

    def _prepare(self, work: Work, node: Document, before: Document | None) -> None:
        if before is None and not node.get(self.parent):
            node[self.parent] = self.root

    def _check(self, work: Work, node: Document, before: Document | None) -> None:
        moved = before is None or before.get(self.parent) != node.get(self.parent)
        if before is not None and moved:
            self._check_move(work, node)
        if before is None:
            taken = [int(one.get("rgt") or 0) for one in work.transaction.scan(node["doctype"])]
            node["lft"] = max(taken, default=0)
            node["rgt"] = node["lft"] + 1
        node["old_parent"] = node.get(self.parent)

    def _check_move(self, work: Work, node: Document) -> None:
        above: str | None = node.get(self.parent)
        while above:
            if above.casefold() == node["name"].casefold():
                text = f"{self.member} cannot be added to its own descendants"
                raise invalid(text, kind="NestedSetRecursionError", module=_NESTED)
            above = (work.transaction.peek(node["doctype"], above) or {}).get(self.parent)
        if not node.get("is_group") and work.transaction.having(node["doctype"], self.parent, node["name"]):
            raise invalid(f"{node['doctype']} {node['name']} cannot be a leaf node as it has children")

    def _trash(self, work: Work, node: Document) -> None:
        if work.transaction.having(node["doctype"], self.parent, node["name"]):
            text = f"Cannot delete {node['name']} as it has child nodes"
            raise invalid(text, kind="NestedSetChildExistsError", module=_NESTED)
