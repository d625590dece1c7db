"""Which worker attends to which pairing, how often products called, and which signed calls came before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ColumnElement, String, Table, and_, delete, exists, func, or_, select, update

from agencystack.bridge.process import Process
from agencystack.bridge.store.database import Store
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.sql import insert
from agencystack.bridge.store.tables import breaker, inbox, lease, metadata, pairing, worker

calls = Table(
    "calls",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

nonce = Table(
    "nonce",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("until", BigInteger, nullable=False, index=True),
)

shift = Table(
    "shift",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("heard", BigInteger, nullable=False),
    Column("looked", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Standing:
    """How a pairing that is at work stands.

    Args:
        pairing: which.
        held: a worker attends to it now.
        called: a product called since it was last attended to.
        due: something is to be done now.
        troubled: a side of it was not well when it was last asked.
        idle: seconds since it was last attended to; endless where it never was.
    """

    pairing: str
    held: bool
    called: bool
    due: bool
    troubled: bool
    idle: float


class Shifts:
    """What workers of one store agree on.

    Args:
        store: the store.
        clock: milliseconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def pairings(self) -> Sequence[str]:
        """Return the pairings that are at work, none that is paused or only looked at."""
        active = select(pairing.c.id).where(pairing.c.state == PairingState.ACTIVE).order_by(pairing.c.id)
        with self._store.reading("") as reading:
            return list(reading.connection.execute(active).scalars())

    def standings(self) -> Sequence[Standing]:
        """Return how every pairing that is at work stands; one question, however many there are."""
        now = self._clock()
        tripped = and_(breaker.c.pairing == pairing.c.id, breaker.c.until > now)
        waiting = and_(inbox.c.pairing == pairing.c.id, inbox.c.not_before <= now, inbox.c.claimed_until <= now)
        query = (
            select(
                pairing.c.id,
                func.coalesce(shift.c.until, 0),
                func.coalesce(calls.c.count, 0) > func.coalesce(shift.c.heard, 0),
                and_(exists().where(waiting), ~exists().where(tripped)),
                exists().where(breaker.c.pairing == pairing.c.id),
                func.coalesce(shift.c.looked, 0),
            )
            .select_from(pairing)
            .outerjoin(shift, shift.c.pairing == pairing.c.id)
            .outerjoin(calls, calls.c.pairing == pairing.c.id)
            .where(pairing.c.state == PairingState.ACTIVE)
        )
        with self._store.reading("") as reading:
            rows = reading.connection.execute(query).all()
        return [
            Standing(id_, until > now, bool(called), bool(due), bool(troubled), (now - looked) / 1000)
            for id_, until, called, due, troubled, looked in rows
        ]

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        """Take a pairing for so long, with all calls up to now; say whether it is this worker's.

        It counts as looked at from now on: the next look is due that long after the beginning of this one.
        """
        now = self._clock()
        counted = func.coalesce(select(calls.c.count).where(calls.c.pairing == pairing).scalar_subquery(), 0)
        taken = {"owner": worker, "until": now + round(seconds * 1000), "heard": counted, "looked": now}
        with self._store.writing(pairing) as writing:
            claimed = insert(writing.connection, shift).values(pairing=pairing, **taken)
            free = or_(shift.c.until <= now, shift.c.owner == worker)
            claimed = claimed.on_conflict_do_update(index_elements=["pairing"], set_=taken, where=free)
            # Not the count of rows: psycopg's is not known of an insert.
            return writing.connection.execute(claimed.returning(shift.c.pairing)).first() is not None

    def keep(self, worker: str, seconds: float) -> None:
        """Keep every pairing a worker has, for so long from now."""
        now = self._clock()
        with self._store.writing("") as writing:
            ours = and_(shift.c.owner == worker, shift.c.until > now)
            writing.connection.execute(update(shift).where(ours).values(until=now + round(seconds * 1000)))

    def release(self, pairing: str, worker: str) -> None:
        """Give a pairing up."""
        with self._store.writing(pairing) as writing:
            ours = and_(shift.c.pairing == pairing, shift.c.owner == worker)
            writing.connection.execute(update(shift).where(ours).values(owner="", until=0))

    def beat(self, name: str) -> None:
        """Note that a worker, which is this process, lives."""
        now = self._clock()
        with self._store.writing("") as writing:
            noted = insert(writing.connection, worker).values(name=name, host=str(Process.this()), seen=now)
            writing.connection.execute(noted.on_conflict_do_update(index_elements=["name"], set_={"seen": now}))

    def workers(self) -> Sequence[str]:
        """Return the workers that took no leave: those that live, and those that died."""
        with self._store.reading("") as reading:
            return list(reading.connection.execute(select(worker.c.name)).scalars())

    def dead(self, seconds: float) -> Sequence[str]:
        """Return the workers that said nothing for so long, and those of this machine that run no more."""
        before = self._clock() - round(seconds * 1000)
        found = []
        with self._store.reading("") as reading:
            for name, where, seen in reading.connection.execute(select(worker.c.name, worker.c.host, worker.c.seen)):
                process = Process.read(where)
                if seen < before or (process is not None and process.is_gone()):
                    found.append(name)
        return found

    def living(self, seconds: float) -> Sequence[str]:
        """Return the workers that were heard of within so long."""
        since = self._clock() - round(seconds * 1000)
        with self._store.reading("") as reading:
            return list(reading.connection.execute(select(worker.c.name).where(worker.c.seen >= since)).scalars())

    def bury(self, name: str) -> bool:
        """Forget a worker; what it held is free at once. True for the one caller that did it.

        One that only was silent finds its leases gone, and writes nothing more under them.
        """
        with self._store.writing("") as writing:
            gone = writing.connection.execute(delete(worker).where(worker.c.name == name)).rowcount
            writing.connection.execute(update(shift).where(shift.c.owner == name).values(owner="", until=0, looked=0))
            writing.connection.execute(delete(lease).where(_of(lease.c.owner, name)))
            writing.connection.execute(update(inbox).where(_of(inbox.c.claimed_by, name)).values(claimed_until=0))
            return gone == 1

    def first_times(self, nonces: Sequence[str], seconds: float) -> list[bool]:
        """Remember the nonces of signed calls for so long, and tell of each whether it was new."""
        now = self._clock()
        with self._store.writing("") as writing:
            writing.connection.execute(delete(nonce).where(nonce.c.until < now))
            noted = insert(writing.connection, nonce).on_conflict_do_nothing().returning(nonce.c.nonce)
            rows = [{"nonce": one, "until": now + round(seconds * 1000)} for one in dict.fromkeys(nonces)]
            new = set(writing.connection.execute(noted, rows).scalars())
        # The same twice at a time: the first of them is the one that is new.
        return [one in new and nonces.index(one) == at for at, one in enumerate(nonces)]

    def call(self, pairings: Sequence[str]) -> list[int]:
        """Note that products of these pairings called, and return how often each called up to now."""
        with self._store.writing("") as writing:
            noted = insert(writing.connection, calls)
            more = {"count": calls.c.count + noted.excluded.count}
            noted = noted.on_conflict_do_update(index_elements=["pairing"], set_=more)
            rows = [{"pairing": one, "count": times} for one, times in sorted(Counter(pairings).items())]
            done = writing.connection.execute(noted.returning(calls.c.pairing, calls.c.count), rows)
            counted = {name: int(count) for name, count in done}
        return [counted[one] for one in pairings]


def _of(column: Column[str], worker: str) -> ColumnElement[bool]:
    """Choose what a worker holds, itself or in one of its lanes (``worker/0``)."""
    return or_(column == worker, column.startswith(f"{worker}/", autoescape=True))
