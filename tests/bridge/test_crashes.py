"""Killed at every commit and at every call, one after the other: whatever was half done is found and finished.

A scenario is run once to count its boundaries: before and after each call of either side, and before each commit of
the bridge's store. Then it is run once for each of them, and dies there. After a commit nothing is different from
before the next boundary, so that moment needs no run of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .world.history import Event, Setup
from .world.machine import Machine
from .world.running import tables
from .world.wire import FAULTS

WP, ERP = 0, 1
PAGE, CUSTOMER, PRODUCT, ORDER = 0, 1, 2, 3


def create(side: int, what: int, kind: int = 0) -> Event:
    return Event("create", side, what, kind)


def edit(side: int, what: int, record: int = 0, field: int = 0) -> Event:
    return Event("edit", side + 2 * what, record, field)


def order(side: int = WP, *, quantity: int = 1) -> Event:
    return Event("order", 0 if side == ERP else 4 * 0 + 1, 0, quantity)


SHOP = (create(ERP, PRODUCT), create(ERP, CUSTOMER), Event("receive", 0, 6))


@dataclass(frozen=True)
class Scenario:
    """What happens before, undisturbed, and what then happens and is disturbed."""

    name: str
    events: tuple[Event, ...]
    before: tuple[Event, ...] = ()

    def __str__(self) -> str:
        return self.name


SCENARIOS = (
    Scenario("created in WordPress", (create(WP, PAGE), create(WP, CUSTOMER), create(WP, PRODUCT))),
    Scenario("created in ERPNext", (create(ERP, PAGE), create(ERP, CUSTOMER), create(ERP, PRODUCT))),
    Scenario("one on both sides", (create(WP, CUSTOMER), Event("twin", ERP, 0, 0))),
    Scenario("changed", (edit(WP, PAGE), edit(ERP, PAGE, 0, 1)), (create(WP, PAGE),)),
    Scenario("in conflict", (edit(WP, PAGE, 0, 2), edit(ERP, PAGE, 0, 2)), (create(WP, PAGE),)),
    Scenario("an order with all it names", (*SHOP, Event("poll"), *([Event("step")] * 6), order(WP))),
    Scenario("an order born in ERPNext", (order(ERP),), SHOP),
    Scenario("an order, cancelled", (order(WP), Event("poll"), Event("step"), Event("advance", WP, 0, 1)), SHOP),
    Scenario(
        "a refund", (Event("refund"), Event("advance", WP)), (*SHOP, Event("poll"), *([Event("step")] * 6), order(WP))
    ),
    Scenario("deleted in WordPress", (Event("delete", WP, PAGE),), (create(WP, PAGE),)),
    Scenario(
        "deleted in ERPNext, edited in WordPress", (Event("delete", ERP, PAGE), edit(WP, PAGE)), (create(WP, PAGE),)
    ),
    Scenario("stock", (Event("receive", 0, 5), order(WP), Event("receive", 0, 4)), (*SHOP, order(WP))),
    Scenario("a backfill", tuple(create(number % 2, number % 3) for number in range(12))),
)
SETUPS = (Setup(), Setup(plugin=False, app=False))


def prepared(scenario: Scenario, setup: Setup) -> Machine:
    machine = Machine(setup, tables())
    for event in scenario.before:
        machine.do(event)
        if event.name == "receive":
            machine.rest()
    machine.rest()
    return machine


def happen(machine: Machine, scenario: Scenario) -> None:
    for event in scenario.events:
        machine.do(event)
    machine.round(machine.workers[0])


def boundaries(scenario: Scenario, setup: Setup) -> tuple[range, range]:
    """Return the boundaries, and the calls, that a scenario passes undisturbed."""
    machine = prepared(scenario, setup)
    first, first_call = machine.wire.boundaries + 1, machine.wire.calls + 1
    happen(machine, scenario)
    passed = range(first, machine.wire.boundaries + 1), range(first_call, machine.wire.calls + 1)
    machine.rest()
    machine.judge()
    return passed


def disturbed(scenario: Scenario, setup: Setup) -> Iterator[tuple[str, Machine]]:
    """Yield machines that will be disturbed, each at another place."""
    crashes, calls = boundaries(scenario, setup)
    for number in crashes:
        machine = prepared(scenario, setup)
        machine.wire.crash_at = number
        yield f"killed at boundary {number} of {crashes}", machine
    for number in calls:
        for fault in FAULTS:
            machine = prepared(scenario, setup)
            machine.wire.faults[number] = fault
            yield f"{fault} at call {number} of {calls}", machine


@pytest.mark.parametrize("setup", SETUPS, ids=["plugin and app", "REST alone"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_kill_or_a_fault_anywhere_loses_and_doubles_nothing(scenario: Scenario, setup: Setup) -> None:
    places = 0
    for where, machine in disturbed(scenario, setup):
        try:
            happen(machine, scenario)
            machine.rest()
            machine.judge()
            machine.steady()
        except AssertionError as error:
            error.add_note(f"{scenario}, {where}")
            error.add_note("\n".join(machine.wire.trace[-60:]))
            raise
        places += 1
    assert places > 20
