"""Product categories: WooCommerce's tree of categories and ERPNext's tree of Item Groups."""

from __future__ import annotations

from agencystack.bridge.entity import Deletion, Entity, Field
from agencystack.bridge.record import SideName

CATEGORY = Entity(
    name="category",
    title="Product categories",
    fields=(
        Field("name", SideName.ERPNEXT, wordpress="name", erpnext="Item Group.item_group_name"),
        Field("parent", SideName.ERPNEXT, wordpress="parent", erpnext="Item Group.parent_item_group"),
    ),
    identity=("name", "parent"),
    deletion=Deletion.KEEP,
    needs=("category",),
)
"""A category that is gone on one side stays on the other: other products and Items may stand in it."""

ALONE = "uncategorized"
"""WooCommerce's category of products without one; ERPNext's counterpart is the default Item Group of the settings."""


def told_apart(name: str, parent: str | None) -> str:
    """Return the name of an Item Group whose plain name is taken: it must be unique over the whole tree (409).

    Args:
        name: the category's name.
        parent: its parent's name.
    """
    return f"{name} ({parent})" if parent else f"{name} (shop)"


def plain_name(name: str, parent: str | None) -> str:
    """Return the category's own name of an Item Group's, as :func:`told_apart` made it."""
    for suffix in (f" ({parent})", " (shop)"):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name
