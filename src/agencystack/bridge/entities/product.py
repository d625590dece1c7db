"""Products: simple and variable products of WooCommerce, Items and templates of ERPNext."""

from __future__ import annotations

from agencystack.bridge.entities.attributes import united
from agencystack.bridge.entity import Direction, Entity, Field
from agencystack.bridge.record import SideName

_ERPNEXT, _WORDPRESS = SideName.ERPNEXT, SideName.WORDPRESS

PRODUCT = Entity(
    name="product",
    title="Products",
    fields=(
        Field("sku", _ERPNEXT, wordpress="sku", erpnext="Item.item_code"),
        Field("name", _ERPNEXT, wordpress="name", erpnext="Item.item_name"),
        Field("type", _WORDPRESS, wordpress="type", erpnext="Item.has_variants"),
        Field("description", _WORDPRESS, wordpress="description", erpnext="Item.description"),
        Field("category", _ERPNEXT, wordpress="categories", erpnext="Item.item_group"),
        Field("image", _WORDPRESS, wordpress="images[0]", erpnext="Item.image"),
        Field("regular_price", _ERPNEXT, wordpress="regular_price", erpnext="Item Price (price_list)"),
        Field("sale", _ERPNEXT, wordpress="sale_price, date_on_sale_*", erpnext="Item Price (sale_price_list)"),
        Field(
            "stock",
            _ERPNEXT,
            wordpress="stock_quantity",
            erpnext="Bin.actual_qty - Bin.reserved_qty",
            direction=Direction.TO_WORDPRESS,
        ),
        Field("attributes", _WORDPRESS, wordpress="attributes", erpnext="Item.attributes", join=united),
        Field(
            "virtual",
            _WORDPRESS,
            wordpress="virtual, downloadable",
            erpnext="Item.is_stock_item (when it is made)",
            direction=Direction.TO_ERPNEXT,
        ),
    ),
    identity=("sku",),
    needs=("category",),
    side_by_side=True,
)

SIMPLE, VARIABLE = "simple", "variable"
SHARED_TYPES = frozenset({SIMPLE, VARIABLE})
"""External and grouped products and bundles are left alone: they are no Items. Their parts are products themselves."""

_NO_SKU = "WP-"


def sku_of(sku: str | None, id_: object) -> str:
    """Return the canonical SKU of a product: its own, else ``WP-<id>``, which names its Item and is not written back.

    Args:
        sku: as WooCommerce has it.
        id_: the product's id.
    """
    return sku or f"{_NO_SKU}{id_}"


def shop_sku(sku: str, id_: object) -> str:
    """Return what a product's SKU is in WooCommerce: none where the canonical one only names it by its id."""
    return "" if sku == f"{_NO_SKU}{id_}" else sku
