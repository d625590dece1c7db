"""Fenced leases: one worker at a time on one key, and nothing written by one whose lease another took."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, or_, select, update

from agencystack.bridge.store.sql import chunks, insert
from agencystack.bridge.store.tables import fence, lease


class LeaseLost(Exception):
    """Another worker took over; whatever was decided under the lease is void, and will be decided again."""


class Leases:
    """The leases of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def next_fence(self) -> int:
        """Return a number that is greater than every one before."""
        self._connection.execute(
            insert(self._connection, fence).values(id=1, value=0).on_conflict_do_nothing(index_elements=["id"])
        )
        bumped = update(fence).where(fence.c.id == 1).values(value=fence.c.value + 1).returning(fence.c.value)
        return int(self._connection.execute(bumped).scalar_one())

    def take(self, keys: Sequence[str], owner: str, number: int, now: int, until: int) -> set[str]:
        """Take the leases that are free (or this owner's, from before it died), and return their keys."""
        if not keys:
            return set()
        statement = insert(self._connection, lease)
        new = statement.excluded
        free = or_(lease.c.until < now, lease.c.owner == new.owner)
        statement = statement.on_conflict_do_update(
            index_elements=["pairing", "key"],
            set_={"owner": new.owner, "fence": new.fence, "until": new.until},
            where=free,
        )
        rows = [
            {"pairing": self._pairing, "key": key, "owner": owner, "fence": number, "until": until}
            for key in sorted(keys)
        ]
        return set(self._connection.execute(statement.returning(lease.c.key), rows).scalars())

    def guard(self, keys: Sequence[str], number: int, until: int | None = None) -> None:
        """Make sure the leases are still ours until this transaction ends, and prolong them if asked.

        Raises:
            LeaseLost: at least one is not.
        """
        held = 0
        for some in chunks(sorted(keys)):
            ours = (lease.c.pairing == self._pairing, lease.c.key.in_(some), lease.c.fence == number)
            if until is None:
                held += len(self._connection.execute(select(lease.c.key).where(*ours).with_for_update()).all())
            else:
                held += self._connection.execute(update(lease).where(*ours).values(until=until)).rowcount
        if held != len(set(keys)):
            raise LeaseLost(f"{len(set(keys)) - held} of {len(set(keys))} leases were taken by another worker")

    def release(self, number: int) -> None:
        """Give back every lease taken under a fence."""
        self._connection.execute(delete(lease).where(lease.c.pairing == self._pairing, lease.c.fence == number))
