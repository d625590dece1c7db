"""The inbox: records to look at again, one row a record however often it is hinted at; marks and cursors beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, func, or_, select, tuple_, update

from agencystack.bridge.record import SideName
from agencystack.bridge.store.sql import chunks, insert, upsert
from agencystack.bridge.store.tables import cursor, inbox, mark


@dataclass(frozen=True)
class Hint:
    """A record to look at.

    Args:
        seq: the row's number; never given again.
        side: whose record.
        entity: its entity.
        record: its id there.
        reason: why, for people: ``changed``, ``referenced``, ``backfill``.
        generation: how often it was hinted at; a hint that grew meanwhile is not forgotten.
        attempts: how often it was tried since it last changed.
        waits_for: key of the record it waits for, if any.
        since: when it was first hinted at, in milliseconds.
        company: how many may be in its next batch, itself included; 0 for as many as ever.
    """

    seq: int
    side: SideName
    entity: str
    record: str
    reason: str
    generation: int
    attempts: int
    waits_for: str
    since: int
    company: int = 0


def record_key(side: SideName, entity: str, record: str) -> str:
    """Return how one side's record is named in keys: ``wordpress:product:12``."""
    return f"{side}:{entity}:{record}"


@dataclass(frozen=True)
class Postponed:
    """A hint that is looked at again later.

    Args:
        hint: it.
        not_before: when, in milliseconds.
        attempts: how often it was tried by now.
        reason: why it waits.
        waits_for: key of the record it waits for.
        company: how many may be in its next batch; 0 for as many as ever.
    """

    hint: Hint
    not_before: int
    attempts: int
    reason: str
    waits_for: str = ""
    company: int = 0


class Inbox:
    """The hints of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def add(
        self, side: SideName, records: Iterable[tuple[str, str]], reason: str, now: int, *, eager: bool = True
    ) -> int:
        """Hint at records, and return how many.

        Args:
            side: whose.
            records: entity and id of each.
            reason: why.
            now: the time, in milliseconds.
            eager: what already waits is looked at now; else it keeps its time.
        """
        unique = sorted(set(records))
        if not unique:
            return 0
        statement = insert(self._connection, inbox)
        new = statement.excluded
        sooner = case((inbox.c.not_before < new.not_before, inbox.c.not_before), else_=new.not_before)
        changes: dict[str, Any] = (
            {"generation": inbox.c.generation + 1} if eager else {"generation": inbox.c.generation}
        )
        if eager:
            # One that waits for another record waits on, however often a walk of all records finds it: it is counted.
            attempts = case((inbox.c.waits_for.is_(None), 0), else_=inbox.c.attempts)
            changes |= {"reason": new.reason, "attempts": attempts, "not_before": sooner, "waits_for": None}
            changes |= {"company": 0}
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["pairing", "side", "entity", "record"], set_=changes),
            [self._row(side, *one, reason, now) for one in unique],
        )
        return len(unique)

    def claim(self, worker: str, entities: Sequence[str], now: int, until: int, limit: int) -> list[Hint]:
        """Take due hints, those that wait longest first; others do not see them until then.

        What failed together comes in smaller batches, apart from the others.
        """
        free = or_(inbox.c.claimed_until <= now, inbox.c.claimed_by == worker)
        waiting = (inbox.c.pairing == self._pairing, inbox.c.not_before <= now, free, inbox.c.entity.in_(entities))
        first = select(inbox.c.company).where(*waiting).order_by(inbox.c.not_before, inbox.c.seq).limit(1)
        company = self._connection.execute(first).scalar()
        if company is None:
            return []
        due = (
            select(inbox.c.seq)
            .where(*waiting, inbox.c.company == company)
            .order_by(inbox.c.not_before, inbox.c.seq)
            .limit(min(limit, company) if company else limit)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(inbox).where(inbox.c.seq.in_(due)).values(claimed_by=worker, claimed_until=until).returning(inbox)
        )
        return sorted(map(_hint, self._connection.execute(taken)), key=lambda one: one.seq)

    def taken(self, worker: str, now: int) -> int:
        """Return how many hints other workers than this one work on."""
        others = and_(inbox.c.claimed_until > now, inbox.c.claimed_by != worker)
        query = select(func.count()).where(inbox.c.pairing == self._pairing, others)
        return int(self._connection.execute(query).scalar_one())

    def of_records(self, side: SideName, entity: str, records: Iterable[str]) -> list[Hint]:
        """Return the hints there are at records."""
        found: list[Hint] = []
        for some in chunks(sorted(set(records))):
            query = select(inbox).where(
                inbox.c.pairing == self._pairing,
                inbox.c.side == side,
                inbox.c.entity == entity,
                inbox.c.record.in_(some),
            )
            found += map(_hint, self._connection.execute(query))
        return found

    def forget(self, hints: Sequence[Hint]) -> None:
        """Remove hints that were followed; one that was given again meanwhile stays and is due."""
        for some in chunks(hints):
            exactly = tuple_(inbox.c.seq, inbox.c.generation).in_([(one.seq, one.generation) for one in some])
            self._connection.execute(delete(inbox).where(exactly))
            self._unclaim(some)

    def postpone(self, postponed: Sequence[Postponed]) -> None:
        """Look at hints again later; one that was given again meanwhile is due as it is."""
        if not postponed:
            return
        statement = (
            update(inbox)
            .where(inbox.c.seq == bindparam("b_seq"), inbox.c.generation == bindparam("b_generation"))
            .values(
                not_before=bindparam("b_not_before"),
                attempts=bindparam("b_attempts"),
                reason=bindparam("b_reason"),
                waits_for=bindparam("b_waits_for"),
                company=bindparam("b_company"),
            )
        )
        rows = [
            {
                "b_seq": one.hint.seq,
                "b_generation": one.hint.generation,
                "b_not_before": one.not_before,
                "b_attempts": one.attempts,
                "b_reason": one.reason,
                "b_waits_for": one.waits_for or None,
                "b_company": one.company,
            }
            for one in postponed
        ]
        self._connection.execute(statement, rows)
        self._unclaim([one.hint for one in postponed])

    def wake(self, keys: Iterable[str], now: int) -> None:
        """Let whatever waits for these keys be looked at now."""
        for some in chunks(sorted(set(keys))):
            waiting = and_(inbox.c.pairing == self._pairing, inbox.c.waits_for.in_(some))
            self._connection.execute(
                update(inbox).where(waiting).values(not_before=now, waits_for=None, generation=inbox.c.generation + 1)
            )

    def next_due(self, entities: Sequence[str], worker: str) -> int | None:
        """Return when the next hint is due, in milliseconds; ``None`` when there is none."""
        # Two questions, each answered by an index: what nobody has, and what another worker has and may never finish.
        ours = and_(inbox.c.pairing == self._pairing, inbox.c.entity.in_(entities))
        free = or_(inbox.c.claimed_until <= 0, inbox.c.claimed_by == worker)
        first = select(inbox.c.not_before).where(ours, free).order_by(inbox.c.not_before, inbox.c.seq).limit(1)
        others = and_(inbox.c.claimed_until > 0, inbox.c.claimed_by != worker)
        later = case((inbox.c.claimed_until > inbox.c.not_before, inbox.c.claimed_until), else_=inbox.c.not_before)
        claimed = select(func.min(later)).where(ours, others)
        found = [self._connection.execute(query).scalar() for query in (first, claimed)]
        return min((int(one) for one in found if one is not None), default=None)

    def backlog(self, now: int) -> tuple[int, int, int | None]:
        """Return how many hints are due, how many wait, and since when the oldest due one is there."""
        due = inbox.c.not_before <= now
        query = select(
            func.count(case((due, 1))), func.count(case((~due, 1))), func.min(case((due, inbox.c.since)))
        ).where(inbox.c.pairing == self._pairing)
        counted, waiting, oldest = self._connection.execute(query).one()
        return int(counted), int(waiting), oldest

    def unfinished_since(self) -> int | None:
        """Return since when the oldest hint is there that waits for no other record; None without any.

        One whose side is not well counts: it is put off again and again, and hardly ever due.
        """
        query = select(func.min(inbox.c.since)).where(inbox.c.pairing == self._pairing, inbox.c.waits_for.is_(None))
        since: int | None = self._connection.execute(query).scalar()
        return since

    def _unclaim(self, hints: Sequence[Hint]) -> None:
        for some in chunks([one.seq for one in hints]):
            self._connection.execute(
                update(inbox).where(inbox.c.seq.in_(some)).values(claimed_by=None, claimed_until=0)
            )

    def _row(self, side: SideName, entity: str, record: str, reason: str, now: int) -> dict[str, Any]:
        return {
            "pairing": self._pairing,
            "side": str(side),
            "entity": entity,
            "record": record,
            "reason": reason,
            "generation": 1,
            "attempts": 0,
            "not_before": now,
            "claimed_until": 0,
            "since": now,
        }


def _hint(row: Row[Any]) -> Hint:
    return Hint(
        seq=row.seq,
        side=SideName(row.side),
        entity=row.entity,
        record=row.record,
        reason=row.reason,
        generation=row.generation,
        attempts=row.attempts,
        waits_for=row.waits_for or "",
        since=row.since,
        company=row.company,
    )


class Marks:
    """Marks that are safe here and not acknowledged yet."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def stored(self, side: SideName) -> list[str]:
        """Return a side's marks that it can be told are safe."""
        query = select(mark.c.mark).where(mark.c.pairing == self._pairing, mark.c.side == side)
        return list(self._connection.execute(query.order_by(mark.c.mark)).scalars())

    def add(self, side: SideName, marks: Iterable[str]) -> None:
        """Remember marks whose records are in the inbox by now."""
        rows = [{"pairing": self._pairing, "side": str(side), "mark": one} for one in sorted(set(marks))]
        upsert(self._connection, mark, rows, ("pairing", "side", "mark"))

    def remove(self, side: SideName, marks: Sequence[str]) -> None:
        """Forget marks that the side forgot."""
        for some in chunks(marks):
            self._connection.execute(
                delete(mark).where(mark.c.pairing == self._pairing, mark.c.side == side, mark.c.mark.in_(some))
            )


# Asked at every step: built once, since that costs more than asking.
_READ = select(cursor.c.stream, cursor.c.value).where(
    cursor.c.pairing == bindparam("b_pairing"), cursor.c.stream.in_(bindparam("b_streams", expanding=True))
)


class Cursors:
    """How far something was read, by the name of the stream."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def get(self, stream: str) -> str:
        """Return a cursor; empty at the beginning."""
        return self.some([stream])[stream]

    def some(self, streams: Sequence[str]) -> dict[str, str]:
        """Return several cursors by stream."""
        rows = self._connection.execute(_READ, {"b_pairing": self._pairing, "b_streams": list(streams)})
        return dict.fromkeys(streams, "") | {row.stream: row.value for row in rows}

    def save(self, stream: str, value: str) -> None:
        """Store a cursor."""
        row = {"pairing": self._pairing, "stream": stream, "value": value}
        upsert(self._connection, cursor, [row], ("pairing", "stream"))
