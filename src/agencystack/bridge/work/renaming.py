"""Records that have another id now: ERPNext's people rename customers and items, and nothing of them is gone.

What is gone under its id is looked for under another one before it counts as gone; what is new may be what was renamed,
and waits until that is settled. The link moves under its own lease, so that nobody writes by the old id meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from agencystack.bridge.merge import Base
from agencystack.bridge.record import Observed, Presence, SideName
from agencystack.bridge.store.aliases import alias, is_alias
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.links import Link
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.observing import alike
from agencystack.bridge.work.trouble import NOT_WELL, each, stumble

RENAMED = "renamed"


@runtime_checkable
class Renames(Protocol):
    """A form whose records may get another id."""

    def renamed(self, made: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
        """Return ids under which records may be now.

        Args:
            made: ids, with the time each record was made at.

        Returns:
            Of those that are not there any more: ids of the records that were made at the very same moment.
        """


def follow_renames(context: Context, batch: Batch) -> None:
    """Move the links of records that have another id now; let what may be one of them wait for that."""
    for side in SideName:
        for entity, keys in batch.by_entity([key for key in batch.working() if side in key.seen]).items():
            form = context.form(side, entity)
            if not isinstance(form, Renames):
                continue
            gone = {key.pair.on(side): key for key in keys if _gone(key, side)}
            new = {key.seen[side].id: key for key in keys if _new(key, side)}
            try:
                _follow(context, batch, side, entity, gone, new)
            except NOT_WELL as error:
                stumble(context, batch, side, [*gone.values(), *new.values()], error)
    _leave_forgotten(batch)


def _leave_forgotten(batch: Batch) -> None:
    """Leave those alone whose id was forgotten and not found again: whether they are there, nobody can say."""
    for key in batch.keys:
        hidden = [side for side, seen in key.seen.items() if is_alias(seen.id)]
        for side in hidden:
            del key.seen[side]
        if hidden and not key.settled:
            key.end()


def _gone(key: Key, side: SideName) -> bool:
    return key.link is not None and key.seen[side].presence is Presence.GONE and bool(key.link.created(side))


def _new(key: Key, side: SideName) -> bool:
    return key.link is None and key.seen[side].presence is Presence.PRESENT


def _follow(
    context: Context, batch: Batch, side: SideName, entity: str, gone: Mapping[str, Key], new: Mapping[str, Key]
) -> None:
    links = {id_: key.pair for id_, key in gone.items()} | _like(context, side, entity, list(new.values()))
    found = _found(context, side, entity, links)
    moved = [(gone[id_], to) for id_, to in found.items() if id_ in gone]
    if moved:
        _move(context, batch, side, entity, moved)
    elsewhere = [id_ for id_ in found if id_ not in gone]
    if elsewhere:
        with context.store.writing(context.pairing) as transaction:
            transaction.inbox.add(side, [(entity, id_) for id_ in elsewhere], RENAMED, context.now())
    for to in found.values():
        if to.id in new:
            new[to.id].end(Again("it is another record's new name", context.pause(new[to.id].attempts)))


def _like(context: Context, side: SideName, entity: str, new: Sequence[Key]) -> dict[str, Link]:
    """Return links, by id, of records that were made when new ones were, or by the creation that made these."""
    if not new:
        return {}
    with context.store.reading(context.pairing) as transaction:
        ids = transaction.observations.at(side, entity, [key.seen[side].position for key in new])
        links = transaction.links.of_records(side, entity, ids)
        tokens = [key.seen[side].token for key in new if key.seen[side].token]
        by_token = transaction.links.of_tokens(tokens).values() if tokens else ()
    links |= {link.on(side): link for link in by_token if link.entity == entity and link.on(side)}
    return {id_: link for id_, link in links.items() if link.created(side)}


def _found(context: Context, side: SideName, entity: str, links: Mapping[str, Link]) -> dict[str, Observed]:
    """Return what linked records are now, by the id they had."""
    form = context.form(side, entity)
    if not links or not isinstance(form, Renames):
        return {}
    ids = form.renamed({id_: link.created(side) for id_, link in links.items()})
    wanted = sorted({id_ for some in ids.values() for id_ in some})
    if not wanted:
        return {}
    seen, _ = each(form.read, wanted)
    with context.store.reading(context.pairing) as transaction:
        taken = transaction.links.of_records(side, entity, wanted)
        bases = transaction.bases.get(link.id for link in links.values())
    found: dict[str, Observed] = {}
    for id_, others in ids.items():
        free = [seen[one] for one in others if one in seen and (one not in taken or taken[one].id == links[id_].id)]
        known = [one for one in free if alias(context.pairing, side, one.id) == id_]
        chosen = known[0] if known else _chosen(links[id_], bases.get(links[id_].id, {}), side, free)
        if chosen is not None:
            found[id_] = chosen
    return found


def _chosen(link: Link, base: Base, side: SideName, free: Sequence[Observed]) -> Observed | None:
    """Return the one that is surely the same: made by the same creation of ours, or the only one that is much like it.

    The moment alone does not tell: records of one import share it.
    """
    ours = [one for one in free if link.token and one.token == link.token]
    like = ours or [one for one in free if alike(base, one, side)]
    return like[0] if len(like) == 1 else None


def _move(context: Context, batch: Batch, side: SideName, entity: str, moved: Sequence[tuple[Key, Observed]]) -> None:
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence)
        taken = transaction.links.of_records(side, entity, [to.id for _, to in moved])
        for key, _ in moved:
            key.end(Again(RENAMED, context.pause(key.attempts)))
        free = [(key, to) for key, to in moved if to.id not in taken or taken[to.id].id == key.pair.id]
        transaction.links.save([key.pair.moved(side, to.id) for key, to in free], now)
        transaction.observations.forget(side, entity, [key.pair.on(side) for key, _ in free])
        transaction.inbox.add(side, [(entity, to.id) for _, to in free], RENAMED, now)
        ids = [(at, key.pair.moved(side, to.id).on(at)) for key, to in free for at in SideName]
        transaction.inbox.wake([record_key(at, entity, id_) for at, id_ in ids if id_], now)
        transaction.audits.add([Event(entity, side, to.id, RENAMED, key.name) for key, to in free], now)
