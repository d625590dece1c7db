"""The machine: runs a history over both worlds and the bridge between, lets everything come to rest, and judges."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from agencystack.bridge.entity import Direction
from agencystack.bridge.record import SideName, Value, canonical

from .books import Books
from .clock import Clock
from .entities import ENTITIES, ERP, WP, sharing
from .history import Event, History, Setup
from .installation import Row
from .invariants import Verdict, Violation, once
from .ledger import Ledger
from .people import People
from .shop import Shop
from .sides import BooksForm, ShopForm, WorldSide
from .stock import StockWatch
from .tables import MemoryStore
from .wire import FAULTS, Process, Wire
from .workers import Worker

LEASE_SECONDS = 600.0
"""Longer than any lease of the bridge."""

QUIET_ROUNDS, MOST_ROUNDS, MOST_STEPS = 3, 40, 60
WRITES_A_RECORD = 6
"""After the last edit a record may be written so often at most: its creation, two fields that cross, stock, status."""

SIDES = (WP, ERP)
ID_FIELDS = ("customer", "order", "lines")
MAKEABLE = ("page", "customer", "product")
NARROWER = (Direction.TO_ERPNEXT, Direction.TO_WORDPRESS, Direction.OFF)


class Machine:
    """Two worlds, two workers, and whoever acts on them.

    Args:
        setup: how the products are installed.
        tables: the store, emptied.
    """

    def __init__(self, setup: Setup, tables: MemoryStore) -> None:
        self.setup, self.tables = setup, tables
        self.store = tables.empty()
        self.chance = random.Random(setup.seed)
        self.clock, self.ledger = Clock(), Ledger()
        self.shop = Shop(WP, self.clock, self.ledger, outbox=setup.plugin, chance=self.chance)
        self.books = Books(ERP, self.clock, self.ledger, outbox=setup.app, chance=self.chance)
        self.shop.taken, self.books.freed = {}, {}
        self.shop.writes_on_read = setup.writes_on_read
        self.watch = StockWatch(self.shop, self.books)
        self.wire = Wire(self.clock)
        self.directions: dict[str, Direction] = {}
        self.narrowed: set[str] = set()
        self.resolved: set[tuple[str, str, str, str]] = set()
        self.failures: list[str] = []
        self.people = People(
            self.shop, self.books, self.ledger, self.wire, self.watch, lambda entity: self.direction(entity)
        )
        for home in (self.shop, self.books):
            home.after_change.append(self.watch.look)
        self.workers = [Worker(self, f"worker-{number}") for number in range(2)]
        tables.on_commit = self._commit

    # Running. -----------------------------------------------------------------------------------------------------

    def run(self, history: History) -> None:
        """Let a history happen, come to rest, and judge.

        Raises:
            Violation: an invariant does not hold.
        """
        for one in history.events:
            self.do(one)
        self.rest()
        self.judge()
        self.steady()

    def do(self, event: Event) -> None:
        """Let one thing happen, now or in the middle of what a worker will do."""
        if event.after:
            self.wire.meanwhile.append((self.wire.boundaries + event.after, lambda: self._happen(event)))
        else:
            self._happen(event)
        self.so_far()

    def so_far(self) -> None:
        """Judge what must hold at every moment.

        Raises:
            Violation: it did not. (It is told here, since a worker survives errors within its calls.)
        """
        if self.failures:
            raise Violation(self.failures[0])
        once(self.shop, self.books)

    def rest(self) -> None:
        """End all faults, and let the bridge work until nothing is written any more.

        Raises:
            Violation: it never is (I5).
        """
        self.calm()
        before, quiet = self.writes(), 0
        self.clock.advance(LEASE_SECONDS)
        for entity in sorted(self.narrowed):
            self.workers[0].backfill(entity)
        for turn in range(MOST_ROUNDS):
            writes = self.writes()
            self.clock.advance(LEASE_SECONDS)
            self.round(self.workers[turn % 2])
            quiet = quiet + 1 if self.writes() == writes else 0
            if quiet == QUIET_ROUNDS:
                break
        else:
            raise Violation(f"I5: {self.writes() - before} writes and no end: {self.wire.trace[-20:]}")
        records = sum(len(home.rows(entity)) for home in (self.shop, self.books) for entity in ENTITIES)
        if self.writes() - before > WRITES_A_RECORD * (1 + records):
            raise Violation(f"I5: {self.writes() - before} writes after the last edit, for {records} records")

    def steady(self) -> None:
        """Look at everything again, which must change nothing.

        Raises:
            Violation: something was written (I5).
        """
        before = self.writes()
        self.workers[0].reconcile()
        self.workers[0].work(MOST_STEPS)
        self.round(self.workers[1])
        if self.writes() != before:
            raise Violation(f"I5: {self.writes() - before} writes in a steady state: {self.wire.trace[-20:]}")

    def content(self) -> dict[str, list[str]]:
        """Return what both sides hold, whatever ids it got."""
        return {
            f"{home.name} {entity}": sorted(
                canonical({key: value for key, value in row.values.items() if key not in ID_FIELDS})
                for row in home.alive(entity)
            )
            for home in (self.shop, self.books)
            for entity in ENTITIES
        }

    def judge(self) -> None:
        """Judge what came of it.

        Raises:
            Violation: an invariant does not hold.
        """
        self.so_far()
        Verdict(
            self.shop,
            self.books,
            self.ledger,
            self.people,
            self.watch,
            self.workers[0].asked(),
            self.resolved,
            self.narrowed,
            exactly=not self.wire.answers_lost,
        ).check()

    def calm(self) -> None:
        """End every fault, and let what was begun be committed."""
        self.wire.faults.clear()
        self.wire.write_faults.clear()
        self.wire.meanwhile.clear()
        self.wire.arrive()
        self.wire.crash_at = 0
        self.shop.webhooks.clear()
        self.books.webhooks.clear()
        while any(row.hidden for row in self.books.rows("page").values()):
            self.people.commit()
        if self.directions:
            self.directions.clear()
            self._share()

    def writes(self) -> int:
        """Return how often the bridge wrote."""
        return len(self.shop.writes) + len(self.books.writes)

    def direction(self, entity: str) -> Direction:
        """Return which way an entity goes at the moment."""
        return self.directions.get(entity, ENTITIES[entity].direction)

    def sides(self, process: Process) -> dict[SideName, WorldSide]:
        """Return both sides as one worker's process reaches them."""
        shop_forms = [
            ShopForm(name, self.shop, process, self.wire, lambda: self._counted(process)) for name in ENTITIES
        ]
        books_forms = [BooksForm(name, self.books, process, self.wire) for name in ENTITIES]
        for form in shop_forms:
            form.on_push = self._pushed
        for form in books_forms:
            form.moment = self.watch.moment
            form.on_order = self._ordered
        return {
            WP: WorldSide(self.shop, shop_forms, process, self.wire),
            ERP: WorldSide(self.books, books_forms, process, self.wire),
        }

    # What happens. ------------------------------------------------------------------------------------------------

    def _happen(self, event: Event) -> None:
        happens: Callable[[Event], None] = getattr(self, f"_on_{event.name}")
        happens(event)

    def _on_create(self, event: Event) -> None:
        self.people.create(SIDES[event.a % 2], MAKEABLE[event.b % 3], event.c)

    def _on_twin(self, event: Event) -> None:
        self.people.create_twin(SIDES[event.a % 2], MAKEABLE[1 + event.b % 2], event.c)

    def _on_edit(self, event: Event) -> None:
        side, entity = SIDES[event.a % 2], (*MAKEABLE, "order")[event.a // 2]
        self.people.edit(side, entity, event.b, event.c)

    def _on_meddle(self, event: Event) -> None:
        """Let somebody edit what the bridge is just looking at, and the bridge be told of it at once."""
        if self.wire.focus:
            side, entity, record = self.wire.focus[event.b % len(self.wire.focus)]
            for which in (event.c,) if event.c < 4 else range(5):  # one field, or a whole form that is saved
                self.people.edit_one(SideName(side), entity, record, which)
        self._idle(event).poll()

    def _on_silent(self, event: Event) -> None:
        self.people.edit(SIDES[event.a % 2], MAKEABLE[event.a // 2 % 3], event.b, event.c, silent=True)

    def _on_delete(self, event: Event) -> None:
        self.people.delete(SIDES[event.a % 2], MAKEABLE[event.b % 3], event.c, for_good=event.a >= 4)

    def _on_rename(self, event: Event) -> None:
        self.people.rename(("customer", "page")[event.a % 2], event.b)

    def _on_order(self, event: Event) -> None:
        self.people.order(WP if event.a % 4 else ERP, event.a, event.b, event.c)

    def _on_half(self, event: Event) -> None:
        self.people.order(WP, event.a, event.b, event.c, half=True)

    def _on_finish(self, _event: Event) -> None:
        self.people.finish_order()

    def _on_advance(self, event: Event) -> None:
        self.people.advance_order(SIDES[event.a % 2], event.b, event.c)

    def _on_refund(self, event: Event) -> None:
        self.people.refund(event.a)

    def _on_receive(self, event: Event) -> None:
        self.people.receive(event.a, event.b)

    def _on_type_stock(self, event: Event) -> None:
        self.people.set_shop_stock(event.a, event.b)

    def _on_begin(self, event: Event) -> None:
        self.people.begin_slowly(event.a)

    def _on_commit(self, _event: Event) -> None:
        self.people.commit()

    def _on_poll(self, event: Event) -> None:
        self._idle(event).poll()

    def _on_step(self, event: Event) -> None:
        self._idle(event).step()

    def _on_reconcile(self, event: Event) -> None:
        self._idle(event).reconcile()

    def _on_wait(self, event: Event) -> None:
        self.clock.advance((1, 5, 30, 90, 200, 700, 2000, 4000)[event.a])

    def _on_takeover(self, event: Event) -> None:
        """Let a worker stand still so long that its leases go to the other one, which then does the work."""
        if self.wire.busy and not self.setup.plugin and self.wire.here.endswith(".apply"):
            # Without the plugin nothing stops a request of a worker that stood still just before it sent it.
            self.wire.meanwhile.append((self.wire.boundaries + 1, lambda: self._on_takeover(event)))
            return
        self.wire.answers_lost += self.wire.busy
        self.clock.advance(LEASE_SECONDS)
        other = self._idle(event)
        other.poll()
        other.step()

    def _on_hint(self, event: Event) -> None:
        """Let a webhook arrive: late, in any order, sometimes twice."""
        home = (self.shop, self.books)[event.a % 2]
        if home.webhooks:
            entity, record = home.webhooks[event.b % len(home.webhooks)]
            if event.c % 3:
                home.webhooks.remove((entity, record))
            self.workers[event.a // 4].hint(home.name, entity, record)
        elif rows := home.alive(MAKEABLE[event.b % 3]):
            self.workers[event.a // 4].hint(home.name, MAKEABLE[event.b % 3], rows[event.c % len(rows)].id)

    def _on_drop(self, _event: Event) -> None:
        self.shop.webhooks.clear()
        self.books.webhooks.clear()

    def _on_disable(self, event: Event) -> None:
        home = (self.shop, self.books)[event.a % 2]
        home.webhooks_enabled = not home.webhooks_enabled

    def _on_fault(self, event: Event) -> None:
        kind = FAULTS[event.b % len(FAULTS)]
        if event.c % 2:
            self.wire.write_faults[self.wire.writes + 1 + event.a % 2] = kind
        else:
            self.wire.faults[self.wire.calls + 1 + event.a] = kind

    def _on_crash(self, event: Event) -> None:
        self.wire.crash_at = self.wire.boundaries + 1 + event.a * (1 + event.b % 3)

    def _on_resolve(self, event: Event) -> None:
        self.workers[event.a % 2].resolve(event.b, SIDES[event.c % 2])

    def _on_retry(self, event: Event) -> None:
        self.workers[event.a % 2].retry()

    def _on_share(self, event: Event) -> None:
        entity = MAKEABLE[event.a % 3]
        if entity in self.directions:
            del self.directions[entity]
        else:
            self.directions[entity] = NARROWER[event.b % 3]
            self.narrowed.add(entity)
        self._share()

    # ---------------------------------------------------------------------------------------------------------------

    def _share(self) -> None:
        for worker in self.workers:
            worker.share(sharing(**self.directions))

    def round(self, worker: Worker) -> None:
        """Let a worker do everything it has to do: what changed first, then a full look where changes can be missed."""
        worker.poll()
        worker.work(MOST_STEPS)
        if not (self.setup.plugin and self.setup.app) or self.people.unmarked:
            worker.reconcile()
            worker.work(MOST_STEPS)

    def _idle(self, event: Event) -> Worker:
        chosen = self.workers[event.a % 2]
        return self.workers[1 - event.a % 2] if chosen.busy else chosen

    def _commit(self) -> None:
        running = next((one for one in reversed(Worker.running) if one.machine is self), None)
        if running is not None:
            self.wire.boundary(running.process, "commit", world_goes_on=False)

    def _counted(self, process: Process) -> set[str]:
        process.freed = dict(self.books.freed)
        return self.books.counted()

    def _ordered(self, values: Mapping[str, Value]) -> None:
        """Judge an order at the moment it is made in ERPNext (I6): never without what it is of, or whose it is."""
        if not values.get("lines") or not values.get("customer"):
            self.failures.append(f"I6: order {values.get('number')} was made without its lines or its customer")

    def _pushed(self, process: Process, row: Row, told: int, taken: int) -> None:
        """Judge a stock push (I7) at the moment it is made."""
        product = self.watch.in_books(row.id)
        if product is None:
            return
        freed = self.books.freed.get(product, 0) - process.freed.get(product, 0)
        most = self.watch.allowed(product, process.looked.get(product, 0), taken, freed)
        if told > most:
            self.failures.append(f"I7: the shop was told to have {told} of {row.values['sku']}, {most} may be sold")
