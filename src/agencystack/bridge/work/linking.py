"""Records without a link: matched with one of the other side, given one of their own, or shown to a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agencystack.bridge.record import Fields, Presence, Ref, SideName, Value
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.matching import NEW, FindsMany, Match, MatchKind, candidates, decide
from agencystack.bridge.work.planning import UNSOLVED, about, patience
from agencystack.bridge.work.references import Known, across, named
from agencystack.bridge.work.trouble import NOT_WELL, letter, stumble, well


@dataclass
class Found:
    """What becomes of the records without a link.

    Args:
        links: new links, with the key each is of.
        matched: links whose second record was to be made, and that has appeared by itself.
        created: records that a creation of ours made; their link's own key settles it, since it knows what was sent.
        awaited: records of the other side whose own creation is waited for.
        conflicts: records with several candidates.
        named: records that others are matched by, and that have no link yet.
        letters: records that wait for what does not come.
    """

    links: list[tuple[Key, Link]] = field(default_factory=list)
    matched: list[Link] = field(default_factory=list)
    created: list[tuple[Key, Link]] = field(default_factory=list)
    awaited: set[tuple[SideName, str, str]] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    named: set[tuple[SideName, str, str]] = field(default_factory=set)
    letters: list[DeadLetter] = field(default_factory=list)


def link_all(context: Context, batch: Batch) -> None:
    """Find what belongs to the records without a link, and store it."""
    found = Found()
    alone = [key for key in batch.working() if key.link is None]
    for key in alone:
        if key.hints[0].side not in key.seen:
            key.end(Again("it was not seen"))
        elif key.seen[key.hints[0].side].presence is Presence.GONE:
            key.end()  # it was never linked, so nothing else has to go
    _by_token(context, [key for key in alone if not key.settled], found)
    unmade = [key for key in batch.working() if _unmade(key)]
    for side in SideName:
        of_side = [key for key in (*alone, *unmade) if not key.settled and side in key.ids()]
        for entity, keys in batch.by_entity(of_side).items():
            _match(context, batch, side, entity, keys, found)
    _store(context, batch, alone, found)


def _unmade(key: Key) -> bool:
    """Tell whether a pair's second record was not made: refused, or waiting. People may have made it meanwhile."""
    link = key.link
    if link is None or not link.lacks_one or key.operations:
        return False
    return all(key.seen[side].presence is Presence.PRESENT for side in key.ids() if side in key.seen)


def _by_token(context: Context, keys: list[Key], found: Found) -> None:
    """Recognise what a creation of ours made, though its answer never came."""
    tokens = [(key, key.hints[0].side, key.seen[key.hints[0].side].token) for key in keys]
    if not any(token for _, _, token in tokens):
        return
    with context.store.reading(context.pairing) as transaction:
        links = transaction.links.of_tokens(token for _, _, token in tokens if token)
    for key, side, token in tokens:
        link, decision = links.get(token), _decision(key)
        if link is None or link.entity != key.entity.name or decision == NEW:
            continue
        key.end()
        if not link.on(side):
            found.created.append((key, link))
        elif decision is None:
            # The same creation made two records. A person tells them apart, or deletes one.
            found.conflicts.append(_ambiguous(key, side, (link.on(side),)))


def _decision(key: Key) -> Value:
    return next((one.decision for one in key.conflicts if one.state == "decided"), None)


def _match(context: Context, batch: Batch, side: SideName, entity: str, keys: list[Key], found: Found) -> None:
    rules, other = keys[0].entity, side.other
    keys, asked = _asked(context, side, keys, found)
    try:
        answers = candidates(context.form(other, entity), rules, asked)
    except NOT_WELL as error:
        stumble(context, batch, other, keys, error)
        return
    well(context, other)
    with context.store.reading(context.pairing) as transaction:
        links = transaction.links.of_records(other, entity, [id_ for ids in answers for id_ in ids])
    matches = [decide(rules, side, ids, links, _decision(key)) for key, ids in zip(keys, answers, strict=True)]
    twins = _twins(context, side, keys, matches)
    for key, ids, match in zip(keys, answers, matches, strict=True):
        if key.name in twins:
            match = replace(match, kind=MatchKind.AMBIGUOUS)
        if match.kind is MatchKind.LINK and key.link is not None:
            key.end(Again("linked", counts=False))
            found.matched.append(key.link.completed(other, match.candidates[0]))
        elif match.kind is MatchKind.CREATE and key.link is None and not rules.makes(key.seen[side].fields):
            key.end()
        elif match.kind in (MatchKind.LINK, MatchKind.CREATE):
            if key.link is None:
                found.links.append((key, _link(context, key, side, match.candidates)))
        elif match.kind is MatchKind.AMBIGUOUS:
            key.end()
            found.conflicts.append(_ambiguous(key, side, match.candidates))
        elif match.kind is MatchKind.WAIT:
            key.end(Again("the other side's record is being made", context.pause(key.attempts)))
            found.awaited |= {(other, entity, id_) for id_ in ids}
        else:
            key.end()


def _twins(context: Context, side: SideName, keys: list[Key], matches: list[Match]) -> set[str]:
    """Return the keys that are not the only ones to claim their match: two Customers with the e-mail of one user."""
    form = context.form(side, keys[0].entity.name) if keys else None
    claiming = [
        key
        for key, match in zip(keys, matches, strict=True)
        if match.kind is MatchKind.LINK and key.link is None and _decision(key) is None
    ]
    if not claiming or not isinstance(form, FindsMany):
        return set()
    alike = form.candidates_of([key.seen[side].fields for key in claiming])
    with context.store.reading(context.pairing) as transaction:
        links = transaction.links.of_records(side, keys[0].entity.name, [id_ for ids in alike for id_ in ids])
    return {key.name for key, ids in zip(claiming, alike, strict=True) if {*ids} - {*links} - {key.seen[side].id}}


def _asked(context: Context, side: SideName, keys: list[Key], found: Found) -> tuple[list[Key], list[Fields]]:
    """Return the keys that can be matched now, and what the other side is asked; the others wait for whom they name."""
    known = Known()
    with context.store.reading(context.pairing) as transaction:
        known.load(transaction, [(side, ref) for key in keys for ref in named(key.entity, key.seen[side])], ())
    ready: list[Key] = []
    asked: list[Fields] = []
    for key in keys:
        fields = across(key.entity, key.seen[side], side, known)
        if isinstance(fields, Ref):
            _wait(key, side, fields, found)
        else:
            ready.append(key)
            asked.append(fields)
    return ready, asked


def _wait(key: Key, side: SideName, ref: Ref, found: Found) -> None:
    """Let a key wait for the record by which it is matched; say so where that does not come."""
    if key.attempts >= UNSOLVED:
        why = f"it waits for {ref.entity} {ref.id}, which does not come across"
        found.letters.append(letter(key, side, why, about(key, ref)))
    found.named.add((side, ref.entity, ref.id))
    waits = record_key(side, ref.entity, ref.id)
    key.end(Again(f"waits for {ref.entity} {ref.id}", patience(key), waits_for=waits))


def _link(context: Context, key: Key, side: SideName, matched: tuple[str, ...]) -> Link:
    ids = {side: key.seen[side].id, side.other: matched[0] if len(matched) == 1 else ""}
    created = {side: key.seen[side].created, side.other: ""}
    complete = bool(ids[side.other])
    return Link(
        id=context.randomness(16),
        entity=key.entity.name,
        wordpress=ids[SideName.WORDPRESS],
        erpnext=ids[SideName.ERPNEXT],
        state=LinkState.LINKED if complete else LinkState.PROVISIONAL,
        token="" if complete else context.token(),
        wordpress_created=created[SideName.WORDPRESS],
        erpnext_created=created[SideName.ERPNEXT],
    )


def _ambiguous(key: Key, side: SideName, ids: tuple[str, ...]) -> Conflict:
    record = key.seen[side].id
    return Conflict(
        entity=key.entity.name,
        subject=key.name,
        field="",
        kind=ConflictKind.AMBIGUOUS,
        wordpress_id=record if side is SideName.WORDPRESS else "",
        erpnext_id=record if side is SideName.ERPNEXT else "",
        candidates=ids,
    )


def _store(context: Context, batch: Batch, alone: list[Key], found: Found) -> None:
    """Store links; a matched pair is looked at again, in order: WordPress before ERPNext."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence)
        for side in SideName:
            for entity, keys in batch.by_entity([key for key in alone if side in key.seen]).items():
                transaction.observations.save(side, entity, [key.seen[side] for key in keys], now)
        added = transaction.links.add([link for _, link in found.links], now)
        made = [(key, link) for key, link in found.links if link.id in added]
        transaction.leases.take([link.id for _, link in made], context.worker, batch.fence, now, batch.until)
        batch.extra |= {link.id for _, link in made}
        for key, link in found.links:
            if link.id not in added:
                key.end(Again("its match was linked meanwhile", context.pause(key.attempts)))
            elif link.state is LinkState.LINKED:
                key.end(Again("linked", counts=False))
                transaction.inbox.wake([record_key(side, link.entity, link.on(side)) for side in SideName], now)
        for key, link in found.created:
            found.awaited.add((link_side(link), link.entity, link.on(link_side(link))))
            key.end(Again("a creation of ours", context.pause(key.attempts)))
        for side, entity, id_ in sorted(found.awaited):
            transaction.inbox.add(side, [(entity, id_)], "its match appeared", now)
        for side, entity, id_ in sorted(found.named):
            transaction.inbox.add(side, [(entity, id_)], "referenced", now, eager=False)
        transaction.links.save(found.matched, now)
        # What was to be made is there by itself: nothing of it is what a creation of ours was sent with.
        transaction.operations.forget([one.id for one in found.matched])
        transaction.inbox.wake(
            [record_key(side, one.entity, one.on(side)) for one in found.matched for side in SideName], now
        )
        vanished = [key.name for key in alone if any(one.presence is Presence.GONE for one in key.seen.values())]
        subjects = [*(key.name for key, _ in made), *(one.id for one in found.matched), *vanished]
        transaction.inbox.wake(vanished, now)  # what waits for them must hear that they will not come
        # Whichever side's record was asked about: it has its match now.
        subjects += [
            record_key(side, one.entity, one.on(side))
            for one in [*(link for _, link in made), *found.matched]
            if one.state is LinkState.LINKED
            for side in SideName
        ]
        transaction.conflicts.forget(subjects)
        transaction.dead.forget(subjects)
        transaction.conflicts.record([one for one in found.conflicts if one.subject not in subjects], now)
        transaction.dead.record(found.letters, now)
        transaction.audits.add(_events([*(link for _, link in made), *found.matched]), now)
    for key, link in made:
        if link.state is LinkState.PROVISIONAL:
            key.link, key.name, key.conflicts = replace(link), link.id, []


def link_side(link: Link) -> SideName:
    """Return a side on which a link has a record."""
    return SideName.WORDPRESS if link.wordpress else SideName.ERPNEXT


def _events(links: list[Link]) -> list[Event]:
    return [
        Event(link.entity, side, link.on(side), "linked", link.id)
        for link in links
        if link.state is LinkState.LINKED
        for side in SideName
    ]
