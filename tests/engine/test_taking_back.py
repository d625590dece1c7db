"""Where a proof fails, an all-or-nothing integration leaves both sides as they were, also after a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.integration import Evidence, Site
from agencystack.engine.planning import Status
from agencystack.stack.errors import ExitCode, Refused
from tests.engine.fakes import Killed, Sees, Thing, World


class Login:
    """An integration of two sides, whose proof answers as the test says."""

    def __init__(self, world: World, application: str = "app", shared: bool = False) -> None:
        self.world, self.works = world, False
        self.product = world.app if application == "app" else world.other
        self.secret = "one"
        provider = Thing(world.hub, "realm" if shared else f"client {application}", {"enabled": True})
        world.wants(
            provider,
            Thing(self.product, "login", {"secret": self.secret}),
            Thing(self.product, "enforce", {"on": True}, after_proof=True),
            proofs=self._proofs,
            application=application,
            type="sso",
            all_or_nothing=True,
        )

    def _proofs(self, _site: Site) -> list[Sees]:
        return [Sees("people log in", lambda: Evidence(ok=self.works, reason="" if self.works else "nobody gets in"))]


def test_a_failing_proof_returns_both_sides_to_what_they_were(world: World) -> None:
    world.app.things["login"] = {"secret": "of a person"}
    before = world.snapshot()
    Login(world)
    [result] = world.integrate()
    assert world.snapshot() == before
    assert (result.status, result.exit_code, result.changes) == (Status.UNVERIFIED, ExitCode.FAILED, [])
    assert result.reason == "proof failed: people log in: nobody gets in; what was changed is taken back"
    [item] = world.plan().integrations
    assert (item.status, item.record) == (Status.PENDING, None)


def test_what_locks_people_out_is_never_on_when_the_proof_fails(world: World) -> None:
    Login(world)
    world.integrate()
    assert not [call for call in world.app.calls if "enforce" in call and call.startswith("make")]


def test_keep_leaves_what_was_changed_for_a_person_to_look_at(world: World) -> None:
    login = Login(world)
    [result] = world.integrate(keep=True)
    assert world.app.things["login"] == {"secret": "one"}
    assert result.reason.endswith("what was changed is kept")
    assert len(result.changes) == 2
    login.works = True
    [again] = world.integrate()
    assert again.status is Status.APPLIED


def test_what_was_kept_is_taken_back_by_the_next_run_that_fails(world: World) -> None:
    before = world.snapshot()
    Login(world)
    world.integrate(keep=True)
    world.integrate()
    assert world.snapshot() == before


def test_a_change_that_fails_its_proof_goes_back_to_what_was_proven(world: World) -> None:
    works = {"one": True, "two": False}
    secret = ["one"]

    class Now(Thing):
        def wanted(self) -> dict[str, Any]:
            return {"secret": secret[0]}

    def look() -> Evidence:
        return Evidence(ok=works[secret[0]])

    world.wants(Now(world.app, "login", {"secret": "one"}), proofs=lambda _site: [Sees("in", look)], type="sso",
                all_or_nothing=True)  # fmt: skip
    world.integrate()
    secret[0] = "two"
    world.integrate()
    assert world.app.things["login"] == {"secret": "one"}
    secret[0] = "one"
    [item] = world.plan().integrations
    assert (item.status, item.changes) == (Status.APPLIED, [])


def test_a_write_that_fails_takes_back_the_side_that_was_written(world: World) -> None:
    before = world.snapshot()
    Login(world)

    def refuse(what: str) -> None:
        if what == "before make login":
            raise Refused("no", component=world.app.ref)

    world.app.effect = refuse
    [result] = world.integrate()
    assert world.snapshot() == before
    assert result.reason.startswith("failed: ")
    assert result.reason.endswith("what was changed is taken back")


def test_what_a_person_changed_during_the_proof_is_left_and_told(world: World) -> None:
    world.app.things["login"] = {"secret": "of a person"}
    login = Login(world)
    login._proofs = lambda _site: [Sees("in", meddle)]  # type: ignore[method-assign]

    def meddle() -> Evidence:
        world.app.things["login"]["secret"] = "of another person"
        return Evidence(ok=False, reason="no")

    world.integrations[0].proofs = login._proofs  # type: ignore[method-assign, assignment]
    [result] = world.integrate()
    assert world.app.things["login"] == {"secret": "of another person"}
    assert "except: login: secret was changed by somebody since" in result.reason


@pytest.mark.parametrize("point", ["before make login", "after make login", "during the proof"])
def test_a_run_that_died_is_taken_back_by_the_next_one_that_fails(world: World, point: str) -> None:
    before = world.snapshot()
    login = Login(world)

    def die(what: str) -> None:
        if what == point:
            raise Killed

    def die_in_proof(_site: Site) -> list[Sees]:
        return [Sees("in", lambda: die("during the proof") or Evidence(ok=False))]

    world.app.effect = die
    world.integrations[0].proofs = die_in_proof  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        world.integrate()
    assert world.snapshot() != before
    world.app.effect = lambda _what: None
    world.integrations[0].proofs = login._proofs  # type: ignore[method-assign, assignment]
    world.integrate()
    assert world.snapshot() == before
    assert not list(Path(world.home.state_dir).rglob("*.unproven"))


def test_what_two_share_stays_with_the_one_that_works_and_goes_with_the_last(world: World) -> None:
    first, second = Login(world, "app", shared=True), Login(world, "other", shared=True)
    first.works = True
    results = {result.plan.name: result for result in world.integrate()}
    assert results["acme/sso/app"].status is Status.APPLIED
    assert world.hub.things == {"realm": {"enabled": True}}
    assert "login" not in world.other.things
    assert second.works is False
    world.undo()
    assert world.hub.things == {}


def test_what_two_share_goes_when_both_fail(world: World) -> None:
    Login(world, "app", shared=True)
    Login(world, "other", shared=True)
    world.integrate()
    assert world.hub.things == {}


def test_a_way_back_that_fails_is_told_and_tried_again_by_the_next_run(world: World) -> None:
    before = world.snapshot()
    Login(world)
    broken: list[Callable[[str], None]] = [lambda what: _refuse(world, what)]
    world.app.effect = lambda what: broken[-1](what)
    [result] = world.integrate()
    assert "could not be taken back" in result.reason
    broken.append(lambda _what: None)
    world.integrate()
    assert world.snapshot() == before


def _refuse(world: World, what: str) -> None:
    if what.startswith("before delete"):
        raise Refused("no", component=world.app.ref)
