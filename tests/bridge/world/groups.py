"""Which records are one thing, told from what people wrote alone: the bridge's own links are not asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agencystack.bridge.record import SideName

from .entities import ENTITIES, ERP, WP
from .installation import Installation, Row
from .ledger import Ledger, fold

TRACED = ("title", "slug", "body", "number", "name", "email", "sku", "summary")
"""Fields whose unique value tells of which record another is a copy."""

Place = tuple[SideName, str, str]


@dataclass
class Group:
    """Records that are one thing.

    Args:
        entity: what they are.
        rows: the rows of each side, whatever became of them.
    """

    entity: str
    rows: dict[SideName, list[Row]] = field(default_factory=lambda: {side: [] for side in SideName})

    def born(self, by: str, side: SideName) -> list[Row]:
        """Return the rows of a side that people, or the bridge, made."""
        return [one for one in self.rows[side] if one.born == by]

    def alive(self, side: SideName) -> list[Row]:
        """Return the rows of a side that are there."""
        return [one for one in self.rows[side] if one.state in ("present", "half") and not one.hidden]

    def __str__(self) -> str:
        return f"{self.entity} " + ", ".join(f"{side} {[one.id for one in self.rows[side]]}" for side in SideName)


class Groups:
    """All records of both worlds, put together."""

    def __init__(self, shop: Installation, books: Installation, ledger: Ledger) -> None:
        self._homes = {WP: shop, ERP: books}
        self._ledger = ledger
        self._of: dict[Place, Group] = {}
        self.all: list[Group] = []
        for entity in ENTITIES:
            self._gather(entity)

    def of(self, side: SideName, entity: str, record: str) -> Group | None:
        """Return the group a record is in."""
        return self._of.get((side, entity, record))

    def _gather(self, entity: str) -> None:
        by_identity: dict[object, Group] = {}
        for side, row in self._rows(entity, "user"):
            keys = [fold(row.values.get(name)) for name in ENTITIES[entity].identity]
            group = next((by_identity[key] for key in keys if key in by_identity), None)
            if group is None:
                group = Group(entity)
                self.all.append(group)
            by_identity |= dict.fromkeys(keys, group)
            self._join(group, side, row)
        # In the order they were made: one may be a copy of what somebody typed into another.
        for side, row in sorted(self._rows(entity, "bridge"), key=lambda one: self._made(entity, *one)):
            origin = self._origin(side, entity, row)
            if origin is None:
                origin = Group(entity)
                self.all.append(origin)
            self._join(origin, side, row)

    def _origin(self, side: SideName, entity: str, row: Row) -> Group | None:
        for name in TRACED:
            history = self._ledger.of(side, entity, row.id, name)
            writer = self._ledger.writers.get(history[0].value) if history else None
            if writer is not None and writer != (side, entity, row.id):
                return self._of.get(writer)
        return None

    def _made(self, entity: str, side: SideName, row: Row) -> int:
        """Return when a record was made."""
        ticks = [held[0].tick for name in TRACED if (held := self._ledger.of(side, entity, row.id, name))]
        return min(ticks, default=0)

    def _join(self, group: Group, side: SideName, row: Row) -> None:
        group.rows[side].append(row)
        self._of[side, group.entity, row.id] = group

    def _rows(self, entity: str, born: str) -> Iterator[tuple[SideName, Row]]:
        for side, home in self._homes.items():
            for row in home.rows(entity).values():
                if row.born == born and not row.hidden:
                    yield side, row
