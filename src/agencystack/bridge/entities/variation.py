"""Variations of WooCommerce's variable products, and the variants of ERPNext's templates."""

from __future__ import annotations

from agencystack.bridge.entity import Direction, Entity, Field
from agencystack.bridge.record import SideName

_ERPNEXT, _WORDPRESS = SideName.ERPNEXT, SideName.WORDPRESS

VARIATION = Entity(
    name="variation",
    title="Product variations",
    fields=(
        Field("product", _WORDPRESS, wordpress="parent_id", erpnext="Item.variant_of"),
        Field("sku", _ERPNEXT, wordpress="sku", erpnext="Item.item_code"),
        Field("options", _WORDPRESS, wordpress="attributes", erpnext="Item.attributes"),
        Field("description", _WORDPRESS, wordpress="description", erpnext="Item.description"),
        Field("image", _WORDPRESS, wordpress="image", erpnext="Item.image"),
        Field("regular_price", _ERPNEXT, wordpress="regular_price", erpnext="Item Price (price_list)"),
        Field("sale", _ERPNEXT, wordpress="sale_price, date_on_sale_*", erpnext="Item Price (sale_price_list)"),
        Field(
            "stock",
            _ERPNEXT,
            wordpress="stock_quantity",
            erpnext="Bin.actual_qty - Bin.reserved_qty",
            direction=Direction.TO_WORDPRESS,
        ),
        Field(
            "virtual",
            _WORDPRESS,
            wordpress="virtual, downloadable",
            erpnext="Item.is_stock_item (when it is made)",
            direction=Direction.TO_ERPNEXT,
        ),
    ),
    identity=("sku",),
    needs=("product",),
)
"""``options`` is the value per attribute: ``{"colour": "Red"}``. "Any" is none: that variant is incomplete."""
