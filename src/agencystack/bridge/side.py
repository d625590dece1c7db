"""What the bridge asks of a side: say what changed, show records, and make changes that can be looked up by a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agencystack.bridge.entity import Deletion, Direction
from agencystack.bridge.record import Fields, Observed, SideName


@dataclass(frozen=True)
class Identity:
    """Which installation answers, so that clones and restored backups are noticed.

    Args:
        url: the address it gives itself.
        instance: id its plugin or app was given when it was installed; empty without one.
        epoch: number of its outbox: it grows with every mark and never goes back; ``None`` without plugin or app.
    """

    url: str
    instance: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class Mark:
    """A side's word that a record changed: no more than "look again".

    Args:
        id: what acknowledges exactly this mark; empty where nothing is to be acknowledged (polling, webhooks).
        entity: the record's entity.
        record: its id on that side.
    """

    id: str
    entity: str
    record: str


@dataclass(frozen=True)
class Narrowed:
    """What a product's own people allow less of than the agency shares, on the settings screen of plugin or app.

    Args:
        revision: grows with each change they make.
        entities: the direction they leave, by entity.
    """

    revision: int = 0
    entities: Mapping[str, Direction] = field(default_factory=dict)

    @classmethod
    def told(cls, said: object) -> Narrowed | None:
        """Return what plugin or app say, ``None`` where they say nothing; a word that is not known allows nothing."""
        if not isinstance(said, Mapping):
            return None
        chosen = said.get("entities")
        entities = {str(name): str(one) for name, one in chosen.items()} if isinstance(chosen, Mapping) else {}
        known = {str(one): one for one in Direction}
        return cls(
            int(said.get("revision") or 0),
            {name: known.get(one, Direction.OFF) for name, one in sorted(entities.items())},
        )


@dataclass(frozen=True)
class Changes:
    """What a side says changed.

    Args:
        marks: the changes.
        identity: who says so.
        cursor: to be given back at the next call; empty where the side keeps its own outbox.
        more: there are more than were asked for.
        narrowed: what its own people allow less of; ``None`` where it has no screen for that.
    """

    marks: tuple[Mark, ...]
    identity: Identity
    cursor: str = ""
    more: bool = False
    narrowed: Narrowed | None = None


class Action(StrEnum):
    """What an operation does to a record."""

    CREATE = "create"
    UPDATE = "update"
    RETIRE = "retire"


@dataclass(frozen=True)
class Operation:
    """One intended effect on one side. Its token is its name: the effect happens at most once under it.

    Args:
        token: unique; stored with what a creation makes, so that it can be looked up (32 hex digits).
        entity: the record's entity.
        action: what happens to it.
        id: the record's id on this side; empty for a creation.
        fields: every field for a creation, else those to change alone; references are this side's.
        expected: what the change was decided upon; a record that is no longer so answers ``STALE``.
        how: of ``RETIRE``: ``ARCHIVE`` or ``DELETE``.
        notify: mails to people may go out because of it.
    """

    token: str
    entity: str
    action: Action
    id: str = ""
    fields: Fields = field(default_factory=dict)
    expected: Observed | None = None
    how: Deletion = Deletion.ARCHIVE
    notify: bool = False


class Result(StrEnum):
    """How an operation ended."""

    DONE = "done"
    """It happened, now or earlier under the same token."""
    STALE = "stale"
    """The record was no longer what was expected; nothing was written: look again."""
    REFUSED = "refused"
    """The product said no, and will say so again: a person must act."""
    UNKNOWN = "unknown"
    """Nobody knows whether it happened: look it up by its token before anything else."""
    LATER = "later"
    """It did not happen, and may when tried again (overloaded, down, locked)."""


@dataclass(frozen=True)
class Outcome:
    """What became of an operation.

    Args:
        token: the operation's.
        result: how it ended.
        observed: the record as it is now, read back after the write; ``None`` where that is not known.
        message: what the product answered, for ``REFUSED``, ``UNKNOWN`` and ``LATER``; never a secret.
        remedy: what a person does now, for ``REFUSED``.
        after: seconds the side asked us to wait, for ``LATER``.
    """

    token: str
    result: Result
    observed: Observed | None = None
    message: str = ""
    remedy: str = ""
    after: float = 0.0


@dataclass(frozen=True)
class Page:
    """A part of a full walk.

    Args:
        ids: record ids, in the side's order.
        next: to be given to the next call; empty at the end.
    """

    ids: tuple[str, ...]
    next: str = ""


@dataclass(frozen=True)
class Range:
    """Records whose position is at least ``start`` and below ``end``; empty text is no bound."""

    start: str = ""
    end: str = ""


@dataclass(frozen=True)
class Summary:
    """What a side holds within a range.

    Args:
        count: how many records.
        digest: of all their row digests, whatever their order (exclusive or of the first 64 bits, 16 hex digits).
    """

    count: int
    digest: str


class Form(Protocol):
    """One entity on one side. Calls raise Unavailable, AuthenticationFailed or BadAnswer when it is not well."""

    @property
    def entity(self) -> str:
        """Which entity."""

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each id; one that does not exist (any more) is observed as gone."""

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of the records that creations of ours made, by token; what made nothing is left out."""

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return ids of records that may be the same thing as one of the other side, by the entity's identity."""

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; one that fails does not keep the others from happening. Answers each by its token."""

    def walk(self, after: str, limit: int) -> Page:
        """Return the next ids of all records, from ``Page.next`` of the page before; empty text begins."""

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what is held within each range, computed in the product; ``None`` where it cannot (no plugin)."""

    def rows(self, within: Range) -> Mapping[str, str]:
        """Return the row digests of a range by record id; only where :meth:`summaries` answers."""


class Side(Protocol):
    """One side of a pairing."""

    @property
    def name(self) -> SideName:
        """Which side."""

    def identity(self) -> Identity:
        """Return which installation answers."""

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed and was not acknowledged yet.

        Args:
            cursor: of the last answer; empty at first.
            acknowledged: marks that are safe in the bridge's store; it forgets exactly these, in the same request.
            limit: at most this many.
        """

    def form(self, entity: str) -> Form:
        """Return how this side keeps an entity.

        Raises:
            KeyError: this side does not keep it.
        """
