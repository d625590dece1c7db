"""Preview: what a first run would do, counted, with samples; nothing is written, on no side and not in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agencystack.bridge.entity import Entity
from agencystack.bridge.merge import Base
from agencystack.bridge.plan import Plan, Situation, plan
from agencystack.bridge.record import Fields, Observed, Presence, Ref, SideName, references
from agencystack.bridge.side import Action
from agencystack.bridge.store.aliases import is_alias
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.mailing import loud, mails
from agencystack.bridge.work.matching import MatchKind, candidates, decide
from agencystack.bridge.work.reconciling import pages
from agencystack.bridge.work.references import Known, across, linked, links_in, named, readable
from agencystack.bridge.work.trouble import each

SAMPLES = 20


@dataclass(frozen=True)
class Sample:
    """One record a run would write, or ask about.

    Args:
        what: ``create``, ``update``, ``retire``, ``conflict``, ``ambiguous``.
        side: where it would happen.
        wordpress_id: the record in WordPress; empty where there is none.
        erpnext_id: the record in ERPNext.
        fields: what would be written, or collides; references as people read them.
        candidates: of an ambiguous one.
    """

    what: str
    side: SideName
    wordpress_id: str
    erpnext_id: str
    fields: Fields
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What a run over an entity would do.

    Args:
        entity: which.
        records: how many records each side has.
        created: how many would be made, by side.
        updated: how many would be changed, by side.
        retired: how many would be archived or deleted, by side.
        matched: how many exist on both sides and would be linked.
        conflicts: how many fields a person would be asked about.
        ambiguous: how many records have several candidates.
        unreadable: how many cannot be understood.
        mails: how many of these writes mail people, by side: it is wanted, or nothing there keeps the mails in.
        samples: some of them.
    """

    entity: str
    records: Mapping[SideName, int]
    created: Mapping[SideName, int]
    updated: Mapping[SideName, int]
    retired: Mapping[SideName, int]
    matched: int
    conflicts: int
    ambiguous: int
    unreadable: int
    mails: Mapping[SideName, int]
    samples: tuple[Sample, ...]


@dataclass
class _Counts:
    entity: str
    loud: frozenset[SideName]
    records: Counter[SideName] = field(default_factory=Counter)
    done: Counter[tuple[Action, SideName]] = field(default_factory=Counter)
    matched: set[str] = field(default_factory=set)
    links: int = 0
    conflicts: int = 0
    ambiguous: int = 0
    unreadable: int = 0
    mails: Counter[SideName] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)

    def of(self, action: Action) -> dict[SideName, int]:
        return {side: self.done[action, side] for side in SideName}

    def sample(self, one: Sample) -> None:
        if sum(other.what == one.what for other in self.samples) < SAMPLES:
            self.samples.append(one)


def preview(context: Context, entity: str) -> Preview:
    """Count what a run over an entity would do.

    Raises:
        Unavailable: a side is not well.
    """
    counts = _Counts(entity, loud(context, entity))
    for side in SideName:
        for ids in pages(context.form(side, entity)):
            _page(context, side, entity, ids, counts)
    return Preview(
        entity=entity,
        records={side: counts.records[side] for side in SideName},
        created=counts.of(Action.CREATE),
        updated=counts.of(Action.UPDATE),
        retired=counts.of(Action.RETIRE),
        matched=counts.links,
        conflicts=counts.conflicts,
        ambiguous=counts.ambiguous,
        unreadable=counts.unreadable,
        mails={side: counts.mails[side] for side in SideName},
        samples=tuple(counts.samples),
    )


def _page(context: Context, side: SideName, entity: str, ids: Sequence[str], counts: _Counts) -> None:
    seen, errors = each(context.form(side, entity).read, ids)
    counts.records[side] += len(ids)
    counts.unreadable += len(errors)
    with context.store.reading(context.pairing) as transaction:
        links = transaction.links.of_records(side, entity, ids)
        bases = transaction.bases.get(link.id for link in links.values())
    whole = [one for one in seen.values() if one.presence is Presence.PRESENT]
    pairs: list[tuple[Link, Base, Observed]] = []
    for one in whole:
        link = links.get(one.id)
        if link is not None and side is SideName.WORDPRESS and link.state is LinkState.LINKED:
            pairs.append((link, bases.get(link.id, {}), one))
    alone = [one for one in whole if one.id not in links and one.id not in counts.matched]
    pairs += _alone(context, side, entity, alone, counts)
    _pairs(context, side, entity, pairs, counts)


def _alone(
    context: Context, side: SideName, entity: str, alone: Sequence[Observed], counts: _Counts
) -> list[tuple[Link, Base, Observed]]:
    """Count the records without a link, and return those that would be matched."""
    rules, other = context.entities[entity], side.other
    known = Known()
    with context.store.reading(context.pairing) as transaction:
        known.load(transaction, [(side, ref) for one in alone for ref in named(rules, one)], ())
    asked = [across(rules, one, side, known) for one in alone]
    # What names a record without a link comes after it: nobody can say yet whether the other side has the same.
    found = candidates(context.form(other, entity), rules, [{} if isinstance(one, Ref) else one for one in asked])
    with context.store.reading(context.pairing) as transaction:
        links = transaction.links.of_records(other, entity, [id_ for ids in found for id_ in ids])
    matched: list[tuple[Link, Base, Observed]] = []
    for one, ids in zip(alone, found, strict=True):
        match = decide(rules, side, ids, links)
        wordpress, erpnext = (one.id, "") if side is SideName.WORDPRESS else ("", one.id)
        if match.kind is MatchKind.LINK:
            pair = Link("", entity, wordpress, erpnext).completed(other, match.candidates[0])
            matched.append((pair, {}, one))
            counts.links += 1
            if side is SideName.WORDPRESS:
                counts.matched.add(match.candidates[0])
        elif match.kind is MatchKind.AMBIGUOUS:
            counts.ambiguous += 1
            counts.sample(Sample("ambiguous", other, wordpress, erpnext, {}, match.candidates))
        elif match.kind is MatchKind.CREATE:
            _count(plan(Situation(rules, {}, {side: one})), (wordpress, erpnext), known, counts)
    return matched


def _pairs(
    context: Context, side: SideName, entity: str, pairs: Sequence[tuple[Link, Base, Observed]], counts: _Counts
) -> None:
    rules, other = context.entities[entity], side.other
    pairs = [one for one in pairs if not is_alias(one[0].on(other))]
    if not pairs:
        return
    across, errors = each(context.form(other, entity).read, [link.on(other) for link, _, _ in pairs])
    counts.unreadable += len(errors)
    known = Known()
    with context.store.reading(context.pairing) as transaction:
        here = [(side, ref) for _, _, one in pairs for ref in named(rules, one)]
        there_ = [(other, ref) for one in across.values() for ref in named(rules, one)]
        known.load(transaction, [*here, *there_], ())
    planned: list[tuple[Link, Plan]] = []
    for link, base, one in pairs:
        if link.on(other) not in across:
            continue
        there = {side: one, other: across[link.on(other)]}
        if Presence.HALF in (each_.presence for each_ in there.values()):
            continue
        seen = {at: _resolved(rules, held, at, known) for at, held in there.items()}
        planned.append((link, plan(Situation(rules, base, seen))))
    with context.store.reading(context.pairing) as transaction:
        known.load(transaction, (), _named_links(would for _, would in planned))
    for link, would in planned:
        _count(would, (link.wordpress, link.erpnext), known, counts)


def _named_links(plans: Iterable[Plan]) -> set[str]:
    found: set[str] = set()
    for would in plans:
        for intent in would.intents:
            found |= links_in(intent.fields)
        for clash in would.conflicts:
            found |= links_in({"wordpress": clash.wordpress, "erpnext": clash.erpnext})
    return found


def _resolved(rules: Entity, seen: Observed, side: SideName, known: Known) -> Observed:
    """Return a record without the fields that name records which have no link yet: a run would link those first."""

    def unknown(ref: object) -> bool:
        return isinstance(ref, Ref) and (side, ref.entity, ref.id) not in known.by_record

    kept = {name: value for name, value in seen.fields.items() if not any(map(unknown, references(value)))}
    resolved = linked(rules, replace(seen, fields=kept), side, known)
    return seen if isinstance(resolved, Ref) else resolved


def _count(would: Plan, ids: tuple[str, str], known: Known, counts: _Counts) -> None:
    for intent in would.intents:
        counts.done[intent.action, intent.side] += 1
        if intent.side in counts.loud and mails(counts.entity, intent.side, intent.action, intent.fields):
            counts.mails[intent.side] += 1
        fields = {name: readable(value, intent.side, known) for name, value in intent.fields.items()}
        counts.sample(Sample(str(intent.action), intent.side, *ids, fields))
    counts.conflicts += len(would.conflicts)
    for clash in would.conflicts:
        both = {
            "wordpress": readable(clash.wordpress, SideName.WORDPRESS, known),
            "erpnext": readable(clash.erpnext, SideName.ERPNEXT, known),
        }
        counts.sample(Sample("conflict", SideName.WORDPRESS, *ids, {clash.field: both}))
