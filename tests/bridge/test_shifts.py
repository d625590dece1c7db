"""What workers of one store agree on: claims, life signs, calls and nonces."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from agencystack.bridge.record import SideName
from agencystack.bridge.store import Store
from agencystack.bridge.store.brakes import Breaker
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.shifts import Shifts, Standing
from agencystack.bridge.store.tables import metadata, worker
from tests.bridge.postgres import postgres


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    on_sqlite = request.param == "sqlite"
    opened = Store.open(f"sqlite:///{tmp_path}/bridge.db" if on_sqlite else request.getfixturevalue("server"))
    yield opened
    with opened.writing("") as writing:
        for table in metadata.sorted_tables:
            writing.connection.execute(table.delete())
    opened.close()


@pytest.fixture
def shifts(store: Store, clock: Clock) -> Shifts:
    return Shifts(store, clock)


def test_only_pairings_that_are_at_work_are_attended_to(store: Store, shifts: Shifts) -> None:
    for name, state in (("b", PairingState.ACTIVE), ("a", PairingState.ACTIVE), ("c", PairingState.PAUSED)):
        with store.writing(name) as writing:
            writing.pairings.create(1, state)
    assert shifts.pairings() == ["a", "b"]


def test_a_pairing_is_one_workers_until_the_claim_ends(shifts: Shifts, clock: Clock) -> None:
    assert shifts.claim("acme", "w1", 30)
    assert not shifts.claim("acme", "w2", 30)
    assert shifts.claim("bell", "w2", 30)
    clock.now += 20_000
    assert shifts.claim("acme", "w1", 30), "it keeps what it has"
    clock.now += 20_000
    assert not shifts.claim("acme", "w2", 30)
    clock.now += 10_001
    assert shifts.claim("acme", "w2", 30)


def test_a_claim_is_given_up_by_its_owner_alone(shifts: Shifts) -> None:
    shifts.claim("acme", "w1", 30)
    shifts.release("acme", "w2")
    assert not shifts.claim("acme", "w2", 30)
    shifts.release("acme", "w1")
    assert shifts.claim("acme", "w2", 30)


def test_a_claim_is_kept_without_taking_a_call_for_heard(store: Store, shifts: Shifts, clock: Clock) -> None:
    started(store, "acme")
    shifts.claim("acme", "w1", 30)
    clock.now += 20_000
    shifts.call(["acme"])
    shifts.keep("w1", 30)
    clock.now += 20_000
    assert not shifts.claim("acme", "w2", 30)
    assert standing(shifts).held
    shifts.release("acme", "w1")
    assert standing(shifts).called
    assert not standing(shifts).held


def test_a_silent_worker_is_buried_once_and_its_claims_are_free(shifts: Shifts, clock: Clock) -> None:
    shifts.beat("w1")
    shifts.claim("acme", "w1", 3600)
    clock.now += 20_000
    shifts.beat("w2")
    assert shifts.dead(30) == []
    assert sorted(shifts.living(30)) == ["w1", "w2"]
    clock.now += 15_000
    assert shifts.dead(30) == ["w1"]
    assert shifts.living(30) == ["w2"]
    assert shifts.bury("w1")
    assert not shifts.bury("w1")
    assert shifts.claim("acme", "w2", 30)


def test_a_worker_of_this_machine_whose_process_is_gone_is_dead_at_once(store: Store, shifts: Shifts) -> None:
    shifts.beat("w1")
    assert shifts.dead(30) == []
    with store.writing("") as writing:
        ours = writing.connection.execute(select(worker.c.host)).scalar_one()
        for name, host in (("w2", f"{ours}7"), ("w3", f"elsewhere {os.getpid()} 7"), ("w4", "an older version's")):
            writing.connection.execute(worker.insert().values(name=name, host=host, seen=1_000_000))
    assert shifts.dead(30) == ["w2"], "the others are of other machines, and were heard of lately"


def test_what_a_dead_worker_and_its_lanes_held_is_free(store: Store, shifts: Shifts, clock: Clock) -> None:
    with store.writing("acme") as writing:
        for number, owner in enumerate(("w1", "w1/0", "w10")):
            assert writing.leases.take([f"k{number}"], owner, number, clock.now, clock.now + 300_000)
    shifts.beat("w1")
    assert shifts.bury("w1")
    with store.writing("acme") as writing:
        taken = writing.leases.take(["k0", "k1", "k2"], "w2", 9, clock.now, clock.now + 300_000)
    assert taken == {"k0", "k1"}


def test_a_call_counts_until_the_pairing_is_attended_to(store: Store, shifts: Shifts) -> None:
    started(store, "acme")
    assert not standing(shifts).called
    shifts.call(["acme"])
    assert standing(shifts).called
    shifts.claim("acme", "w1", 30)
    shifts.release("acme", "w1")
    assert not standing(shifts).called


def test_a_pairing_stands_idle_since_the_last_look_at_it_began(store: Store, shifts: Shifts, clock: Clock) -> None:
    started(store, "acme")
    shifts.claim("acme", "w1", 30)
    clock.now += 2_000
    shifts.release("acme", "w1")
    clock.now += 5_000
    assert standing(shifts).idle == 7


def test_what_is_due_is_seen_but_not_while_its_side_is_left_alone(store: Store, shifts: Shifts, clock: Clock) -> None:
    started(store, "acme")
    assert not standing(shifts).due
    with store.writing("acme") as writing:
        writing.inbox.add(SideName.ERPNEXT, [("product", "A")], "changed", clock.now + 1000)
    assert not standing(shifts).due
    clock.now += 1000
    assert standing(shifts).due
    with store.writing("acme") as writing:
        writing.breakers.save(Breaker(SideName.WORDPRESS, 1, clock.now + 1000, "down"))
    assert (standing(shifts).due, standing(shifts).troubled) == (False, True)
    clock.now += 1000
    assert (standing(shifts).due, standing(shifts).troubled) == (True, True)


def started(store: Store, pairing: str) -> None:
    with store.writing(pairing) as writing:
        writing.pairings.create(1, PairingState.ACTIVE)


def standing(shifts: Shifts) -> Standing:
    (one,) = shifts.standings()
    return one


def test_calls_are_counted_by_pairing_however_many_come_at_once(shifts: Shifts) -> None:
    assert shifts.call(["acme"]) == [1]
    assert shifts.call(["bell", "acme", "bell"]) == [2, 2, 2]


def test_a_nonce_counts_once_and_is_forgotten_when_calls_of_its_time_are_refused(shifts: Shifts, clock: Clock) -> None:
    assert shifts.first_times(["n" * 32], 600) == [True]
    assert shifts.first_times(["n" * 32, "m" * 32, "m" * 32], 600) == [False, True, False]
    clock.now += 600_001
    assert shifts.first_times(["n" * 32], 600) == [True]
    assert shifts.first_times(["o" * 32], 600) == [True]
    clock.now += 600_001
    shifts.first_times(["p" * 32], 600)
