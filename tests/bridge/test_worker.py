"""Workers: they share pairings, wake when a product calls, and take over from the dead."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agencystack.bridge.serving.worker import Rhythm, Worker
from agencystack.bridge.store.shifts import Standing
from agencystack.stack.errors import ComponentRef, Unavailable

QUICK = Rhythm(poll=30.0, glance=0.005, beat=0.02, silence=0.5)
PATIENCE = 10.0


class Office:
    """The store, both sides and the dispatch of several pairings, in memory."""

    def __init__(self, *pairings: str) -> None:
        self.names = list(pairings)
        self.claims: dict[str, tuple[str, float]] = {}
        self.looked: dict[str, float] = {}
        self.calls: dict[str, int] = dict.fromkeys(pairings, 0)
        self.heard: dict[str, int] = dict.fromkeys(pairings, 0)
        self.changed: dict[str, int] = dict.fromkeys(pairings, 0)
        self.inbox: dict[str, int] = dict.fromkeys(pairings, 0)
        self.drained: list[str] = []
        self.polled: list[str] = []
        self.beats: dict[str, float] = {}
        self.recovered: list[str] = []
        self.at_once: dict[str, int] = dict.fromkeys(pairings, 0)
        self.clashes = 0
        self.errors: dict[str, list[Exception]] = {}
        self.away = 0
        self.hanging: dict[str, threading.Event] = {}
        self.lock = threading.Lock()

    def standings(self) -> list[Standing]:
        with self.lock:
            if self.away:
                self.away -= 1
                raise Unavailable("the bridge's store does not answer")
            now = time.monotonic()
            return [
                Standing(
                    name,
                    held=self.claims.get(name, ("", 0.0))[1] > now,
                    called=self.calls[name] > self.heard[name],
                    due=self.inbox[name] > 0,
                    troubled=name in self.hanging,
                    idle=now - self.looked.get(name, 0.0),
                )
                for name in self.names
            ]

    def claim(self, pairing: str, worker: str, seconds: float) -> bool:
        with self.lock:
            owner, until = self.claims.get(pairing, ("", 0.0))
            if owner not in ("", worker) and until > time.monotonic():
                return False
            self.claims[pairing] = (worker, time.monotonic() + seconds)
            self.heard[pairing] = self.calls[pairing]
            return True

    def keep(self, worker: str, seconds: float) -> None:
        with self.lock:
            for pairing, (owner, _) in list(self.claims.items()):
                if owner == worker:
                    self.claims[pairing] = (worker, time.monotonic() + seconds)

    def release(self, pairing: str, worker: str) -> None:
        with self.lock:
            if self.claims.get(pairing, ("", 0))[0] == worker:
                del self.claims[pairing]
                self.looked[pairing] = time.monotonic()

    def beat(self, worker: str) -> None:
        self.beats[worker] = time.monotonic()

    def dead(self, seconds: float) -> list[str]:
        return [worker for worker, at in list(self.beats.items()) if at < time.monotonic() - seconds]

    def bury(self, worker: str) -> bool:
        with self.lock:
            return self.beats.pop(worker, None) is not None

    def poll(self, pairing: str) -> int:
        self.polled.append(pairing)
        if pairing in self.hanging:
            self.hanging[pairing].wait(PATIENCE)
        if self.errors.get(pairing):
            raise self.errors[pairing].pop()
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


def assert_eventually(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.005)


def test_what_changed_before_the_start_is_worked_off() -> None:
    office = Office("acme", "bell")
    office.changed["bell"] = 2
    with working(office):
        assert_eventually(lambda: office.drained == ["bell", "bell"])


def test_a_call_wakes_the_worker_long_before_it_would_have_asked() -> None:
    office = Office("acme")
    with working(office, rhythm=Rhythm(poll=30.0, glance=5.0, beat=1.0)) as worker:
        assert_eventually(lambda: "acme" in office.looked)
        office.changed["acme"] = 1
        office.calls["acme"] += 1
        worker.wake()
        assert_eventually(lambda: office.drained == ["acme"], 2.0)


def test_a_call_that_another_process_took_is_seen_in_the_store() -> None:
    office = Office("acme")
    with working(office):
        assert_eventually(lambda: "acme" in office.looked)
        office.changed["acme"] = 1
        office.calls["acme"] += 1
        assert_eventually(lambda: office.drained == ["acme"])


def test_a_lost_call_costs_one_interval_of_asking() -> None:
    office = Office("acme")
    with working(office, rhythm=Rhythm(poll=0.05, glance=0.005, beat=1.0)):
        assert_eventually(lambda: "acme" in office.looked)
        office.changed["acme"] = 1
        assert_eventually(lambda: office.drained == ["acme"])


def test_two_workers_never_attend_to_one_pairing_and_all_pairings_get_their_turn() -> None:
    names = [f"client{n}" for n in range(8)]
    office = Office(*names)
    office.changed = dict.fromkeys(names, 1)
    turns = Rhythm(poll=0.02, glance=0.005, beat=0.02, silence=1.0)
    with working(office, "w1", places=2, rhythm=turns), working(office, "w2", places=2, rhythm=turns):
        assert_eventually(lambda: set(office.drained) == set(names) and office.polled.count("client7") > 3)
    assert office.clashes == 0
    assert sorted(office.drained) == names


def test_a_call_of_the_hundredth_client_is_answered_at_once_though_there_are_few_places() -> None:
    names = [f"client{n}" for n in range(100)]
    office = Office(*names)
    with working(office, places=2):
        assert_eventually(lambda: len(office.looked) == len(names))
        office.changed["client99"] = 1
        office.calls["client99"] += 1
        assert_eventually(lambda: office.drained == ["client99"], 2.0)


def test_pairings_whose_side_hangs_leave_places_to_the_others() -> None:
    office = Office("acme", "bell", "cork", "dune")
    office.hanging = {name: threading.Event() for name in ("acme", "bell", "cork")}
    office.changed["dune"] = 1
    with working(office, places=2):
        assert_eventually(lambda: office.drained == ["dune"], 2.0)
        for event in office.hanging.values():
            event.set()


def test_a_dead_workers_pairings_and_workflows_are_taken_over() -> None:
    office = Office("acme")
    office.beat("dead")
    office.claim("acme", "dead", 0.1)
    office.changed["acme"] = 1
    with working(office):
        assert_eventually(lambda: office.recovered == ["dead"])
        assert_eventually(lambda: office.drained == ["acme"])


def test_a_look_that_takes_longer_than_a_silence_keeps_its_pairing() -> None:
    office = Office("acme")
    office.hanging = {"acme": threading.Event()}
    with working(office, "w1"), working(office, "w2"):
        assert_eventually(lambda: office.polled == ["acme"])
        assert not threading.Event().wait(3 * QUICK.silence)
        assert office.polled == ["acme"], "nobody else took it meanwhile"
        office.hanging["acme"].set()


def test_a_worker_that_stops_gives_up_its_claims_at_once() -> None:
    office = Office("acme")
    with working(office):
        assert_eventually(lambda: bool(office.polled))
    assert not office.claims
    assert not office.beats


@pytest.mark.parametrize("error", [Unavailable("is down", component=ComponentRef("acme", "erpnext")), KeyError("bug")])
def test_trouble_with_one_pairing_leaves_the_others_alone_and_is_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office("acme", "bell")
    office.errors["acme"] = [error, error]
    office.changed = {"acme": 1, "bell": 1}
    with working(office, rhythm=Rhythm(poll=0.05, glance=0.005, beat=1.0, longest=0.1)):
        assert_eventually(lambda: sorted(office.drained) == ["acme", "bell"])
    assert office.drained == ["bell", "acme"]
    assert caplog.text.count("pairing acme is tried again") == 2
    assert "'bug'" not in caplog.text, "a defect's text may hold a value"


def test_calls_do_not_make_a_broken_pairing_be_tried_over_and_over() -> None:
    office = Office("acme")
    office.errors["acme"] = [KeyError("bug")] * 100
    with working(office, rhythm=Rhythm(poll=30.0, glance=0.001, beat=1.0)) as worker:
        assert_eventually(lambda: len(office.polled) == 1)
        for _ in range(50):
            office.calls["acme"] += 1
            worker.wake()
            threading.Event().wait(0.002)
        assert len(office.polled) == 1


def test_a_store_that_goes_away_and_comes_back_does_not_end_the_worker() -> None:
    office = Office("acme")
    office.away = 3
    office.changed["acme"] = 1
    with working(office, rhythm=Rhythm(poll=0.02, glance=0.005, beat=1.0)):
        assert_eventually(lambda: office.drained == ["acme"])
