"""From what was seen to what is to be done: references resolved, each key planned, the brake asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from agencystack.bridge.merge import RECORD
from agencystack.bridge.plan import Intent, Situation, plan
from agencystack.bridge.record import LinkRef, Presence, Ref, SideName, Value, same
from agencystack.bridge.side import Action
from agencystack.bridge.store.brakes import Brake
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.links import LinkState
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.brake import FEW, FEW_SOLD_OUT, braked, sold_out, waits_for
from agencystack.bridge.work.context import LONGEST_PAUSE, SECOND, Context
from agencystack.bridge.work.references import Known, addressed, linked, links_in, named
from agencystack.bridge.work.settling import contested, settle_requests, settle_updates
from agencystack.bridge.work.trouble import letter

UNSOLVED = 12
"""After so many looks a record whose references lead nowhere is shown to a person."""


@dataclass
class Planned:
    """What planning found beside the keys' own plans.

    Args:
        known: links that the batch's records name.
        wanted: records without a link that others wait for.
        letters: records that wait for what will never come.
        brakes: brakes that changed.
    """

    known: Known = field(default_factory=Known)
    wanted: set[tuple[SideName, Ref]] = field(default_factory=set)
    letters: list[DeadLetter] = field(default_factory=list)
    brakes: list[Brake] = field(default_factory=list)


def plan_all(context: Context, batch: Batch) -> Planned:
    """Plan every key that has a link; nothing is written."""
    keys = [key for key in batch.working() if key.link is not None]
    planned = Planned()
    with context.store.reading(context.pairing) as transaction:
        _load_references(transaction, keys, planned.known)
        for key in keys:
            _resolve(context, transaction, key, planned)
        for key in keys:
            if not key.settled:
                _plan(key)
        planned.known.load(transaction, (), _named_links(keys))
        for key in keys:
            if not key.settled:
                _check_reach(key, planned)
        _brake(context, transaction, keys, planned)
    return planned


def decisions(key: Key) -> dict[str, Value]:
    """Return what a person decided about a key, where both sides still hold what they decided upon.

    A side that already holds the decision itself is no other situation: the rest of it is still to be carried out.
    """
    decided: dict[str, Value] = {}
    for one in key.conflicts:
        if one.state != "decided" or one.kind is ConflictKind.AMBIGUOUS:
            continue
        now = {side: _shown(key, side, one.field) for side in SideName}
        held = {SideName.WORDPRESS: one.wordpress, SideName.ERPNEXT: one.erpnext}
        if all(same(now[side], held[side]) or same(now[side], one.decision) for side in SideName):
            decided[one.field] = one.decision
    return decided


def _shown(key: Key, side: SideName, name: str) -> Value:
    if side not in key.merged:
        return None
    return str(key.merged[side].presence) if name == RECORD else key.merged[side].fields.get(name)


def _load_references(transaction: Transaction, keys: Iterable[Key], known: Known) -> None:
    for key in keys:
        if key.link is not None:
            known.learn(key.link)
    known.load(
        transaction,
        [(side, ref) for key in keys for side, seen in key.seen.items() for ref in named(key.entity, seen)],
        (),
    )


def _resolve(context: Context, transaction: Transaction, key: Key, planned: Planned) -> None:
    for side, seen in key.seen.items():
        resolved = linked(key.entity, seen, side, planned.known)
        if isinstance(resolved, Ref):
            _park(context, transaction, key, side, resolved, planned)
            return
        key.merged[side] = resolved
    settle_requests(key)
    settle_updates(key)
    key.contested = contested(key)


def _park(context: Context, transaction: Transaction, key: Key, side: SideName, ref: Ref, planned: Planned) -> None:
    """Let a key wait until the record it names is linked; say so where that will never be."""
    seen = transaction.observations.get(side, ref.entity, [ref.id]).get(ref.id)
    gone = seen is not None and seen.presence is Presence.GONE
    if ref.entity not in context.entities:
        why = f"it names {ref.entity} {ref.id}, and {ref.entity} is not shared"
        planned.letters.append(letter(key, side, why, f"share {ref.entity}, or take it out of the record"))
    elif gone:
        why = f"it names {ref.entity} {ref.id}, which is not there (any more)"
        planned.letters.append(letter(key, side, why, "restore that record, or take it out of this one"))
    else:
        if key.attempts >= UNSOLVED:
            why = f"it waits for {ref.entity} {ref.id}, which does not come across"
            planned.letters.append(letter(key, side, why, about(key, ref)))
        planned.wanted.add((side, ref))
        waits = record_key(side, ref.entity, ref.id)
        key.end(Again(f"waits for {ref.entity} {ref.id}", patience(key), waits_for=waits))
        return
    key.end()


def about(key: Key, ref: Ref) -> str:
    """Return what a person does about a record that waits for another one."""
    remedy = f"look at what is said about {ref.entity} {ref.id}"
    if ref.entity != key.entity.name:
        return remedy
    return f"{remedy}; if it names this one in its turn (a circle), take one of the two out of the other"


def patience(key: Key) -> int:
    """Return how long to wait for another record, which wakes what waits for it: this is for when that goes wrong."""
    return min(LONGEST_PAUSE, 15 * SECOND << min(key.attempts, 10))


def _plan(key: Key) -> None:
    if not _alive(key):
        key.end()
        return
    if not key.ids().keys() <= key.merged.keys():
        key.end(Again("not all of it was seen"))
        return
    key.decided = decisions(key)
    retired = key.pair.state is LinkState.RETIRED
    key.plan = plan(Situation(key.entity, key.base, key.merged, key.decided, retired, key.contested))
    if retired and not key.plan.intents and Presence.GONE in (seen.presence for seen in key.merged.values()):
        key.end()  # it is back where it is, and may not go across


def _alive(key: Key) -> bool:
    """Tell whether anything may be done about a pair: one that is gone for good is left alone until it returns."""
    match key.pair.state:
        case LinkState.RETIRED:
            return any(seen.presence is Presence.PRESENT for seen in key.seen.values())
        case LinkState.TOMBSTONED:
            return returned(key)
    return True


def returned(key: Key) -> bool:
    """Tell whether a record of a pair that was done with is there again (taken out of the bin)."""
    if key.link is None or key.link.state is not LinkState.TOMBSTONED:
        return False
    return any(
        seen.presence is Presence.PRESENT and side in key.before and key.before[side].presence is Presence.GONE
        for side, seen in key.seen.items()
    )


def _named_links(keys: Iterable[Key]) -> set[str]:
    plans = [key.plan for key in keys if key.plan is not None and not key.settled]
    return {link for one in plans for intent in one.intents for link in links_in(intent.fields)}


def _check_reach(key: Key, planned: Planned) -> None:
    """Let a key wait whose values name records that the other side does not have yet."""
    for intent in key.planned.intents:
        missing = addressed(intent.fields, intent.side, planned.known)
        if not isinstance(missing, LinkRef):
            continue
        link = planned.known.by_link.get(missing.link)
        here = link.on(intent.side.other) if link else ""
        if key.attempts >= UNSOLVED or not here:
            why = f"it names {missing.entity} {here or missing.link}, which {intent.side} does not have"
            planned.letters.append(letter(key, intent.side, why, f"look at what is said about that {missing.entity}"))
        if not here:
            key.end()
            return
        planned.wanted.add((intent.side.other, Ref(missing.entity, here)))
        waits = record_key(intent.side.other, missing.entity, here)
        key.end(Again(f"waits for {missing.entity} {here}", patience(key), waits_for=waits))
        return


def _brake(context: Context, transaction: Transaction, keys: Iterable[Key], planned: Planned) -> None:
    """Hold back what would remove too many records, or empty too many shelves, until a person confirms it."""
    removing: dict[tuple[str, str, int], list[Key]] = {}
    for key in keys:
        if not key.settled and key.plan is not None and (brake := _brake_of(key)) is not None:
            removing.setdefault(brake, []).append(key)
    known = transaction.brakes.all() if removing else {}
    for (entity, name, few), some in removing.items():
        before, links = known.get(name, Brake(name)), transaction.links.count(entity)
        after = braked(before, len(some), links, context.sharing, context.now(), few)
        if after != before:
            planned.brakes.append(after)
        if after.state == "held":
            for key in some:
                why = "a person must confirm that so many are removed"
                key.end(Again(why, LONGEST_PAUSE, waits_for(name), counts=False))


def _brake_of(key: Key) -> tuple[str, str, int] | None:
    """Return the brake that a key's plan asks: its entity, the brake's name, and how many are never too many."""
    entity = key.entity.name
    if any(intent.action is Action.RETIRE for intent in key.planned.intents):
        return entity, entity, FEW
    if any(intent.action is Action.UPDATE and _sells_out(key, intent) for intent in key.planned.intents):
        return entity, sold_out(entity), FEW_SOLD_OUT
    return None


def _sells_out(key: Key, intent: Intent) -> bool:
    """Tell whether an update takes the last piece off a shelf; one that was empty stays as empty as it was."""
    left, before = intent.fields.get("stock"), key.merged[intent.side].fields.get("stock")
    return _empty(left) and not _empty(before)


def _empty(stock: Value) -> bool:
    return isinstance(stock, str) and Decimal(stock) <= 0


def conflict_of(key: Key, name: str) -> Conflict:
    """Return the conflict of one field (or of the record itself) as it is stored."""
    clash = next(one for one in key.planned.conflicts if one.field == name)
    return Conflict(
        entity=key.entity.name,
        subject=key.name,
        field=name,
        kind=ConflictKind.RECORD if name == RECORD else ConflictKind.FIELD,
        link=key.pair.id,
        wordpress_id=key.pair.wordpress,
        erpnext_id=key.pair.erpnext,
        wordpress=clash.wordpress,
        erpnext=clash.erpnext,
    )
