"""Workers: they share pairings, wake when a product calls, and take over from the dead."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agencystack.bridge.worker import Rhythm, Worker
from agencystack.stack.errors import AgencyStackError, ComponentRef, Unavailable

QUICK = Rhythm(poll=30.0, glance=0.005, beat=0.02, silence=0.5, turn=60.0)
PATIENCE = 10.0


class Office:
    """The store, both sides and the dispatch of several pairings, in memory."""

    def __init__(self, *pairings: str) -> None:
        self.names = list(pairings)
        self.claims: dict[str, tuple[str, float]] = {}
        self.calls: dict[str, int] = dict.fromkeys(pairings, 0)
        self.changed: dict[str, int] = dict.fromkeys(pairings, 0)
        self.inbox: dict[str, int] = dict.fromkeys(pairings, 0)
        self.drained: list[str] = []
        self.beats: dict[str, float] = {}
        self.recovered: list[str] = []
        self.at_once: dict[str, int] = dict.fromkeys(pairings, 0)
        self.clashes = 0
        self.error: Exception | None = None
        self.lock = threading.Lock()

    def pairings(self) -> list[str]:
        return self.names

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        with self.lock:
            owner, until = self.claims.get(pairing, ("", 0.0))
            if owner not in ("", worker) and until > time.monotonic():
                return False
            self.claims[pairing] = (worker, time.monotonic() + seconds)
            return True

    def release(self, pairing: str, worker: str) -> None:
        with self.lock:
            if self.claims.get(pairing, ("", 0))[0] == worker:
                del self.claims[pairing]

    def called(self, pairing: str) -> int:
        return self.calls[pairing]

    def beat(self, worker: str) -> None:
        self.beats[worker] = time.monotonic()

    def silent(self, seconds: float) -> list[str]:
        return [worker for worker, at in list(self.beats.items()) if at < time.monotonic() - seconds]

    def bury(self, worker: str) -> bool:
        with self.lock:
            return self.beats.pop(worker, None) is not None

    def poll(self, pairing: str) -> int:
        if self.error:
            error, self.error = self.error, None
            raise error
        with self.lock:
            new, self.changed[pairing] = self.changed[pairing], 0
            self.inbox[pairing] += new
            return new

    def due(self, pairing: str) -> bool:
        return self.inbox[pairing] > 0

    def drain(self, pairing: str) -> int:
        with self.lock:
            self.at_once[pairing] += 1
            self.clashes += self.at_once[pairing] > 1
        time.sleep(0.005)
        with self.lock:
            self.at_once[pairing] -= 1
            self.drained += [pairing] * self.inbox[pairing]
            self.inbox[pairing] = 0
        return 1

    def recover(self, executor: str) -> int:
        self.recovered.append(executor)
        return 1


@contextmanager
def working(office: Office, name: str = "w1", *, places: int = 4, rhythm: Rhythm = QUICK) -> Iterator[Worker]:
    worker = Worker(name, office, office, office, places=places, rhythm=rhythm)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.005)


def test_what_changed_before_the_start_is_worked_off() -> None:
    office = Office("acme", "bell")
    office.changed["bell"] = 2
    with working(office):
        eventually(lambda: office.drained == ["bell", "bell"])


def test_a_call_wakes_the_worker_long_before_it_would_have_asked() -> None:
    office = Office("acme")
    with working(office) as worker:
        eventually(lambda: "acme" in office.claims)
        office.changed["acme"] = 1
        worker.wake("acme")
        eventually(lambda: office.drained == ["acme"])


def test_a_call_that_another_process_took_is_seen_in_the_store() -> None:
    office = Office("acme")
    with working(office):
        eventually(lambda: "acme" in office.claims)
        office.changed["acme"] = 1
        office.calls["acme"] += 1
        eventually(lambda: office.drained == ["acme"])


def test_a_lost_call_costs_one_interval_of_asking() -> None:
    office = Office("acme")
    with working(office, rhythm=Rhythm(poll=0.05, glance=0.005, beat=1.0)):
        eventually(lambda: "acme" in office.claims)
        office.changed["acme"] = 1
        eventually(lambda: office.drained == ["acme"])


def test_two_workers_never_attend_to_one_pairing_and_all_pairings_get_their_turn() -> None:
    names = [f"client{n}" for n in range(8)]
    office = Office(*names)
    office.changed = dict.fromkeys(names, 1)
    turns = Rhythm(poll=0.02, glance=0.005, beat=0.02, silence=1.0, turn=0.04)
    with working(office, "w1", places=2, rhythm=turns), working(office, "w2", places=2, rhythm=turns):
        eventually(lambda: set(office.drained) == set(names))
    assert office.clashes == 0
    assert sorted(office.drained) == names


def test_a_dead_workers_pairings_and_workflows_are_taken_over() -> None:
    office = Office("acme")
    office.beat("dead")
    office.claim("acme", "dead", 0.1)
    office.changed["acme"] = 1
    with working(office):
        eventually(lambda: office.recovered == ["dead"])
        eventually(lambda: office.drained == ["acme"])


def test_a_worker_that_stops_gives_up_its_claims_at_once() -> None:
    office = Office("acme")
    with working(office):
        eventually(lambda: "acme" in office.claims)
    assert not office.claims
    assert not office.beats


@pytest.mark.parametrize("error", [Unavailable("is down", component=ComponentRef("acme", "erpnext")), KeyError("bug")])
def test_trouble_with_one_pairing_leaves_the_others_alone_and_is_tried_again(error: Exception) -> None:
    office = Office("acme")
    office.error = error
    office.changed["acme"] = 1
    told: list[AgencyStackError] = []
    worker = Worker(
        "w1",
        office,
        office,
        office,
        rhythm=Rhythm(poll=0.05, glance=0.005, beat=1.0),
        trouble=lambda _, problem: told.append(problem),
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    eventually(lambda: office.drained == ["acme"])
    worker.stop()
    thread.join(PATIENCE)
    assert told == ([error] if isinstance(error, AgencyStackError) else [])
