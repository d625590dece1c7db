"""What does not depend on each other happens at the same time: shown by a meeting that only both together can keep."""

from __future__ import annotations

import threading

import pytest

from agencystack.engine.integration import Evidence
from agencystack.engine.planning import Status
from agencystack.engine.resource import Change, Reading
from tests.engine.fakes import Sees, Thing, World, make_integration

PATIENCE = 10.0


class Meeting(Thing):
    """Reads, or writes, only when somebody else does too."""

    def __init__(self, barrier: threading.Barrier, when: str, *thing: object) -> None:
        super().__init__(*thing)  # type: ignore[arg-type]
        self._barrier, self._when = barrier, when

    def read(self) -> Reading:
        if self._when == "read":
            self._when = ""
            self._barrier.wait(PATIENCE)
        return super().read()

    def write(self, change: Change) -> None:
        if self._when == "write":
            self._barrier.wait(PATIENCE)
        super().write(change)


@pytest.mark.parametrize("when", ["read", "write"])
def test_clients(two_clients: World, when: str) -> None:
    world, barrier = two_clients, threading.Barrier(2)
    world.add(make_integration(lambda site: [Meeting(barrier, when, world.apps[site.client], "mail", {"a": 1})]))
    if when == "read":
        assert world.plan().changes == 2
    else:
        assert [result.status for result in world.integrate()] == [Status.APPLIED, Status.APPLIED]


@pytest.mark.parametrize("when", ["read", "write"])
def test_integrations_of_one_client(world: World, when: str) -> None:
    barrier = threading.Barrier(2)
    world.wants(Meeting(barrier, when, world.app, "mail", {"a": 1}))
    world.wants(Meeting(barrier, when, world.other, "mail", {"a": 1}), application="other")
    if when == "read":
        assert world.plan().changes == 2
    else:
        assert [result.status for result in world.integrate()] == [Status.APPLIED, Status.APPLIED]


def test_proofs_of_different_integrations(world: World) -> None:
    barrier = threading.Barrier(2)

    def meet() -> Evidence:
        barrier.wait(PATIENCE)
        return Evidence(ok=True)

    for name, product in (("app", world.app), ("other", world.other)):
        world.wants(Thing(product, "mail", {"a": 1}), application=name, proofs=lambda _site: [Sees("met", meet)])
    assert [result.status for result in world.integrate()] == [Status.APPLIED, Status.APPLIED]


def test_one_component_is_changed_by_one_at_a_time(two_clients: World) -> None:
    world = two_clients
    inside, most, busy = 0, 0, threading.Lock()

    def effect(what: str) -> None:
        nonlocal inside, most
        with busy:
            inside += 1 if what.startswith("before") else -1
            most = max(most, inside)

    world.hub.effect = effect
    world.add(
        make_integration(
            lambda site: [Thing(world.hub, f"{site.client} {number}", {"a": number, "b": 2}) for number in range(5)]
        )
    )
    assert [result.status for result in world.integrate()] == [Status.APPLIED, Status.APPLIED]
    assert len(world.hub.things) == 10
    assert most == 1


def test_a_later_type_begins_when_the_earlier_is_proven(world: World) -> None:
    proven: list[str] = []

    def arrives() -> Evidence:
        proven.append("the mail")
        return Evidence(ok=True)

    def needs_mail() -> Evidence:
        return Evidence(ok=proven == ["the mail"])

    world.wants(Thing(world.other, "watch", {"a": 1}), application="other", type="monitoring",
                proofs=lambda _site: [Sees("an alert arrives", needs_mail)])  # fmt: skip
    world.wants(Thing(world.app, "mail", {"a": 1}), proofs=lambda _site: [Sees("a mail arrives", arrives)])
    assert {result.plan.name: result.status for result in world.integrate()} == {
        "acme/email/app": Status.APPLIED,
        "acme/monitoring/other": Status.APPLIED,
    }
