"""Operations whose end is not known yet: written before a side is asked, removed with what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, select, update

from agencystack.bridge.record import Fields, SideName
from agencystack.bridge.side import Action
from agencystack.bridge.store.sql import chunks, read_fields, upsert, written_fields
from agencystack.bridge.store.tables import operation


class OperationState(StrEnum):
    """What is known of an operation."""

    INTENDED = "intended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Intended:
    """An operation as it is stored.

    Args:
        token: its op token.
        link: the link it serves.
        side: where it happens.
        entity: of the record.
        record: the record's id on that side; empty for a creation.
        action: what happens.
        fields: what is written; references are links.
        across: what the other side held in these fields when this was decided.
        since: when it was intended, in milliseconds.
        state: what is known of it.
        earlier: what the same creation was asked with before, latest first: an earlier request may be what made it.
    """

    token: str
    link: str
    side: SideName
    entity: str
    record: str
    action: Action
    fields: Fields
    across: Fields
    since: int
    state: OperationState = OperationState.INTENDED
    earlier: tuple[Fields, ...] = ()


class Operations:
    """The operations of one pairing that have no end yet: at most one a link and side."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def add(self, operations: Sequence[Intended]) -> None:
        """Store what is about to be done; the same creation may be stored again."""
        rows = [
            {
                "token": one.token,
                "pairing": self._pairing,
                "link": one.link,
                "side": str(one.side),
                "entity": one.entity,
                "record": one.record,
                "action": str(one.action),
                "fields": written_fields(one.fields),
                "across": written_fields(one.across),
                "state": str(one.state),
                "since": one.since,
                "earlier": json.dumps([written_fields(fields) for fields in one.earlier]),
            }
            for one in operations
        ]
        upsert(self._connection, operation, rows, ("link", "side"))

    def of_links(self, links: Iterable[str]) -> dict[str, list[Intended]]:
        """Return operations without an end, by link."""
        found: dict[str, list[Intended]] = {}
        for some in chunks(sorted(set(links))):
            query = select(operation).where(operation.c.pairing == self._pairing, operation.c.link.in_(some))
            for row in self._connection.execute(query.order_by(operation.c.side)):
                found.setdefault(row.link, []).append(
                    Intended(
                        row.token,
                        row.link,
                        SideName(row.side),
                        row.entity,
                        row.record,
                        Action(row.action),
                        read_fields(row.fields),
                        read_fields(row.across),
                        row.since,
                        OperationState(row.state),
                        tuple(read_fields(fields) for fields in json.loads(row.earlier)),
                    )
                )
        return found

    def unknown(self, tokens: Sequence[str]) -> None:
        """Note that nobody knows whether these happened."""
        if tokens:
            self._connection.execute(
                update(operation).where(operation.c.token == bindparam("b_token")).values(state="unknown"),
                [{"b_token": token} for token in tokens],
            )

    def remove(self, tokens: Sequence[str]) -> None:
        """Forget operations whose end is known."""
        for some in chunks(tokens):
            self._connection.execute(delete(operation).where(operation.c.token.in_(some)))

    def forget(self, links: Sequence[str]) -> None:
        """Forget the operations of links; a creation is found by its link's token all the same."""
        for some in chunks(links):
            self._connection.execute(
                delete(operation).where(operation.c.pairing == self._pairing, operation.c.link.in_(some))
            )

    def prune(self, before: int) -> None:
        """Forget creations asked for before a time in milliseconds that never happened; their links' tokens stay."""
        old = (operation.c.pairing == self._pairing, operation.c.action == Action.CREATE, operation.c.since < before)
        self._connection.execute(delete(operation).where(*old))

    def count(self) -> int:
        """Return how many have no end yet."""
        query = select(func.count()).where(operation.c.pairing == self._pairing)
        return int(self._connection.execute(query).scalar_one())
