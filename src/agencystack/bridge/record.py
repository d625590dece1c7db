"""What both sides are compared in: canonical values, and what one side was seen to hold.

A canonical value is JSON without floats: text, whole numbers, flags, nothing, and lists and objects of these. Money and
quantities are decimal text, times are UTC text, HTML and text are normalised (``bridge.normal``). A value that names
another record is a :class:`Ref` while it is one side's, and a :class:`LinkRef` once the bridge knows the pair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from agencystack.stack.sharing import SideName as SideName


@dataclass(frozen=True, order=True)
class Ref:
    """Another record of the same side.

    Args:
        entity: its entity.
        id: its id on this side.
    """

    entity: str
    id: str


@dataclass(frozen=True, order=True)
class LinkRef:
    """Another record as both sides know it.

    Args:
        entity: its entity.
        link: the link that names it on both sides.
    """

    entity: str
    link: str


Value: TypeAlias = bool | int | str | Ref | LinkRef | Sequence["Value"] | Mapping[str, "Value"] | None
Fields: TypeAlias = Mapping[str, Value]


class Presence(StrEnum):
    """Whether a record is there."""

    PRESENT = "present"
    HALF = "half"
    """Still being written, or left so by a request that died: look again, never take it for the whole."""
    GONE = "gone"
    """Deleted, in the bin, or archived."""


@dataclass(frozen=True)
class Observed:
    """What one side held of one record when it was looked at.

    Args:
        id: the record's id on that side.
        fields: its canonical values; empty when it is gone.
        presence: whether it is there.
        version: what a conditional write sends back (ERPNext's ``modified``, the plugin's row hash).
        created: its creation as that side tells it; another one under the same id is another record.
        modified: when it was last changed, UTC, where the side tells it; only for the policy "newer wins".
        token: the op token of the creation of ours it came from, if it came from one.
        position: where it stands in that side's order (text that sorts), for reconciling by ranges.
        row: digest that side computes of the row, for reconciling; empty without plugin or app.
    """

    id: str
    fields: Fields = field(default_factory=dict)
    presence: Presence = Presence.PRESENT
    version: str = ""
    created: str = ""
    modified: datetime | None = None
    token: str = ""
    position: str = ""
    row: str = ""

    @property
    def digest(self) -> str:
        """The digest of what was seen; equal observations have equal ones."""
        return digest({"presence": str(self.presence), "fields": dict(self.fields)})


def encoded(value: Value) -> object:
    """Return a value as plain JSON."""
    match value:
        case None | bool() | int() | str():
            return value
        case Ref():
            return {"$ref": [value.entity, value.id]}
        case LinkRef():
            return {"$link": [value.entity, value.link]}
        case Mapping():
            return {key: encoded(value[key]) for key in sorted(value)}
        case Sequence():
            return [encoded(one) for one in value]
    raise TypeError(f"{type(value).__name__} is no canonical value: decimals and times are text")


def decoded(value: object) -> Value:
    """Return what :func:`encoded` made plain JSON of."""
    match value:
        case {"$ref": [str() as entity, str() as id_]}:
            return Ref(entity, id_)
        case {"$link": [str() as entity, str() as link]}:
            return LinkRef(entity, link)
        case dict():
            return {str(key): decoded(one) for key, one in value.items()}
        case list() | tuple():
            return tuple(decoded(one) for one in value)
        case None | bool() | int() | str():
            return value
    raise TypeError(f"{type(value).__name__} is no canonical value")


_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def canonical(value: Value) -> str:
    """Return a value as text that is equal exactly where values are equal."""
    return _CANONICAL.encode(encoded(value))


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are equal; a list and a tuple of equal items are, True and 1 are not."""
    if one is None or other is None or (isinstance(one, str) and isinstance(other, str)):
        return one == other  # what most are, without their canonical form
    return canonical(one) == canonical(other)


def digest(value: Value) -> str:
    """Return a short digest of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def references(value: Value) -> Iterator[Ref | LinkRef]:
    """Yield every reference within a value."""
    match value:
        case Ref() | LinkRef():
            yield value
        case str():
            return
        case Mapping():
            for one in value.values():
                yield from references(one)
        case Sequence():
            for one in value:
                yield from references(one)


def exchanged(value: Value, exchange: Callable[[Ref | LinkRef], Value]) -> Value:
    """Return a value with every reference in it exchanged."""
    match value:
        case Ref() | LinkRef():
            return exchange(value)
        case str():
            return value
        case Mapping():
            return {key: exchanged(one, exchange) for key, one in value.items()}
        case Sequence():
            return tuple(exchanged(one, exchange) for one in value)
    return value
