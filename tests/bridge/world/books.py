"""An ERPNext in memory: writes on condition, unique tokens, slow transactions, and a stock that orders reserve."""

from __future__ import annotations

from collections.abc import Mapping

from agencystack.bridge.record import Value

from .installation import Installation, Row
from .shop import lines_of

RESERVES, COUNTS = ("processing",), ("processing", "completed")


class Books(Installation):
    """ERPNext. ``freed`` counts, by product id, what people ever freed by cancelling submitted orders."""

    freed: dict[str, int]
    unique = frozenset({"sku"})

    def new_id(self, entity: str) -> str:
        """Return the next name of a series."""
        return f"{entity.upper()[:3]}-{super().new_id(entity)}"

    def refuses(self, entity: str, values: Mapping[str, Value], own: str = "") -> str:
        """Return why values are not taken (by the record of that id, if any); empty where they are."""
        name = values.get("name")
        if entity == "customer" and isinstance(name, str) and "<" in name:
            return "NameError: a name must not contain < or >"
        return super().refuses(entity, values, own)

    def sellable(self, product: str) -> int:
        """Return what may be sold: what is there less what submitted orders reserve."""
        row = self.rows("product")[product]
        return int(str(row.values.get("actual") or 0)) - self._ordered(product, RESERVES)

    def counted(self) -> set[str]:
        """Return the numbers of the orders that are submitted: their goods are reserved or gone."""
        return {
            str(row.values["number"])
            for row in self.rows("order").values()
            if row.values.get("status") in COUNTS and row.state != "deleted" and not row.hidden
        }

    def change_order(self, row: Row, values: Mapping[str, Value], *, by_user: bool, **notes: bool) -> None:
        """Change an order; delivering takes goods out, cancelling a delivered one brings them back."""
        before, status = row.values.get("status"), values.get("status", row.values.get("status"))
        if by_user and before in COUNTS and status == "cancelled":
            for line in lines_of(row):
                product = str(line["product"])
                self.freed[product] = self.freed.get(product, 0) + int(str(line["quantity"]))
        sign = (before == "completed") - (status == "completed")
        row.values["status"] = status
        self.deliver(row, sign)
        self.update("order", row, values, by_user=by_user, **notes)
        self.reserved(row)

    def deliver(self, row: Row, sign: int) -> None:
        """Move the goods of an order out of the store (-1) or back (1)."""
        for line in lines_of(row):
            product = self.rows("product").get(str(line["product"]))
            if product is not None and sign:
                product.values["actual"] = int(str(product.values.get("actual") or 0)) + sign * int(
                    str(line["quantity"])
                )

    def reserved(self, row: Row) -> None:
        """Say that the stock of an order's products moved."""
        for line in lines_of(row):
            product = self.rows("product").get(str(line["product"]))
            if product is not None:
                self.mark("product", product.id)
                product.modified = self.clock()
        self.changed()

    def _ordered(self, product: str, statuses: tuple[str, ...]) -> int:
        return sum(
            int(str(line["quantity"]))
            for row in self.rows("order").values()
            if row.values.get("status") in statuses and row.state != "deleted" and not row.hidden
            for line in lines_of(row)
            if line["product"] == product
        )
