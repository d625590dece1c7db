"""What workers of one store agree on: claims, life signs, calls and nonces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.bridge.store import Store
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.shifts import Shifts


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/bridge.db")
    yield opened
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


def test_a_silent_worker_is_buried_once_and_its_claims_are_free(shifts: Shifts, clock: Clock) -> None:
    shifts.beat("w1")
    shifts.claim("acme", "w1", 3600)
    clock.now += 20_000
    shifts.beat("w2")
    assert shifts.silent(30) == []
    assert sorted(shifts.living(30)) == ["w1", "w2"]
    clock.now += 15_000
    assert shifts.silent(30) == ["w1"]
    assert shifts.living(30) == ["w2"]
    assert shifts.bury("w1")
    assert not shifts.bury("w1")
    assert shifts.claim("acme", "w2", 30)


def test_calls_are_counted_by_pairing(shifts: Shifts) -> None:
    for _ in range(2):
        shifts.call("acme")
    assert (shifts.called("acme"), shifts.called("bell")) == (2, 0)


def test_a_nonce_counts_once_and_is_forgotten_when_calls_of_its_time_are_refused(shifts: Shifts, clock: Clock) -> None:
    assert shifts.first_time("n" * 32, 600)
    assert not shifts.first_time("n" * 32, 600)
    clock.now += 600_001
    assert shifts.first_time("n" * 32, 600)
