"""A WordPress with a shop in memory: it escapes, lower-cases, takes stock when orders come, and writes in two parts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from agencystack.bridge.record import Value

from .installation import Installation, Row

ESCAPED = {("page", "title"), ("product", "name")}
LOWERED = {("page", "slug"), ("customer", "email")}
TAKES_STOCK = ("processing", "completed")

Line = Mapping[str, Value]


class Shop(Installation):
    """WordPress. ``taken`` counts, by product id, what its customers ever took; the bridge's orders are not in it."""

    taken: dict[str, int]
    unique = frozenset({"sku", "email"})

    def stored(self, entity: str, name: str, value: Value) -> Value:
        """Return a value as WordPress keeps it."""
        value = super().stored(entity, name, value)
        if not isinstance(value, str):
            return value
        if (entity, name) in LOWERED:
            value = value.lower()
        return html.escape(value, quote=False) if (entity, name) in ESCAPED else value

    def shown(self, value: Value) -> Value:
        """Return a value as a person sees it."""
        return html.unescape(value) if isinstance(value, str) else value

    def begin_order(self, values: Mapping[str, Value]) -> Row:
        """Write the first part of an order, as WooCommerce does: visible, without lines, total 0.00."""
        half = {**values, "lines": (), "total": "0.00", "status": "pending", "reduced": False}
        return self.insert("order", half, born="user", state="half")

    def finish_order(self, row: Row, values: Mapping[str, Value]) -> None:
        """Write the rest of it."""
        row.state = "present"
        self._fill(row, values, by_user=True)

    def make_order(self, values: Mapping[str, Value], *, born: str, token: str = "") -> Row:
        """Write a whole order."""
        row = self.insert("order", {**values, "status": "pending", "reduced": False}, born=born, token=token)
        self._fill(row, values, by_user=born == "user")
        return row

    def change_order(self, row: Row, values: Mapping[str, Value], *, by_user: bool, **notes: bool) -> None:
        """Change an order; its status takes stock or gives it back."""
        status = values.get("status")
        self.update("order", row, values, by_user=by_user, **notes)
        if status is not None:
            self._stock(row, str(status), by_user=by_user)

    def holding(self, product: str) -> dict[str, int]:
        """Return by order number what orders that took stock hold of a product."""
        held: dict[str, int] = {}
        for row in self.rows("order").values():
            if row.values.get("reduced") and row.state != "deleted":
                for line in lines_of(row):
                    if line["product"] == product:
                        number = str(row.values["number"])
                        held[number] = held.get(number, 0) + _whole(line["quantity"])
        return held

    def _fill(self, row: Row, values: Mapping[str, Value], *, by_user: bool) -> None:
        self.update("order", row, values, by_user=by_user)
        self._stock(row, str(values.get("status")), by_user=by_user)

    def _stock(self, row: Row, status: str, *, by_user: bool) -> None:
        reduced = bool(row.values.get("reduced"))
        if status in TAKES_STOCK and not reduced:
            row.values["reduced"] = True
            self._move(row, -1, by_user=by_user)
        elif status in ("pending", "cancelled") and reduced:
            row.values["reduced"] = False
            self._move(row, 1, by_user=by_user)

    def _move(self, row: Row, sign: int, *, by_user: bool) -> None:
        for line in lines_of(row):
            product = self.rows("product").get(str(line["product"]))
            if product is None:
                continue
            quantity = _whole(line["quantity"])
            if by_user and sign < 0:
                self.taken[product.id] = self.taken.get(product.id, 0) + quantity
            product.values["stock"] = _whole(product.values.get("stock")) + sign * quantity
            self.touched("product", product)


def lines_of(row: Row) -> Sequence[Line]:
    """Return the lines of an order."""
    lines = row.values.get("lines")
    return [one for one in lines if isinstance(one, Mapping)] if isinstance(lines, Sequence) else []


def _whole(value: Value) -> int:
    return int(value) if isinstance(value, int | str) else 0
