"""The plan of one key: from its situation to operations, agreement and conflicts. A pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agencystack.bridge.entity import Deletion, Entity
from agencystack.bridge.merge import Agreed, Base, Clash, Contested, initial, merge
from agencystack.bridge.record import Fields, Observed, Presence, SideName, Value
from agencystack.bridge.side import Action


@dataclass(frozen=True)
class Situation:
    """All that is known of one pair.

    Args:
        entity: the rules that hold.
        base: what both sides last agreed on.
        seen: what each side holds, references as links; a side without a record yet is left out.
        decided: what a person decided, by field.
        retired: both sides were without it, and knew of each other.
        contested: by field, the sides whose edit no policy may overwrite.
    """

    entity: Entity
    base: Base
    seen: Mapping[SideName, Observed]
    decided: Mapping[str, Value] = field(default_factory=dict)
    retired: bool = False
    contested: Contested = field(default_factory=dict)


@dataclass(frozen=True)
class Intent:
    """One operation to carry out.

    Args:
        side: where.
        action: what.
        fields: what is written; references are links.
        across: what the other side holds in these fields.
        how: of a retirement.
        restores: a record that is gone is brought back.
    """

    side: SideName
    action: Action
    fields: Fields = field(default_factory=dict)
    across: Fields = field(default_factory=dict)
    how: Deletion = Deletion.ARCHIVE
    restores: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be done about one pair.

    Args:
        intents: operations; at most one a side.
        agreed: fields whose base advances without a write.
        conflicts: what a person must decide.
        tombstone: the pair is done with.
        dropped: the other side's record was to be made, and is not wanted any more.
    """

    intents: tuple[Intent, ...] = ()
    agreed: Base = field(default_factory=dict)
    conflicts: tuple[Clash, ...] = ()
    tombstone: bool = False
    dropped: bool = False


def plan(situation: Situation) -> Plan:
    """Return what is to be done about one pair."""
    missing = [side for side in SideName if side not in situation.seen]
    if missing:
        return _creation(situation, missing[0])
    if situation.retired and (gone := _gone(situation)) is not None:
        back = situation.entity.direction.reaches(gone)
        return Plan((_whole(situation, gone, Action.UPDATE, restores=True),) if back else ())
    merged = merge(
        situation.entity,
        situation.base,
        situation.seen[SideName.WORDPRESS],
        situation.seen[SideName.ERPNEXT],
        situation.decided,
        situation.contested,
    )
    if merged.retire is not None:
        intents = [Intent(merged.retire, Action.RETIRE, how=_how(situation.entity))]
    elif merged.restore is not None:
        intents = [_whole(situation, merged.restore, Action.UPDATE, restores=True)]
    else:
        intents = [
            Intent(side, Action.UPDATE, merged.to(side), _values(situation.seen[side.other], merged.to(side)))
            for side in SideName
            if merged.to(side)
        ]
    return Plan(tuple(intents), merged.agreed, merged.conflicts, merged.tombstone)


def advanced(
    base: Base, seen: Mapping[SideName, Observed], done: Mapping[SideName, Intent], planned: Plan
) -> dict[str, Agreed]:
    """Return the base after operations.

    A field advances when every write of it that was planned has happened. Each side's form is what it holds now, so a
    value it rewrote counts as agreed.

    Args:
        base: the base before.
        seen: what each side holds now.
        done: the operations that happened, by side.
        planned: all that were planned.
    """
    new = dict(base) | dict(planned.agreed)
    for name in {name for intent in done.values() for name in intent.fields}:
        writers = [intent for intent in planned.intents if name in intent.fields]
        if any(intent.side not in done for intent in writers):
            continue
        forms = {side: _form(name, side, seen, done) for side in SideName}
        new[name] = Agreed(forms[SideName.WORDPRESS], forms[SideName.ERPNEXT])
    return new


def _form(name: str, side: SideName, seen: Mapping[SideName, Observed], done: Mapping[SideName, Intent]) -> Value:
    """Return how one side writes a value: what it shows, else what it was told, else what went across."""
    if side in seen and name in seen[side].fields:
        return seen[side].fields[name]
    if side in done and name in done[side].fields:
        return done[side].fields[name]
    return done[side.other].fields[name]


def _creation(situation: Situation, target: SideName) -> Plan:
    source = situation.seen[target.other]
    if source.presence is Presence.GONE or not situation.entity.makes(source.fields):
        return Plan(dropped=True)
    return Plan((_whole(situation, target, Action.CREATE),))


def _gone(situation: Situation) -> SideName | None:
    """Return the side that alone is without the record."""
    gone = [side for side, seen in situation.seen.items() if seen.presence is Presence.GONE]
    return gone[0] if len(gone) == 1 else None


def _whole(situation: Situation, target: SideName, action: Action, *, restores: bool = False) -> Intent:
    fields = initial(situation.entity, situation.seen[target.other], target)
    return Intent(target, action, fields, fields, restores=restores)


def _how(entity: Entity) -> Deletion:
    return Deletion.DELETE if entity.deletion is Deletion.DELETE else Deletion.ARCHIVE


def _values(seen: Observed, names: Fields) -> Fields:
    return {name: seen.fields.get(name) for name in names}
