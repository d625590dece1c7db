"""Changes of both sides into the inbox: stored first, acknowledged at the next call, so that none is ever lost."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Changes
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.work.context import Context, log
from agencystack.bridge.work.cycle import pause
from agencystack.bridge.work.narrowing import Narrowings, keep, narrowings
from agencystack.bridge.work.pairing import remembered, suspicion
from agencystack.bridge.work.trouble import NOT_WELL, trip, well
from agencystack.stack.errors import Refused

MOST = 500
"""Changes of one call."""
ROUNDS = 20
"""Calls of one poll; what is left comes with the next."""


def poll(context: Context) -> int:
    """Take the changes both sides tell into the inbox, and return how many."""
    return sum(_poll_side(context, side) for side in SideName if not _left_alone(context, side))


def _left_alone(context: Context, side: SideName) -> bool:
    with context.store.reading(context.pairing) as transaction:
        tripped = transaction.breakers.all().get(side)
        paused = transaction.pairings.get().state is PairingState.PAUSED
    return paused or (tripped is not None and tripped.until > context.now())


def _poll_side(context: Context, side: SideName) -> int:
    taken = 0
    for _ in range(ROUNDS):
        with context.store.reading(context.pairing) as transaction:
            cursor, stored = transaction.cursors.get(stream(side)), transaction.marks.stored(side)
            known = transaction.pairings.get().identities.get(side)
            before = narrowings(transaction)
        try:
            changes = context.sides[side].changes(cursor, stored, MOST)
        except (*NOT_WELL, Refused) as error:
            log.warning("changes not had", pairing=context.pairing, side=str(side), message=str(error))
            trip(context, side, str(error))
            return taken
        well(context, side)
        # Compared with what was known when it was asked: an answer that comes late is older than another worker's.
        if suspicious := suspicion(side, known, changes.identity):
            pause(context, suspicious)
            return taken
        _store(context, side, changes, stored, before)
        taken += len(changes.marks)
        if not changes.more:
            return taken
    return taken


def stream(side: SideName) -> str:
    """Return the name of the cursor over a side's changes."""
    return f"changes:{side}"


def _store(context: Context, side: SideName, changes: Changes, acknowledged: Sequence[str], before: Narrowings) -> None:
    """Store changes, and forget the marks that the side forgot."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        known = transaction.pairings.get().identities.get(side)
        transaction.marks.remove(side, acknowledged)
        # What is narrowed to nothing waits in the inbox: it is looked at when it is opened again.
        shared = [(mark.entity, mark.record) for mark in changes.marks if mark.entity in context.declared]
        transaction.inbox.add(side, shared, "changed", now)
        transaction.marks.add(side, [mark.id for mark in changes.marks if mark.id])
        if changes.cursor:
            transaction.cursors.save(stream(side), changes.cursor)
        if changes.narrowed is not None:
            keep(context, transaction, side, before, changes.narrowed)
        kept = remembered(known, changes.identity)
        if kept != known:
            transaction.pairings.set_identity(side, kept, now)
