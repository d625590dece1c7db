"""What the shop said of an order, kept on its Sales Order as long as that still says the same.

Rows of a Sales Order tell no coupons, no address part by part and no time of day. Kept as they were told, both sides
compare equal even when the bridge has lost its store; what somebody changes in ERPNext is read from the rows again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agencystack.bridge.entities.order_document import goods_of
from agencystack.bridge.record import Fields, Value, decoded, digest, encoded

KEPT_FIELD = "agencystack_shop"
"""Custom field: Long Text, hidden."""

_SHOWN = {"billing": "address_display", "shipping_address": "shipping_address"}
_TOLD = ("number", "placed", "prices_include_tax", "payment")


def kept(fields: Fields, document: Mapping[str, Any]) -> str:
    """Return what is to be kept.

    Args:
        fields: what the shop says: of an update the fields that changed.
        document: the Sales Order as it will be; holds what was kept before.
    """
    before = _read(document)
    values = {
        name: encoded(fields[name]) if name in fields else before.get("fields", {}).get(name)
        for name in ("content", *_SHOWN, *_TOLD)
    }
    marks = {name: _mark(name, document) for name in ("content", *_SHOWN)}
    return json.dumps({"fields": values, "marks": marks}, ensure_ascii=False, separators=(",", ":"))


def recalled(document: Mapping[str, Any]) -> Fields:
    """Return what the shop said and the Sales Order still says."""
    stored = _read(document)
    marks, values = stored.get("marks", {}), stored.get("fields", {})
    still = [name for name in ("content", *_SHOWN) if marks.get(name) == _mark(name, document)]
    return {name: decoded(values.get(name)) for name in (*still, *(_TOLD if stored else ()))}


def _mark(name: str, document: Mapping[str, Any]) -> str:
    if name == "content":
        goods: Value = json.dumps(goods_of(document))
        return digest((goods, str(document.get("currency"))))
    return digest(str(document.get(_SHOWN[name]) or ""))


def _read(document: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = json.loads(str(document.get(KEPT_FIELD) or "{}"))
    except ValueError:  # somebody wrote into it: nothing is kept
        return {}
    return found if isinstance(found, dict) else {}
