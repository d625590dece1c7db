"""Small sides in memory: what the heart's tests are run against. Faults are asked for one call at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from agencystack.bridge.entity import Deletion, Direction, Entity, Field, Policy
from agencystack.bridge.record import Fields, Observed, Presence, Ref, SideName, digest, references
from agencystack.bridge.settings import EntitySharing, Sharing
from agencystack.bridge.side import (
    Action,
    Changes,
    Identity,
    Mark,
    Narrowed,
    Operation,
    Outcome,
    Page,
    Range,
    Result,
    Summary,
)

W, E = SideName.WORDPRESS, SideName.ERPNEXT


class Killed(BaseException):
    """The process dies here."""


class Clock:
    """A time that passes when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Chance:
    """Random hex digits that are the same in every run."""

    def __init__(self) -> None:
        self._count = count(1)

    def __call__(self, size: int) -> str:
        return digest(next(self._count))[: 2 * size].rjust(2 * size, "0")


@dataclass
class Row:
    """A record of a fake side."""

    fields: dict[str, object]
    token: str = ""
    created: str = ""
    version: int = 1
    presence: Presence = Presence.PRESENT
    modified: datetime | None = None
    position: str = ""


@dataclass
class FakeForm:
    """One entity on a fake side."""

    entity: str
    side: FakeSide
    identity: tuple[str, ...] = ()
    rows_: dict[str, Row] = field(default_factory=dict)
    stored_tokens: bool = True
    hidden: tuple[str, ...] = ()
    summing: bool = True

    # What people do. ----------------------------------------------------------------------------------------------

    def make(self, **fields: object) -> str:
        id_ = self.side.new_id()
        self.rows_[id_] = Row(dict(fields), created=f"made {id_}", modified=self.side.clock())
        self.side.mark(self.entity, id_)
        return id_

    def edit(self, id_: str, *, silently: bool = False, **fields: object) -> None:
        row = self.rows_[id_]
        row.fields |= fields
        row.version += 1
        row.modified = self.side.clock()
        if not silently:
            self.side.mark(self.entity, id_)

    def bin(self, id_: str) -> None:
        self.rows_[id_].presence = Presence.GONE
        self.side.mark(self.entity, id_)

    def unbin(self, id_: str) -> None:
        self.rows_[id_].presence = Presence.PRESENT
        self.side.mark(self.entity, id_)

    def rename(self, id_: str, new: str) -> None:
        self.rows_[id_].position = self.position(id_)
        self.rows_ = {new if one == id_ else one: row for one, row in self.rows_.items()}
        self.side.mark(self.entity, id_)
        self.side.mark(self.entity, new)

    def here(self) -> dict[str, dict[str, object]]:
        return {id_: row.fields for id_, row in self.rows_.items() if row.presence is not Presence.GONE}

    # What the bridge does. ----------------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        self.side.call("read", ids)
        return {id_: self.observed(id_) for id_ in ids}

    def observed(self, id_: str) -> Observed:
        row = self.rows_.get(id_)
        if row is None:
            return Observed(id_, presence=Presence.GONE, position=id_.zfill(20))
        if row.presence is Presence.GONE:
            return Observed(id_, {}, Presence.GONE, str(row.version), row.created, position=self.position(id_))
        shown = {name: value for name, value in row.fields.items() if name not in self.hidden}
        return Observed(
            id_,
            shown if row.presence is Presence.PRESENT else {},
            row.presence,
            version=str(row.version),
            created=row.created,
            modified=row.modified,
            token=row.token if self.stored_tokens else "",
            position=self.position(id_),
            row=self.row(id_),
        )

    def position(self, id_: str) -> str:
        return self.rows_[id_].position or id_.zfill(20)

    def row(self, id_: str) -> str:
        return digest({"id": id_, "fields": dict(self.rows_[id_].fields)})[:16]

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        self.side.call("find", tokens)
        return {row.token: id_ for id_, row in self.rows_.items() if row.token in tokens}

    def renamed(self, made: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
        self.side.call("renamed", [])
        return {
            id_: [one for one, row in self.rows_.items() if row.created == moment]
            for id_, moment in made.items()
            if id_ not in self.rows_
        }

    def candidates(self, fields: Fields) -> Sequence[str]:
        self.side.call("candidates", [])
        for ref in (ref for value in fields.values() for ref in references(value) if isinstance(ref, Ref)):
            self.side.form(ref.entity).rows_[ref.id]  # a product knows nothing of the other's ids
        if self.entity == "category":
            return [id_ for id_, row in self.here().items() if all(row[name] == fields.get(name) for name in row)]
        for name in self.identity:
            if fields.get(name) is not None:
                found = [id_ for id_, row in self.here().items() if row.get(name) == fields[name]]
                if found:
                    return found
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        self.side.call("apply", [one.token for one in operations])
        outcomes = {one.token: self._apply(one) for one in operations}
        self.side.call("applied", [one.token for one in operations])
        return outcomes

    def _apply(self, one: Operation) -> Outcome:
        if (fault := self.side.faults.pop((str(one.action), self.entity), None)) is not None:
            if fault.result is Result.UNKNOWN and fault.message == "happened":
                self._write(one)
            return Outcome(one.token, fault.result, message=fault.message, remedy=fault.remedy, after=fault.after)
        gone = one.action is Action.UPDATE and one.id not in self.rows_
        if gone or (one.expected is not None and one.expected.version != self.observed(one.id).version):
            return Outcome(one.token, Result.STALE)
        return Outcome(one.token, Result.DONE, self.observed(self._write(one)))

    def _write(self, one: Operation) -> str:
        id_ = one.id
        self.side.writes.append((self.entity, one))
        if one.action is Action.CREATE:
            known = [id_ for id_, row in self.rows_.items() if row.token == one.token]
            if known:
                return known[0]
            id_ = self.side.new_id()
            empty = dict.fromkeys(self.side.names[self.entity])
            self.rows_[id_] = Row(empty, token=one.token, created=f"made {id_}")
        row = self.rows_[id_]
        if one.action is Action.RETIRE:
            row.presence = Presence.GONE
            if one.how is Deletion.DELETE:
                del self.rows_[id_]
        else:
            row.presence = Presence.PRESENT
            row.fields |= {name: self.side.rewrites(name, value) for name, value in one.fields.items()}
        row.version += 1
        row.modified = self.side.clock()
        self.side.mark(self.entity, id_)
        return id_

    def walk(self, after: str, limit: int) -> Page:
        self.side.call("walk", [])
        ids = sorted((id_ for id_ in self.here() if id_.zfill(20) > after.zfill(20)), key=lambda id_: id_.zfill(20))
        return Page(tuple(ids[:limit]), ids[limit - 1] if len(ids) > limit else "")

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        self.side.call("summaries", [])
        if not self.summing:
            return None
        return [self._summary(self.rows(one, asked=False)) for one in ranges]

    @staticmethod
    def _summary(rows: Mapping[str, str]) -> Summary:
        total = 0
        for one in rows.values():
            total ^= int(one, 16)
        return Summary(len(rows), f"{total:016x}")

    def rows(self, within: Range, *, asked: bool = True) -> Mapping[str, str]:
        if asked:
            self.side.call("rows", [])
        return {
            id_: self.row(id_)
            for id_ in self.here()
            if within.start <= self.position(id_) and (not within.end or self.position(id_) < within.end)
        }


class FakeSide:
    """One side in memory."""

    def __init__(self, name: SideName, clock: Clock, entities: Sequence[Entity]) -> None:
        self.name = name
        self.clock = clock
        self.names = {one.name: [rule.name for rule in one.fields] for one in entities}
        self.forms = {one.name: FakeForm(one.name, self, one.identity) for one in entities}
        self.instance, self.url, self.epoch = f"instance of {name}", f"https://{name}.example", 0
        self.outbox: dict[str, tuple[str, str]] = {}
        self.writes: list[tuple[str, Operation]] = []
        self.faults: dict[tuple[str, str], Outcome] = {}
        self.errors: dict[str, list[BaseException | None]] = {}
        self.calls: list[str] = []
        self.rewrite: dict[str, object] = {}
        self.narrowed: Narrowed | None = None
        self._ids = count(1 if name is W else 1001)

    def new_id(self) -> str:
        return str(next(self._ids))

    def mark(self, entity: str, id_: str) -> None:
        self.epoch += 1
        self.outbox[str(self.epoch)] = (entity, id_)

    def rewrites(self, name: str, value: object) -> object:
        return self.rewrite[name](value) if name in self.rewrite else value  # type: ignore[operator]

    def call(self, what: str, _about: Sequence[str]) -> None:
        self.calls.append(what)
        waiting = self.errors.get(what, [])
        if waiting and (error := waiting.pop(0)) is not None:
            raise error

    def identity(self) -> Identity:
        return Identity(self.url, self.instance, self.epoch)

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        self.call("changes", acknowledged)
        for mark in acknowledged:
            self.outbox.pop(mark, None)
        marks = [Mark(mark, *record) for mark, record in self.outbox.items()][:limit]
        return Changes(tuple(marks), self.identity(), more=False, narrowed=self.narrowed)

    def form(self, entity: str) -> FakeForm:
        return self.forms[entity]


CUSTOMER = Entity(
    "customer",
    "Customers",
    (
        Field("name", E),
        Field("email", W),
        Field("note", W, policy=Policy.ASK),
        Field("phone", W, policy=Policy.NEWER),
        Field("rank", E, direction=Direction.TO_WORDPRESS),
    ),
    identity=("email",),
)
ORDER = Entity(
    "order",
    "Orders",
    (Field("customer", W), Field("total", W)),
    direction=Direction.TO_ERPNEXT,
    needs=("customer",),
    creates=(E,),
    deletion=Deletion.KEEP,
    wanted=lambda fields: fields.get("total") != "0.00",
)
CATEGORY = Entity(
    "category",
    "Categories",
    (Field("name", E), Field("parent", E)),
    identity=("name", "parent"),
    needs=("category",),
)
ENTITIES = {"customer": CUSTOMER, "order": ORDER, "category": CATEGORY}


def everything(**settings: object) -> Sharing:
    """Return a sharing of all entities, both ways."""
    shared = {name: EntitySharing(direction=Direction.BOTH) for name in ENTITIES}
    return Sharing(entities=shared, **settings)  # type: ignore[arg-type]
