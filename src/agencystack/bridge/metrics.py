"""What the bridge counts, as Prometheus reads it: backlog, age of what waits, conflicts, dead letters, workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from agencystack.bridge.store import Store
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.tables import pairing as pairings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Count:
    """How one pairing is.

    Args:
        pairing: which.
        active: the bridge works on it.
        due: records to be looked at now.
        waiting: records to be looked at later.
        oldest: seconds since the oldest that is due was first hinted at; 0 where there is none.
        conflicts: what a person is to decide.
        dead: records a product refused.
    """

    pairing: str
    active: bool
    due: int
    waiting: int
    oldest: float
    conflicts: int
    dead: int


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
            due, waiting, since = reading.inbox.backlog(now)
            active = reading.pairings.get().state is PairingState.ACTIVE
            open_ = sum(reading.conflicts.counts().values())
            oldest = 0.0 if since is None else max(0.0, (now - since) / 1000)
            found.append(Count(name, active, due, waiting, oldest, open_, reading.dead.count()))
    return found


_HELP = {
    "active": "Whether the bridge works on the pairing (0: paused).",
    "due": "Records to be looked at now.",
    "waiting": "Records to be looked at later: parked, or tried again.",
    "oldest": "Seconds since the oldest record that is due was first hinted at.",
    "conflicts": "Edits that collide and wait for a person.",
    "dead": "Records a product refused, with a remedy for a person.",
}
_NAMES = {
    "active": "agencystack_bridge_active",
    "due": "agencystack_bridge_due_records",
    "waiting": "agencystack_bridge_waiting_records",
    "oldest": "agencystack_bridge_oldest_seconds",
    "conflicts": "agencystack_bridge_conflicts",
    "dead": "agencystack_bridge_dead_letters",
}


def exposition(found: Iterable[Count], workers: Sequence[str]) -> str:
    """Return counts as text for Prometheus; pairings are clients, so the label is bounded.

    Args:
        found: how every pairing is.
        workers: those that live.
    """
    rows = list(found)
    lines = []
    for field, name in _NAMES.items():
        lines += [f"# HELP {name} {_HELP[field]}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{client="{row.pairing}"}} {_number(getattr(row, field))}' for row in rows]
    lines += [
        "# HELP agencystack_bridge_workers Workers that were heard of lately.",
        "# TYPE agencystack_bridge_workers gauge",
        f"agencystack_bridge_workers {len(workers)}",
    ]
    return "\n".join(lines) + "\n"


def _number(value: bool | float) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value:g}"
