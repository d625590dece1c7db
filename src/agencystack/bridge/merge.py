"""The merge: from what both sides hold and what they last agreed on, what each is to be told. A pure function.

Each side's value is compared with *that side's* form of the last agreed value, so a value that a product rewrites (a
trimmed name, a rounded price) is no change of its own. Without an agreed value (records that were matched, a field that
is shared since today) a value beside nothing is copied, and two values are decided as if both had changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agencystack.bridge.entity import Deletion, Entity, Field, Join, Policy
from agencystack.bridge.record import Fields, Observed, Presence, SideName, Value, same

RECORD = ""
"""In place of a field's name: the record itself, whether it is there."""


@dataclass(frozen=True)
class Agreed:
    """A value both sides shared, as each of them writes it.

    Args:
        wordpress: WordPress's form.
        erpnext: ERPNext's form.
    """

    wordpress: Value
    erpnext: Value

    def on(self, side: SideName) -> Value:
        """Return one side's form."""
        return self.wordpress if side is SideName.WORDPRESS else self.erpnext


Base = Mapping[str, Agreed]
Contested = Mapping[str, Collection[SideName]]
"""By field, sides whose edit may be newer than what the other side holds, though nothing tells so: a person does."""


@dataclass(frozen=True)
class Clash:
    """What only a person can decide.

    Args:
        field: the field's name, or :data:`RECORD`.
        wordpress: WordPress's value; of the record: whether it is there.
        erpnext: ERPNext's.
        base: what they last agreed on, if they ever did.
    """

    field: str
    wordpress: Value
    erpnext: Value
    base: Agreed | None = None


@dataclass(frozen=True)
class Merge:
    """What is to be done.

    Args:
        to_wordpress: fields to write to WordPress.
        to_erpnext: fields to write to ERPNext.
        agreed: fields that are equal without a write: the base advances.
        conflicts: what a person must decide.
        retire: the side whose record is to be retired, because the other's is gone.
        restore: the side whose record is to be brought back, because a person said so.
        tombstone: the pair is done with: gone on both sides, or gone on one and to be kept on the other.
    """

    to_wordpress: Fields = field(default_factory=dict)
    to_erpnext: Fields = field(default_factory=dict)
    agreed: Base = field(default_factory=dict)
    conflicts: tuple[Clash, ...] = ()
    retire: SideName | None = None
    restore: SideName | None = None
    tombstone: bool = False

    def to(self, side: SideName) -> Fields:
        """Return the fields to write to a side."""
        return self.to_wordpress if side is SideName.WORDPRESS else self.to_erpnext


@dataclass(frozen=True)
class _Decision:
    """What becomes of one field: the value each side is told (if any), agreement, or a clash."""

    tell: Mapping[SideName, Value] = field(default_factory=dict)
    agreed: bool = False
    clash: bool = False


_NOTHING = _Decision()


def merge(
    entity: Entity,
    base: Base,
    wordpress: Observed,
    erpnext: Observed,
    decided: Mapping[str, Value] | None = None,
    contested: Contested | None = None,
) -> Merge:
    """Return what is to be done about one linked pair.

    Args:
        entity: the rules that hold (:func:`agencystack.bridge.rules.effective`).
        base: what both sides last agreed on, by field.
        wordpress: what WordPress holds; references are links.
        erpnext: what ERPNext holds; references are links.
        decided: what a person decided: the value of a field; for :data:`RECORD` the name of the side that is right.
        contested: by field, the sides whose edit no policy may overwrite.
    """
    decided, contested = decided or {}, contested or {}
    if Presence.GONE in (wordpress.presence, erpnext.presence):
        return _of_presence(entity, base, {SideName.WORDPRESS: wordpress, SideName.ERPNEXT: erpnext}, decided)
    tell: dict[SideName, dict[str, Value]] = {side: {} for side in SideName}
    agreed: dict[str, Agreed] = {}
    conflicts: list[Clash] = []
    for rule in entity.fields:
        name = rule.name
        if name not in wordpress.fields or name not in erpnext.fields:
            continue  # one side does not tell it: nothing is known, nothing is written
        now, before = Agreed(wordpress.fields[name], erpnext.fields[name]), base.get(name)
        if name in decided:
            decision = _as_said(rule, now, decided[name])
        else:
            decision = _of_field(rule, before, now, wordpress, erpnext)
            if any(side in decision.tell for side in contested.get(name, ())) and _collide(rule, before, now):
                decision = _Decision(clash=True)
        for side, value in decision.tell.items():
            tell[side][name] = value
        if decision.agreed and before != now:
            agreed[name] = now
        if decision.clash:
            conflicts.append(Clash(name, now.wordpress, now.erpnext, before))
    return Merge(tell[SideName.WORDPRESS], tell[SideName.ERPNEXT], agreed, tuple(conflicts))


def initial(entity: Entity, source: Observed, target: SideName) -> Fields:
    """Return the fields a new record of a side is made with: those that may go there and are not empty."""
    return {
        rule.name: source.fields[rule.name]
        for rule in entity.fields
        if rule.direction.reaches(target) and source.fields.get(rule.name) is not None
    }


def _of_field(rule: Field, before: Agreed | None, now: Agreed, wordpress: Observed, erpnext: Observed) -> _Decision:
    if same(now.wordpress, now.erpnext):
        return _Decision(agreed=True)
    changed = _changed(before, now)
    if not changed:
        return _NOTHING
    if rule.join is not None:
        return _put(rule, now, _joined(rule.join, before, now, rule.owner))
    if len(changed) == 1:
        return _one_changed(rule, before, now, changed[0])
    return _both_changed(rule, now, {SideName.WORDPRESS: wordpress, SideName.ERPNEXT: erpnext})


def _collide(rule: Field, before: Agreed | None, now: Agreed) -> bool:
    """Tell whether both sides changed a field that either may tell the other, and a policy is all that decides."""
    both_ways = all(rule.direction.reaches(side) for side in SideName)
    return both_ways and rule.join is None and len(_changed(before, now)) == len(SideName)


def _joined(join: Join, before: Agreed | None, now: Agreed, owner: SideName) -> Value:
    """Return what a field's own algebra makes of both values.

    A side that changed nothing says what was agreed on, however it writes that: a Sales Order that is completed stays
    so when the shop's order is moved back on purpose, and is no news at the shop's next change.
    """
    if before is None:
        return join(None, now.wordpress, now.erpnext)
    known = before.on(owner)
    wordpress, erpnext = (known if same(now.on(side), before.on(side)) else now.on(side) for side in SideName)
    return join(known, wordpress, erpnext)


def _changed(before: Agreed | None, now: Agreed) -> list[SideName]:
    """Return the sides whose value is another one than was agreed; without agreement those that have a value."""
    if before is None:
        return [side for side in SideName if now.on(side) is not None]
    return [side for side in SideName if not same(now.on(side), before.on(side))]


def _one_changed(rule: Field, before: Agreed | None, now: Agreed, side: SideName) -> _Decision:
    if rule.direction.reaches(side.other):
        return _Decision(tell={side.other: now.on(side)})
    # It may not go across. The owner's value is put back; but nothing is not put over something that never was agreed.
    if before is not None and rule.owner is not side and rule.direction.reaches(side):
        return _Decision(tell={side: now.on(side.other)})
    return _NOTHING


def _both_changed(rule: Field, now: Agreed, seen: Mapping[SideName, Observed]) -> _Decision:
    match rule.policy:
        case Policy.OWNER:
            winner: SideName | None = rule.owner
        case Policy.NEWER:
            winner = _newer(seen)
        case Policy.ASK:
            winner = None
    if winner is None:
        return _Decision(clash=any(rule.direction.reaches(side) for side in SideName))
    return _put(rule, now, now.on(winner))


def _newer(seen: Mapping[SideName, Observed]) -> SideName | None:
    """Return the side that was changed later, where both tell when."""
    wordpress, erpnext = seen[SideName.WORDPRESS].modified, seen[SideName.ERPNEXT].modified
    if wordpress is None or erpnext is None or wordpress == erpnext:
        return None
    return SideName.WORDPRESS if wordpress > erpnext else SideName.ERPNEXT


def _put(rule: Field, now: Agreed, value: Value) -> _Decision:
    """Return a decision for one value: whoever holds another one is told, where that may be."""
    tell = {side: value for side in SideName if rule.direction.reaches(side) and not same(now.on(side), value)}
    return _Decision(tell=tell, agreed=not tell and same(now.wordpress, now.erpnext))


def _as_said(rule: Field, now: Agreed, value: Value) -> _Decision:
    """Return a decision for what a person chose; what may not be written for it now is not agreed on, either."""
    return _put(rule, now, value)


def _of_presence(entity: Entity, base: Base, seen: Mapping[SideName, Observed], decided: Mapping[str, Value]) -> Merge:
    there = [side for side in SideName if seen[side].presence is not Presence.GONE]
    if not there:
        return Merge(tombstone=True)
    left = there[0]
    if RECORD in decided:
        return _as_decided(left, str(decided[RECORD]))
    if entity.deletion is Deletion.KEEP:
        return Merge(tombstone=True)
    may = entity.direction.reaches(left) and entity.deletion is not Deletion.ASK
    if may and base and not _edited(entity, base, seen[left], left):
        return Merge(retire=left)
    presence = {side: str(seen[side].presence) for side in SideName}
    return Merge(conflicts=(Clash(RECORD, presence[SideName.WORDPRESS], presence[SideName.ERPNEXT]),))


def _as_decided(left: SideName, choice: str) -> Merge:
    """Return what a person's choice means: the side that is right still has the record, or no longer has it."""
    return Merge(restore=left.other) if choice == str(left) else Merge(retire=left)


def _edited(entity: Entity, base: Base, seen: Observed, side: SideName) -> bool:
    """Tell whether what would go with a retired record is more than both sides ever agreed on."""
    for rule in entity.fields:
        if rule.name not in seen.fields or not rule.direction.reaches(side.other):
            continue
        before, now = base.get(rule.name), seen.fields[rule.name]
        if before is None and now is not None:
            return True
        if before is not None and not same(now, before.on(side)):
            return True
    return False
