"""Looking: WordPress first and then ERPNext, so that ERPNext's answer is never older than what it is compared with."""

from __future__ import annotations

from dataclasses import replace

from agencystack.bridge.entity import Entity
from agencystack.bridge.merge import Base
from agencystack.bridge.record import Observed, Presence, SideName, same
from agencystack.bridge.store.aliases import is_alias
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.trouble import NOT_WELL, PATIENCE, each, letter, stumble, unreadable, well


class Restored(Exception):
    """A linked id names another record than it did: a backup was restored, or a record was made anew under its id."""


def observe(context: Context, batch: Batch) -> list[DeadLetter]:
    """Look at every key's records on the sides they are on, and return what cannot be understood.

    Raises:
        Restored: a linked id names another record now.
    """
    letters: list[DeadLetter] = []
    for side in SideName:
        for entity, keys in batch.by_entity().items():
            letters += _observe(context, batch, side, entity, [key for key in keys if side in key.ids()])
    for key in batch.working():
        _wait_for_whole(context, key, letters)
        _check_created(key, letters)
    return letters


def relevant(entity: Entity, seen: Observed) -> Observed:
    """Return an observation with nothing but the fields that are shared."""
    names = {rule.name for rule in entity.fields}
    return replace(seen, fields={name: value for name, value in seen.fields.items() if name in names})


def _observe(context: Context, batch: Batch, side: SideName, entity: str, keys: list[Key]) -> list[DeadLetter]:
    for key in keys:
        if is_alias(key.ids()[side]):  # nobody there knows it: it is looked for as what was renamed
            key.seen[side] = Observed(key.ids()[side], presence=Presence.GONE)
    keys = [key for key in keys if side not in key.seen]
    if not keys:
        return []
    try:
        seen, errors = each(context.form(side, entity).read, [key.ids()[side] for key in keys])
    except NOT_WELL as error:
        stumble(context, batch, side, keys, error)
        return []
    well(context, side)
    letters: list[DeadLetter] = []
    for key in keys:
        id_ = key.ids()[side]
        if id_ in seen:
            key.seen[side] = relevant(key.entity, seen[id_])
        elif id_ in errors and (found := unreadable(context, key, side, errors[id_])):
            letters.append(found)
        elif id_ not in errors:
            key.seen[side] = Observed(id_, presence=Presence.GONE)
    return letters


def _wait_for_whole(context: Context, key: Key, letters: list[DeadLetter]) -> None:
    """Look again at a record that is still being written; one that stays half is shown to a person."""
    half = [side for side in key.seen if key.seen[side].presence is Presence.HALF]
    if not half:
        return
    if key.attempts < PATIENCE:
        key.end(Again("it is still being written", context.pause(key.attempts)))
        return
    key.end()
    message = "the record is half-written: the request that was making it seems to have died"
    letters.append(letter(key, half[0], message, "complete or delete it there"))


def _check_created(key: Key, letters: list[DeadLetter]) -> None:
    if key.link is None:
        return
    for side, seen in key.seen.items():
        known = key.link.created(side)
        if seen.presence is not Presence.PRESENT or not known or not seen.created or known == seen.created:
            continue
        if key.link.recalled:
            key.end()
            message = f"another {key.entity.name} has the name of one that was forgotten"
            letters.append(letter(key, side, message, "rename it there, so that the two are not taken for one"))
            return
        if not alike(key.base, seen, side):
            raise Restored(
                f"{key.entity.name} {seen.id} of {side} was made at {seen.created}, the one that is linked at {known}"
            )


def alike(base: Base, seen: Observed, side: SideName) -> bool:
    """Tell whether a record is much like what was agreed on: then it is the same, with another date or name."""
    told = [name for name in base if name in seen.fields and base[name].on(side) is not None]
    equal = sum(same(base[name].on(side), seen.fields[name]) for name in told)
    return 2 * equal >= len(told)
