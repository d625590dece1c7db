"""More workers: eight pairings with a backlog each, on PostgreSQL, worked off by 1, 2 and 4 processes."""

from __future__ import annotations

import time
from collections.abc import Iterator

from agencystack.bridge.store import Store
from agencystack.bridge.store.sql import millis
from agencystack.bridge.work.context import utc_now
from benchmarks.bridge_ground import Ground, ground, sharing
from benchmarks.bridge_serving import Installation, installation
from benchmarks.measured import Measured
from benchmarks.postgres import postgres
from benchmarks.sizes import sized

PAIRINGS = 8
PLACES = 2
"""Pairings a worker attends to at a time, so that one alone cannot attend to all."""
WORKERS = (1, 2, 4)
RECORDS = sized(100, 400)
OF_FOUR = 3.5
PATIENCE = 600.0


def measure() -> Iterator[Measured]:
    """Yield how many times as fast several workers are.

    Raises:
        CannotMeasure: there is no PostgreSQL.
    """
    seconds = {workers: _worked_off(workers) for workers in WORKERS}
    alone = PAIRINGS * RECORDS / seconds[1]
    for workers in WORKERS[1:]:
        yield Measured(
            f"{PAIRINGS} pairings on PostgreSQL, {PLACES} at a time each: {workers} workers beside 1",
            seconds[1] / seconds[workers],
            at_least=OF_FOUR if workers == WORKERS[-1] else None,
            detail=f"{PAIRINGS * RECORDS / seconds[workers]:.0f} / {alone:.0f} records a second",
        )


def _worked_off(workers: int) -> float:
    """Return the seconds so many workers need for every pairing's backlog."""
    with postgres() as url, installation(url) as made, ground(plugins=True, places=PAIRINGS) as over:
        for number in range(PAIRINGS):
            over.fill("erpnext", "product", RECORDS, place=number)
        made.join(over, sharing("product"))
        with made.place.opened() as store:
            _at_work(store, working=False)
            made.work(workers, places=PLACES)
            _at_work(store, working=True)
            return _waited(store, over, made)


def _at_work(store: Store, *, working: bool) -> None:
    """Let every pairing be worked on, or none yet."""
    now = millis(utc_now())
    for number in range(PAIRINGS):
        with store.writing(f"bench{number}") as transaction:
            if working:
                transaction.pairings.resume(now)
            else:
                transaction.pairings.pause("the benchmark has not begun", now)


def _waited(store: Store, over: Ground, made: Installation) -> float:
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        if all(_linked(store, number) >= RECORDS for number in range(PAIRINGS)):
            return time.monotonic() - began
        time.sleep(0.05)
    counts = [_linked(store, number) for number in range(PAIRINGS)]
    raise RuntimeError(f"{counts} records came across; {(made.home.root / 'bridge.log').read_text()[-2000:]}")


def _linked(store: Store, number: int) -> int:
    with store.reading(f"bench{number}") as transaction:
        return transaction.links.count("product")
