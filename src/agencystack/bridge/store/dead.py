"""Dead letters: what a product refused, with what a person does now. The record's next change tries again."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, tuple_, update

from agencystack.bridge.record import SideName
from agencystack.bridge.store.sql import chunks, moment, upsert
from agencystack.bridge.store.tables import dead


@dataclass(frozen=True)
class DeadLetter:
    """Something that did not go through and will not by itself.

    Args:
        entity: of the records.
        subject: the link's id, or the key of a record that has no link.
        side: which side refused it (or could not be understood).
        wordpress_id: the record in WordPress; empty where there is none.
        erpnext_id: the record in ERPNext.
        fields: names of the fields it was about.
        message: what the product said.
        remedy: what a person does now.
        tried: digest of what was tried: the very same is not tried again.
        id: its number; 0 before it is stored.
        since: when it was last refused.
    """

    entity: str
    subject: str
    side: SideName
    wordpress_id: str
    erpnext_id: str
    fields: tuple[str, ...]
    message: str
    remedy: str
    tried: str = ""
    id: int = 0
    since: datetime | None = None


class DeadLetters:
    """The dead letters of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def record(self, letters: Sequence[DeadLetter], now: int) -> None:
        """Store dead letters; of one subject and side there is one."""
        rows = [
            {
                "pairing": self._pairing,
                "entity": one.entity,
                "subject": one.subject,
                "side": str(one.side),
                "wordpress_id": one.wordpress_id,
                "erpnext_id": one.erpnext_id,
                "fields": json.dumps(list(one.fields)),
                "message": one.message,
                "remedy": one.remedy,
                "tried": one.tried,
                "since": now,
            }
            for one in {(one.subject, one.side): one for one in letters}.values()
        ]
        upsert(self._connection, dead, rows, ("pairing", "subject", "side"))

    def of_subjects(self, subjects: Iterable[str]) -> dict[tuple[str, SideName], DeadLetter]:
        """Return dead letters by subject and side."""
        found: dict[tuple[str, SideName], DeadLetter] = {}
        for some in chunks(sorted(set(subjects))):
            query = select(dead).where(dead.c.pairing == self._pairing, dead.c.subject.in_(some))
            found |= {(one.subject, one.side): one for one in map(_letter, self._connection.execute(query))}
        return found

    def list(self, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters, oldest first, from after a number on."""
        query = select(dead).where(dead.c.pairing == self._pairing, dead.c.id > after).order_by(dead.c.id).limit(limit)
        return [_letter(row) for row in self._connection.execute(query)]

    def get(self, ids: Sequence[int]) -> builtins.list[DeadLetter]:
        """Return dead letters by number."""
        found: list[DeadLetter] = []
        for some in chunks(ids):
            query = select(dead).where(dead.c.pairing == self._pairing, dead.c.id.in_(some))
            found += map(_letter, self._connection.execute(query))
        return found

    def release(self, ids: Sequence[int]) -> None:
        """Let the very same be tried again."""
        for some in chunks(ids):
            self._connection.execute(
                update(dead).where(dead.c.pairing == self._pairing, dead.c.id.in_(some)).values(tried="")
            )

    def remove(self, subjects: Sequence[tuple[str, SideName]]) -> None:
        """Forget what went through, or is not wanted any more."""
        for some in chunks(subjects):
            exactly = tuple_(dead.c.subject, dead.c.side).in_([(subject, str(side)) for subject, side in some])
            self._connection.execute(delete(dead).where(dead.c.pairing == self._pairing, exactly))

    def forget(self, subjects: Sequence[str]) -> None:
        """Forget all dead letters of subjects."""
        for some in chunks(subjects):
            self._connection.execute(delete(dead).where(dead.c.pairing == self._pairing, dead.c.subject.in_(some)))

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).where(dead.c.pairing == self._pairing)
        return int(self._connection.execute(query).scalar_one())

    def since(self) -> int | None:
        """Return when the one that is there longest was last refused; None where there is none."""
        query = select(func.min(dead.c.since)).where(dead.c.pairing == self._pairing)
        since: int | None = self._connection.execute(query).scalar()
        return since


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        entity=row.entity,
        subject=row.subject,
        side=SideName(row.side),
        wordpress_id=row.wordpress_id,
        erpnext_id=row.erpnext_id,
        fields=tuple(json.loads(row.fields)),
        message=row.message,
        remedy=row.remedy,
        tried=row.tried,
        id=row.id,
        since=moment(row.since),
    )
