"""Each status of DESIGN 5 is reached by what it says, and `applied` only by a proof of exactly this."""

from __future__ import annotations

import pytest

from agencystack.engine.integration import Evidence, Proof, Site
from agencystack.engine.planning import IntegrationPlan, Status
from tests.engine.fakes import Sees, Thing, World, make_integration


class Setup:
    """One integration whose every part a test may change between two runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.host, self.version, self.component_version = "mail", 1, "6.8"
        self.passes = True
        self.proofs: int = 1
        self.renew()

    def renew(self) -> None:
        self.world.integrations = [
            make_integration(
                lambda _site: [Thing(self.world.app, "mail", {"host": self.host})],
                self._proofs,
                version=self.version,
                component_version=lambda: self.component_version,
            )
        ]

    def status(self) -> IntegrationPlan:
        self.renew()
        return self.world.plan().integrations[0]

    def _proofs(self, _site: Site) -> list[Proof]:
        return [Sees(f"proof {number}", self._look) for number in range(self.proofs)]

    def _look(self) -> Evidence:
        return Evidence(ok=self.passes, reason="" if self.passes else "no mail came")


@pytest.fixture
def setup(world: World) -> Setup:
    return Setup(world)


def test_pending_before_the_first_run(setup: Setup) -> None:
    item = setup.status()
    assert (item.status, item.reason) == (Status.PENDING, "not applied yet: create mail")


def test_applied_after_it(setup: Setup) -> None:
    setup.world.integrate()
    item = setup.status()
    assert (item.status, item.reason) == (Status.APPLIED, "")


def test_drifted_names_the_field(setup: Setup) -> None:
    setup.world.integrate()
    setup.world.app.things["mail"]["host"] = "other"
    item = setup.status()
    assert (item.status, item.reason) == (Status.DRIFTED, "changed since it was applied: update mail (host)")


def test_pending_when_something_else_is_wanted_now(setup: Setup) -> None:
    setup.world.integrate()
    setup.host = "new.mail"
    item = setup.status()
    assert item.status is Status.PENDING
    assert "wanted something else when last applied" in item.reason


def test_unverified_when_live_is_right_and_nobody_proved_it(setup: Setup) -> None:
    setup.world.app.things["mail"] = {"host": "mail"}
    assert setup.status().status is Status.UNVERIFIED
    [result] = setup.world.integrate()
    assert (result.status, result.changes) == (Status.APPLIED, [])
    assert setup.status().status is Status.APPLIED


def test_unverified_when_a_person_made_live_what_is_wanted_now(setup: Setup) -> None:
    """The record proves the old wish; that the new one works was not seen."""
    setup.world.integrate()
    setup.host = "new.mail"
    setup.world.app.things["mail"]["host"] = "new.mail"
    assert setup.status().status is Status.UNVERIFIED
    setup.world.integrate()
    assert setup.status().status is Status.APPLIED


def test_unverified_after_a_new_version_of_the_integration(setup: Setup) -> None:
    setup.world.integrate()
    setup.version = 2
    assert setup.status().status is Status.UNVERIFIED
    setup.world.integrate()
    assert setup.status().status is Status.APPLIED


def test_unverified_after_a_new_version_of_the_component(setup: Setup) -> None:
    setup.world.integrate()
    setup.component_version = "6.9"
    item = setup.status()
    assert item.status is Status.UNVERIFIED
    assert "app went from 6.8 to 6.9" in item.reason
    setup.world.verify()
    assert setup.status().status is Status.APPLIED


def test_unverified_after_a_failed_proof_which_is_tried_again_by_the_next_run(setup: Setup) -> None:
    setup.passes = False
    setup.world.integrate()
    item = setup.status()
    assert (item.status, item.reason) == (Status.UNVERIFIED, "proof failed: proof 0: no mail came")
    setup.passes = True
    [result] = setup.world.integrate()
    assert (result.status, result.changes) == (Status.APPLIED, [])


def test_one_of_two_proofs_is_not_enough(setup: Setup) -> None:
    setup.proofs = 2
    seen = iter([True, False])
    setup._look = lambda: Evidence(ok=next(seen), reason="the second failed")  # type: ignore[method-assign]
    setup.world.integrate()
    item = setup.status()
    assert (item.status, item.reason) == (Status.UNVERIFIED, "proof failed: proof 1: the second failed")


def test_a_proof_that_passed_once_and_fails_now(setup: Setup) -> None:
    setup.world.integrate()
    setup.passes = False
    setup.world.verify()
    assert setup.status().reason.startswith("proof failed:")


def test_without_a_proof_it_is_never_applied(setup: Setup) -> None:
    setup.proofs = 0
    [result] = setup.world.integrate()
    assert (result.status, result.reason) == (Status.UNVERIFIED, "this integration has no proof")
    assert setup.status().status is Status.UNVERIFIED


def test_a_proof_while_live_is_something_else_proves_nothing(setup: Setup) -> None:
    """Verify runs what is live; what is wanted stays unproven until it is live."""
    setup.world.integrate()
    setup.host = "new.mail"
    setup.renew()
    setup.world.verify()
    setup.world.app.things["mail"]["host"] = "new.mail"
    assert setup.status().status is Status.UNVERIFIED


def test_a_proof_that_raises_has_failed(setup: Setup) -> None:
    def burst() -> Evidence:
        raise ZeroDivisionError("surprise")

    setup._look = burst  # type: ignore[method-assign]
    [result] = setup.world.integrate()
    assert result.status is Status.UNVERIFIED
    assert "the proof itself broke: ZeroDivisionError" in result.reason


def test_proofs_that_cannot_be_set_up_have_failed(world: World) -> None:
    def burst(_site: Site) -> list[Proof]:
        raise KeyError("surprise")

    world.add(make_integration(lambda _site: [Thing(world.app, "mail", {"a": 1})], burst))
    [result] = world.integrate()
    assert result.status is Status.UNVERIFIED
    assert "proofs can be set up" in result.reason
    [(_, [proof])] = world.verify()
    assert not proof.ok
