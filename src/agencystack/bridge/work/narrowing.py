"""What the products' own people allow less of, on the settings screens of plugin and app: kept, obeyed, never widened.

The screens narrow what the agency shares. Where one is opened again, every record of the entity is looked at, page by
page whenever nothing else is due: what changed meanwhile was seen, and left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agencystack.bridge.entity import Direction, Entity
from agencystack.bridge.record import SideName
from agencystack.bridge.side import Narrowed
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.reconciling import reconcile
from agencystack.bridge.work.trouble import NOT_WELL, trip

PAGE = 100
_WIDENED = "widened"

Narrowings = Mapping[SideName, Narrowed]


def narrowings(transaction: Transaction) -> Narrowings:
    """Return what each side told last; one that never did is left out."""
    stored = transaction.cursors.some([_stream(side) for side in SideName])
    return {side: _read(stored[_stream(side)]) for side in SideName if stored[_stream(side)]}


def narrowed(entities: Mapping[str, Entity], told: Narrowings) -> Mapping[str, Entity]:
    """Return the entities with the directions that are left; one that goes nowhere any more is left out."""
    found = {name: _narrowed(entity, _left(name, told)) for name, entity in entities.items()}
    return {name: entity for name, entity in found.items() if _left(name, told) is not Direction.OFF}


def keep(context: Context, transaction: Transaction, side: SideName, asked_upon: Narrowings, told: Narrowed) -> None:
    """Keep what a side tells, and have looked at what it opens again.

    Args:
        context: the pairing.
        transaction: in which the answer is stored.
        side: who tells it.
        asked_upon: what was known when it was asked: what another worker stored since may be newer than this answer.
        told: what it says.
    """
    known = narrowings(transaction)
    before = known.get(side)
    late = before is not None and before != asked_upon.get(side) and told.revision <= before.revision
    if told == before or late:
        return
    transaction.cursors.save(_stream(side), _written(told))
    after = {**known, side: told}
    wider = [
        entity
        for entity in context.declared
        if any(_opens(_left(entity, known), _left(entity, after), to) for to in SideName)
    ]
    waiting = [one for one in _waiting(transaction) if one[0] not in wider]
    _save(transaction, [*waiting, *([entity, str(at), ""] for entity in wider for at in SideName)])


def look_again(context: Context) -> int:
    """Hint at the next page of what was opened again, if nothing else is due; return how many hints that are."""
    with context.store.reading(context.pairing) as transaction:
        waiting = _waiting(transaction)
        due = transaction.inbox.next_due(list(context.entities), context.worker) if waiting else None
    if not waiting or (due is not None and due <= context.now()):
        return 0
    entity, name, after = waiting[0]
    side = SideName(name)
    ids: tuple[str, ...] = ()
    following, found = "", 0
    if entity in context.entities:
        try:
            page = context.form(side, entity).walk(after, PAGE)
            ids, following = page.ids, page.next
            if not following and waiting[1:2] != [[entity, str(side.other), ""]]:
                found = reconcile(context, entity, repair=True).hinted  # what is gone is on no page
        except NOT_WELL as error:
            trip(context, side, str(error))
            return 0
    with context.store.writing(context.pairing) as transaction:
        if _waiting(transaction) != waiting:
            return 0  # another worker took this page
        records = [(entity, id_) for id_ in ids]
        transaction.inbox.add(side, records, "shared again", context.now(), eager=False)
        _save(transaction, [[entity, name, following], *waiting[1:]] if following else waiting[1:])
    return len(ids) + found or 1


def _left(entity: str, told: Narrowings) -> Direction:
    """Return what both sides' people leave of a direction both ways."""
    left = Direction.BOTH
    for one in told.values():
        left = left.narrowed(one.entities.get(entity, Direction.BOTH))
    return left


def _narrowed(entity: Entity, left: Direction) -> Entity:
    if left is Direction.BOTH:
        return entity
    fields = tuple(replace(one, direction=one.direction.narrowed(left)) for one in entity.fields)
    return replace(entity, direction=entity.direction.narrowed(left), fields=fields)


def _opens(before: Direction, after: Direction, to: SideName) -> bool:
    return after.reaches(to) and not before.reaches(to)


def _stream(side: SideName) -> str:
    return f"narrowed:{side}"


def _waiting(transaction: Transaction) -> list[Any]:
    """Return what is still to be walked: entity, side, and after which record."""
    found: list[Any] = json.loads(transaction.cursors.get(_WIDENED) or "[]")
    return found


def _save(transaction: Transaction, waiting: list[Any]) -> None:
    transaction.cursors.save(_WIDENED, json.dumps(waiting) if waiting else "")


def _written(told: Narrowed) -> str:
    return json.dumps({"revision": told.revision, "entities": {name: str(one) for name, one in told.entities.items()}})


def _read(text: str) -> Narrowed:
    return Narrowed.told(json.loads(text)) or Narrowed()
