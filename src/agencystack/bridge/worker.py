"""A worker: attends to pairings, a few at a time, and shares them with other workers on the same store.

It looks when a product called, when something parked is due, and every few seconds besides, since calls get lost. Any
number of workers run the same code; which one attends to a pairing is settled by a claim in the store, and a worker
that died is noticed by its silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from agencystack.stack.errors import AgencyStackError
from agencystack.stack.secrets import redact

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """How often a worker looks, in seconds.

    Args:
        poll: sides are asked what changed, where none called.
        glance: the store is asked whether a product called another process.
        beat: a worker says that it lives.
        silence: after so long without that it counts as dead, and its claims are free.
        turn: a pairing without work is given up after so long, so that more pairings than places all get their turn.
    """

    poll: float = 5.0
    glance: float = 0.2
    beat: float = 5.0
    silence: float = 30.0
    turn: float = 10.0


class Shifts(Protocol):
    """Who works on what; kept in the store, so that all workers agree."""

    def pairings(self) -> Sequence[str]:
        """Return the pairings that are at work, none that is paused."""

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        """Take a pairing, or keep it, for so long; say whether it is this worker's."""

    def release(self, pairing: str, worker: str) -> None:
        """Give a pairing up."""

    def called(self, pairing: str) -> int:
        """Return how often products of a pairing have called; it only grows."""

    def beat(self, worker: str) -> None:
        """Note that a worker lives."""

    def silent(self, seconds: float) -> Sequence[str]:
        """Return the workers that said nothing for so long."""

    def bury(self, worker: str) -> bool:
        """Forget a dead worker; true for the one caller that did it."""


class Work(Protocol):
    """What is done for a pairing."""

    def poll(self, pairing: str) -> int:
        """Ask both sides what changed, and return how many hints are new."""

    def due(self, pairing: str) -> bool:
        """Say whether something is to be done now."""


class Dispatch(Protocol):
    """What makes the work durable."""

    def drain(self, pairing: str) -> int:
        """Work off what is due of a pairing."""

    def recover(self, executor: str) -> int:
        """Continue what a dead worker left."""


class Worker:
    """One worker process.

    Args:
        name: of this process; another one at each start.
        shifts: who works on what.
        work: what is done.
        dispatch: how it is made durable.
        places: pairings attended to at a time.
        rhythm: how often it looks.
        trouble: told of a pairing that could not be attended to, and why.
    """

    def __init__(
        self,
        name: str,
        shifts: Shifts,
        work: Work,
        dispatch: Dispatch,
        *,
        places: int = 4,
        rhythm: Rhythm | None = None,
        trouble: Callable[[str, AgencyStackError], None] = lambda _pairing, _error: None,
    ) -> None:
        self.name = name
        self._shifts, self._work, self._dispatch = shifts, work, dispatch
        self._places, self._rhythm, self._trouble = places, rhythm or Rhythm(), trouble
        self._stopping = threading.Event()
        self._bells: dict[str, threading.Event] = {}
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    def wake(self, pairing: str) -> None:
        """Have this process look at a pairing at once; a product called."""
        with self._lock:
            bell = self._bells.get(pairing)
        if bell is not None:
            bell.set()

    def stop(self) -> None:
        """End after what is being done now."""
        self._stopping.set()
        with self._lock:
            for bell in self._bells.values():
                bell.set()

    def run(self) -> None:
        """Attend to pairings until :meth:`stop`."""
        self._shifts.beat(self.name)
        heart = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        heart.start()
        with ThreadPoolExecutor(self._places, thread_name_prefix="pairing") as pool:
            while not self._stopping.is_set():
                for pairing in self._free():
                    pool.submit(self._attend, pairing)
                self._stopping.wait(self._rhythm.glance)
        heart.join()
        self._shifts.bury(self.name)

    def _free(self) -> list[str]:
        """Claim pairings that nobody attends to, as many as there are places; those it left longest ago come first."""
        found = []
        for pairing in sorted(self._shifts.pairings(), key=lambda name: self._left.get(name, 0)):
            with self._lock:
                if len(self._bells) >= self._places:
                    break
                if pairing in self._bells:
                    continue
                if self._shifts.claim(pairing, self.name, self._rhythm.silence):
                    self._bells[pairing] = threading.Event()
                    found.append(pairing)
        return found

    def _attend(self, pairing: str) -> None:
        """Attend to one pairing until it had nothing to do for a turn."""
        bell = self._bells[pairing]
        idle = 0.0
        try:
            while not self._stopping.is_set() and idle < self._rhythm.turn:
                heard = self._shifts.called(pairing)
                bell.clear()
                busy = self._look(pairing)
                idle = 0.0 if busy else idle + self._rest(pairing, bell, heard)
        finally:
            with self._lock:
                del self._bells[pairing]
                self._left[pairing] = time.monotonic_ns()
            self._shifts.release(pairing, self.name)

    def _look(self, pairing: str) -> bool:
        """Ask the sides, work off what is due, and say whether there was anything."""
        try:
            new = self._work.poll(pairing)
            if not new and not self._work.due(pairing):
                return False
            self._dispatch.drain(pairing)
        except AgencyStackError as error:
            self._trouble(pairing, error)
            _log.warning("pairing %s: %s", pairing, redact(str(error)))
            return False
        except Exception:  # noqa: BLE001 - a defect in one pairing's work must not end the others'
            _log.exception("pairing %s could not be attended to", pairing)
            return False
        # What is due and held by somebody else stays due: no busy loop over it.
        self._stopping.wait(self._rhythm.glance if self._work.due(pairing) else 0)
        return True

    def _rest(self, pairing: str, bell: threading.Event, heard: int) -> float:
        """Wait until a product calls, something is due, or it is time to ask; return how long, in seconds."""
        waited = 0.0
        while waited < self._rhythm.poll and not self._stopping.is_set():
            waited += self._rhythm.glance
            if bell.wait(self._rhythm.glance) or self._shifts.called(pairing) != heard or self._work.due(pairing):
                break
        return waited

    def _live(self) -> None:
        """Say that we live, keep our claims, and take over from workers that do not."""
        while not self._stopping.wait(self._rhythm.beat):
            try:
                self._shifts.beat(self.name)
                with self._lock:
                    ours = list(self._bells)
                for pairing in ours:
                    self._shifts.claim(pairing, self.name, self._rhythm.silence)
                for dead in self._shifts.silent(self._rhythm.silence):
                    if dead != self.name and self._shifts.bury(dead):
                        _log.warning("worker %s died; %d of its workflows continue", dead, self._dispatch.recover(dead))
            except Exception:  # noqa: BLE001 - a database that restarts must not silence a living worker for good
                _log.exception("the heartbeat failed")
