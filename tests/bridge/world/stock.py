"""What could be sold at every moment: a push may not tell the shop more than was true since the bridge looked."""

from __future__ import annotations

from dataclasses import dataclass, field

from .books import Books
from .shop import Shop


@dataclass
class StockWatch:
    """The history of what may be sold of each product, by its SKU.

    At any moment the shop may sell ``sellable - open``: what ERPNext has and has not reserved, less what orders of the
    shop hold that ERPNext does not count yet. Both move together when an order is imported: that changes nothing.
    """

    shop: Shop
    books: Books
    history: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)

    def look(self) -> None:
        """Note what may be sold now."""
        for row in self.books.rows("product").values():
            history = self.history.setdefault(row.id, [])
            entry = self._now(row.id)
            if not history or history[-1] != entry:
                history.append(entry)

    def moment(self, product: str) -> int:
        """Return where a product's history stands."""
        return max(0, len(self.history.get(product, ())) - 1)

    def allowed(self, product: str, since: int, taken: int, freed: int) -> int:
        """Return the most the shop may be told to have.

        Args:
            product: ERPNext's id.
            since: where the history stood when the bridge looked at ERPNext.
            taken: what the shop's customers have taken up to now.
            freed: what people freed by cancelling submitted orders between the bridge's two looks: the shop's orders
                still hold it, which the bridge cannot know yet.
        """
        return max(free + sold for free, sold, _ in self.history[product][since:]) - taken + freed

    def in_books(self, shop_product: str) -> str | None:
        """Return ERPNext's id of a product of the shop."""
        sku = str(self.shop.rows("product")[shop_product].values["sku"]).casefold()
        return next((one.id for one in self.books.rows("product").values() if _sku(one.values) == sku), None)

    def in_shop(self, product: str) -> str | None:
        """Return the shop's id of a product of ERPNext."""
        sku = _sku(self.books.rows("product")[product].values)
        return next((one.id for one in self.shop.rows("product").values() if _sku(one.values) == sku), None)

    def free(self, product: str) -> int:
        """Return what the shop may sell of a product of ERPNext's."""
        return self._now(product)[0]

    def _now(self, product: str) -> tuple[int, int, int]:
        there = self.in_shop(product)
        counted = self.books.counted()
        held = self.shop.holding(there) if there else {}
        open_ = sum(quantity for number, quantity in held.items() if number not in counted)
        taken = self.shop.taken.get(there, 0) if there else 0
        return self.books.sellable(product) - open_, taken, self.books.freed.get(product, 0)


def _sku(values: object) -> str:
    return str(values.get("sku", "")).casefold() if isinstance(values, dict) else ""
