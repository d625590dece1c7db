"""The beginning of a batch: due hints become keys, keys are leased, and what is known of them is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.bridge.record import SideName
from agencystack.bridge.store.inbox import Hint, Postponed, record_key
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import LEASE, Context
from agencystack.bridge.work.pacing import room


def claim(context: Context, limit: int, only: Sequence[str] = ()) -> Batch:
    """Take due hints, of some entities alone or of all, and the leases of what they are about.

    What another worker holds is left for later.
    """
    now = context.now()
    until = now + LEASE
    with context.store.writing(context.pairing) as transaction:
        most = room(context, transaction, limit)
        hints = transaction.inbox.claim(context.worker, list(only or context.entities), now, until, most)
        if not hints:
            return Batch(0, until, [])
        keys = _keys(context, hints, _links(transaction, hints))
        fence = transaction.leases.next_fence()
        taken = transaction.leases.take([key.name for key in keys], context.worker, fence, now, until)
        busy = [hint for key in keys if key.name not in taken for hint in key.hints]
        transaction.inbox.postpone(
            [
                Postponed(hint, now + context.pause(hint.attempts), hint.attempts + 1, "another worker has it")
                for hint in busy
            ]
        )
    return Batch(fence, until, [key for key in keys if key.name in taken])


def load(context: Context, batch: Batch) -> None:
    """Load what is known of every key.

    A record that was linked between the claim and its lease now belongs to its link: it is claimed anew.
    """
    with context.store.reading(context.pairing) as transaction:
        links = _links(transaction, [hint for key in batch.keys for hint in key.hints])
        names = [key.name for key in batch.keys]
        bases = transaction.bases.get(names)
        operations = transaction.operations.of_links(names)
        conflicts = transaction.conflicts.of_subjects(names)
        letters = transaction.dead.of_subjects(names)
        for key in batch.keys:
            link = links.get(_where(key.hints[0]))
            if link is not None and link.id != key.name:
                key.end(Again("linked meanwhile", counts=False))
                continue
            key.link = link
            key.base = key.stored = bases.get(key.name, {})
            key.operations = operations.get(key.name, [])
            key.conflicts = conflicts.get(key.name, [])
            key.letters = {side: letters[key.name, side] for side in SideName if (key.name, side) in letters}
        for entity, keys in batch.by_entity().items():
            for side in SideName:
                before = transaction.observations.get(
                    side, entity, [key.ids()[side] for key in keys if side in key.ids()]
                )
                for key in keys:
                    if key.ids().get(side) in before:
                        key.before[side] = before[key.ids()[side]]


def _where(hint: Hint) -> tuple[SideName, str, str]:
    return hint.side, hint.entity, hint.record


def _links(transaction: Transaction, hints: list[Hint]) -> dict[tuple[SideName, str, str], Link]:
    records: dict[tuple[SideName, str], list[str]] = {}
    for hint in hints:
        records.setdefault((hint.side, hint.entity), []).append(hint.record)
    return {
        (side, entity, id_): link
        for (side, entity), ids in records.items()
        for id_, link in transaction.links.of_records(side, entity, ids).items()
    }


def _keys(context: Context, hints: list[Hint], links: dict[tuple[SideName, str, str], Link]) -> list[Key]:
    keys: dict[str, Key] = {}
    for hint in hints:
        link = links.get(_where(hint))
        name = link.id if link is not None else record_key(*_where(hint))
        if name in keys:
            keys[name].hints.append(hint)
        else:
            keys[name] = Key(name, context.entities[hint.entity], [hint], link)
    return list(keys.values())
