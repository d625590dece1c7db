"""One batch of keys while it is worked on: what is known of each, and what becomes of its hints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agencystack.bridge.entity import Entity
from agencystack.bridge.merge import Base, Contested
from agencystack.bridge.plan import Plan
from agencystack.bridge.record import Observed, SideName, Value, same
from agencystack.bridge.store.conflicts import Conflict
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import Hint
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.observations import Seen
from agencystack.bridge.store.operations import Intended


@dataclass(frozen=True)
class Again:
    """A key is looked at again.

    Args:
        reason: why.
        delay: after so many milliseconds.
        waits_for: key of the record it waits for.
        counts: it is one attempt more.
        shared: what kept it from being done befell its batch, and another record of it may be why.
    """

    reason: str
    delay: int = 0
    waits_for: str = ""
    counts: bool = True
    shared: bool = False


@dataclass
class Key:
    """One link, or one record without a link, that is being worked on.

    Args:
        name: names it in leases, conflicts and dead letters: the link's id, or the record's key.
        entity: the rules that hold.
        hints: why it is looked at; all of them are followed at once.
        link: the link, where there is one.
        base: what both sides last agreed on.
        stored: the same, as it is in the store.
        operations: operations of ours without a known end.
        undone: creations of ours that were looked up and did not happen.
        conflicts: its conflicts, decided ones too.
        letters: its dead letters, by side.
        before: what each side was last seen to hold.
        seen: what each side holds now, as it tells it.
        merged: the same with links for references.
        decided: what a person decided, by field.
        contested: by field, the sides whose edit no policy may overwrite.
        plan: what is to be done.
        again: set where its hints are not followed yet.
        settled: nothing more is to be done in this batch.
    """

    name: str
    entity: Entity
    hints: list[Hint]
    link: Link | None = None
    base: Base = field(default_factory=dict)
    stored: Base = field(default_factory=dict)
    operations: list[Intended] = field(default_factory=list)
    undone: list[Intended] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    letters: dict[SideName, DeadLetter] = field(default_factory=dict)
    before: dict[SideName, Seen] = field(default_factory=dict)
    seen: dict[SideName, Observed] = field(default_factory=dict)
    merged: dict[SideName, Observed] = field(default_factory=dict)
    decided: dict[str, Value] = field(default_factory=dict)
    contested: Contested = field(default_factory=dict)
    plan: Plan | None = None
    again: Again | None = None
    settled: bool = False

    @property
    def attempts(self) -> int:
        """How often it was tried since it last changed."""
        return max(hint.attempts for hint in self.hints)

    @property
    def pair(self) -> Link:
        """Its link, where it is known to have one."""
        if self.link is None:
            raise LookupError(f"{self.name} has no link")
        return self.link

    @property
    def planned(self) -> Plan:
        """Its plan, where it is known to have one."""
        if self.plan is None:
            raise LookupError(f"{self.name} has no plan")
        return self.plan

    def ids(self) -> Mapping[SideName, str]:
        """Return its ids, by side; without a link the hinted one."""
        if self.link is not None:
            return {side: self.link.on(side) for side in SideName if self.link.on(side)}
        return {self.hints[0].side: self.hints[0].record}

    def agree(self, name: str) -> bool:
        """Tell whether both sides, which were seen, hold the same in a field."""
        wordpress, erpnext = (self.merged[side].fields.get(name) for side in SideName)
        return same(wordpress, erpnext)

    def end(self, again: Again | None = None) -> None:
        """Do nothing more about it in this batch."""
        self.settled, self.again = True, again


@dataclass
class Batch:
    """The keys one worker holds leases on.

    Args:
        fence: the number every write under these leases is checked by.
        until: when the leases end, in milliseconds.
        keys: the keys.
        extra: leases taken on links that were made meanwhile.
        suspect: one of its records may be why a side did not answer: it was well just before.
    """

    fence: int
    until: int
    keys: list[Key]
    extra: set[str] = field(default_factory=set)
    suspect: bool = False

    @property
    def hints(self) -> list[Hint]:
        """All hints that are followed."""
        return [hint for key in self.keys for hint in key.hints]

    @property
    def leases(self) -> list[str]:
        """The names of all leases that are held."""
        return [*(key.name for key in self.keys), *self.extra]

    def working(self) -> list[Key]:
        """Return the keys about which something may still be done."""
        return [key for key in self.keys if not key.settled]

    def by_entity(self, keys: Iterable[Key] | None = None) -> dict[str, list[Key]]:
        """Return keys by entity."""
        grouped: dict[str, list[Key]] = {}
        for key in self.working() if keys is None else keys:
            grouped.setdefault(key.entity.name, []).append(key)
        return grouped
