"""What must hold, whatever happened: I1 to I7 of the bridge's model, judged by the worlds and what people wrote."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agencystack.bridge.entity import Deletion, Direction, Entity, Field, Policy
from agencystack.bridge.record import SideName, Value

from .books import Books
from .entities import ENTITIES, ERP, STATUSES, WP
from .groups import Group, Groups
from .installation import Row
from .ledger import Held, Ledger, fold
from .people import EDITABLE, People
from .shop import Shop
from .stock import StockWatch


class Violation(AssertionError):
    """An invariant does not hold; the text begins with its number."""


@dataclass(frozen=True)
class Asked:
    """What the bridge asks a person, or told one that it cannot do.

    Args:
        entity: of the record.
        field: the field; empty for the record, or anything of it.
        wordpress_id: the record in WordPress, if known.
        erpnext_id: the record in ERPNext, if known.
        candidates: of an ambiguous one: the records of the other side.
    """

    entity: str
    field: str
    wordpress_id: str
    erpnext_id: str
    candidates: tuple[str, ...] = ()


@dataclass
class Verdict:
    """Judges two worlds that have come to rest.

    Args:
        shop: WordPress.
        books: ERPNext.
        ledger: who wrote what.
        people: what was deleted by whom.
        watch: the stock.
        asked: what a person is asked.
        resolved: what a person decided, by entity, field and the two ids.
        narrowed: entities whose direction was switched for a time.
        exactly: every answer was recorded: then no value is rewritten where a person wrote it. After an answer that was
            lost nobody can tell the form a product gave a value from an edit made there meanwhile, and it crosses.
    """

    shop: Shop
    books: Books
    ledger: Ledger
    people: People
    watch: StockWatch
    asked: list[Asked]
    resolved: set[tuple[str, str, str, str]]
    narrowed: set[str]
    exactly: bool

    def check(self) -> None:
        """Judge.

        Raises:
            Violation: an invariant does not hold.
        """
        self.groups = Groups(self.shop, self.books, self.ledger)
        once(self.shop, self.books, self.groups, lambda group: self._is_resolved(group, ""))
        for group in self.groups.all:
            self._record(group)
        for product in self.books.alive("product"):
            self._stock(product)

    # One record. --------------------------------------------------------------------------------------------------

    def _record(self, group: Group) -> None:
        entity = ENTITIES[group.entity]
        shop, books = group.alive(WP), group.alive(ERP)
        if len(shop) > 1 or len(books) > 1 or any(one.state == "half" for one in (*shop, *books)):
            if (
                len(group.born("user", WP)) <= 1
                and len(group.born("user", ERP)) <= 1
                and (len(shop) > 1 or len(books) > 1)
            ):
                raise Violation(f"I4: {group} is there more than once on one side")
            return  # a request that writes it died, or people themselves made it twice
        if shop and books:
            self._not_revived(entity, group, {WP: shop[0], ERP: books[0]})
            self._values(entity, group, shop[0], books[0])
            return
        self._one_sided(entity, group, shop, books)

    def _not_revived(self, entity: Entity, group: Group, rows: Mapping[SideName, Row]) -> None:
        """Judge that what somebody deleted, and nobody typed anything into since, is there because a person said so."""
        if entity.name in self.narrowed or self._is_resolved(group, "") or not self._deleted(group):
            return
        for side, row in rows.items():
            for rule in entity.fields:
                if _last_edit(self.ledger.of(side, entity.name, row.id, rule.name)) is not None:
                    return
        raise Violation(f"I3: {group} was deleted, and came back though nobody said so")

    def _one_sided(self, entity: Entity, group: Group, shop: list[Row], books: list[Row]) -> None:
        if not shop and not books:
            if not self._deleted(group):
                raise Violation(f"I3: {group} is gone on both sides, and nobody deleted it")
            self._no_edit_deleted(entity, group)
            return
        side = WP if shop else ERP
        if self._is_asked(group, None) or side.other not in entity.creates:
            return
        if self._deleted(group):
            if entity.deletion in (Deletion.KEEP, Deletion.ASK):
                return
            if group.rows[side.other]:
                raise Violation(f"I1: {group} was deleted on one side and lives on on {side}, and nobody is asked")
            return  # deleted before it ever was on the other side
        if self._waits(group, side):
            return
        raise Violation(f"I1: {group} is on {side} alone")

    def _no_edit_deleted(self, entity: Entity, group: Group) -> None:
        """Judge that what somebody edited did not go because somebody else, who had not seen it, deleted the record."""
        if entity.name in self.narrowed or self._is_resolved(group, ""):
            return
        for side in SideName:
            gone, there = group.rows[side], group.rows[side.other]
            if len(gone) != 1 or len(there) != 1 or (side.other, entity.name, there[0].id) in self.people.deleted:
                continue
            for rule in entity.fields:
                edit = _last_edit(self.ledger.of(side.other, entity.name, there[0].id, rule.name))
                told = self.ledger.of(side, entity.name, gone[0].id, rule.name)
                if (
                    edit is None
                    or edit.lost
                    or not rule.direction.reaches(side)
                    or rule.name not in EDITABLE[entity.name]
                ):
                    continue
                if self._is_resolved(group, rule.name) and fold(there[0].values.get(rule.name)) != edit.value:
                    continue  # a person had decided for the other side's value
                if all(one.value != edit.value for one in told) and not self._was_beaten(rule, edit, told):
                    raise Violation(f"I3: {group} was deleted on {side}, and with it {rule.name} {edit.value!r}")

    @staticmethod
    def _was_beaten(rule: Field, edit: Held, told: list[Held]) -> bool:
        """Tell whether the other side's value had won over an edit by the field's policy."""
        return rule.policy is not Policy.ASK and any(one.by_user for one in told)

    def _waits(self, group: Group, side: SideName) -> bool:
        """Tell whether a record waits because one it names cannot be on the other side."""
        row = group.alive(side)[0]
        for entity, name in _named(row):
            named = self.groups.of(side, entity, name)
            if named is not None and self._is_asked(named, ""):
                return True
            if named is None or not named.alive(side.other) or any(one.state == "half" for one in named.alive(side)):
                return (
                    named is None
                    or self._is_asked(named, None)
                    or self._deleted(named)
                    or self._is_half(named)
                    or (self._waits(named, side) if named.alive(side) else True)
                )
        return False

    @staticmethod
    def _is_half(group: Group) -> bool:
        return any(one.state == "half" for side in SideName for one in group.rows[side])

    def _values(self, entity: Entity, group: Group, shop: Row, books: Row) -> None:
        for rule in entity.fields:
            if rule.name == "stock":
                continue
            held = {WP: self._plain(group, WP, shop, rule.name), ERP: self._plain(group, ERP, books, rule.name)}
            self._field(entity, rule, group, held, {WP: shop, ERP: books})

    def _field(
        self, entity: Entity, rule: Field, group: Group, held: Mapping[SideName, Value], rows: Mapping[SideName, Row]
    ) -> None:
        where = f"{group}.{rule.name}: {held[WP]!r} and {held[ERP]!r}"
        asked = self._is_asked(group, rule.name)
        if held[WP] != held[ERP] and not asked and not self._one_way_from_nothing(rule, held):
            raise Violation(f"{'I6' if rule.name in ('total', 'lines', 'amount') else 'I1'}: {where} differ")
        if rule.name == "status":
            self._no_step_back(group, rows, held, where)
            return
        if not all(isinstance(one, str) for one in held.values()) or rule.name in _REFERENCES:
            return
        for side in SideName:
            writer = self.ledger.writers.get(held[side])
            if writer is None or self.groups.of(*writer) is not group:
                raise Violation(f"I2: {where}: nobody wrote {held[side]!r} for it")
        self._no_lost_edit(entity, rule, group, held, rows, where)

    def _no_step_back(
        self, group: Group, rows: Mapping[SideName, Row], held: Mapping[SideName, Value], where: str
    ) -> None:
        """Judge that an order is as far as anybody ever moved it."""
        moves = [one for side in SideName for one in self.ledger.of(side, group.entity, rows[side].id, "status")]
        furthest = max((STATUSES.index(str(one.value)) for one in moves if one.by_user), default=0)
        if any(STATUSES.index(str(one)) != furthest for one in held.values()):
            raise Violation(f"I3: {where}: somebody had moved it on to {STATUSES[furthest]}")

    def _no_lost_edit(
        self,
        entity: Entity,
        rule: Field,
        group: Group,
        held: Mapping[SideName, Value],
        rows: Mapping[SideName, Row],
        where: str,
    ) -> None:
        history = {side: self.ledger.of(side, entity.name, rows[side].id, rule.name) for side in SideName}
        last = {side: _last_edit(history[side]) for side in SideName}
        final = held[WP]
        for side, edit in last.items():
            now = rows[side].values.get(rule.name)
            if self.exactly and edit is not None and edit.value == held[side] and _shown(now) != edit.exactly:
                raise Violation(f"I2: {where}: {edit.exactly!r} was written on {side}, and became {now!r}")
        wrote = {side: one.value for side, one in last.items() if one is not None}
        if any(one is not None and (one.lost or one.narrowed) for one in last.values()) or entity.name in self.narrowed:
            return
        if held[WP] != held[ERP]:
            overwritten = [side for side in wrote if held[side] != wrote[side]]
            if any(not self._gave_way(rule, held[side], wrote[side], history[side.other]) for side in overwritten):
                raise Violation(f"I3: {where}: a person is asked, yet a value was overwritten: {wrote}")
            return
        if not wrote:
            return  # both were made by the bridge, of one that is gone
        if final not in wrote.values():
            raise Violation(f"I3: {where}: the last edits were {wrote}")
        wanted = self._must_win(rule, history, last)
        if wanted is not None and final != wanted and not self._is_resolved(group, rule.name):
            raise Violation(f"I3: {where}: the edits were {wrote}, {wanted!r} must have survived")
        if wanted is None and rule.policy is Policy.ASK and not self._is_resolved(group, rule.name):
            raise Violation(f"I3: {where}: {wrote} collide, and nobody was asked")

    @staticmethod
    def _gave_way(rule: Field, now: Value, edit: Value, others: Sequence[Held]) -> bool:
        """Tell whether an edit was followed by one of the other side that knew it, or that its policy preferred."""
        return any(
            one.by_user
            and one.value == now
            and (rule.policy is not Policy.ASK or any(seen.value == edit and seen.tick < one.tick for seen in others))
            for one in others
        )

    def _must_win(
        self, rule: Field, history: Mapping[SideName, list[Held]], last: Mapping[SideName, Held | None]
    ) -> Value:
        """Return the value that must survive; ``None`` where the policy leaves it open."""
        edits = {side: one for side, one in last.items() if one is not None}
        if rule.direction is not Direction.BOTH:
            source = SideName.WORDPRESS if rule.direction is Direction.TO_ERPNEXT else SideName.ERPNEXT
            return edits[source].value if source in edits else None
        if len(edits) == 1:
            return next(iter(edits.values())).value
        for side in SideName:
            other = edits[side.other]
            mine = edits[side]
            if any(one.value == other.value and one.tick < mine.tick for one in history[side]):
                return mine.value  # whoever wrote it had seen the other's
        return edits[rule.owner].value if rule.policy is Policy.OWNER else None

    # ---------------------------------------------------------------------------------------------------------------

    def _plain(self, group: Group, side: SideName, row: Row, name: str) -> Value:
        """Return a value without what one product makes of it, and with references as what both sides know."""
        value = row.values.get(name)
        if name == "lines" and isinstance(value, Sequence):
            return tuple(
                (self._thing(side, "product", one.get("product")), str(one["quantity"]), one["total"])
                for one in value
                if isinstance(one, Mapping)
            )
        if name in _REFERENCES:
            return self._thing(side, name, value)
        return fold(html.unescape(value)) if isinstance(value, str) else value

    def _thing(self, side: SideName, entity: str, record: Value) -> Value:
        group = self.groups.of(side, entity, str(record))
        return f"{entity} {self.groups.all.index(group)}" if group else f"unknown {entity} {record}"

    def _stock(self, product: Row) -> None:
        there = self.watch.in_shop(product.id)
        row = self.shop.rows("product").get(there or "")
        group = self.groups.of(ERP, "product", product.id)
        if row is None or row.state != "present" or group is None or self._is_asked(group, "stock"):
            return
        if len(group.alive(WP)) != 1 or len(group.alive(ERP)) != 1:
            return
        if int(str(row.values.get("stock") or 0)) != self.watch.free(product.id):
            told, free = row.values.get("stock"), self.watch.free(product.id)
            raise Violation(f"I1: {group}: the shop has {told} in stock, {free} may be sold")

    def _deleted(self, group: Group) -> bool:
        return any((side, group.entity, one.id) in self.people.deleted for side in SideName for one in group.rows[side])

    def _one_way_from_nothing(self, rule: Field, held: Mapping[SideName, Value]) -> bool:
        """Tell whether the side that gives a one-way field never had a value: nothing is put over the other's."""
        if rule.direction is Direction.BOTH:
            return False
        return held[WP if rule.direction is Direction.TO_ERPNEXT else ERP] is None

    def _is_resolved(self, group: Group, name: str) -> bool:
        """Tell whether a person decided about a field of it, or about the record itself."""
        ids = {side: {id_ for one in group.rows[side] for id_ in one.ids} for side in SideName}
        return any(
            entity == group.entity and field in ("", name) and (wordpress in ids[WP] or erpnext in ids[ERP])
            for entity, field, wordpress, erpnext in self.resolved
        )

    def _is_asked(self, group: Group, name: str | None) -> bool:
        ids = {side: {id_ for one in group.rows[side] for id_ in one.ids} for side in SideName}
        return any(
            one.entity == group.entity
            and (name is None or one.field in ("", name))
            and (one.wordpress_id in ids[WP] or one.erpnext_id in ids[ERP])
            for one in self.asked
        )


_REFERENCES = ("customer", "order")


def once(
    shop: Shop, books: Books, groups: Groups | None = None, brought_back: Callable[[Group], bool] = lambda _: False
) -> None:
    """Judge that nothing was made twice (I4).

    Args:
        shop: WordPress.
        books: ERPNext.
        groups: records that are one thing.
        brought_back: a person decided that a thing is to be there though somebody deleted it for good: it is made anew.

    Raises:
        Violation: something was.
    """
    for home in (shop, books):
        if twice := home.tokens_twice():
            raise Violation(f"I4: {home.name} has more than one record of token {twice[0]}")
    for group in groups.all if groups else ():
        for side in SideName:
            made = group.born("bridge", side)
            if brought_back(group):
                made = [one for one in made if one.state != "deleted"]
            if len(made) > 1:
                raise Violation(f"I4: the bridge made {group} {len(made)} times on {side}")


def _shown(value: Value) -> Value:
    return html.unescape(value) if isinstance(value, str) else value


def _named(row: Row) -> Iterator[tuple[str, str]]:
    for name in _REFERENCES:
        if isinstance(value := row.values.get(name), str):
            yield name, value
    lines = row.values.get("lines")
    for one in lines if isinstance(lines, Sequence) else ():
        if isinstance(one, Mapping):
            yield "product", str(one["product"])


def _last_edit(history: list[Held]) -> Held | None:
    return next((one for one in reversed(history) if one.by_user), None)
