"""Backfill: every record of one side is looked at once; what is done is kept, so that it goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Form
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.cycle import Progress, work
from agencystack.bridge.work.pacing import full_until

PAGE = 100
LANES = 4
"""Batches at a time, where an entity bears that: while two are written, others are read and thought about."""
TOGETHER = 50
"""Records of a lane's batch: WooCommerce takes a hundred hardly faster, and the first are written sooner."""
AHEAD = 12
"""Pages of which all is done, what they refer to also, before the next are walked."""


def backfill(
    context: Context,
    entity: str,
    side: SideName,
    step: Callable[[], Progress],
    told: Callable[[int, Progress], None],
) -> Progress:
    """Walk every record of a side, and work on them a few pages at a time.

    Args:
        context: the pairing.
        entity: which records.
        side: whose.
        step: works on one batch.
        told: is told, after each few pages, how many records were walked and what came of them.

    Raises:
        Unavailable: the side is not well; called again, it goes on from there.
    """
    walk = _Walk(context, context.form(side, entity), side)
    lanes = LANES if context.entities[entity].side_by_side else 1
    total, walked = Progress(), 0
    while not walk.ended:
        if lanes > 1:
            seen, progress = _together(context, walk, lanes)
            walked, total = walked + seen, total + progress
        else:
            walked += walk.page()
        while (progress := _patiently(context, step)).looked_at:
            total += progress
        told(walked, total)
    return total


def _patiently(context: Context, step: Callable[[], Progress]) -> Progress:
    """Take a step; where the client's limit of writes is reached, first wait until there is room."""
    while not (progress := step()).looked_at and context.sharing.writes_per_minute is not None:
        with context.store.reading(context.pairing) as transaction:
            full = full_until(context, transaction)
        if not full:
            break
        time.sleep(max(0, full - context.now()) / 1000)
    return progress


class _Walk:
    """A walk over the records of one side, page by page; what was walked waits in the inbox."""

    def __init__(self, context: Context, form: Form, side: SideName) -> None:
        self._context, self._form, self._side = context, form, side
        self._stream = f"backfill:{side}:{form.entity}"
        with context.store.reading(context.pairing) as transaction:
            self._after = transaction.cursors.get(self._stream)
        self.ended = False

    @property
    def entity(self) -> str:
        """Whose records."""
        return self._form.entity

    def page(self) -> int:
        """Hint at the next page of records, and return how many there are."""
        page = self._form.walk(self._after, PAGE)
        with self._context.store.writing(self._context.pairing) as transaction:
            records = [(self.entity, id_) for id_ in page.ids]
            transaction.inbox.add(self._side, records, "backfill", self._context.now(), eager=False)
            # Kept with the hints: a page is either in the inbox, or walked again.
            transaction.cursors.save(self._stream, page.next)
        self._after, self.ended = page.next, not page.next
        return len(page.ids)


def _together(context: Context, walk: _Walk, lanes: int) -> tuple[int, Progress]:
    """Walk some pages, and work on them in several threads meanwhile; each is a worker of a name of its own.

    Returns:
        How many records were walked, and what came of them.
    """
    ready: SimpleQueue[bool] = SimpleQueue()  # one word a batch; False when there is none any more

    def lane(number: int) -> Progress:
        own, total, more = replace(context, worker=f"{context.worker}/{number}"), Progress(), True
        while more:
            more = ready.get()
            while (progress := _patiently(own, lambda: work(own, TOGETHER, [walk.entity]))).looked_at:
                total += progress
        return total

    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        started = [pool.submit(lane, number) for number in range(lanes)]
        walked = 0
        try:
            for _ in range(AHEAD):
                walked += walk.page()
                for _ in range(PAGE // TOGETHER):
                    ready.put(True)
                if walk.ended:
                    break
        finally:
            for _ in started:
                ready.put(False)
        return walked, sum((one.result() for one in started), Progress())
