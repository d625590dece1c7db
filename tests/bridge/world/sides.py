"""The worlds as the bridge sees them: sides and forms, with plugin and app or without."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agencystack.bridge.entity import Deletion
from agencystack.bridge.record import Fields, Observed, Presence, Ref, SideName, Value, same
from agencystack.bridge.side import (
    Action,
    Changes,
    Identity,
    Mark,
    Operation,
    Outcome,
    Page,
    Range,
    Result,
    Summary,
)

from .books import Books
from .entities import ENTITIES
from .installation import Installation, Row, Wrote
from .shop import Shop, lines_of
from .wire import Process, Wire

OVERLAP = timedelta(seconds=30)
UNFILTERED = {(SideName.WORDPRESS, "customer")}
"""WooCommerce cannot list customers by when they were modified."""
REFERENCES = {"customer": "customer", "order": "order"}


class WorldSide:
    """One side, as one worker reaches it.

    Args:
        home: the product.
        forms: how it keeps each entity.
        process: the worker.
        wire: what it calls through.
    """

    def __init__(self, home: Installation, forms: Sequence[WorldForm], process: Process, wire: Wire) -> None:
        self.name = home.name
        self.home = home
        self.forms = {one.entity: one for one in forms}
        self.process = process
        self.wire = wire

    def identity(self) -> Identity:
        """Return which installation answers."""
        return self.wire.call(self.process, f"{self.name}.identity", lambda _fault: self._identity())

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed."""

        def effect(_fault: str) -> Changes:
            if not self.home.outbox:
                return self._modified_since(cursor)
            self.home.acknowledge(tuple(acknowledged))
            waiting = self.home.visible_marks()
            marks = tuple(Mark(*one) for one in waiting[:limit])
            self.home.memory.returned.update(one.id for one in marks)
            return Changes(marks, self._identity(), more=len(waiting) > limit)

        return self.wire.call(self.process, f"{self.name}.changes", effect)

    def form(self, entity: str) -> WorldForm:
        """Return how this side keeps an entity."""
        return self.forms[entity]

    def _identity(self) -> Identity:
        epoch = self.home.memory.epoch if self.home.outbox else None
        return Identity(self.home.url, self.home.instance, epoch)

    def _modified_since(self, cursor: str) -> Changes:
        since = datetime.fromisoformat(cursor) - OVERLAP if cursor else None
        now = self.home.clock().isoformat()
        marks = [
            Mark("", entity, row.id)
            for entity in ENTITIES
            if (self.name, entity) not in UNFILTERED
            for row in self.home.rows(entity).values()
            if row.state in ("present", "half") and not row.hidden and (since is None or row.modified >= since)
        ]
        return Changes(tuple(marks), self._identity(), cursor=now)


class WorldForm:
    """One entity on one side, as one worker reaches it.

    Args:
        entity: its name.
        home: the product.
        process: the worker.
        wire: what it calls through.
    """

    def __init__(self, entity: str, home: Installation, process: Process, wire: Wire) -> None:
        self.entity = entity
        self.home = home
        self.process = process
        self.wire = wire
        self.names = [one.name for one in ENTITIES[entity].fields]
        self.identity = ENTITIES[entity].identity
        self.sudden = False

    # What the bridge calls. ---------------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each id."""
        self.wire.focus = [*self.wire.focus[-3:], *((str(self.home.name), self.entity, one) for one in ids[-3:])]
        self.about_to_look(ids)
        answer = self._call("read", lambda _fault: {one: self.observed(one) for one in ids})
        if self.home.writes_on_read:
            for one in ids:
                if (row := self.home.row(self.entity, one)) and row.state == "present":
                    self.home.touched(self.entity, row)
        return answer

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token."""
        return self._call(
            "find",
            lambda _fault: {one: row.id for one in tokens if (row := self.home.by_token(self.entity, one))},
        )

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return ids of records that may be the same thing."""
        wanted = {name: fields.get(name) for name in self.identity}
        if not any(wanted.values()):
            return ()

        def effect(_fault: str) -> Sequence[str]:
            return [
                row.id
                for row in self.home.alive(self.entity)
                if any(value and same(self.fields(row).get(name), value) for name, value in wanted.items())
            ]

        return self._call("candidates", effect)

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out."""
        return self._call("apply", lambda fault: self._apply(operations, fault))

    def walk(self, after: str, limit: int) -> Page:
        """Return the next ids."""

        def effect(_fault: str) -> Page:
            there = sorted((self.position(row), row.id) for row in self._listed())
            rest = [one for one in there if one[0] > after]
            page = rest[:limit]
            return Page(tuple(id_ for _, id_ in page), page[-1][0] if len(rest) > limit else "")

        return self._call("walk", effect)

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range holds."""
        if not self.home.outbox:
            return None
        return self._call("summaries", lambda _fault: [self._summary(one) for one in ranges])

    def rows(self, within: Range) -> Mapping[str, str]:
        """Return row digests by id."""
        return self._call("rows", lambda _fault: self._digests(within))

    # What products differ in. -------------------------------------------------------------------------------------

    def about_to_look(self, ids: Sequence[str]) -> None:
        """Ask whatever must be known before records are read."""

    @abstractmethod
    def fields(self, row: Row) -> Fields:
        """Return the canonical values of a row."""

    @abstractmethod
    def position(self, row: Row) -> str:
        """Return where a row stands."""

    @abstractmethod
    def create(self, operation: Operation) -> Row:
        """Make a record."""

    @abstractmethod
    def change(self, row: Row, operation: Operation) -> None:
        """Change a record."""

    def version(self, row: Row) -> str:
        """Return what a conditional write compares."""
        return str(row.version)

    def refusal(self, operation: Operation) -> str:
        """Return why the product refuses; empty where it does not."""
        return self.home.refuses(self.entity, operation.fields, operation.id)

    def unchanged(self, row: Row | None, operation: Operation) -> bool:
        """Tell whether a record is what the operation expects."""
        if operation.expected is None:
            return True
        return row is not None and self.version(row) == operation.expected.version

    # ---------------------------------------------------------------------------------------------------------------

    def observed(self, id_: str) -> Observed:
        """Return a record as the bridge sees it."""
        row = self.home.row(self.entity, id_)
        if row is None:
            return Observed(id_, presence=Presence.GONE)
        presence = {"present": Presence.PRESENT, "half": Presence.HALF}.get(row.state, Presence.GONE)
        return Observed(
            id=id_,
            fields=self.fields(row) if presence is Presence.PRESENT else {},
            presence=presence,
            version=self.version(row) if self.conditional else "",
            created=row.created,
            modified=row.modified,
            token=row.token,
            position=self.position(row),
            row=self.home.digest(self.entity, row) if self.home.outbox and row.state != "trash" else "",
        )

    @property
    def conditional(self) -> bool:
        """Whether the product writes on condition."""
        return True

    def values(self, fields: Fields) -> dict[str, Value]:
        """Return canonical values as the product keeps them."""
        return {name: native(value) for name, value in fields.items()}

    def _call(self, what: str, effect: Callable[[str], object]) -> object:  # type: ignore[type-arg]
        return self.wire.call(self.process, f"{self.home.name}.{self.entity}.{what}", effect)

    def _listed(self) -> list[Row]:
        return [
            one for one in self.home.rows(self.entity).values() if one.state in ("present", "half") and not one.hidden
        ]

    def _digests(self, within: Range) -> Mapping[str, str]:
        return {
            row.id: self.home.digest(self.entity, row)
            for row in self._listed()
            if within.start <= self.position(row) and (not within.end or self.position(row) < within.end)
        }

    def _summary(self, within: Range) -> Summary:
        digests = self._digests(within)
        together = 0
        for one in digests.values():
            together ^= int(one, 16)
        return Summary(len(digests), f"{together:016x}")

    def _apply(self, operations: Sequence[Operation], fault: str) -> Mapping[str, Outcome]:
        return {one.token: self._one(one, _share(fault, index)) for index, one in enumerate(operations)}

    def _one(self, operation: Operation, fault: str) -> Outcome:
        if fault == "unknown":
            return Outcome(operation.token, Result.UNKNOWN, message="no answer")
        if fault == "later":
            return Outcome(operation.token, Result.LATER, message="503", after=2.0)
        if fault == "delayed":
            sender = replace(self.process, looked=dict(self.process.looked), freed=dict(self.process.freed))
            self.wire.delay(lambda: self._arrived(operation, sender))
            return Outcome(operation.token, Result.UNKNOWN, message="no answer within 30 s")
        outcome = self._carried_out(operation)
        if fault == "unknown_happened" and outcome.result is Result.DONE:
            return Outcome(operation.token, Result.UNKNOWN, message="500 after it was written")
        return outcome

    def _arrived(self, operation: Operation, sender: Process) -> None:
        """Carry out what nobody waits for any more: nothing passes a boundary within it."""
        process, self.process = self.process, sender
        self.sudden = True
        try:
            self._carried_out(operation)
        finally:
            self.process, self.sudden = process, False

    def _carried_out(self, operation: Operation) -> Outcome:
        made = self.home.by_token(self.entity, operation.token) if self.conditional else None
        if operation.action is Action.CREATE and made is not None:
            return Outcome(operation.token, Result.DONE, self.observed(made.id))
        if why := self.refusal(operation):
            return Outcome(operation.token, Result.REFUSED, message=why, remedy="give it another name")
        if operation.action is Action.CREATE:
            row = self.create(operation)
            return self._done(operation, row)
        row = self.home.row(self.entity, operation.id)
        if row is None and operation.action is Action.UPDATE and operation.expected == self.observed(operation.id):
            return Outcome(operation.token, Result.REFUSED, message="it was deleted for good", remedy="make it anew")
        if not self.unchanged(row, operation) or row is None:
            return Outcome(operation.token, Result.STALE)
        if not self.conditional and not self.sudden:
            self._window(row)
        if operation.action is Action.RETIRE:
            self.home.retire(
                self.entity, row, "deleted" if operation.how is Deletion.DELETE else "trash", by_user=False
            )
        else:
            row.state = "present"
            self.change(row, operation)
        return self._done(operation, row)

    def _window(self, row: Row) -> None:
        """Be where a product without compare-and-set has been read and is not written yet."""
        key = (str(self.home.name), self.entity, row.id)
        self.wire.window.add(key)
        try:
            self.wire.boundary(self.process, f"window of {self.home.name}.{self.entity}.{row.id}")
        finally:
            self.wire.window.discard(key)

    def _done(self, operation: Operation, row: Row) -> Outcome:
        ledger = self.home.ledger
        self.home.writes.append(
            Wrote(
                ledger.next(),
                self.home.name,
                self.entity,
                row.id,
                str(operation.action),
                operation.token,
                dict(operation.fields),
            )
        )
        self.wire.trace.append(
            f"  {self.home.name}.{self.entity}.{row.id} {operation.action} {sorted(operation.fields)}"
        )
        return Outcome(operation.token, Result.DONE, self.observed(row.id))


class ShopForm(WorldForm):
    """One entity of the shop."""

    home: Shop

    def __init__(self, entity: str, home: Shop, process: Process, wire: Wire, counted: Callable[[], set[str]]) -> None:
        super().__init__(entity, home, process, wire)
        self._ask_counted = counted
        self._counted: set[str] = set()
        self._reread = (0, 0)
        self.on_push: Callable[[Process, Row, int, int], None] = lambda *_: None

    @property
    def conditional(self) -> bool:
        """Only our plugin writes on condition."""
        return self.home.outbox

    def about_to_look(self, ids: Sequence[str]) -> None:
        """Ask which orders ERPNext counts, before the shop is read: what comes later is then held twice, not never."""
        if self.entity == "product":
            self._counted = self.wire.call(self.process, "erpnext.counted", lambda _fault: self._ask_counted())

    def fields(self, row: Row) -> Fields:
        """Return canonical values: text as people see it, references by id, stock with what open orders hold."""
        values = {name: canonical_of(name, row.values.get(name)) for name in self.names}
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = html.unescape(value)
        if self.entity == "product":
            held = self.home.holding(row.id)
            open_ = sum(quantity for number, quantity in held.items() if number not in self._counted)
            values["stock"] = str(int(str(row.values.get("stock") or 0)) + open_)
        return values

    def version(self, row: Row) -> str:
        """Return the plugin's hash of what is stored: reading may touch a record without changing it."""
        return self.home.digest(self.entity, row)

    def position(self, row: Row) -> str:
        """Return its id, padded."""
        return row.id.zfill(20)

    def unchanged(self, row: Row | None, operation: Operation) -> bool:
        """Compare the version, or without our plugin everything."""
        if row is not None and self.entity == "product":
            self._reread = (int(str(row.values.get("stock") or 0)), self.home.taken.get(row.id, 0))
        if self.conditional or operation.expected is None:
            return super().unchanged(row, operation)
        if row is None or row.state != "present":
            return row is not None and operation.expected.presence is Presence.GONE
        if not self.sudden:
            self.about_to_look([row.id])
        return same(dict(self.fields(row)), dict(operation.expected.fields))

    def create(self, operation: Operation) -> Row:
        """Make a record; an order takes stock at once."""
        values = self.values(operation.fields)
        if self.entity == "order":
            return self.home.make_order(values, born="bridge", token=operation.token)
        if self.entity == "product":
            values["stock"] = int(str(values.get("stock") or 0))
        row = self.home.insert(self.entity, values, born="bridge", token=operation.token)
        if self.entity == "product":
            self.on_push(self.process, row, int(str(values["stock"])), 0)
        return row

    def change(self, row: Row, operation: Operation) -> None:
        """Change a record; stock moves by how much it should have been different, so that sales since are kept."""
        values = self.values(operation.fields)
        if self.entity == "order":
            self.home.change_order(row, values, by_user=False)
            return
        if "stock" in values:
            assert operation.expected is not None, "a stock push says upon what it was decided"
            values["stock"] = self.pushed_stock(self._reread[0], operation)
            self.on_push(self.process, row, values["stock"], self._reread[1])
        self.home.update(self.entity, row, values, by_user=False)

    def pushed_stock(self, there: int, operation: Operation) -> int:
        """Return what the shop's own quantity becomes, from what it was when it was last compared."""
        assert operation.expected is not None
        wanted, seen = operation.fields["stock"], operation.expected.fields["stock"]
        return there + int(str(wanted)) - int(str(seen or 0))


class BooksForm(WorldForm):
    """One entity of ERPNext."""

    home: Books
    moment: Callable[[str], int] = staticmethod(lambda _product: 0)
    on_order: Callable[[Mapping[str, Value]], None] = staticmethod(lambda _values: None)

    def fields(self, row: Row) -> Fields:
        """Return canonical values: text as it is, stock as what may be sold."""
        values = {name: canonical_of(name, row.values.get(name)) for name in self.names}
        if self.entity == "product":
            values["stock"] = str(self.home.sellable(row.id))
        return values

    def observed(self, id_: str) -> Observed:
        """Return a record, and note how fresh the worker's knowledge of its stock is."""
        if self.entity == "product":
            self.process.looked[id_] = self.moment(id_)
        return super().observed(id_)

    def position(self, row: Row) -> str:
        """Return its creation."""
        return row.created

    def renamed(self, made: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
        """Return ids of what was made when each of these was that is not there any more."""

        def effect(_fault: str = "") -> Mapping[str, Sequence[str]]:
            rows = self.home.rows(self.entity)
            there = [one for one in rows.values() if one.state != "deleted" and not one.hidden]
            return {
                id_: [one.id for one in there if one.created == moment]
                for id_, moment in made.items()
                if self.home.row(self.entity, id_) is None
            }

        # Histories in which nothing was ever renamed stay what they were before there were renames.
        return self._call("renamed", effect) if self.home.renames else effect()

    def create(self, operation: Operation) -> Row:
        """Make a document; without our app an order is inserted first, and submitted by another request."""
        values = self.values(operation.fields)
        if self.entity != "order":
            values = {name: value for name, value in values.items() if name != "stock"}
            return self.home.insert(self.entity, values, born="bridge", token=operation.token)
        self.on_order(values)
        status = values.pop("status")
        row = self.home.insert(self.entity, {**values, "status": "pending"}, born="bridge", token=operation.token)
        if not self.home.outbox and not self.sudden:
            self.wire.boundary(self.process, f"between insert and submit of {row.id}")
        self.home.change_order(row, {"status": status}, by_user=False)
        return row

    def change(self, row: Row, operation: Operation) -> None:
        """Change a document."""
        values = self.values(operation.fields)
        if self.entity == "order":
            self.home.change_order(row, values, by_user=False)
        else:
            self.home.update(self.entity, row, values, by_user=False)


def canonical_of(name: str, value: Value) -> Value:
    """Return a native value as the bridge compares it."""
    if name in REFERENCES and isinstance(value, str):
        return Ref(REFERENCES[name], value)
    if name == "lines" and isinstance(value, Sequence):
        return tuple({**line, "product": Ref("product", str(line["product"]))} for line in lines_of_value(value))
    if name == "email" and isinstance(value, str):
        return value.strip().lower() or None
    return value.strip() or None if isinstance(value, str) else value


def native(value: Value) -> Value:
    """Return a canonical value as products keep it: references are ids."""
    match value:
        case Ref():
            return value.id
        case str():
            return value
        case Mapping():
            return {key: native(one) for key, one in value.items()}
        case Sequence():
            return tuple(native(one) for one in value)
    return value


def lines_of_value(value: Value) -> Sequence[Mapping[str, Value]]:
    """Return a value's lines."""
    return lines_of(Row("", {"lines": value}, "", datetime.min))


def _share(fault: str, index: int) -> str:
    """Return what one of a batch meets: of a batch that partly happened each meets something else."""
    return ("", "later", "unknown_happened", "unknown")[index % 4] if fault == "partial" else fault
