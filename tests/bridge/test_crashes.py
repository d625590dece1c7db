"""Killed at every commit and at every call, one after the other: whatever was half done is found and finished.

A scenario is run once to count its boundaries: before and after each call of either side, and before each commit of
the bridge's store. Then it is run once for each of them, and dies there. After a commit nothing is different from
before the next boundary, so that moment needs no run of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from .world.history import Event, Setup
from .world.invariants import Violation
from .world.machine import LEASE_SECONDS, Machine
from .world.running import everywhere, silently, tables

WP, ERP = 0, 1
PAGE, CUSTOMER, PRODUCT, ORDER = 0, 1, 2, 3


def create(side: int, what: int, kind: int = 0) -> Event:
    return Event("create", side, what, kind)


def edit(side: int, what: int, record: int = 0, field: int = 0) -> Event:
    return Event("edit", side + 2 * what, record, field)


def order(side: int = WP, *, quantity: int = 1) -> Event:
    return Event("order", 0 if side == ERP else 1, 0, quantity)


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

FAULTS = {True: ("lost", "happened", "partial", "delayed"), False: ("happened", "delayed")}
"""What each writing call meets, with and without conditional writes; random histories meet more of them."""


@dataclass(frozen=True)
class Disturbance:
    """One run of a scenario: killed at a boundary, or a fault at a writing call.

    Args:
        scenario: index of it.
        setup: index of how the products are installed.
        boundary: the boundary at which the worker dies; 0 for none.
        write: the writing call that meets a fault.
        fault: which.
    """

    scenario: int
    setup: int
    boundary: int = 0
    write: int = 0
    fault: str = ""


def prepared(scenario: Scenario, setup: Setup) -> Machine:
    machine = Machine(setup, tables())
    for event in scenario.before:
        machine.do(event)
        if event.name == "receive":
            in_step(machine)
    in_step(machine)
    return machine


def in_step(machine: Machine) -> None:
    for worker in machine.workers:
        machine.round(worker)
        machine.clock.advance(LEASE_SECONDS)


def happen(machine: Machine, scenario: Scenario) -> None:
    for event in scenario.events:
        machine.do(event)
    machine.round(machine.workers[0])


def passed(scenario: Scenario, setup: Setup) -> tuple[range, range]:
    """Return the boundaries and the writing calls that a scenario passes undisturbed."""
    machine = prepared(scenario, setup)
    first, first_write = machine.wire.boundaries + 1, machine.wire.writes + 1
    happen(machine, scenario)
    boundaries = range(first, machine.wire.boundaries + 1)
    writes = range(first_write, machine.wire.writes + 1)
    machine.rest()
    machine.judge()
    return boundaries, writes


def disturbances(setup: int) -> list[Disturbance]:
    found = []
    for number, scenario in enumerate(SCENARIOS):
        boundaries, writes = passed(scenario, SETUPS[setup])
        found += [Disturbance(number, setup, boundary=one) for one in boundaries]
        faults = FAULTS[SETUPS[setup].plugin]
        found += [Disturbance(number, setup, write=one, fault=fault) for one in writes for fault in faults]
    return found


def broken(one: Disturbance) -> str:
    """Run a disturbed scenario, and return what it broke; empty when nothing."""
    scenario, setup = SCENARIOS[one.scenario], SETUPS[one.setup]
    machine = prepared(scenario, setup)
    machine.wire.crash_at = one.boundary
    if one.fault:
        machine.wire.write_faults[one.write] = one.fault
    try:
        happen(machine, scenario)
        if one.boundary and not any(worker.starts > 1 for worker in machine.workers):
            return f"{scenario}: nobody died at boundary {one.boundary}"
        machine.rest()
        machine.judge()
    except Violation as error:
        trace = "\n".join(machine.wire.trace[-40:])
        return f"{scenario}, {one}: {error}\n{trace}"
    return ""


@pytest.mark.parametrize("setup", range(len(SETUPS)), ids=["plugin and app", "REST alone"])
def test_a_kill_or_a_fault_anywhere_loses_and_doubles_nothing(setup: int) -> None:
    with silently():
        places = disturbances(setup)
        failed = [found for found in everywhere(broken, places, os.cpu_count() or 1) if found]
    assert not failed, f"{len(failed)} of {len(places)} disturbed runs fail; the first:\n{failed[0]}"
    assert len(places) > 300
