"""The audit: every write of the bridge and every decision of a person, as ids and names of fields, never values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import alias
from agencystack.bridge.store.sql import insert, moment
from agencystack.bridge.store.tables import audit


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Args:
        entity: of the record.
        side: on which side it happened.
        record: the record's id there; empty where it has none yet.
        event: ``create``, ``update``, ``retire``, ``refused``, ``linked``, ``conflict``, ``resolved``, ...
        link: the link's id, where there is one.
        fields: names of fields.
        token: op token.
        actor: who; empty for the bridge itself.
        at: when.
        id: its number, in order; 0 before it is stored.
    """

    entity: str
    side: SideName
    record: str
    event: str
    link: str = ""
    fields: tuple[str, ...] = ()
    token: str = ""
    actor: str = ""
    at: datetime | None = None
    id: int = 0


class Audits:
    """The audit of one pairing; it only grows, until what is old is forgotten."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def add(self, events: Sequence[Event], now: int) -> None:
        """Note what happened."""
        if events:
            self._connection.execute(insert(self._connection, audit), [self._row(one, now) for one in events])

    def of_link(self, link: str, *, limit: int = 200) -> list[Event]:
        """Return what happened to a pair, newest last."""
        query = select(audit).where(audit.c.pairing == self._pairing, audit.c.link == link)
        rows = self._connection.execute(query.order_by(audit.c.id.desc()).limit(limit)).all()
        return [_event(row) for row in reversed(rows)]

    def of_record(self, side: SideName, record: str, *, limit: int = 200) -> list[Event]:
        """Return what happened to a record that may have no link, newest last; also before it was forgotten."""
        names = (record, alias(self._pairing, side, record))
        query = select(audit).where(audit.c.pairing == self._pairing, audit.c.side == side, audit.c.record.in_(names))
        rows = self._connection.execute(query.order_by(audit.c.id.desc()).limit(limit)).all()
        return [_event(row) for row in reversed(rows)]

    def since(self, when: int, events: Sequence[str]) -> tuple[int, int]:
        """Return how many of certain events happened since a time in milliseconds, and when the first of them did."""
        query = select(func.count(), func.min(audit.c.at)).where(
            audit.c.pairing == self._pairing, audit.c.at >= when, audit.c.event.in_(events)
        )
        count, first = self._connection.execute(query).one()
        return int(count), int(first or 0)

    def prune(self, before: int) -> int:
        """Forget what happened before a time in milliseconds, and return how many events that were."""
        old = delete(audit).where(audit.c.pairing == self._pairing, audit.c.at < before)
        return self._connection.execute(old).rowcount

    def _row(self, one: Event, now: int) -> dict[str, Any]:
        return {
            "pairing": self._pairing,
            "at": now,
            "entity": one.entity,
            "link": one.link or None,
            "side": str(one.side),
            "record": one.record,
            "event": one.event,
            "fields": json.dumps(sorted(one.fields)),
            "token": one.token,
            "actor": one.actor,
        }


def _event(row: Row[Any]) -> Event:
    return Event(
        entity=row.entity,
        side=SideName(row.side),
        record=row.record,
        event=row.event,
        link=row.link or "",
        fields=tuple(json.loads(row.fields)),
        token=row.token,
        actor=row.actor,
        at=moment(row.at),
        id=row.id,
    )
