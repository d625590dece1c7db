"""Observations: what each side was last seen to hold of each record. Digests only: the values are in the bases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select

from agencystack.bridge.record import Observed, Presence, SideName
from agencystack.bridge.store.sql import chunks, upsert
from agencystack.bridge.store.tables import observation


@dataclass(frozen=True)
class Seen:
    """One stored observation.

    Args:
        record: the record's id.
        presence: whether it was there.
        digest: of its canonical values.
        position: where it stands in its side's order.
        row: the side's own digest of it.
    """

    record: str
    presence: Presence
    digest: str
    position: str
    row: str


class Observations:
    """The observations of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def save(self, side: SideName, entity: str, seen: Sequence[Observed], now: int) -> None:
        """Store what a side was seen to hold; what is gone keeps the position it had."""
        rows = [
            {
                "pairing": self._pairing,
                "side": str(side),
                "entity": entity,
                "record": one.id,
                "presence": str(one.presence),
                "digest": one.digest,
                "version": one.version,
                "created": one.created,
                "position": one.position,
                "row": one.row,
                "seen": now,
            }
            for one in {one.id: one for one in seen}.values()
        ]
        upsert(self._connection, observation, rows, ("pairing", "side", "entity", "record"))

    def get(self, side: SideName, entity: str, records: Iterable[str]) -> dict[str, Seen]:
        """Return what was last seen of records."""
        found: dict[str, Seen] = {}
        for some in chunks(sorted(set(records))):
            query = select(observation).where(*self._of(side, entity), observation.c.record.in_(some))
            found |= {
                row.record: Seen(row.record, Presence(row.presence), row.digest, row.position, row.row)
                for row in self._connection.execute(query)
            }
        return found

    def at(self, side: SideName, entity: str, positions: Iterable[str]) -> list[str]:
        """Return the ids of the records that were seen at positions of a side's order."""
        found: list[str] = []
        for some in chunks(sorted(set(positions) - {""})):
            query = select(observation.c.record).where(*self._of(side, entity), observation.c.position.in_(some))
            found += self._connection.execute(query).scalars()
        return found

    def in_order(self, side: SideName, entity: str, start: str = "", end: str = "") -> Iterator[tuple[str, str, str]]:
        """Yield position, id and row digest of the records a side has rows of, in its order.

        What is in the bin still has its row there; what is deleted has none.
        """
        query = (
            select(observation.c.position, observation.c.record, observation.c.row)
            .where(*self._of(side, entity), observation.c.row != "")
            .order_by(observation.c.position, observation.c.record)
        )
        if start:
            query = query.where(observation.c.position >= start)
        if end:
            query = query.where(observation.c.position < end)
        with self._connection.execution_options(yield_per=1000).execute(query) as rows:
            for row in rows:
                yield row[0], row[1], row[2]

    def present(self, side: SideName, entity: str) -> Iterator[str]:
        """Yield the ids of the records that were there."""
        query = select(observation.c.record).where(
            *self._of(side, entity), observation.c.presence != str(Presence.GONE)
        )
        with self._connection.execution_options(yield_per=1000).execute(query) as rows:
            yield from rows.scalars()

    def forget(self, side: SideName, entity: str, records: Sequence[str]) -> None:
        """Remove what was seen of records."""
        for some in chunks(records):
            self._connection.execute(delete(observation).where(*self._of(side, entity), observation.c.record.in_(some)))

    def _of(self, side: SideName, entity: str) -> tuple[ColumnElement[bool], ...]:
        return (
            observation.c.pairing == self._pairing,
            observation.c.side == side,
            observation.c.entity == entity,
        )
