"""What orders do to stock: when it is taken, when it is given back, and who is told."""

from __future__ import annotations

from collections.abc import Callable

from agencystack.sandbox.woocommerce.products import Products, judge_stock
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.totals import LINE, of
from agencystack.sandbox.woocommerce.wire import Json

REDUCED = "_reduced_stock"
RESTOCKED = "_restock_refunded_items"
TAKING = frozenset({"processing", "on-hold", "completed"})
GIVING = frozenset({"cancelled", "pending"})

Tell = Callable[[str, str], None]
Changed = Callable[[str, int], None]


class Stock:
    """The stock of a shop (facts/woocommerce-in-depth.md section 2).

    Args:
        state: the shop's data.
        products: its products.
        changed: told of every product whose stock moved.
        tell: sends a mail to the shop.
    """

    def __init__(self, state: State, products: Products, changed: Changed, tell: Tell) -> None:
        self._state = state
        self._products = products
        self._changed = changed
        self._tell = tell

    def take(self, order: Json) -> None:
        """Take what an order sold, once; nothing keeps it from going below zero."""
        if order["stock_reduced"]:
            return
        for line in of(order, LINE):
            product = self._managed(line)
            if product is None or meta(line, REDUCED) is not None or line["quantity"] <= 0:
                continue
            before = product["stock_quantity"] or 0
            self._move(product, -line["quantity"])
            set_meta(self._state, line, REDUCED, str(line["quantity"]))
            self._warn(product, before)
        order["stock_reduced"] = True

    def give_back(self, order: Json) -> None:
        """Give back what an order took, but what a refund gave back already."""
        if not order["stock_reduced"]:
            return
        for line in of(order, LINE):
            product, taken = self._managed(line), int(meta(line, REDUCED) or 0)
            if product is not None and taken:
                self._move(product, taken)
            drop_meta(line, REDUCED)
        order["stock_reduced"] = False

    def follow(self, order: Json, line: Json, quantity: int) -> None:
        """Follow the edit of a line of an order that holds stock; a line that is new takes none."""
        product = self._managed(line)
        if product is None or order["status"] not in TAKING:
            return
        restocked = int(meta(line, RESTOCKED) or 0)
        self._move(product, int(meta(line, REDUCED) or 0) - (quantity - restocked))
        set_meta(self._state, line, REDUCED, str(quantity - restocked))

    def restock(self, line: Json, quantity: int) -> None:
        """Give back refunded pieces; more than were sold is not noticed (contract: wc-refund-quantity-more-*.json)."""
        product = self._managed(line)
        if product is None:
            return
        self._move(product, quantity)
        if (taken := meta(line, REDUCED)) is not None:
            set_meta(self._state, line, REDUCED, str(int(taken) - quantity))
        set_meta(self._state, line, RESTOCKED, str(int(meta(line, RESTOCKED) or 0) + quantity))

    def _managed(self, line: Json) -> Json | None:
        product = self._products.get(line["variation_id"] or line["product_id"])
        return self._products.stock_of(product) if product else None

    def _move(self, product: Json, pieces: int) -> None:
        if not pieces:
            return
        product["stock_quantity"] = (product["stock_quantity"] or 0) + pieces
        judge_stock(product)
        product["modified"] = self._state.second()
        self._changed("variation" if product["type"] == "variation" else "product", product["id"])

    def _warn(self, product: Json, before: int) -> None:
        now = product["stock_quantity"]
        if now <= int(self._state.setting("notify_no_stock_amount")):
            self._tell("admin", "Product out of stock")
        elif now <= int(self._state.setting("notify_low_stock_amount")) < before:
            self._tell("admin", "Product low in stock")
        if now < 0:
            self._tell("admin", "Product backorder")


def meta(line: Json, key: str) -> str | None:
    """Return a line's meta value."""
    return next((str(row["value"]) for row in line["meta_data"] if row["key"] == key), None)


def set_meta(state: State, line: Json, key: str, value: str) -> None:
    """Set a line's meta value."""
    line["meta_data"] = state.merged_meta(line["meta_data"], [{"key": key, "value": value}])


def drop_meta(line: Json, key: str) -> None:
    """Remove a line's meta value."""
    line["meta_data"] = [row for row in line["meta_data"] if row["key"] != key]
