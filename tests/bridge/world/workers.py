"""A worker of the bridge in these worlds: the one place that calls the heart, and starts it anew when it was killed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.record import SideName
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.sharing import Sharing

from .entities import ENTITIES, sharing
from .invariants import Asked
from .wire import Crash, Process

if TYPE_CHECKING:
    from .machine import Machine

PAIRING = "acme"
BATCH = 100


class Worker:
    """One worker, through all its processes.

    Args:
        machine: where it works.
        name: its name; a new process has a new one.
    """

    running: ClassVar[list[Worker]] = []

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name
        self.starts = 0
        self.shared = sharing()
        self._start()

    @property
    def busy(self) -> bool:
        """It is in the middle of something."""
        return self in self.running

    def poll(self) -> None:
        """Ask both sides what changed."""
        self._do(lambda bridge: bridge.poll())

    def step(self) -> bool:
        """Work off one batch; true when there may be more."""
        return bool(self._do(self._batch))

    def work(self, most: int) -> None:
        """Work until nothing is due."""
        for _ in range(most):
            if not self.step():
                return

    def reconcile(self) -> None:
        """Compare the sides with what they were last seen to hold."""
        for entity in self.bridge.context.entities:
            self._do(lambda bridge, entity=entity: bridge.reconcile(entity, repair=True))

    def backfill(self, entity: str) -> None:
        """Look at every record of both sides, as after its direction was widened."""
        for side in SideName:
            self._do(lambda bridge, side=side: bridge.backfill(entity, side))

    def hint(self, side: SideName, entity: str, record: str) -> None:
        """Be told that a record changed."""
        self._do(lambda bridge: bridge.hint(side, entity, [record], "webhook"))

    def share(self, shared: Sharing) -> None:
        """Share something else from now on."""
        self.shared = shared
        if not self.busy:
            self._start()

    def asked(self) -> list[Asked]:
        """Return what persons are asked, and what they were told cannot be done."""
        conflicts = self.machine.tables.rows(
            "SELECT entity, field, wordpress_id, erpnext_id, candidates FROM conflict WHERE state = 'open'"
        )
        dead = self.machine.tables.rows("SELECT entity, '', wordpress_id, erpnext_id, '[]' FROM dead")
        return [Asked(*row[:4], candidates=tuple(json.loads(row[4]))) for row in (*conflicts, *dead)]

    def paused(self) -> str:
        """Return why the pairing is paused; empty when it is not."""
        rows = self.machine.tables.rows("SELECT reason FROM pairing WHERE state = 'paused'")
        return str(rows[0][0]) if rows else ""

    def resolve(self, pick: int, side: SideName) -> None:
        """Let a person decide a conflict: one side is right, or of several candidates one is the same thing."""
        open_ = list(self._do(lambda bridge: bridge.conflicts()) or ())  # type: ignore[call-overload]
        if not open_:
            return
        one: Conflict = open_[pick % len(open_)]
        choice = str(side)
        if one.kind is ConflictKind.AMBIGUOUS:
            choice = ("new", *one.candidates)[pick % (1 + len(one.candidates))]
        self.machine.resolved.add((one.entity, one.field, one.wordpress_id, one.erpnext_id))
        self._do(lambda bridge: bridge.resolve(one.id, choice, by="a person"))

    def retry(self) -> None:
        """Let a person try everything again that was refused."""
        self._do(lambda bridge: bridge.retry([one.id for one in bridge.dead_letters()]))

    @staticmethod
    def _batch(bridge: Bridge) -> bool:
        looked_at = bridge.step(BATCH).looked_at
        due = bridge.next_due()
        return bool(looked_at) or (due is not None and due <= bridge.context.clock())

    def _do(self, work: Callable[[Bridge], object]) -> object:
        if self.busy:
            return None
        with self._as_running():
            try:
                return work(self.bridge)
            except AgencyStackError:
                return None  # the loop around a worker reports it, and tries again
            except Crash:
                self._start()
                return None

    @contextmanager
    def _as_running(self) -> Iterator[None]:
        self.running.append(self)
        try:
            yield
        finally:
            self.running.remove(self)

    def _start(self) -> None:
        self.starts += 1
        self.process = Process(f"{self.name}.{self.starts}")
        chance = random.Random(f"{self.machine.setup.seed} {self.process.name}")
        self.bridge = Bridge(
            self.machine.store,
            PAIRING,
            self.machine.sides(self.process),
            ENTITIES,
            self.shared,
            clock=self.machine.clock,
            randomness=lambda count: chance.randbytes(count).hex(),
            worker=self.process.name,
        )
