"""Erasing: who a forgotten person was goes from every table; an alias stays where the id is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, Table, delete, or_, select, update

from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import PEOPLE, aliases, without
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.sql import chunks
from agencystack.bridge.store.tables import audit, breaker, conflict, cursor, dead, inbox, lease, link, pairing

_TEXTS: Mapping[Table, Sequence[Column[str]]] = {
    dead: (dead.c.message, dead.c.remedy),
    inbox: (inbox.c.reason,),
    breaker: (breaker.c.message,),
}
_LINKED = {SideName.WORDPRESS: link.c.wordpress_id, SideName.ERPNEXT: link.c.erpnext_id}


class Erasing:
    """What is removed of people in one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def ids(self, side: SideName, entity: str, ids: Sequence[str]) -> dict[str, str]:
        """Put aliases in the places of ids that tell who somebody is, and return these, with the alias of each."""
        hidden = aliases(self._pairing, side, entity, ids)
        for one, id_ in hidden.items():
            self._hide(side, entity, id_, one)
        keys = [record_key(side, entity, id_) for id_ in hidden.values()]
        for some in chunks(keys):
            # What waits for them looks by itself when its time comes.
            waits = (inbox.c.pairing == self._pairing, inbox.c.waits_for.in_(some))
            self._connection.execute(update(inbox).where(*waits).values(waits_for=None))
            self._connection.execute(delete(lease).where(lease.c.pairing == self._pairing, lease.c.key.in_(some)))
        self._ask_anew(entity, set(hidden.values()))
        return {id_: one for one, id_ in hidden.items()}

    def texts(self, words: Mapping[str, str]) -> None:
        """Exchange words in what was written down for people, and forget walks that stand at them."""
        for table, columns in _TEXTS.items():
            self._exchange(table, columns, words)
        if not words:
            return
        told = select(pairing.c.reason).where(pairing.c.id == self._pairing)
        for reason in self._connection.execute(told).scalars():
            self._connection.execute(
                update(pairing).where(pairing.c.id == self._pairing).values(reason=without(reason, words))
            )
        at = select(cursor.c.stream, cursor.c.value).where(
            cursor.c.pairing == self._pairing, cursor.c.stream.startswith("backfill:")
        )
        for stream, value in self._connection.execute(at).all():
            if without(value, words) != value:
                mine = (cursor.c.pairing == self._pairing, cursor.c.stream == stream)
                self._connection.execute(update(cursor).where(*mine).values(value=""))

    def _hide(self, side: SideName, entity: str, id_: str, one: str) -> None:
        column = _LINKED[side]
        linked = update(link).where(link.c.pairing == self._pairing, link.c.entity == entity, column == id_)
        found = self._connection.execute(linked.values({column.name: one})).rowcount
        noted = (audit.c.pairing == self._pairing, audit.c.side == side, audit.c.entity == entity)
        self._connection.execute(update(audit).where(*noted, audit.c.record == id_).values(record=one))
        hinted = (inbox.c.pairing == self._pairing, inbox.c.side == side, inbox.c.entity == entity)
        others = select(inbox.c.seq).where(*hinted, inbox.c.record == one)
        if found and self._connection.execute(others).first() is None:
            # That something of it changed stays known: its link tells what to look at.
            self._connection.execute(update(inbox).where(*hinted, inbox.c.record == id_).values(record=one))
        else:
            self._connection.execute(delete(inbox).where(*hinted, inbox.c.record == id_))

    def _ask_anew(self, entity: str, ids: set[str]) -> None:
        """Forget questions whose candidates tell who somebody is; where they still are, they are asked again."""
        if not ids or entity not in PEOPLE:
            return
        asked = select(conflict.c.id, conflict.c.candidates).where(
            conflict.c.pairing == self._pairing, conflict.c.entity == entity, conflict.c.candidates != "[]"
        )
        rows = self._connection.execute(asked).all()
        for some in chunks([number for number, candidates in rows if ids & set(json.loads(candidates))]):
            self._connection.execute(delete(conflict).where(conflict.c.id.in_(some)))

    def _exchange(self, table: Table, columns: Sequence[Column[str]], words: Mapping[str, str]) -> None:
        holding = [column.icontains(word, autoescape=True) for column in columns for word in words]
        if not holding:
            return
        rows = self._connection.execute(select(table).where(table.c.pairing == self._pairing, or_(*holding))).all()
        for row in rows:
            exactly = [column == row._mapping[column] for column in table.primary_key]
            changed = {column.name: without(row._mapping[column], words) for column in columns}
            self._connection.execute(update(table).where(*exactly).values(changed))
