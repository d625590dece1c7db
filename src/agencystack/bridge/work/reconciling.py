"""Reconciling: each side against what that same side was last seen to hold, so that a change nobody told is found.

Where a side sums up its rows, the comparison is a tree over its order: one question for all of it, and only what
differs is asked again in smaller parts. Where it cannot, every record is walked and compared by its content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Form, Range, Summary
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.observing import relevant
from agencystack.bridge.work.trouble import each

LEAF = 64
"""Rows of the smallest part that is asked for by its sum; below it the rows themselves are compared."""
FAN = 16
"""Parts a part that differs is split into."""
PAGE = 100


@dataclass(frozen=True)
class Compared:
    """What one side's comparison came to.

    Args:
        known: how many rows were known.
        differing: ids of records that changed, appeared or vanished without a word.
        requests: calls that were made.
    """

    known: int
    differing: tuple[str, ...]
    requests: int


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation came to.

    Args:
        entity: of what.
        sides: what each side's comparison came to.
        hinted: how many records are looked at again because of it.
    """

    entity: str
    sides: Mapping[SideName, Compared]
    hinted: int


@dataclass(frozen=True)
class Part:
    """Rows that follow one another in a side's order.

    Args:
        start: position of the first; empty is the beginning of everything.
        summary: what is known of them.
    """

    start: str
    summary: Summary


@dataclass
class _Comparison:
    known: int = 0
    differing: list[str] = field(default_factory=list)
    requests: int = 0


def reconcile(context: Context, entity: str, *, repair: bool) -> Reconciled:
    """Compare both sides of an entity with what they were last seen to hold.

    Args:
        context: the pairing.
        entity: which.
        repair: look again at everything that differs; else only tell.

    Raises:
        Unavailable: a side is not well.
    """
    sides = {side: _compare(context, side, entity) for side in SideName}
    hinted = 0
    if repair:
        with context.store.writing(context.pairing) as transaction:
            for side, compared in sides.items():
                records = [(entity, id_) for id_ in compared.differing]
                hinted += transaction.inbox.add(side, records, "reconciled", context.now())
    return Reconciled(entity, sides, hinted)


def _compare(context: Context, side: SideName, entity: str) -> Compared:
    form = context.form(side, entity)
    comparison = _Comparison()
    with context.store.reading(context.pairing) as transaction:
        leaves = parts(transaction.observations.in_order(side, entity))
    comparison.known = sum(leaf.summary.count for leaf in leaves)
    if not _by_sums(context, form, side, leaves, comparison):
        _by_walk(context, form, side, comparison)
    return Compared(comparison.known, tuple(comparison.differing), comparison.requests)


def parts(rows: Iterator[tuple[str, str, str]]) -> list[Part]:
    """Sum up rows, in order, in parts of about :data:`LEAF`; rows of one position stay together."""
    found: list[Part] = []
    start, count, total, last = "", 0, 0, ""
    for position, _, row in rows:
        if count >= LEAF and position != last:
            found.append(Part(start, Summary(count, f"{total:016x}")))
            start, count, total = position, 0, 0
        count, total, last = count + 1, total ^ int(row[:16] or "0", 16), position
    return [*found, Part(start, Summary(count, f"{total:016x}"))]


def joined(some: Sequence[Part]) -> Summary:
    """Return what parts hold together."""
    total = 0
    for part in some:
        total ^= int(part.summary.digest, 16)
    return Summary(sum(part.summary.count for part in some), f"{total:016x}")


def _by_sums(context: Context, form: Form, side: SideName, leaves: Sequence[Part], comparison: _Comparison) -> bool:
    """Compare by sums, from the whole to its parts; tells whether the side can do that."""
    asked = [(0, len(leaves))]
    while asked:
        ranges = [_range(leaves, first, last) for first, last in asked]
        summaries = form.summaries(ranges)
        comparison.requests += 1
        if summaries is None:
            return False
        differing = [
            which
            for which, summary in zip(asked, summaries, strict=True)
            if summary != joined(leaves[which[0] : which[1]])
        ]
        asked = []
        for first, last in differing:
            if last - first == 1:
                _by_rows(context, form, side, _range(leaves, first, last), comparison)
            else:
                asked += _split(first, last)
    return True


def _range(leaves: Sequence[Part], first: int, last: int) -> Range:
    return Range(leaves[first].start, leaves[last].start if last < len(leaves) else "")


def _split(first: int, last: int) -> list[tuple[int, int]]:
    size = -(-(last - first) // FAN)
    return [(at, min(at + size, last)) for at in range(first, last, size)]


def _by_rows(context: Context, form: Form, side: SideName, within: Range, comparison: _Comparison) -> None:
    now = form.rows(within)
    comparison.requests += 1
    with context.store.reading(context.pairing) as transaction:
        known = {
            record: row
            for _, record, row in transaction.observations.in_order(side, form.entity, within.start, within.end)
        }
    comparison.differing += [id_ for id_ in {**known, **now} if known.get(id_) != now.get(id_)]


def _by_walk(context: Context, form: Form, side: SideName, comparison: _Comparison) -> None:
    """Compare by content, record by record."""
    rules = context.entities[form.entity]
    walked: set[str] = set()
    for ids in pages(form):
        seen, _ = each(form.read, ids)
        comparison.requests += 2
        with context.store.reading(context.pairing) as transaction:
            known = transaction.observations.get(side, form.entity, ids)
        walked.update(ids)
        comparison.differing += [
            id_
            for id_ in ids
            if id_ not in seen or id_ not in known or known[id_].digest != relevant(rules, seen[id_]).digest
        ]
    with context.store.reading(context.pairing) as transaction:
        present = list(transaction.observations.present(side, form.entity))
    comparison.known = len(present)
    comparison.differing += [id_ for id_ in present if id_ not in walked]


def pages(form: Form, after: str = "") -> Iterator[tuple[str, ...]]:
    """Yield the ids of all records of a form, a page at a time."""
    while True:
        page = form.walk(after, PAGE)
        if page.ids:
            yield page.ids
        if not page.next:
            return
        after = page.next
