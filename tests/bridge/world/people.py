"""The people on both sides: they make, edit, order, cancel and delete, each time with values nobody wrote before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agencystack.bridge.entity import Direction
from agencystack.bridge.record import SideName, Value

from .books import Books
from .entities import ENTITIES, ERP, STATUSES, WP
from .installation import Installation, Row
from .ledger import Ledger
from .shop import Shop, lines_of
from .stock import StockWatch
from .wire import Wire

EDITABLE = {
    "page": ("title", "slug", "body", "summary", "teaser"),
    "customer": ("name", "phone"),
    "product": ("name", "price"),
    "order": ("note",),
}
KNOWN_AGAIN = {"customer": 1, "page": 2}
"""So many fields of a document may change beside its name: one that is half another one is a new one for the bridge."""
FOLLOWING = {
    "pending": ("processing", "cancelled"),
    "processing": ("completed", "cancelled"),
    "completed": ("cancelled",),
}


@dataclass
class People:
    """Everybody who works on one side or the other.

    Args:
        shop: WordPress.
        books: ERPNext.
        ledger: where they note what they wrote.
        wire: tells whether an edit comes between the bridge's read and its write.
        watch: the stock's history.
        allowed: which way an entity goes at the moment.
    """

    shop: Shop
    books: Books
    ledger: Ledger
    wire: Wire
    watch: StockWatch
    allowed: Callable[[str], Direction]
    begun: list[tuple[Row, Mapping[str, Value]]] = field(default_factory=list)
    deleted: set[tuple[SideName, str, str]] = field(default_factory=set)
    unmarked: bool = False
    last_order: int = 0

    def at(self, side: SideName) -> Installation:
        """Return the product of a side."""
        return self.shop if side is WP else self.books

    # Pages, customers, products. ----------------------------------------------------------------------------------

    def create(self, side: SideName, entity: str, kind: int) -> None:
        """Make a record, with a unique value in every field."""
        new, home = self.ledger.unique, self.at(side)
        match entity:
            case "page":
                values: dict[str, Value] = {name: new(kind) for name in EDITABLE["page"]}
            case "customer":
                values = {"email": f"{new()}@Example.com", "name": new(kind), "phone": new()}
            case _:
                values = {"sku": new(), "name": new(kind), "price": f"{self._number()}.50"}
                values |= {"stock": 0} if side is WP else {"actual": 8}
        home.insert(entity, values, born="user")

    def create_twin(self, side: SideName, entity: str, pick: int) -> None:
        """Make a record that exists on the other side already: the bridge is to match, not to make a third.

        Not in the very moment in which a request of the bridge that makes it is under way: nothing could keep the two
        apart then, and the bridge shows the second one to a person.
        """
        twins = [one for one in self.at(side.other).alive(entity) if one.born == "user" and self._alone(entity, one)]
        if entity not in ("customer", "product") or not twins or self.wire.busy or self.wire.under_way:
            return
        key = ENTITIES[entity].identity[0]
        value = twins[pick % len(twins)].values[key]
        rest: dict[str, Value] = {"name": self.ledger.unique()}
        rest |= {"phone": self.ledger.unique()} if entity == "customer" else {"price": f"{self._number()}.50"}
        if entity == "product":
            rest |= {"stock": 0} if side is WP else {"actual": 8}
        if not self.at(side).refuses(entity, {key: value}):
            self.at(side).insert(entity, {key: value, **rest}, born="user")

    def edit(self, side: SideName, entity: str, pick: int, which: int, *, silent: bool = False) -> None:
        """Give one field of a record a new value."""
        if rows := self.at(side).alive(entity):
            self.edit_one(side, entity, _one_of(rows, pick).id, which, silent=silent)

    def edit_one(self, side: SideName, entity: str, record: str, which: int, *, silent: bool = False) -> None:
        """Give one field of one record a new value; nobody edits what is gone or half there."""
        home, row, names = self.at(side), self.at(side).row(entity, record), EDITABLE.get(entity)
        if row is None or row.state != "present" or not names:
            return
        name = names[which % len(names)]
        if row.former and len(row.edited | {name}) > KNOWN_AGAIN[entity]:
            return
        row.edited.add(name)
        value = f"{self._number()}.50" if name == "price" else self.ledger.unique(which // len(names))
        self.unmarked |= silent
        home.update(entity, row, {name: value}, by_user=True, silent=silent, **self._notes(side, entity, row, name))

    def delete(self, side: SideName, entity: str, pick: int, *, for_good: bool) -> None:
        """Take a record away; nobody deletes what orders name."""
        named = {str(line["product"]) for one in self.at(side).rows("order").values() for line in lines_of(one)}
        named |= {str(one.values.get("customer")) for one in self.at(side).rows("order").values()}
        rows = [one for one in self.at(side).alive(entity) if one.id not in named]
        if rows and entity in ("page", "customer", "product"):
            row = _one_of(rows, pick)
            self.deleted.add((side, entity, row.id))
            self.at(side).retire(entity, row, "deleted" if for_good else "trash")

    def rename(self, entity: str, pick: int) -> None:
        """Give a document of ERPNext another name, but not to one that is hardly the same any more."""
        if rows := [one for one in self.books.alive(entity) if len(one.edited) <= KNOWN_AGAIN[entity]]:
            row = _one_of(rows, pick)
            self.books.rename(entity, row, f"{row.id}{'ABC'[len(row.former) % 3]}")

    # Orders. ------------------------------------------------------------------------------------------------------

    def order(self, side: SideName, customer: int, product: int, quantity: int, *, half: bool = False) -> None:
        """Order something; the shop sells no more than it has."""
        home = self.at(side)
        customers, products = home.alive("customer"), home.alive("product")
        if not customers or not products:
            return
        item = products[product % len(products)]
        wanted = min(1 + quantity % 3, self._available(side, item))
        if wanted < 1:
            return
        self.last_order += 1
        values: dict[str, Value] = {
            "number": f"{'W' if side is WP else 'E'}{self.last_order}",
            "customer": customers[customer % len(customers)].id,
            "lines": ({"line": "1", "product": item.id, "quantity": str(wanted), "total": f"{self._number()}.25"},),
            "total": f"{self._number()}.25",
            "status": "processing" if quantity % 4 else "pending",
            "note": self.ledger.unique(),
        }
        if side is ERP:
            row = self.books.insert("order", {**values, "status": "pending"}, born="user")
            self.books.change_order(row, {"status": values["status"]}, by_user=True)
        elif half:
            self.begun.append((self.shop.begin_order(values), values))
        else:
            self.shop.make_order(values, born="user")

    def finish_order(self) -> None:
        """Let the oldest request that writes an order come to its end."""
        if self.begun:
            row, values = self.begun.pop(0)
            if row.state == "half":
                enough = self._available(WP, self.shop.rows("product")[str(values["lines"][0]["product"])]) >= 3  # type: ignore[index,call-overload]
                self.shop.finish_order(row, values if enough else {**values, "status": "pending"})

    def advance_order(self, side: SideName, pick: int, which: int) -> None:
        """Move an order on, or cancel it."""
        rows = [one for one in self.at(side).alive("order") if one.values["status"] in FOLLOWING]
        if not rows:
            return
        row = _one_of(rows, pick)
        choices = FOLLOWING[str(row.values["status"])]
        status = choices[which % len(choices)]
        if side is WP and status == "processing" and not self._enough(row):
            return
        notes = self._notes(side, "order", row, "status")
        (self.shop if side is WP else self.books).change_order(row, {"status": status}, by_user=True, **notes)

    def refund(self, pick: int) -> None:
        """Refund an order in the shop."""
        orders = [one for one in self.shop.alive("order") if one.values["status"] in STATUSES[1:]]
        if orders:
            order = orders[pick % len(orders)].id
            values: dict[str, Value] = {
                "number": self.ledger.unique(),
                "order": order,
                "amount": f"{self._number()}.75",
            }
            self.shop.insert("refund", values, born="user")

    # Stock. -------------------------------------------------------------------------------------------------------

    def receive(self, pick: int, quantity: int) -> None:
        """Let goods arrive at the store, or be written off."""
        rows = self.books.alive("product")
        if rows:
            row = rows[pick % len(rows)]
            row.values["actual"] = int(str(row.values.get("actual") or 0)) + quantity % 7 - 2
            self.books.touched("product", row)

    def set_shop_stock(self, pick: int, quantity: int) -> None:
        """Let somebody type a quantity into the shop, which is ERPNext's to say."""
        rows = self.shop.alive("product")
        if rows and not self.wire.window:
            row = rows[pick % len(rows)]
            row.values["stock"] = quantity % 5
            self.shop.touched("product", row)

    # ERPNext's slow transactions. ---------------------------------------------------------------------------------

    def begin_slowly(self, kind: int) -> None:
        """Begin to save a page in ERPNext: it has its number and its time, and nobody sees it yet."""
        self.create(ERP, "page", kind)
        list(self.books.rows("page").values())[-1].hidden = True

    def commit(self) -> None:
        """Let the oldest transaction be committed."""
        for row in self.books.rows("page").values():
            if row.hidden:
                row.hidden = False
                self.books.changed()
                return

    # --------------------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self.ledger.last_value += 1
        return self.ledger.last_value

    def _notes(self, side: SideName, entity: str, row: Row, name: str) -> dict[str, bool]:
        rule = ENTITIES[entity].field(name)
        return {
            "lost": (str(side), entity, row.id) in self.wire.window,
            "narrowed": rule.direction.narrowed(self.allowed(entity)) is not rule.direction,
        }

    def _available(self, side: SideName, product: Row) -> int:
        if side is WP:
            return int(str(product.values.get("stock") or 0))
        return self.books.sellable(product.id)

    def _enough(self, order: Row) -> bool:
        products = self.shop.rows("product")
        return all(
            self._available(WP, products[str(line["product"])]) >= int(str(line["quantity"]))
            for line in lines_of(order)
        )

    def _alone(self, entity: str, row: Row) -> bool:
        key = ENTITIES[entity].identity[0]
        value = str(row.values[key]).casefold()
        homes = (self.shop, self.books)
        return (
            sum(str(one.values.get(key)).casefold() == value for home in homes for one in home.rows(entity).values())
            == 1
        )


def _one_of(rows: list[Row], pick: int) -> Row:
    """Return one of the newest: people who work on the same few records collide more often."""
    return rows[-1 - pick % min(3, len(rows))]
