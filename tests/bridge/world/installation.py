"""What both products have in common: rows, ids, an outbox of marks, and a memory that can be set back by a backup."""

from __future__ import annotations

import copy
import hashlib
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agencystack.bridge.record import SideName, Value, canonical

from .clock import Clock
from .ledger import Ledger


@dataclass
class Row:
    """One native record.

    Args:
        id: its id.
        values: what it holds, as the product keeps it; references are ids.
        created: its creation, as the product tells it.
        modified: when the product says it was changed.
        version: grows with every write; only plugin, app and ERPNext show it.
        token: op token of the creation it came from.
        state: ``present``, ``half`` (a request is still writing it, or died), ``trash`` or ``deleted``.
        born: ``user`` or ``bridge``.
        hidden: its transaction is not committed yet: nobody else sees it.
        former: ids it had before it was renamed.
        edited: fields that people gave another value.
    """

    id: str
    values: dict[str, Value]
    created: str
    modified: datetime
    version: int = 1
    token: str = ""
    state: str = "present"
    born: str = "user"
    hidden: bool = False
    former: list[str] = field(default_factory=list)
    edited: set[str] = field(default_factory=set)

    @property
    def ids(self) -> set[str]:
        """Every id it ever had."""
        return {self.id, *self.former}


@dataclass(frozen=True)
class Wrote:
    """The bridge wrote something."""

    tick: int
    side: SideName
    entity: str
    record: str
    action: str
    token: str
    values: Mapping[str, Value]


@dataclass
class Memory:
    """All that a backup of a product holds."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    last_id: int = 0
    epoch: int = 0
    marks: dict[str, tuple[str, str]] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)


class Installation:
    """One product with its records.

    Args:
        name: which side it is.
        clock: its clock.
        ledger: where every value that is stored is noted.
        outbox: our plugin or app is installed; without it changes are found by looking.
        chance: makes its random ids; the same seed makes the same.
    """

    unique: frozenset[str] = frozenset()

    def __init__(self, name: SideName, clock: Clock, ledger: Ledger, *, outbox: bool, chance: random.Random) -> None:
        self.name = name
        self.clock = clock
        self.ledger = ledger
        self.outbox = outbox
        self.chance = chance
        self.url = f"https://{name}.example"
        self.instance = f"{name}-1" if outbox else ""
        self.memory = Memory()
        self.writes: list[Wrote] = []
        self.webhooks: list[tuple[str, str]] = []
        self.webhooks_enabled = True
        self.writes_on_read = False
        self.after_change: list[Callable[[], None]] = []
        self.renames = False

    # Rows. --------------------------------------------------------------------------------------------------------

    def rows(self, entity: str) -> dict[str, Row]:
        """Return all rows of an entity, the deleted among them."""
        return self.memory.rows.setdefault(entity, {})

    def row(self, entity: str, record: str) -> Row | None:
        """Return a row that others can see."""
        row = self.rows(entity).get(record)
        return None if row is None or row.hidden or row.state == "deleted" else row

    def alive(self, entity: str) -> list[Row]:
        """Return the rows that are whole and there, oldest first."""
        return [one for one in self.rows(entity).values() if one.state == "present" and not one.hidden]

    def by_token(self, entity: str, token: str) -> Row | None:
        """Return what a creation of ours made."""
        return next((one for one in self.rows(entity).values() if one.token == token and not one.hidden), None)

    def taken_by_other(self, entity: str, values: Mapping[str, Value], names: frozenset[str], own: str = "") -> str:
        """Return which of the values that must be unique another record has already; empty when none."""
        for name in names & values.keys():
            wanted = str(self.stored(entity, name, values[name])).casefold()
            rows = [one for one in self.rows(entity).values() if one.id != own]
            if any(str(one.values.get(name)).casefold() == wanted for one in rows if one.state != "deleted"):
                return name
        return ""

    def new_id(self, entity: str) -> str:
        """Return the next id."""
        self.memory.last_id += 1
        return str(self.memory.last_id)

    def stored(self, entity: str, name: str, value: Value) -> Value:
        """Return a value as this product keeps it; products differ."""
        return value.strip() if isinstance(value, str) else value

    def insert(
        self, entity: str, values: Mapping[str, Value], *, born: str, token: str = "", state: str = "present"
    ) -> Row:
        """Make a record."""
        id_ = self.new_id(entity)
        now = self.clock()
        row = Row(id_, {}, f"{now.isoformat()}", now, token=token, state=state, born=born)
        self.rows(entity)[id_] = row
        self._put(entity, row, values, born == "user")
        return row

    def update(
        self, entity: str, row: Row, values: Mapping[str, Value], *, by_user: bool, silent: bool = False, **notes: bool
    ) -> None:
        """Change a record.

        Args:
            entity: its entity.
            row: the record.
            values: what to change.
            by_user: a person does it.
            silent: past every hook: no mark, no webhook, and its time stays as it was.
            notes: what to note of it in the ledger.
        """
        self._put(entity, row, values, by_user, silent=silent, **notes)

    def retire(self, entity: str, row: Row, how: str, *, by_user: bool = True) -> None:
        """Take a record away: ``trash`` or ``deleted``."""
        row.state = how
        self.touched(entity, row, by_user=by_user)

    def rename(self, entity: str, row: Row, new: str) -> None:
        """Give a record another id, and write that wherever others name it; no time and no version changes."""
        self.renames = True
        old = row.id
        row.former.append(old)
        row.id = new
        self.memory.rows[entity] = {one.id: one for one in self.rows(entity).values()}
        self.ledger.rename(self.name, entity, old, new)
        for others in self.memory.rows.values():
            for one in others.values():
                if one.values.get(entity) == old:
                    one.values[entity] = new
        self.mark(entity, old)
        self.mark(entity, new)
        self.changed()

    def _put(
        self,
        entity: str,
        row: Row,
        values: Mapping[str, Value],
        by_user: bool,
        *,
        silent: bool = False,
        **notes: bool,
    ) -> None:
        for name, value in values.items():
            row.values[name] = self.stored(entity, name, value)
            self.ledger.held(self.name, entity, row.id, name, self.shown(row.values[name]), by_user=by_user, **notes)
        row.version += 1
        if not silent:
            self.touched(entity, row, by_user=by_user)
        self.changed()

    def shown(self, value: Value) -> Value:
        """Return a value as the ledger notes it."""
        return value

    def touched(self, entity: str, row: Row, *, by_user: bool = True) -> None:
        """Say that a record changed, in every way this product has; plugin and app leave no mark of our own writes."""
        row.modified = self.clock()
        row.version += 1
        if by_user:
            self.mark(entity, row.id)
        if self.webhooks_enabled and not self.outbox:
            self.webhooks.append((entity, row.id))
        self.changed()

    def changed(self) -> None:
        """Let those who watch look."""
        for watch in self.after_change:
            watch()

    # The outbox. --------------------------------------------------------------------------------------------------

    def refuses(self, entity: str, values: Mapping[str, Value], own: str = "") -> str:
        """Return why values are not taken (by the record of that id, if any); empty where they are."""
        name = self.taken_by_other(entity, values, self.unique, own)
        return f"another {entity} has that {name}" if name else ""

    def mark(self, entity: str, record: str) -> None:
        """Put a mark into the outbox; a record that has one nobody was told of yet needs no other."""
        if not self.outbox:
            return
        for mark, about in self.memory.marks.items():
            if about == (entity, record) and mark not in self.memory.returned:
                return
        self.memory.epoch += 1
        self.memory.marks[f"{self.memory.epoch}-{self.chance.randrange(1 << 32):08x}"] = (entity, record)

    def visible_marks(self) -> list[tuple[str, str, str]]:
        """Return the marks whose transaction is committed, oldest first."""
        return [
            (mark, entity, record)
            for mark, (entity, record) in self.memory.marks.items()
            if not ((row := self.rows(entity).get(record)) and row.hidden)
        ]

    def acknowledge(self, marks: tuple[str, ...]) -> None:
        """Forget exactly these."""
        for mark in marks:
            self.memory.marks.pop(mark, None)
            self.memory.returned.discard(mark)

    # Backups. -----------------------------------------------------------------------------------------------------

    def backup(self) -> Memory:
        """Return a copy of everything."""
        return copy.deepcopy(self.memory)

    def restore(self, backup: Memory) -> None:
        """Be as at the time of the backup."""
        self.memory = copy.deepcopy(backup)
        self.changed()

    def digest(self, entity: str, row: Row) -> str:
        """Return what SQL computes over the stored values of a row: 16 hex digits."""
        text = canonical([row.state, {key: row.values[key] for key in sorted(row.values)}])
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16]

    def tokens_twice(self) -> list[str]:
        """Return the tokens that made more than one record."""
        rows = [one for entity in self.memory.rows.values() for one in entity.values() if one.token]
        ordered = sorted(rows, key=lambda one: one.token)
        return [token for token, same in itertools.groupby(ordered, lambda one: one.token) if len(list(same)) > 1]
