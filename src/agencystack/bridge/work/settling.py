"""Operations whose end nobody knows: looked up by their token, or by what they would have left, before all else."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agencystack.bridge.merge import Agreed, Contested
from agencystack.bridge.record import Fields, SideName, Value, same
from agencystack.bridge.side import Action
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.conflicts import ConflictKind
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.operations import Intended
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import SECOND, Context
from agencystack.bridge.work.trouble import NOT_WELL, stumble

IN_FLIGHT = 15 * SECOND
"""A creation that is not found may still be on its way for so long; only then is it asked for again."""


def settle_creations(context: Context, batch: Batch) -> None:
    """Look up, by token, the creations of earlier batches that have no end yet."""
    for side in SideName:
        asked: dict[str, list[tuple[Key, Intended]]] = {}
        for key in batch.working():
            if (one := _creation(key, side)) is not None:
                asked.setdefault(one.entity, []).append((key, one))
        for entity, creations in asked.items():
            _settle(context, batch, side, entity, creations)


def settle_requests(key: Key) -> None:
    """Take as agreed what the request was sent with that made a record, where several were.

    A worker that stood still may send an earlier one after a later was looked for in vain: what the record shows most
    of tells which it was.
    """
    for one in key.operations:
        if one.action is Action.CREATE and one.earlier and one.side in key.merged:
            made = most_alike(key.merged[one.side].fields, (one.fields, *one.earlier))
            key.base = {name: Agreed(value, value) for name, value in made.items()}


def most_alike(now: Fields, sent: Sequence[Fields]) -> Fields:
    """Return what was sent of which a record shows most; the first where several are alike."""
    return max(sent, key=lambda one: sum(same(now[name], one.get(name)) for name in now))


def settle_updates(key: Key) -> None:
    """Take as agreed what updates without a known end have plainly left on their side.

    Without this, our own write would look like an edit there, and fight with a real edit made here meanwhile. One field
    that shows what was sent tells that all of it happened: another value beside it is an edit made there since then.
    A field that has an algebra of its own, or that was written to both sides, is left to the merge.
    """
    for one in _updates(key):
        now, known = key.merged[one.side].fields, _known(key, one.side)
        sent = _alone(key, one)
        happened = any(_shows(now[name], one.fields[name], known.get(name)) for name in sent)
        for name in sent:
            edited = happened and not (name in known and same(now[name], known[name]))
            if edited or same(now[name], one.fields[name]):
                key.base = {**key.base, name: _agreed(one.side, one.fields[name], one.across[name])}


def contested(key: Key) -> Contested:
    """Return the fields in which an edit may lie upon an update of ours that was never answered, by their side.

    Where a field holds neither what was sent nor what was there before, and no other field tells whether the update
    happened, somebody edited it before the update (then the field's policy decides) or upon it, knowing the other
    side's value (then theirs is the newer one). A person is asked, and goes on being asked, rather than a policy
    overwriting it.
    """
    found: dict[str, Collection[SideName]] = {
        one.field: tuple(SideName) for one in key.conflicts if one.kind is ConflictKind.FIELD
    }
    for one in _updates(key):
        now, known = key.merged[one.side].fields, _known(key, one.side)
        sent = _alone(key, one)
        tells = (same(now[name], one.fields[name]) or (name in known and same(now[name], known[name])) for name in sent)
        if not any(tells):
            found |= dict.fromkeys(sent, (one.side,))
    return found


def _updates(key: Key) -> list[Intended]:
    return [one for one in key.operations if one.action is Action.UPDATE and one.side in key.merged]


def _alone(key: Key, one: Intended) -> list[str]:
    """Return the fields an update wrote that have no algebra of their own, and were not written to both sides."""
    elsewhere = {name for other in key.operations if other.side is not one.side for name in other.fields}
    plain = [rule.name for rule in key.entity.fields if rule.join is None and rule.name not in elsewhere]
    now = key.merged[one.side].fields
    return [name for name in plain if name in one.fields and name in one.across and name in now]


def _known(key: Key, side: SideName) -> dict[str, Value]:
    """Return what a side held before, of the fields both agreed on."""
    return {name: agreed.on(side) for name, agreed in key.base.items()}


def _shows(now: Value, sent: Value, before: Value | None) -> bool:
    """Tell whether a field holds what was sent, and did not hold that before."""
    return same(now, sent) and not same(before, sent)


def _agreed(side: SideName, here: Value, across: Value) -> Agreed:
    return Agreed(here, across) if side is SideName.WORDPRESS else Agreed(across, here)


def _creation(key: Key, side: SideName) -> Intended | None:
    """Return the creation that may have made a key's missing record, though it is said that it did not happen."""
    link = key.link
    if link is None or not link.lacks_one or link.on(side) or not link.on(side.other):
        return None
    for one in key.operations:
        if one.side is side and one.action is Action.CREATE:
            return one
    return Intended(link.token, link.id, side, link.entity, "", Action.CREATE, {}, {}, 0)


def _settle(context: Context, batch: Batch, side: SideName, entity: str, creations: list[tuple[Key, Intended]]) -> None:
    keys = [key for key, _ in creations]
    try:
        found = context.form(side, entity).find([one.token for _, one in creations])
    except NOT_WELL as error:
        stumble(context, batch, side, keys, error)
        return
    happened = [(key, one, found[one.token]) for key, one in creations if one.token in found]
    for key, one in creations:
        if one.token in found:
            continue
        fresh = one.since + IN_FLIGHT - context.now()
        if fresh > 0:
            key.end(Again("a creation may still be on its way", fresh, counts=False))
        else:
            # It did not happen; before it is asked for again, people may have made that record themselves.
            key.undone = [other for other in key.operations if other.token == one.token]
            key.operations = [other for other in key.operations if other.token != one.token]
    if happened:
        _record(context, batch, side, entity, happened)


def _record(
    context: Context, batch: Batch, side: SideName, entity: str, happened: list[tuple[Key, Intended, str]]
) -> None:
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence)
        linked_elsewhere = transaction.links.of_records(side, entity, [id_ for _, _, id_ in happened])
        for key, one, id_ in happened:
            if id_ in linked_elsewhere:
                key.end(Again("its record is linked to another one", context.pause(key.attempts)))
                continue
            key.link = key.pair.completed(side, id_)
            # What was sent is what both shared at that moment: an edit since then, on either side, is an edit.
            key.base = {name: _agreed(side, value, one.across.get(name, value)) for name, value in one.fields.items()}
            key.stored = key.base
            if not one.earlier:  # else it is known only from what it holds which request made it
                key.operations = [other for other in key.operations if other.token != one.token]
        done = [(key, one, id_) for key, one, id_ in happened if not key.settled]
        transaction.links.save([key.link for key, _, _ in done if key.link], now)
        transaction.bases.save({key.name: key.base for key, _, _ in done})
        transaction.operations.remove([one.token for _, one, _ in done if not one.earlier])
        transaction.audits.add(
            [Event(entity, side, id_, "create", key.name, tuple(one.fields), one.token) for key, one, id_ in done],
            now,
        )
        transaction.inbox.wake(
            {record_key(at, entity, key.link.on(at)) for key, _, _ in done for at in SideName if key.link}, now
        )
