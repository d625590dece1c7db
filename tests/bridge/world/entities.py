"""What the worlds share: small entities that together have every rule an entity can have."""

from __future__ import annotations

from agencystack.bridge.entity import Deletion, Direction, Entity, Field, Policy
from agencystack.bridge.record import SideName, Value
from agencystack.stack.sharing import EntitySharing, Sharing

WP, ERP = SideName.WORDPRESS, SideName.ERPNEXT
STATUSES = ("pending", "processing", "completed", "cancelled")


def further(_base: Value, wordpress: Value, erpnext: Value) -> Value:
    """Return the status that is further on: an order never goes back."""
    return max((one for one in (wordpress, erpnext) if one in STATUSES), key=lambda one: STATUSES.index(str(one)))


PAGE = Entity(
    "page",
    "Pages",
    fields=(
        Field("title", WP),
        Field("slug", ERP),  # WordPress stores it in lower case
        Field("body", ERP, policy=Policy.ASK),
        Field("summary", ERP, policy=Policy.NEWER),
        Field("teaser", WP, direction=Direction.TO_ERPNEXT),
    ),
)
CUSTOMER = Entity(
    "customer",
    "Customers",
    fields=(Field("email", WP), Field("name", ERP), Field("phone", WP, policy=Policy.ASK)),
    identity=("email",),
)
PRODUCT = Entity(
    "product",
    "Products",
    fields=(
        Field("sku", ERP),
        Field("name", ERP),
        Field("price", ERP),
        Field("stock", ERP, direction=Direction.TO_WORDPRESS),
    ),
    identity=("sku",),
)
ORDER = Entity(
    "order",
    "Orders",
    fields=(
        Field("number", WP),
        Field("customer", WP),
        Field("lines", WP),
        Field("total", WP),
        Field("status", WP, join=further),
        Field("note", ERP),
    ),
    deletion=Deletion.KEEP,
    needs=("customer", "product"),
)
REFUND = Entity(
    "refund",
    "Refunds",
    fields=(Field("number", WP), Field("order", WP), Field("amount", WP)),
    direction=Direction.TO_ERPNEXT,
    deletion=Deletion.KEEP,
    needs=("order",),
    creates=(ERP,),
)

ENTITIES = {one.name: one for one in (PAGE, CUSTOMER, PRODUCT, ORDER, REFUND)}


def sharing(**directions: Direction) -> Sharing:
    """Return that everything is shared as it declares, but for the directions given by entity."""
    return Sharing(
        entities={
            name: EntitySharing(direction=directions.get(name, entity.direction)) for name, entity in ENTITIES.items()
        },
        brake_percent=100,
        brake_records=1000,
    )
