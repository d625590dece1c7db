"""A worker: attends to pairings, a few at a time, and shares them with other workers on the same store.

A pairing is attended to when a product called, when something is due, and every few seconds besides, since calls get
lost. Any number of workers run the same code; which one attends to a pairing is settled by a claim in the store, which
lasts one look: the pairing that waited longest comes first, whoever takes it. A worker that died is noticed at once on
its own machine, and elsewhere by its silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from agencystack.bridge.store.shifts import Standing
from agencystack.bridge.work.context import broken_at
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.secrets import redact

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """How often a worker looks, in seconds.

    Args:
        poll: sides are asked what changed, where none called.
        glance: the store is asked whether there is something to do.
        beat: a worker says that it lives, and buries the dead.
        silence: after so long without that it counts as dead, and its claims are free.
        longest: a pairing that cannot be attended to is tried again after ``poll``, doubled each time, up to this.
    """

    poll: float = 5.0
    glance: float = 0.2
    beat: float = 5.0
    silence: float = 30.0
    longest: float = 60.0


class Shifts(Protocol):
    """Who works on what; kept in the store, so that all workers agree."""

    def standings(self) -> Sequence[Standing]:
        """Return how every pairing that is at work stands."""

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        """Take a pairing for so long, with all calls up to now; say whether it is this worker's."""

    def keep(self, worker: str, seconds: float) -> None:
        """Keep every pairing a worker has, for so long from now."""

    def release(self, pairing: str, worker: str) -> None:
        """Give a pairing up, as looked at."""

    def beat(self, worker: str) -> None:
        """Note that a worker, which is this process, lives."""

    def dead(self, seconds: float) -> Sequence[str]:
        """Return the workers that said nothing for so long, and those of this machine that run no more."""

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
        """Work off what is due of a pairing, or a good part of it."""

    def recover(self, executor: str) -> int:
        """Continue what a dead worker left."""


@dataclass(frozen=True)
class _Rest:
    """A pairing is left alone for a while.

    Args:
        until: by the monotonic clock.
        times: how often in a row it could not be attended to; 0: there was nothing to do, and a call ends the rest.
    """

    until: float
    times: int


_NO_REST = _Rest(0.0, 0)


class Worker:
    """One worker process.

    Args:
        name: of this process; another one at each start.
        shifts: who works on what.
        work: what is done.
        dispatch: how it is made durable.
        places: pairings attended to at a time; at most half of them by those whose side is not well.
        rhythm: how often it looks.
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
    ) -> None:
        self.name = name
        self._shifts, self._work, self._dispatch = shifts, work, dispatch
        self._places, self._rhythm = places, rhythm or Rhythm()
        self._stopping, self._bell = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._at_work: dict[str, bool] = {}
        self._rests: dict[str, _Rest] = {}

    def wake(self) -> None:
        """Look at once; a product called."""
        self._bell.set()

    def stop(self) -> None:
        """End after what is being done now."""
        self._stopping.set()
        self._bell.set()

    def run(self) -> None:
        """Attend to pairings until :meth:`stop`."""
        self._shifts.beat(self.name)
        heart = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        heart.start()
        with ThreadPoolExecutor(self._places, thread_name_prefix="pairing") as pool:
            while not self._stopping.is_set():
                self._bell.clear()
                self._hand_out(pool)
                self._bell.wait(self._rhythm.glance)
        heart.join()
        try:
            self._shifts.bury(self.name)
        except Exception as error:  # noqa: BLE001 - without a database others notice our silence
            _trouble("cannot take leave", error)

    def _hand_out(self, pool: ThreadPoolExecutor) -> None:
        """Attend to pairings that need it, as many as there are places; the one that waited longest comes first."""
        try:
            if len(self._at_work) >= self._places:
                return
            for standing in sorted(self._shifts.standings(), key=lambda one: -one.idle):
                wanted = not self._stopping.is_set() and self._needs(standing) and self._has_place(standing)
                if wanted and self._shifts.claim(standing.pairing, self.name, self._rhythm.silence):
                    with self._lock:
                        self._at_work[standing.pairing] = self._is_ill(standing)
                    pool.submit(self._attend, standing.pairing)
        except Exception as error:  # noqa: BLE001 - a database that restarts must not end the worker
            _trouble("the store does not answer", error)
            self._stopping.wait(self._rhythm.poll)

    def _needs(self, standing: Standing) -> bool:
        rest = self._rests.get(standing.pairing, _NO_REST)
        rested = time.monotonic() >= rest.until
        if standing.held or standing.pairing in self._at_work or (rest.times and not rested):
            return False
        return standing.called or standing.idle >= self._rhythm.poll or (standing.due and rested)

    def _has_place(self, standing: Standing) -> bool:
        """Say whether there is a place; those that may take long for nothing never take them all."""
        with self._lock:
            ill = sum(self._at_work.values())
            free = self._places - len(self._at_work)
        return free > 0 and not (self._is_ill(standing) and ill >= max(1, self._places // 2))

    def _is_ill(self, standing: Standing) -> bool:
        return standing.troubled or self._rests.get(standing.pairing, _NO_REST).times > 0

    def _attend(self, pairing: str) -> None:
        """Look at one pairing, and give it up."""
        try:
            if self._look(pairing):
                self._rests.pop(pairing, None)
            else:
                self._rests[pairing] = _Rest(time.monotonic() + self._rhythm.poll, 0)
        except Exception as error:  # noqa: BLE001 - trouble with one pairing must not end the others' work
            times = self._rests.get(pairing, _NO_REST).times + 1
            seconds = min(self._rhythm.longest, self._rhythm.poll * 2.0 ** min(times - 1, 10))
            self._rests[pairing] = _Rest(time.monotonic() + seconds, times)
            _trouble(f"pairing {pairing} is tried again in {seconds:.0f} s", error)
        finally:
            self._give_up(pairing)

    def _look(self, pairing: str) -> bool:
        """Ask the sides, work off what is due, and say whether there was anything to be done."""
        new = self._work.poll(pairing)
        if self._stopping.is_set() or not (new or self._work.due(pairing)):
            return False
        self._dispatch.drain(pairing)
        return True

    def _give_up(self, pairing: str) -> None:
        try:
            self._shifts.release(pairing, self.name)
        except Exception as error:  # noqa: BLE001 - the claim ends by itself
            _trouble(f"pairing {pairing} is given up later", error)
        with self._lock:
            del self._at_work[pairing]
        self._bell.set()

    def _live(self) -> None:
        """Say that we live, keep our claims, and take over from workers that do not."""
        while not self._stopping.wait(self._rhythm.beat):
            try:
                self._shifts.beat(self.name)
                self._shifts.keep(self.name, self._rhythm.silence)
                for dead in self._shifts.dead(self._rhythm.silence):
                    if dead != self.name and self._shifts.bury(dead):
                        _log.warning("worker %s died; %d of its workflows continue", dead, self._dispatch.recover(dead))
            except Exception as error:  # noqa: BLE001 - a database that restarts must not silence a living worker
                _trouble("the heartbeat failed", error)


def _trouble(what: str, error: Exception) -> None:
    """Log what was wrong: what we know of in words, a defect by its lines; never with a value."""
    if isinstance(error, AgencyStackError):
        _log.warning("%s: %s", what, redact(str(error)))
        return
    where = broken_at(error)
    _log.error("%s: %s at %s", what, where["error"], where["at"])
