"""Stock that sells no piece twice: ERPNext's sellable quantity, less what orders hold that ERPNext does not know yet.

ERPNext's canonical stock is what may be sold: actual less reserved, over the shared warehouses. WooCommerce's is its
own stock_quantity plus what its orders took that ERPNext does not count yet (no submitted Sales Order). These two are
equal when nothing is to be done. A push writes sellable less held: an order that is not imported keeps its pieces.

With our plugin the held quantities come with the product, and the write happens only if the product is still what was
read: no window. Without it they come from the list of recent orders: an order placed between that list and the write
(well below a second) is sold once more than ERPNext knows, until the next look at the product corrects it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.sides.erpnext.documents import Document, Documents
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records

Imported = Callable[[Sequence[str]], Collection[str]]
"""From ids of WordPress orders: those ERPNext counts (they have a submitted Sales Order)."""

_BIN = "Bin"
_COLUMNS = ("item_code", "warehouse", "actual_qty", "reserved_qty", "valuation_rate", "stock_value")
_TOOK = "_reduced_stock"  # meta of an order line: what was really taken (contract/wordpress/wc-state-matrix.json)
_TAKING = "processing,on-hold,completed"
_RECENT = timedelta(days=30)
_NONE = Decimal(0)


class Bins:
    """What ERPNext may sell.

    Args:
        documents: the way to ERPNext's documents.
        warehouses: those the shop may sell from.
    """

    def __init__(self, documents: Documents, warehouses: Sequence[str]) -> None:
        self._documents = documents
        self._warehouses = list(warehouses)

    def of(self, items: Sequence[str]) -> Mapping[str, list[Document]]:
        """Return the Bins of items in these warehouses, by item."""
        filters = [["item_code", "in", list(items)], ["warehouse", "in", self._warehouses]]
        found: dict[str, list[Document]] = {}
        for row in self._documents.select(_BIN, filters, _COLUMNS):
            found.setdefault(str(row["item_code"]), []).append(row)
        return found


def sellable(item: Document, bins: Sequence[Document], *, ours: bool) -> str | None:
    """Return an item's canonical stock: whole pieces, rounded down (WooCommerce refuses fractions).

    Args:
        item: the Item.
        bins: its Bins in the shared warehouses.
        ours: the bridge made the Item of a product of the shop. One that never moved in ERPNext has no stock *there*
            then, and the shop's own figure stays; an Item born in ERPNext that never moved is at zero.
    """
    if not normal.flag(item.get("is_stock_item")) or normal.flag(item.get("has_variants")):
        return None
    moved = any(_amount(one, name) for one in bins for name in ("actual_qty", "valuation_rate", "stock_value"))
    if ours and not moved:
        return None
    left = sum((_amount(one, "actual_qty") - _amount(one, "reserved_qty") for one in bins), Decimal(0))
    return normal.quantity(left.to_integral_value(ROUND_FLOOR))


def shop_stock(native: Native) -> str | None:
    """Return the canonical stock of a product of WooCommerce; ``None`` where its own stock is not managed.

    Args:
        native: a product or variation as :func:`with_held` returns it.
    """
    if native.get("manage_stock") is not True or native.get("type") == "variable":
        return None
    return normal.quantity(_amount(native, "stock_quantity") + _held(native))


def shop_values(wanted: Any, native: Native | None) -> dict[str, Any]:
    """Return what REST is sent to make the stock that many pieces, less those that are held.

    ``manage_stock`` goes with it: without it WooCommerce answers 200 and stores nothing
    (contract/wordpress/wc-prod-stock-quantity-without-manage.json). The backorders setting is the shop's own.
    """
    sellable_now = normal.number(wanted)
    if sellable_now is None:
        return {}
    return {"manage_stock": True, "stock_quantity": int(sellable_now - (_held(native) if native else 0))}


def with_held(
    records: Records,
    natives: Mapping[str, Native],
    imported: Imported,
    since: int = 1,
    now: datetime | None = None,
) -> Mapping[str, Native]:
    """Return products with ``agencystack.held`` reduced to the orders ERPNext does not count yet.

    Args:
        records: the way to WordPress's records.
        natives: products or variations, by id.
        imported: tells which orders ERPNext counts; asked once.
        since: the lowest id of an order that may hold pieces; our plugin knows it already.
        now: the time; where our plugin did not tell what is held, the orders of 30 days are looked at.
    """
    told = {id_: _told(native) for id_, native in natives.items()}
    if None in told.values():
        begin = (now or datetime.now(UTC)) - _RECENT
        params = {"status": _TAKING, "modified_after": begin.strftime("%Y-%m-%dT%H:%M:%S"), "dates_are_gmt": "true"}
        taken = _taken(one for one in records.search(Kind.ORDER, params) if int(one["id"]) >= since)
        told = {id_: taken.get(id_, {}) if held is None else held for id_, held in told.items()}
    held_by = {id_: held or {} for id_, held in told.items()}
    orders = sorted({order for held in held_by.values() for order in held})
    counted = set(imported(orders)) if orders else set()
    return {
        id_: {
            **native,
            "agencystack": {
                **(native.get("agencystack") or {}),
                "held": {order: taken for order, taken in held_by[id_].items() if order not in counted},
            },
        }
        for id_, native in natives.items()
    }


def _taken(orders: Iterable[Native]) -> Mapping[str, Mapping[str, str]]:
    taken: dict[str, dict[str, str]] = {}
    for order in orders:
        for line in order.get("line_items") or ():
            took = next((one.get("value") for one in line.get("meta_data") or () if one.get("key") == _TOOK), None)
            product = str(line.get("variation_id") or line.get("product_id") or "")
            if product and (amount := normal.number(took)):
                of = taken.setdefault(product, {})
                before = normal.number(of.get(str(order["id"]))) or Decimal(0)
                of[str(order["id"])] = str(before + amount)
    return taken


def _told(native: Native) -> Mapping[str, Any] | None:
    held = (native.get("agencystack") or {}).get("held")
    if held is None:
        return None
    return held if isinstance(held, Mapping) else {}  # PHP writes an empty map as []


def _held(native: Native) -> Decimal:
    return sum((normal.number(taken) or _NONE for taken in (_told(native) or {}).values()), _NONE)


def _amount(row: Mapping[str, Any], name: str) -> Decimal:
    return normal.number(row.get(name)) or _NONE
