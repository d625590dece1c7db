"""What the bridge tells about itself: how it is, and the history of one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import alias
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.brakes import Brake, Breaker
from agencystack.bridge.store.conflicts import Conflict
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import Hint, record_key
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.store.operations import Intended
from agencystack.bridge.store.pairings import Pairing
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.narrowing import Narrowings, narrowings
from agencystack.bridge.work.pacing import WRITES
from agencystack.bridge.work.references import Known, links_in, readable

HOUR = 3_600_000


@dataclass(frozen=True)
class Status:
    """How a pairing is.

    Args:
        pairing: whether the bridge works on it, and why not.
        due: records to look at now.
        waiting: records to look at later.
        lag: seconds since the oldest record that is due was first hinted at; 0 when none is.
        unknown: operations whose end is not known.
        conflicts: open conflicts, by entity.
        dead: dead letters.
        links: pairs, by entity and state.
        written: records written within the last hour.
        breakers: sides that are not well.
        brakes: entities whose removals wait for a person.
        narrowed: what each product's own people allow less of than is shared.
    """

    pairing: Pairing
    due: int
    waiting: int
    lag: float
    unknown: int
    conflicts: Mapping[str, int]
    dead: int
    links: Mapping[tuple[str, LinkState], int]
    written: int
    breakers: tuple[Breaker, ...]
    brakes: tuple[Brake, ...]
    narrowed: Narrowings


@dataclass(frozen=True)
class Story:
    """All that is known of one record.

    Args:
        links: its links; more than one where records of several entities have this id.
        events: what happened, oldest first.
        conflicts: what waits for a person.
        letters: what did not go through.
        hints: why it is looked at again.
        operations: operations whose end is not known.
    """

    links: tuple[Link, ...]
    events: tuple[Event, ...]
    conflicts: tuple[Conflict, ...]
    letters: tuple[DeadLetter, ...]
    hints: tuple[Hint, ...]
    operations: tuple[Intended, ...]


def status(context: Context) -> Status:
    """Return how a pairing is."""
    now = context.now()
    with context.store.reading(context.pairing) as transaction:
        due, waiting, oldest = transaction.inbox.backlog(now)
        return Status(
            pairing=transaction.pairings.get(),
            due=due,
            waiting=waiting,
            lag=0.0 if oldest is None else (now - oldest) / 1000,
            unknown=transaction.operations.count(),
            conflicts=transaction.conflicts.counts(),
            dead=transaction.dead.count(),
            links=transaction.links.counts(),
            written=transaction.audits.since(now - HOUR, WRITES)[0],
            breakers=tuple(one for one in transaction.breakers.all().values() if one.until > now),
            brakes=tuple(one for one in transaction.brakes.all().values() if one.state == "held"),
            narrowed=narrowings(transaction),
        )


def conflicts(context: Context, after: int, limit: int) -> list[Conflict]:
    """Return what waits for a person, oldest first, as people read it: references by entity and id."""
    with context.store.reading(context.pairing) as transaction:
        return _readable(transaction, transaction.conflicts.list(after=after, limit=limit))


def _readable(transaction: Transaction, found: Sequence[Conflict]) -> list[Conflict]:
    known = Known()
    known.load(transaction, (), {link for one in found for link in links_in({"": one.wordpress, " ": one.erpnext})})
    return [
        replace(
            one,
            wordpress=readable(one.wordpress, SideName.WORDPRESS, known),
            erpnext=readable(one.erpnext, SideName.ERPNEXT, known),
        )
        for one in found
    ]


def history(context: Context, side: SideName, record: str) -> Story:
    """Return all that is known of one record, by its id on one side."""
    with context.store.reading(context.pairing) as transaction:
        found = [transaction.links.of_records(side, entity, [record]) for entity in context.entities]
        links = [link for some in found for link in some.values()]
        subjects = [link.id for link in links] + [record_key(side, entity, record) for entity in context.entities]
        events = {event for link in links for event in transaction.audits.of_link(link.id)}
        events |= set(transaction.audits.of_record(side, record))
        names = [record, alias(context.pairing, side, record)]
        hints = [hint for entity in context.entities for hint in transaction.inbox.of_records(side, entity, names)]
        for link in links:
            if link.on(side.other):
                hints += transaction.inbox.of_records(side.other, link.entity, [link.on(side.other)])
        conflicts = [one for some in transaction.conflicts.of_subjects(subjects).values() for one in some]
        operations = transaction.operations.of_links(link.id for link in links)
        return Story(
            links=tuple(links),
            events=tuple(sorted(events, key=lambda event: event.id)),
            conflicts=tuple(_readable(transaction, conflicts)),
            letters=tuple(transaction.dead.of_subjects(subjects).values()),
            hints=tuple(hints),
            operations=tuple(one for some in operations.values() for one in some),
        )
