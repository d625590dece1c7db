"""Links (two ids that are one thing) and bases (what both sides of a link last agreed on)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from agencystack.bridge.merge import Base
from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import aliases
from agencystack.bridge.store.sql import chunks, insert, read_base, upsert, written_base
from agencystack.bridge.store.tables import base, link


class LinkState(StrEnum):
    """How far a link is."""

    PROVISIONAL = "provisional"
    """One side's record is there, the other's is being made."""
    LINKED = "linked"
    TOMBSTONED = "tombstoned"
    """Done with; its ids are kept so that neither record is taken for a new one."""
    RETIRED = "retired"
    """Gone on both sides, or gone before the other side's was made: what comes back on one comes to the other."""


@dataclass(frozen=True)
class Link:
    """Two records that are one thing.

    Args:
        id: the link's own id.
        entity: of both.
        wordpress: id in WordPress; empty while there is none.
        erpnext: id in ERPNext; empty while there is none.
        state: how far it is.
        token: op token of the creation that makes, or made, one of the two; empty for records that were matched.
        wordpress_created: when WordPress says its record was made.
        erpnext_created: when ERPNext says its record was made.
        recalled: its record was forgotten, and somebody named it again: the store still holds an alias for the id.
    """

    id: str
    entity: str
    wordpress: str = ""
    erpnext: str = ""
    state: LinkState = LinkState.LINKED
    token: str = ""
    wordpress_created: str = ""
    erpnext_created: str = ""
    recalled: bool = False

    def on(self, side: SideName) -> str:
        """Return the id on one side; empty where there is none."""
        return self.wordpress if side is SideName.WORDPRESS else self.erpnext

    @property
    def lacks_one(self) -> bool:
        """Whether one side's record is still to be made."""
        return self.state is not LinkState.TOMBSTONED and not (self.wordpress and self.erpnext)

    def completed(self, side: SideName, id_: str, created: str = "") -> Link:
        """Return the link with the record that was made for it."""
        if side is SideName.WORDPRESS:
            return replace(self, wordpress=id_, wordpress_created=created, state=LinkState.LINKED)
        return replace(self, erpnext=id_, erpnext_created=created, state=LinkState.LINKED)

    def moved(self, side: SideName, id_: str) -> Link:
        """Return the link with the id that a side's record has now."""
        return replace(self, wordpress=id_) if side is SideName.WORDPRESS else replace(self, erpnext=id_)

    def made(self, side: SideName, created: str) -> Link:
        """Return the link with the time one side says its record was made at."""
        if side is SideName.WORDPRESS:
            return replace(self, wordpress_created=created)
        return replace(self, erpnext_created=created)

    def alone(self, side: SideName, token: str) -> Link:
        """Return the link with only one side's record; the other's is to be made anew under a new token."""
        if side is SideName.WORDPRESS:
            return replace(self, erpnext="", erpnext_created="", state=LinkState.PROVISIONAL, token=token)
        return replace(self, wordpress="", wordpress_created="", state=LinkState.PROVISIONAL, token=token)

    def created(self, side: SideName) -> str:
        """Return when one side says its record was made."""
        return self.wordpress_created if side is SideName.WORDPRESS else self.erpnext_created


_ID = {SideName.WORDPRESS: link.c.wordpress_id, SideName.ERPNEXT: link.c.erpnext_id}


class Links:
    """The links of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def of_records(self, side: SideName, entity: str, ids: Iterable[str]) -> dict[str, Link]:
        """Return the links of one side's records, by the record's id; that of a forgotten one is found by its alias."""
        wanted = set(ids)
        hidden = aliases(self._pairing, side, entity, wanted)
        found: dict[str, Link] = {}
        for some in chunks(sorted(wanted | hidden.keys())):
            query = select(link).where(link.c.pairing == self._pairing, link.c.entity == entity, _ID[side].in_(some))
            for one in map(_link, self._connection.execute(query)):
                known = hidden.get(one.on(side))
                found[known or one.on(side)] = replace(one.moved(side, known), recalled=True) if known else one
        return found

    def get(self, ids: Iterable[str]) -> dict[str, Link]:
        """Return links by their own id."""
        found: dict[str, Link] = {}
        for some in chunks(sorted(set(ids))):
            query = select(link).where(link.c.pairing == self._pairing, link.c.id.in_(some))
            found |= {one.id: one for one in map(_link, self._connection.execute(query))}
        return found

    def of_tokens(self, tokens: Iterable[str]) -> dict[str, Link]:
        """Return the links whose creation has one of these tokens."""
        found: dict[str, Link] = {}
        for some in chunks(sorted(set(tokens))):
            query = select(link).where(link.c.pairing == self._pairing, link.c.token.in_(some))
            found |= {one.token: one for one in map(_link, self._connection.execute(query))}
        return found

    def add(self, new: Sequence[Link], now: int) -> set[str]:
        """Insert links, and return the ids of those whose records were not linked already."""
        if not new:
            return set()
        statement = insert(self._connection, link).on_conflict_do_nothing().returning(link.c.id)
        return set(self._connection.execute(statement, [self._row(one, now) for one in new]).scalars())

    def save(self, changed: Sequence[Link], now: int) -> None:
        """Store links as they are now."""
        if not changed:
            return
        names = [name for name in self._row(changed[0], now) if name not in ("id", "pairing", "entity")]
        statement = (
            update(link)
            .where(link.c.id == bindparam("b_id"), link.c.pairing == self._pairing)
            .values({name: bindparam(f"b_{name}") for name in names})
        )
        rows = [self._row(one, now) for one in changed]
        self._connection.execute(statement, [{f"b_{name}": row[name] for name in ("id", *names)} for row in rows])

    def remove(self, ids: Sequence[str]) -> None:
        """Forget links that never came to be."""
        for some in chunks(ids):
            self._connection.execute(delete(link).where(link.c.pairing == self._pairing, link.c.id.in_(some)))

    def forget_created(self) -> None:
        """Forget when records were made: they are other ones now, and a person said that this is right."""
        self._connection.execute(
            update(link).where(link.c.pairing == self._pairing).values(wordpress_created="", erpnext_created="")
        )

    def count(self, entity: str) -> int:
        """Return how many pairs of an entity are linked."""
        query = select(func.count()).where(
            link.c.pairing == self._pairing, link.c.entity == entity, link.c.state == LinkState.LINKED
        )
        return int(self._connection.execute(query).scalar_one())

    def counts(self) -> dict[tuple[str, LinkState], int]:
        """Return how many links there are, by entity and state."""
        query = (
            select(link.c.entity, link.c.state, func.count())
            .where(link.c.pairing == self._pairing)
            .group_by(link.c.entity, link.c.state)
        )
        return {(entity, LinkState(state)): count for entity, state, count in self._connection.execute(query)}

    def _row(self, one: Link, now: int) -> dict[str, Any]:
        row = asdict(one) | {"pairing": self._pairing, "changed": now, "state": str(one.state)}
        # Empty is NULL in the database: of NULLs there may be many under a unique constraint.
        row |= {"wordpress_id": one.wordpress or None, "erpnext_id": one.erpnext or None, "token": one.token or None}
        del row["wordpress"], row["erpnext"], row["recalled"]
        return row


def _link(row: Row[Any]) -> Link:
    return Link(
        id=row.id,
        entity=row.entity,
        wordpress=row.wordpress_id or "",
        erpnext=row.erpnext_id or "",
        state=LinkState(row.state),
        token=row.token or "",
        wordpress_created=row.wordpress_created,
        erpnext_created=row.erpnext_created,
    )


class Bases:
    """What both sides of links last agreed on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, links: Iterable[str]) -> dict[str, Base]:
        """Return the bases of links; one that has none is left out."""
        found: dict[str, Base] = {}
        for some in chunks(sorted(set(links))):
            rows = self._connection.execute(select(base.c.link, base.c.fields).where(base.c.link.in_(some)))
            found |= {row.link: read_base(row.fields) for row in rows}
        return found

    def save(self, bases: Mapping[str, Base]) -> None:
        """Store whole bases, by link."""
        rows = [{"link": id_, "fields": written_base(one)} for id_, one in bases.items()]
        upsert(self._connection, base, rows, ("link",))

    def remove(self, links: Sequence[str]) -> None:
        """Forget bases."""
        for some in chunks(links):
            self._connection.execute(delete(base).where(base.c.link.in_(some)))
