"""Matching: which record of the other side is the same thing as one that has no link yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agencystack.bridge.entity import Entity
from agencystack.bridge.record import Fields, SideName, Value
from agencystack.bridge.side import Form
from agencystack.bridge.store.links import Link

NEW = "new"
"""A person's decision about an ambiguous record: none of the candidates, make a new one."""


class MatchKind(StrEnum):
    """What is to be done with a record that has no link."""

    LINK = "link"
    AMBIGUOUS = "ambiguous"
    CREATE = "create"
    WAIT = "wait"
    """A candidate's own creation is still under way."""
    LEAVE = "leave"
    """Nothing: no record of the other side is the same, and none is to be made."""


@dataclass(frozen=True)
class Match:
    """What was found.

    Args:
        kind: what is to be done.
        candidates: ids of the other side's records; of ``LINK`` exactly one.
    """

    kind: MatchKind
    candidates: tuple[str, ...] = ()


@runtime_checkable
class FindsMany(Protocol):
    """A form that looks for the candidates of many records at once."""

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return ids of records that may be the same thing, for each of many."""


def candidates(form: Form, entity: Entity, many: Sequence[Fields]) -> list[tuple[str, ...]]:
    """Return the other side's candidates for each record; none for one whose identity is empty.

    Args:
        form: the other side's.
        entity: the rules that hold.
        many: the records' values, with the other side's ids in references.
    """
    asked = [at for at, one in enumerate(many) if any(one.get(name) is not None for name in entity.identity)]
    found: list[tuple[str, ...]] = [()] * len(many)
    if isinstance(form, FindsMany):
        answers = form.candidates_of([many[at] for at in asked]) if asked else ()
    else:
        answers = [form.candidates(many[at]) for at in asked]
    for at, ids in zip(asked, answers, strict=True):
        found[at] = tuple(dict.fromkeys(ids))
    return found


def decide(
    entity: Entity, side: SideName, found: Sequence[str], links: Mapping[str, Link], decision: Value = None
) -> Match:
    """Return what is to be done with a record that has no link.

    Args:
        entity: the rules that hold.
        side: where the record is.
        found: ids of candidates on the other side.
        links: the links candidates have already.
        decision: what a person said: one of the candidates, or :data:`NEW`.
    """
    free = tuple(id_ for id_ in found if id_ not in links)
    if decision in free:
        return Match(MatchKind.LINK, (str(decision),))
    if decision != NEW:
        if len(free) == 1 and len(found) == 1:
            return Match(MatchKind.LINK, free)
        if free:
            return Match(MatchKind.AMBIGUOUS, free)
        if any(not links[id_].on(side) for id_ in found):
            return Match(MatchKind.WAIT)
    other = side.other
    creates = other in entity.creates and entity.direction.reaches(other)
    return Match(MatchKind.CREATE if creates else MatchKind.LEAVE)
