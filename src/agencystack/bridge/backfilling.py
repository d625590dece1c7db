"""Backfill: every record of one side is looked at once; what is done is kept, so that it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable

from agencystack.bridge.context import Context
from agencystack.bridge.cycle import Progress
from agencystack.bridge.record import SideName

PAGE = 100


def backfill(
    context: Context,
    entity: str,
    side: SideName,
    step: Callable[[], Progress],
    told: Callable[[int, Progress], None],
) -> Progress:
    """Walk every record of a side, and work on them page by page.

    Args:
        context: the pairing.
        entity: which records.
        side: whose.
        step: works on one batch.
        told: is told, after each page, how many records were walked and what came of them.

    Raises:
        Unavailable: the side is not well; called again, it goes on from there.
    """
    form, stream = context.form(side, entity), f"backfill:{side}:{entity}"
    with context.store.reading(context.pairing) as transaction:
        after = transaction.cursors.get(stream)
    total, walked = Progress(), 0
    while True:
        page = form.walk(after, PAGE)
        with context.store.writing(context.pairing) as transaction:
            transaction.inbox.add(side, [(entity, id_) for id_ in page.ids], "backfill", context.now(), eager=False)
            # Kept with the hints: a page is either in the inbox, or walked again.
            transaction.cursors.save(stream, page.next)
        walked += len(page.ids)
        while (progress := step()).looked_at:
            total += progress
        told(walked, total)
        if not page.next:
            return total
        after = page.next
