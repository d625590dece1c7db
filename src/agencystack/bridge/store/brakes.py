"""What stops work: breakers (a side is not well) and brakes (a run would remove too much)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from agencystack.bridge.record import SideName
from agencystack.bridge.store.sql import upsert
from agencystack.bridge.store.tables import brake, breaker


@dataclass(frozen=True)
class Breaker:
    """A side that is left alone for a while.

    Args:
        side: which.
        failures: how often in a row it was not well.
        until: until when it is left alone, in milliseconds.
        message: what was wrong.
    """

    side: SideName
    failures: int
    until: int
    message: str


# Asked at every step: built once, since that costs more than asking.
_TRIPPED = select(breaker).where(breaker.c.pairing == bindparam("b_pairing"))


class Breakers:
    """The breakers of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def all(self) -> dict[SideName, Breaker]:
        """Return what is known of sides that were not well."""
        rows = self._connection.execute(_TRIPPED, {"b_pairing": self._pairing})
        return {SideName(row.side): Breaker(SideName(row.side), row.failures, row.until, row.message) for row in rows}

    def save(self, one: Breaker) -> None:
        """Store a breaker."""
        row = {
            "pairing": self._pairing,
            "side": str(one.side),
            "failures": one.failures,
            "until": one.until,
            "message": one.message,
        }
        upsert(self._connection, breaker, [row], ("pairing", "side"))

    def close(self, side: SideName) -> None:
        """Note that a side is well again."""
        self._connection.execute(delete(breaker).where(breaker.c.pairing == self._pairing, breaker.c.side == side))


@dataclass(frozen=True)
class Brake:
    """How many records of an entity were removed lately.

    Args:
        entity: which.
        state: ``open``; ``held``: more would be too many, a person is asked; ``confirmed``: a person said yes.
        window: since when is counted, in milliseconds.
        count: how many were removed since, or would be when it is held.
        until: until when a confirmation holds, in milliseconds.
    """

    entity: str
    state: str = "open"
    window: int = 0
    count: int = 0
    until: int = 0


_BRAKE = ("entity", "state", "window", "count", "until")


class Brakes:
    """The brakes of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def all(self) -> dict[str, Brake]:
        """Return the brakes by entity."""
        rows = self._connection.execute(select(brake).where(brake.c.pairing == self._pairing))
        named = (row._mapping for row in rows)  # a row has a method of its own called count
        return {one["entity"]: Brake(*(one[name] for name in _BRAKE)) for one in named}

    def save(self, one: Brake) -> None:
        """Store a brake."""
        row = {
            "pairing": self._pairing,
            "entity": one.entity,
            "state": one.state,
            "window": one.window,
            "count": one.count,
            "until": one.until,
        }
        upsert(self._connection, brake, [row], ("pairing", "entity"))
