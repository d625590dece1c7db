"""Who wrote what: every value a user writes is unique, so every final value can be traced to its writer."""

from __future__ import annotations

from dataclasses import dataclass, field

from agencystack.bridge.record import SideName, Value


def fold(value: Value) -> Value:
    """Return a value as it is compared across products that trim and change case."""
    return value.strip().casefold() if isinstance(value, str) else value


@dataclass(frozen=True)
class Held:
    """A field of one record got a value.

    Args:
        tick: when, in the order of everything that happens.
        value: what it holds from then on, folded.
        by_user: a person wrote it, and not the bridge.
        lost: it came within the read-write window that a product without compare-and-set has: it may be lost.
        exactly: the same as the product stored it.
        narrowed: its direction was switched off when it was written, so the bridge was free not to take it over.
    """

    tick: int
    value: Value
    by_user: bool
    lost: bool = False
    narrowed: bool = False
    exactly: Value = None


@dataclass
class Ledger:
    """The history of every field of every record, both sides."""

    tick: int = 0
    last_value: int = 0
    fields: dict[tuple[SideName, str, str, str], list[Held]] = field(default_factory=dict)
    writers: dict[Value, tuple[SideName, str, str]] = field(default_factory=dict)

    def next(self) -> int:
        """Return the next tick."""
        self.tick += 1
        return self.tick

    def unique(self, kind: int = 0) -> str:
        """Return text nobody wrote before; kinds differ in what products do to it."""
        self.last_value += 1
        return (f"v{self.last_value}", f"V{self.last_value} & Co", f" v{self.last_value}<b> ", f"É{self.last_value} ✓")[
            kind % 4
        ]

    def held(
        self,
        side: SideName,
        entity: str,
        record: str,
        name: str,
        value: Value,
        *,
        by_user: bool,
        lost: bool = False,
        narrowed: bool = False,
    ) -> None:
        """Note that a field holds a value from now on."""
        entry = Held(self.next(), fold(value), by_user, lost, narrowed, value)
        if by_user and isinstance(entry.value, str):
            self.writers.setdefault(entry.value, (side, entity, record))
        self.fields.setdefault((side, entity, record, name), []).append(entry)

    def rename(self, side: SideName, entity: str, old: str, new: str) -> None:
        """Note that a record has another id from now on."""
        for place in [one for one in self.fields if one[:3] == (side, entity, old)]:
            self.fields[side, entity, new, place[3]] = self.fields.pop(place)
        for value, writer in self.writers.items():
            if writer == (side, entity, old):
                self.writers[value] = (side, entity, new)

    def of(self, side: SideName, entity: str, record: str, name: str) -> list[Held]:
        """Return what a field held, oldest first."""
        return self.fields.get((side, entity, record, name), [])
