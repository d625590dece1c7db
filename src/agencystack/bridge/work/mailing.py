"""Mails to people that a write would cause: counted before a first run, which must not greet ten years of customers.

Our plugin keeps WooCommerce from sending them; REST alone cannot. ERPNext mails nobody because of what the bridge
writes; a Notification that people made there is theirs.
"""

from __future__ import annotations

from agencystack.bridge.record import Fields, SideName
from agencystack.bridge.side import Action
from agencystack.bridge.work.context import Context

_MAILED = frozenset({"on-hold", "processing", "completed", "cancelled", "failed", "refunded"})
"""Statuses of which WooCommerce mails shop or customer (facts/woocommerce-in-depth.md 6, wc-mails-caused.json)."""


def mails(entity: str, side: SideName, action: Action, fields: Fields) -> bool:
    """Tell whether a product mails people because of a write, where nothing keeps it from that.

    Args:
        entity: of the record.
        side: which product.
        action: what is written.
        fields: and which values.
    """
    if side is not SideName.WORDPRESS:
        return False
    if entity == "customer":
        return action is Action.CREATE or (action is Action.UPDATE and "email" in fields)
    return entity == "order" and action is not Action.RETIRE and fields.get("status") in _MAILED


def loud(context: Context, entity: str) -> frozenset[SideName]:
    """Return the sides whose mails about an entity are not kept in: they are wanted, or nothing there could.

    Raises:
        Unavailable: a side is not well.
    """
    if entity not in ("customer", "order"):
        return frozenset()
    if context.sharing_of(entity).notify:
        return frozenset({SideName.WORDPRESS})
    # Only our plugin has an id of its own; without it there is nobody who could keep a mail in.
    return frozenset() if context.sides[SideName.WORDPRESS].identity().instance else frozenset({SideName.WORDPRESS})


def may_mail(context: Context, entity: str) -> bool:
    """Tell whether writing an entity's records may mail people.

    Raises:
        Unavailable: a side is not well.
    """
    return any(context.entities[entity].direction.reaches(side) for side in loud(context, entity))
