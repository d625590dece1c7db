"""Conflicts: what only a person can decide, and what they decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from agencystack.bridge.record import Value, digest
from agencystack.bridge.store.sql import chunks, insert, moment, read, written
from agencystack.bridge.store.tables import conflict


class ConflictKind(StrEnum):
    """What is to be decided."""

    FIELD = "field"
    """Both sides changed one field, differently."""
    RECORD = "record"
    """Gone on one side; changed, or not to be removed, on the other."""
    AMBIGUOUS = "ambiguous"
    """Several records of the other side may be the same thing."""


@dataclass(frozen=True)
class Conflict:
    """One thing to decide.

    Args:
        entity: of the records.
        subject: the link's id, or the key of a record that has no link.
        field: the field's name; empty for the record itself.
        kind: what is to be decided.
        link: the link's id; empty where there is none.
        wordpress_id: the record in WordPress; empty where it is not known.
        erpnext_id: the record in ERPNext.
        wordpress: WordPress's value.
        erpnext: ERPNext's value.
        candidates: of an ambiguous one: ids of the other side's records.
        id: its number; 0 before it is stored.
        state: ``open``, or ``decided`` until the decision is carried out.
        decision: what was decided.
        since: when it was found.
    """

    entity: str
    subject: str
    field: str
    kind: ConflictKind
    link: str = ""
    wordpress_id: str = ""
    erpnext_id: str = ""
    wordpress: Value = None
    erpnext: Value = None
    candidates: tuple[str, ...] = ()
    id: int = 0
    state: str = "open"
    decision: Value = None
    since: datetime | None = None

    @property
    def seen(self) -> str:
        """The digest of what is decided upon: a decision holds for exactly that."""
        return digest([self.wordpress, self.erpnext, sorted(self.candidates)])


class Conflicts:
    """The conflicts of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def record(self, found: Sequence[Conflict], now: int) -> None:
        """Store conflicts; one that is known takes the new values, and is open again when they are other ones."""
        for one in found:
            row = self._row(one, now)
            statement = insert(self._connection, conflict).values(row)
            changes = {name: row[name] for name in row if name not in ("pairing", "subject", "field", "since")}
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["pairing", "subject", "field"],
                    set_=changes | {"decision": None, "decided_by": None},
                    where=conflict.c.seen != row["seen"],
                )
            )

    def of_subjects(self, subjects: Iterable[str]) -> dict[str, list[Conflict]]:
        """Return conflicts by subject."""
        found: dict[str, list[Conflict]] = {}
        for some in chunks(sorted(set(subjects))):
            query = select(conflict).where(conflict.c.pairing == self._pairing, conflict.c.subject.in_(some))
            for row in self._connection.execute(query.order_by(conflict.c.id)):
                found.setdefault(row.subject, []).append(_conflict(row))
        return found

    def get(self, id_: int) -> Conflict | None:
        """Return one by its number."""
        query = select(conflict).where(conflict.c.pairing == self._pairing, conflict.c.id == id_)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _conflict(row)

    def list(self, *, after: int = 0, limit: int = 100, state: str = "open") -> list[Conflict]:
        """Return conflicts, oldest first, from after a number on."""
        query = (
            select(conflict)
            .where(conflict.c.pairing == self._pairing, conflict.c.state == state, conflict.c.id > after)
            .order_by(conflict.c.id)
            .limit(limit)
        )
        return [_conflict(row) for row in self._connection.execute(query)]

    def decide(self, id_: int, decision: Value, by: str) -> None:
        """Note what a person decided."""
        self._connection.execute(
            update(conflict)
            .where(conflict.c.pairing == self._pairing, conflict.c.id == id_)
            .values(state="decided", decision=written(decision), decided_by=by)
        )

    def close(self, ids: Sequence[int]) -> None:
        """Forget conflicts that are none any more."""
        for some in chunks(ids):
            self._connection.execute(
                delete(conflict).where(conflict.c.pairing == self._pairing, conflict.c.id.in_(some))
            )

    def forget(self, subjects: Sequence[str]) -> None:
        """Forget all conflicts of subjects."""
        for some in chunks(subjects):
            self._connection.execute(
                delete(conflict).where(conflict.c.pairing == self._pairing, conflict.c.subject.in_(some))
            )

    def counts(self) -> Mapping[str, int]:
        """Return how many are open, by entity."""
        query = (
            select(conflict.c.entity, func.count())
            .where(conflict.c.pairing == self._pairing, conflict.c.state == "open")
            .group_by(conflict.c.entity)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def open_since(self) -> int | None:
        """Return when the oldest open one was found; None where none is open."""
        query = select(func.min(conflict.c.since)).where(
            conflict.c.pairing == self._pairing, conflict.c.state == "open"
        )
        since: int | None = self._connection.execute(query).scalar()
        return since

    def _row(self, one: Conflict, now: int) -> dict[str, Any]:
        return {
            "pairing": self._pairing,
            "entity": one.entity,
            "subject": one.subject,
            "field": one.field,
            "kind": str(one.kind),
            "link": one.link or None,
            "wordpress_id": one.wordpress_id,
            "erpnext_id": one.erpnext_id,
            "wordpress_value": written(one.wordpress),
            "erpnext_value": written(one.erpnext),
            "candidates": json.dumps(list(one.candidates)),
            "seen": one.seen,
            "state": "open",
            "since": now,
        }


def _conflict(row: Row[Any]) -> Conflict:
    return Conflict(
        entity=row.entity,
        subject=row.subject,
        field=row.field,
        kind=ConflictKind(row.kind),
        link=row.link or "",
        wordpress_id=row.wordpress_id,
        erpnext_id=row.erpnext_id,
        wordpress=read(row.wordpress_value),
        erpnext=read(row.erpnext_value),
        candidates=tuple(json.loads(row.candidates)),
        id=row.id,
        state=row.state,
        decision=None if row.decision is None else read(row.decision),
        since=moment(row.since),
    )
