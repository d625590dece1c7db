"""References: the other records a record names, from one side's ids to links and on to the other side's ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from agencystack.bridge.entity import Entity
from agencystack.bridge.record import Fields, LinkRef, Observed, Ref, SideName, Value, exchanged, references
from agencystack.bridge.store.aliases import is_alias
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.transaction import Transaction


@dataclass
class Known:
    """The links that the records of one batch name.

    Args:
        by_record: by side, entity and id.
        by_link: by the link's id.
    """

    by_record: dict[tuple[SideName, str, str], Link] = field(default_factory=dict)
    by_link: dict[str, Link] = field(default_factory=dict)

    def learn(self, link: Link) -> None:
        """Add a link."""
        self.by_link[link.id] = link
        for side in SideName:
            if link.on(side):
                self.by_record[side, link.entity, link.on(side)] = link

    def load(self, transaction: Transaction, named: Iterable[tuple[SideName, Ref]], links: Iterable[str]) -> None:
        """Look up links of records, and links by their id."""
        wanted: dict[tuple[SideName, str], set[str]] = {}
        for side, ref in named:
            if (side, ref.entity, ref.id) not in self.by_record:
                wanted.setdefault((side, ref.entity), set()).add(ref.id)
        for (side, entity), ids in wanted.items():
            for link in transaction.links.of_records(side, entity, ids).values():
                self.learn(link)
        for link in transaction.links.get(id_ for id_ in links if id_ not in self.by_link).values():
            self.learn(link)


def named(entity: Entity, seen: Observed) -> list[Ref]:
    """Return the records that the shared fields of a record name."""
    return [ref for value in _shared(entity, seen.fields).values() for ref in references(value) if isinstance(ref, Ref)]


def linked(entity: Entity, seen: Observed, side: SideName, known: Known) -> Observed | Ref:
    """Return a record's shared fields with links for references; or the first reference that has no link."""
    for ref in named(entity, seen):
        if (side, ref.entity, ref.id) not in known.by_record:
            return ref

    def exchange(one: Ref | LinkRef) -> Value:
        return LinkRef(one.entity, known.by_record[side, one.entity, one.id].id) if isinstance(one, Ref) else one

    fields = {name: exchanged(value, exchange) for name, value in _shared(entity, seen.fields).items()}
    return replace(seen, fields=fields)


def addressed(fields: Fields, side: SideName, known: Known) -> Fields | LinkRef:
    """Return fields with one side's ids for links; or the first link that has no record there yet."""
    for value in fields.values():
        for ref in references(value):
            if isinstance(ref, LinkRef) and not (
                ref.link in known.by_link and _nameable(known.by_link[ref.link], side)
            ):
                return ref

    def exchange(one: Ref | LinkRef) -> Value:
        return Ref(one.entity, known.by_link[one.link].on(side)) if isinstance(one, LinkRef) else one

    return {name: exchanged(value, exchange) for name, value in fields.items()}


def across(entity: Entity, seen: Observed, side: SideName, known: Known) -> Fields | Ref:
    """Return a record's fields with the other side's ids, as it is asked for the same record; or whom matching needs.

    A field that names what the other side does not have (yet) is left out; one that records are matched by cannot be:
    the first reference of such a field is returned instead.
    """

    def exchange(one: Ref | LinkRef) -> Value:
        link = known.by_record.get((side, one.entity, one.id)) if isinstance(one, Ref) else None
        return Ref(one.entity, link.on(side.other)) if link and _nameable(link, side.other) else one

    fields: dict[str, Value] = {}
    for name, value in seen.fields.items():
        refs = [ref for ref in references(value) if isinstance(ref, Ref)]
        missing = [ref for ref in refs if exchange(ref) is ref]
        if not missing:
            fields[name] = exchanged(value, exchange)
        elif name in entity.identity:
            return missing[0]
    return fields


def readable(value: Value, side: SideName, known: Known) -> Value:
    """Return a value as people read it: for a reference, the entity and the id on that side, else on the other."""

    def told(one: Ref | LinkRef) -> str:
        if isinstance(one, Ref):
            # What has no link yet is named by the other side, where the record was read.
            link = known.by_record.get((side.other, one.entity, one.id))
            ids = {side: link.on(side) if link else "", side.other: one.id}
        else:
            link = known.by_link.get(one.link)
            ids = {at: link.on(at) if link else "" for at in SideName}
        return f"{one.entity} {ids[side]}" if ids[side] else f"{one.entity} {ids[side.other]} of {side.other}"

    return exchanged(value, told)


def links_in(fields: Fields) -> set[str]:
    """Return the links that fields name."""
    return {ref.link for value in fields.values() for ref in references(value) if isinstance(ref, LinkRef)}


def _nameable(link: Link, side: SideName) -> bool:
    """Tell whether a link's record can be named on a side: it is there, and its id was not forgotten.

    An alias on WordPress is a guest's, of whom WordPress keeps no record: an order names nobody then, as before.
    """
    return bool(link.on(side)) and (side is SideName.WORDPRESS or not is_alias(link.on(side)))


def _shared(entity: Entity, fields: Mapping[str, Value]) -> dict[str, Value]:
    return {rule.name: fields[rule.name] for rule in entity.fields if rule.name in fields}
