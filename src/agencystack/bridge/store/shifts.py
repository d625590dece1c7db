"""Which worker attends to which pairing, how often products called, and which signed calls came before."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from sqlalchemy import BigInteger, Column, String, Table, delete, select, update

from agencystack.bridge.store.database import Store
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.sql import insert
from agencystack.bridge.store.tables import inbox, lease, metadata, pairing, worker

CLAIM = "pairing"
"""The key of the lease on a pairing as a whole; keys of records have a colon in them."""

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
        """Return the pairings that are at work."""
        with self._store.reading("") as reading:
            active = select(pairing.c.id).where(pairing.c.state == str(PairingState.ACTIVE)).order_by(pairing.c.id)
            return list(reading.connection.execute(active).scalars())

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        """Take a pairing, or keep it, for so long; say whether it is this worker's."""
        now = self._clock()
        with self._store.writing(pairing) as writing:
            return bool(writing.leases.take([CLAIM], worker, 0, now, now + round(seconds * 1000)))

    def release(self, pairing: str, worker: str) -> None:
        """Give a pairing up."""
        with self._store.writing(pairing) as writing:
            ours = (lease.c.pairing == pairing, lease.c.key == CLAIM, lease.c.owner == worker)
            writing.connection.execute(delete(lease).where(*ours))

    def call(self, pairing: str) -> None:
        """Note that a product called."""
        with self._store.writing(pairing) as writing:
            noted = insert(writing.connection, calls).values(pairing=pairing, count=1)
            noted = noted.on_conflict_do_update(index_elements=["pairing"], set_={"count": calls.c.count + 1})
            writing.connection.execute(noted)

    def called(self, pairing: str) -> int:
        """Return how often products of a pairing have called."""
        with self._store.reading(pairing) as reading:
            counted = select(calls.c.count).where(calls.c.pairing == pairing)
            return int(reading.connection.execute(counted).scalar() or 0)

    def beat(self, name: str) -> None:
        """Note that a worker lives."""
        now = self._clock()
        with self._store.writing("") as writing:
            noted = insert(writing.connection, worker).values(name=name, host=socket.gethostname(), seen=now)
            writing.connection.execute(noted.on_conflict_do_update(index_elements=["name"], set_={"seen": now}))

    def silent(self, seconds: float) -> Sequence[str]:
        """Return the workers that said nothing for so long."""
        before = self._clock() - round(seconds * 1000)
        with self._store.reading("") as reading:
            return list(reading.connection.execute(select(worker.c.name).where(worker.c.seen < before)).scalars())

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
            writing.connection.execute(delete(lease).where(lease.c.owner == name))
            writing.connection.execute(update(inbox).where(inbox.c.claimed_by == name).values(claimed_until=0))
            return gone == 1

    def first_time(self, once: str, seconds: float) -> bool:
        """Remember the nonce of a signed call for so long, and tell whether it was new."""
        now = self._clock()
        with self._store.writing("") as writing:
            writing.connection.execute(delete(nonce).where(nonce.c.until < now))
            noted = insert(writing.connection, nonce).values(nonce=once, until=now + round(seconds * 1000))
            return writing.connection.execute(noted.on_conflict_do_nothing()).rowcount == 1
