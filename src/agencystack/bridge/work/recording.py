"""Recording: what was decided before a side is asked, and what came of it after; each in one commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Action
from agencystack.bridge.store.inbox import Hint, Postponed
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.batch import Batch, Key
from agencystack.bridge.work.carrying import Carried, Effect
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.ending import Ends
from agencystack.bridge.work.planning import Planned, conflict_of, returned
from agencystack.bridge.work.references import Known

PARTS = 4
"""Into so many a batch is parted that failed: of a hundred records a bad one is alone at the fourth look."""


def record_plans(context: Context, batch: Batch, planned: Planned, wanted: Sequence[Effect]) -> None:
    """Store what was seen and decided, and what is about to be asked; from here on a crash loses nothing."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence)
        _save_seen(transaction, batch, [key for key in batch.keys if key.link is not None], now)
        # Whoever was forgotten, and named again, is known again.
        recalled = [replace(key.pair, recalled=False) for key in batch.working() if key.link and key.link.recalled]
        transaction.links.save(recalled, now)
        # That it is there again is seen once: whatever keeps it from being followed now, it is alive from here on.
        transaction.links.save([replace(key.pair, state=LinkState.LINKED) for key in batch.keys if returned(key)], now)
        # What settled is stored before the operations it was read from are forgotten.
        settled = [key for key in batch.working() if key.operations and key.base != key.stored]
        transaction.bases.save({key.name: key.base for key in settled})
        for key in settled:
            key.stored = key.base
        # Creations that did not happen stay until they are asked for again: an earlier request may still arrive.
        transaction.operations.remove([one.token for key in batch.working() for one in key.operations])
        transaction.operations.add([one.intended(now) for one in wanted])
        _save_conflicts(transaction, batch, now)
        transaction.dead.record(planned.letters, now)
        for brake in planned.brakes:
            transaction.brakes.save(brake)
        for side, ref in planned.wanted:
            transaction.inbox.add(side, [(ref.entity, ref.id)], "referenced", now, eager=False)


def record_outcomes(context: Context, batch: Batch, known: Known, wanted: Sequence[Effect], carried: Carried) -> None:
    """Store what came of the operations, follow or postpone every hint, and give the leases back."""
    now = context.now()
    by_key: dict[str, list[Effect]] = {}
    for one in wanted:
        by_key.setdefault(one.key.name, []).append(one)
    taken = _taken(context, wanted, carried)
    # ERPNext names records by what people call them: a new one may have the name of one that is gone on both sides.
    freed = [link.id for link in taken.values() if link.state is LinkState.RETIRED]
    ends = Ends(context, known, {at: link.id for at, link in taken.items() if link.id not in freed})
    for key in batch.working():
        ends.end(key, by_key.get(key.name, []), carried)
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence)
        _save_seen(transaction, batch, ends.touched, now)
        transaction.links.remove(freed)
        transaction.bases.remove(freed)
        transaction.links.save(ends.links, now)
        transaction.links.remove(ends.dropped)
        transaction.bases.save(ends.bases)
        transaction.bases.remove([*ends.dropped, *ends.buried])
        transaction.operations.unknown(ends.unknown)
        transaction.operations.remove(ends.known)
        transaction.dead.remove(ends.revived)
        transaction.dead.record(ends.letters, now)
        transaction.conflicts.close(ends.solved)
        transaction.audits.add(ends.events, now)
        follow(context, transaction, batch)
        for side, entity, id_ in ends.anew:
            transaction.inbox.add(side, [(entity, id_)], "made anew", now)
        transaction.inbox.wake(ends.awake, now)  # after following: what waits may have begun to in this very batch


def follow(context: Context, transaction: Transaction, batch: Batch) -> None:
    """Forget the hints that were followed, postpone the others, and give the leases back."""
    now = context.now()
    transaction.inbox.forget([hint for key in batch.keys if key.again is None for hint in key.hints])
    transaction.inbox.postpone(
        [
            Postponed(
                hint,
                now + key.again.delay,
                hint.attempts + key.again.counts,
                key.again.reason,
                key.again.waits_for,
                _company(batch, hint) if key.again.shared else 0,
            )
            for key in batch.keys
            if key.again is not None
            for hint in key.hints
        ]
    )
    transaction.leases.release(batch.fence)


def _company(batch: Batch, hint: Hint) -> int:
    """Return how many may be in the next batch of a record whose batch failed: so that a bad one is soon alone."""
    return max(1, len(batch.hints) // PARTS) if batch.suspect else hint.company


def _save_seen(transaction: Transaction, batch: Batch, keys: Iterable[Key], now: int) -> None:
    for entity, some in batch.by_entity(keys).items():
        for side in SideName:
            seen = [key.seen[side] for key in some if side in key.seen]
            transaction.observations.save(side, entity, seen, now)


def _save_conflicts(transaction: Transaction, batch: Batch, now: int) -> None:
    """Store what a person must decide, and forget what resolved itself."""
    planned = [key for key in batch.working() if key.plan is not None]
    found = [conflict_of(key, clash.field) for key in planned for clash in key.planned.conflicts]
    if found:
        transaction.conflicts.record(found, now)
    gone: list[int] = []
    for key in planned:
        fields = {clash.field for clash in key.planned.conflicts}
        gone += [one.id for one in key.conflicts if one.field not in fields and one.field not in key.decided]
    transaction.conflicts.close(gone)


def _taken(context: Context, wanted: Sequence[Effect], carried: Carried) -> dict[tuple[SideName, str, str], Link]:
    """Return the links that already have the records which creations answered with."""
    made: dict[tuple[SideName, str], list[str]] = {}
    for one in wanted:
        observed = carried.outcomes[one.operation.token].observed
        if one.intent.action is Action.CREATE and observed is not None:
            made.setdefault((one.intent.side, one.key.entity.name), []).append(observed.id)
    with context.store.reading(context.pairing) as transaction:
        return {
            (side, entity, id_): link
            for (side, entity), ids in made.items()
            for id_, link in transaction.links.of_records(side, entity, ids).items()
        }
