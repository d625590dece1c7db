"""What the bridge counts, as Prometheus reads it: backlog, age of what waits, writes, conflicts, refusals, workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from agencystack.bridge.serving.gauges import NAMES, WORKERS
from agencystack.bridge.store import Store
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.tables import pairing as pairings
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.pacing import WRITES
from agencystack.bridge.work.telling import HOUR

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REFUSALS = ("refused",)


@dataclass(frozen=True)
class Count:
    """How one pairing is.

    Args:
        pairing: which.
        active: the bridge works on it.
        paused: it stopped, or a person stopped it; a pairing that is previewed is neither.
        due: records to be looked at now.
        waiting: records to be looked at later.
        oldest: seconds since the oldest record that waits for no other one was first hinted at; 0 where there is none.
        conflicts: what a person is to decide.
        dead: records a product refused.
        undecided: seconds since the oldest of these two is there; 0 where there is none.
        written: records written within the last hour.
        refused: writes a product refused within the last hour.
    """

    pairing: str
    active: bool
    paused: bool
    due: int
    waiting: int
    oldest: float
    conflicts: int
    dead: int
    undecided: float
    written: int
    refused: int


def counts(store: Store, now: int) -> list[Count]:
    """Return how every pairing is.

    Args:
        store: the bridge's store.
        now: milliseconds since 1970.
    """
    with store.reading("") as reading:
        names = list(reading.connection.execute(select(pairings.c.id).order_by(pairings.c.id)).scalars())
    found = []
    for name in names:
        with store.reading(name) as reading:
            found.append(_count(name, reading, now))
    return found


def _count(name: str, reading: Transaction, now: int) -> Count:
    due, waiting, _ = reading.inbox.backlog(now)
    state = reading.pairings.get().state
    return Count(
        pairing=name,
        active=state is PairingState.ACTIVE,
        paused=state is PairingState.PAUSED,
        due=due,
        waiting=waiting,
        oldest=_age(now, reading.inbox.unfinished_since()),
        conflicts=sum(reading.conflicts.counts().values()),
        dead=reading.dead.count(),
        undecided=_age(now, reading.conflicts.open_since(), reading.dead.since()),
        written=reading.audits.since(now - HOUR, WRITES)[0],
        refused=reading.audits.since(now - HOUR, REFUSALS)[0],
    )


def _age(now: int, *since: int | None) -> float:
    """Return the seconds since the first of some times; 0 where there is none, or where it is yet to come."""
    return max((max(0.0, (now - one) / 1000) for one in since if one is not None), default=0.0)


_HELP = {
    "active": "Whether the bridge works on the pairing.",
    "paused": "Whether the pairing is stopped until a person resumes it.",
    "due": "Records to be looked at now.",
    "waiting": "Records to be looked at later: parked, or tried again.",
    "oldest": "Seconds since the oldest record that waits for no other one was first hinted at.",
    "conflicts": "Edits that collide and wait for a person.",
    "dead": "Records a product refused, with a remedy for a person.",
    "undecided": "Seconds since the oldest conflict or refused record is there.",
    "written": "Records written within the last hour.",
    "refused": "Writes a product refused within the last hour.",
}


def exposition(found: Iterable[Count], workers: Sequence[str]) -> str:
    """Return counts as text for Prometheus; pairings are clients, so the label is bounded.

    Args:
        found: how every pairing is.
        workers: those that live.
    """
    rows = list(found)
    lines = []
    for field, name in NAMES.items():
        lines += [f"# HELP {name} {_HELP[field]}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{client="{row.pairing}"}} {_number(getattr(row, field))}' for row in rows]
    lines += [
        f"# HELP {WORKERS} Workers that were heard of lately.",
        f"# TYPE {WORKERS} gauge",
        f"{WORKERS} {len(workers)}",
    ]
    return "\n".join(lines) + "\n"


def _number(value: bool | float) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value:.15g}"
