"""Undo goes back to what was there before us, field by field, and takes nothing from a person."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agencystack.engine.planning import Status
from agencystack.engine.resource import Action, Foreign, Image, Permission, Reading
from agencystack.engine.session import Wish
from agencystack.engine.values import Fields, Value
from agencystack.stack.errors import ConfigurationError, Unavailable
from tests.engine.fakes import Thing, World, make_integration


def test_changed_fields_go_back_and_others_are_not_touched(world: World) -> None:
    world.app.things["mail"] = {"host": "old", "port": 25, "theirs": 1}
    world.wants(Thing(world.app, "mail", {"host": "mail", "port": 25, "tls": True}))
    world.integrate()
    world.app.things["mail"]["theirs"] = 2
    world.app.calls.clear()
    plans, errors = world.undo()
    assert errors == {}
    assert world.notes(plans) == []
    assert world.app.things["mail"] == {"host": "old", "port": 25, "theirs": 2}
    assert world.app.writes == ["put mail host", "put mail tls"]


def test_created_things_are_removed_in_reverse_order(world: World) -> None:
    world.wants(*(Thing(world.app, name, {"a": 1}) for name in ("domain", "user", "mail")))
    world.integrate()
    world.app.calls.clear()
    world.undo()
    assert world.app.writes == ["delete mail", "delete user", "delete domain"]
    assert world.app.things == {}


def test_integrations_are_undone_in_reverse_order_too(world: World) -> None:
    world.wants(Thing(world.hub, "first", {"a": 1}))
    world.wants(Thing(world.hub, "second", {"a": 1}), application="other")
    world.integrate()
    world.hub.calls.clear()
    world.undo()
    assert world.hub.writes == ["delete second", "delete first"]


def test_nothing_is_left_of_it_in_records(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"a": 1}), Thing(world.hub, "realm", {"a": 1}))
    world.integrate()
    world.undo()
    assert list(world.home.state_dir.rglob("*.json")) == []
    assert world.undo() == ([], {})


def test_a_later_integrate_begins_anew(world: World) -> None:
    world.app.things["mail"] = {"host": "old"}
    world.wants(Thing(world.app, "mail", {"host": "mail"}))
    world.integrate()
    world.undo()
    world.app.things["mail"]["host"] = "newer"
    [result] = world.integrate()
    assert result.status is Status.APPLIED
    world.undo()
    assert world.app.things["mail"] == {"host": "newer"}


class TestChangedByAPerson:
    """What somebody changed since is theirs: it stays, and is said."""

    @pytest.fixture(autouse=True)
    def _applied(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old", "port": 25}
        world.wants(Thing(world.app, "user", {"a": 1}), Thing(world.app, "mail", {"host": "mail", "port": 465}))
        world.integrate()

    def test_the_field_stays_and_the_others_go_back(self, world: World) -> None:
        world.app.things["mail"]["port"] = 587
        plans, _ = world.undo()
        assert world.app.things["mail"] == {"host": "old", "port": 587}
        assert "mail: port was changed by somebody since; it is left as it is" in world.notes(plans)

    def test_what_we_made_beside_it_stays_as_it_may_be_needed(self, world: World) -> None:
        world.app.things["mail"]["port"] = 587
        plans, _ = world.undo()
        assert "user" in world.app.things
        assert any(note.startswith("user: kept") for note in world.notes(plans))

    def test_force_puts_it_back_too(self, world: World) -> None:
        world.app.things["mail"]["port"] = 587
        plans, _ = world.undo(force=True)
        assert world.app.things == {"mail": {"host": "old", "port": 25}}
        assert world.notes(plans) == []

    def test_a_created_thing_that_was_changed_stays(self, world: World) -> None:
        world.app.things["user"]["a"] = 99
        plans, _ = world.undo()
        assert world.app.things["user"] == {"a": 99}
        assert "user: a changed by somebody since; it is left as it is" in world.notes(plans)
        assert world.app.things["mail"] == {"host": "old", "port": 25}

    def test_a_created_thing_that_is_gone_is_no_news(self, world: World) -> None:
        del world.app.things["user"]
        plans, errors = world.undo()
        assert (errors, world.notes(plans)) == ({}, [])

    def test_a_thing_that_is_gone_is_not_made_again(self, world: World) -> None:
        del world.app.things["mail"]
        plans, _ = world.undo()
        assert "mail" not in world.app.things
        assert "mail: somebody removed it since; it is not made again" in world.notes(plans)

    def test_what_was_put_back_by_hand_already_is_no_news(self, world: World) -> None:
        world.app.things["mail"] |= {"host": "old", "port": 25}
        world.app.calls.clear()
        plans, _ = world.undo()
        assert world.notes(plans) == []
        assert world.app.writes == ["delete user"]


class TestOneRun:
    """``--run ID`` goes back to before that run."""

    def _run(self, world: World, host: str, *more: Thing) -> str:
        world.integrations = [make_integration(lambda _site: [Thing(world.app, "mail", {"host": host}), *more])]
        [result] = world.integrate()
        assert result.plan.record is not None
        return result.plan.record.run

    def test_back_to_before_the_second(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old"}
        self._run(world, "one")
        second = self._run(world, "two", Thing(world.app, "user", {"a": 1}))
        world.undo(run=second)
        assert world.app.things == {"mail": {"host": "one"}}
        world.undo()
        assert world.app.things == {"mail": {"host": "old"}}

    def test_and_before_the_first_of_three(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old"}
        first = self._run(world, "one")
        self._run(world, "two")
        self._run(world, "three")
        world.undo(run=first)
        assert world.app.things == {"mail": {"host": "old"}}

    def test_a_run_that_did_nothing_here(self, world: World) -> None:
        self._run(world, "one")
        world.app.calls.clear()
        _, errors = world.undo(run="99990101T000000000Z-0000")
        assert errors == {}
        assert world.app.writes == []
        assert world.plan().changes == 0

    def test_what_another_integration_still_relies_on_stays(self, world: World) -> None:
        realm = {"name": "agency"}
        world.wants(Thing(world.hub, "realm", realm), Thing(world.app, "mail", {"a": 1}))
        world.wants(Thing(world.hub, "realm", realm), Thing(world.other, "mail", {"a": 1}), application="other")
        results = world.integrate()
        assert results[0].plan.record is not None
        run = results[0].plan.record.run
        world.undo(Wish(applications=("app",)), run=run)
        assert world.hub.things == {"realm": {"name": "agency"}}
        assert world.app.things == {}
        world.undo(Wish(applications=("other",)))
        assert world.hub.things == {"realm": {"name": "agency"}} or world.hub.things == {}


class TestStays:
    """What cannot or must not be taken back stays, with its reason where that is worth saying."""

    def test_it_is_said_and_not_touched(self, world: World) -> None:
        world.wants(Thing(world.app, "domain", {"a": 1}, stays="mail domains are never deleted"))
        world.integrate()
        plans, errors = world.undo()
        assert world.app.things == {"domain": {"a": 1}}
        assert (errors, world.notes(plans)) == ({}, ["domain: mail domains are never deleted"])
        assert world.undo() == ([], {})

    def test_without_a_word_when_there_is_nothing_to_say(self, world: World) -> None:
        world.wants(Thing(world.app, "tokens", {"a": 1}, stays=""))
        world.integrate()
        plans, _ = world.undo()
        assert world.app.things == {"tokens": {"a": 1}}
        assert world.notes(plans) == []


class TestTrouble:
    """What cannot be undone now is undone later."""

    def test_a_component_that_is_down(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old"}
        world.wants(Thing(world.hub, "realm", {"a": 1}), Thing(world.app, "mail", {"host": "mail"}))
        world.integrate()
        world.app.trouble = Unavailable("does not answer", component=world.app.ref)
        _, errors = world.undo()
        assert list(errors) == ["acme/email/app"]
        assert world.hub.things == {"realm": {"a": 1}}
        world.app.trouble = None
        _, errors = world.undo()
        assert errors == {}
        assert world.snapshot() == [{}, {"mail": {"host": "old"}}, {}]

    def test_a_defect_of_one_integration_stops_only_that(self, world: World) -> None:
        class Broken(Thing):
            def remove(self, live: Reading, before: Image) -> str:
                raise KeyError("surprise")

        world.wants(Thing(world.app, "mail", {"a": 1}))
        world.wants(Broken(world.other, "mail", {"a": 1}), application="other")
        world.integrate()
        _, errors = world.undo()
        assert list(errors) == ["acme/email/other"]
        assert "KeyError" in str(errors["acme/email/other"])
        assert world.app.things == {}

    def test_an_integration_that_no_longer_knows_what_it_made(self, world: World) -> None:
        world.wants(Thing(world.app, "menu", {"a": 1}))
        world.integrate()
        world.integrations = [make_integration(lambda _site: [])]
        _, errors = world.undo()
        assert isinstance(errors["acme/email/app"], ConfigurationError)
        assert "acme/app: menu" in str(errors["acme/email/app"])
        assert world.app.things == {"menu": {"a": 1}}

    def test_in_foreign_hands_by_now(self, world: World) -> None:
        def of(fields: Fields) -> Foreign | None:
            return Foreign("it is marked as somebody's", Permission.ADOPT) if fields.get("mark") == "theirs" else None

        world.wants(Thing(world.app, "user", {"mark": "ours"}, foreign=of))
        world.integrate()
        world.app.things["user"]["mark"] = "theirs"
        plans, _ = world.undo()
        assert world.app.things == {"user": {"mark": "theirs"}}
        assert world.notes(plans) == ["user: it is marked as somebody's; it is left as it is"]


class InTwoSteps(Thing):
    """Gives a mark back before it goes, as ERPNext's default Email Account does."""

    def remove(self, live: Reading, before: Image) -> str:
        self.product.put(self.key, "mark", "theirs")
        return super().remove(live, before)


class TestRemovalThatStoppedHalfWay:
    """What it did itself is no person's change; found on the real ERPNext by killing undo."""

    @pytest.fixture(autouse=True)
    def _stopped(self, world: World) -> None:
        def of(fields: Fields) -> Foreign | None:
            return Foreign("it is theirs", Permission.REPLACE) if fields.get("mark") == "theirs" else None

        def stop(what: str) -> None:
            if what == "before delete user":
                raise Unavailable("is restarting", component=world.app.ref)

        self.thing = InTwoSteps(world.app, "user", {"mark": "ours"}, foreign=of)
        world.wants(Thing(world.app, "domain", {"a": 1}), self.thing)
        world.integrate()
        world.app.effect = stop
        _, errors = world.undo()
        assert isinstance(errors["acme/email/app"], Unavailable)
        assert world.app.things["user"] == {"mark": "theirs"}
        world.app.effect = lambda _what: None

    def test_is_finished_by_the_next_undo(self, world: World) -> None:
        plans, errors = world.undo()
        assert (errors, world.notes(plans), world.app.things) == ({}, [], {})

    def test_after_integrate_a_change_of_a_person_counts_again(self, world: World) -> None:
        world.app.things["user"] = {"mark": "ours"}
        world.integrate()
        world.app.things["user"] = {"mark": "theirs"}
        plans, _ = world.undo()
        assert world.notes(plans)[0] == "user: it is theirs; it is left as it is"
        assert world.app.things["user"] == {"mark": "theirs"}


def test_an_adopted_thing_is_given_back_and_not_deleted(world: World) -> None:
    def of(fields: Fields) -> Foreign | None:
        return None if fields.get("mark") == "ours" else Foreign("it exists", Permission.ADOPT)

    world.app.things["user"] = {"mark": "a person's", "mail": 3}
    world.told["app"] = {"adopt": True}
    world.wants(Thing(world.app, "user", {"mark": "ours"}, foreign=of))
    [result] = world.integrate()
    assert [change.action for _, change in result.changes] == [Action.ADOPT]
    world.undo()
    assert world.app.things["user"] == {"mark": "a person's", "mail": 3}


NAMES = ("a", "b", "c")
VALUES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"]) | st.just(("p", "q"))
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES.filter(lambda value: value is not None))
WANTED = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
EDITS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def _same(left: Value, right: Value) -> bool:
    return left == right and isinstance(left, bool) is isinstance(right, bool)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.none() | FIELDS, wishes=st.lists(WANTED, min_size=1, max_size=3), edits=EDITS)
def test_undo_restores_exactly_what_is_ours(
    tmp_path_factory: pytest.TempPathFactory,
    first: Mapping[str, Value] | None,
    wishes: list[Mapping[str, Value]],
    edits: Mapping[str, Value],
) -> None:
    """Whatever was there, whatever we wanted in turn, whatever a person did after: theirs stays, ours goes back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _handle: None)
        world = World(tmp_path_factory.mktemp("world"))
        if first is not None:
            world.app.things["mail"] = dict(first)
        for wish in wishes:
            world.integrations = [make_integration(lambda _site, wish=wish: [Thing(world.app, "mail", wish)])]
            [result] = world.integrate()
            assert result.status is Status.APPLIED, result.reason
        ours = dict(world.app.things["mail"])
        for name, value in edits.items():
            world.app.things["mail"][name] = value
            if value is None:
                del world.app.things["mail"][name]
        live = dict(world.app.things["mail"])
        changed = {name for name in NAMES if not _same(live.get(name), ours.get(name))}
        plans, errors = world.undo()

    assert errors == {}
    if first is None:
        assert world.app.things == ({"mail": live} if changed else {})
        return
    expected = {name: live.get(name) if name in changed else first.get(name) for name in NAMES}
    assert {name: world.app.things["mail"].get(name) for name in NAMES} == expected
    said = " ".join(world.notes(plans))
    for name in changed:
        touched = not _same(ours.get(name), first.get(name)) and not _same(live.get(name), first.get(name))
        assert (f"mail: {name} was changed" in said) >= touched
