"""Given these live values, this plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from agencystack.engine.integration import Blocked, Manual, Site, Unsupported
from agencystack.engine.ledger import Entry
from agencystack.engine.planning import Conflict, ForeignHands, Status, Step, compare, decide
from agencystack.engine.resource import ABSENT, Action, Foreign, Permission, Reading
from agencystack.engine.session import Wish
from agencystack.engine.values import Fields, Marker, Value
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, Unavailable
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Thing, World, make_integration

PASSWORD = Secret("correct horse")


def hashed(secret: Secret) -> str:
    return f"hash of {secret.reveal()}"


@dataclass(frozen=True)
class Case:
    """Live and wanted values, and the names of the fields that shall change."""

    name: str
    live: Fields | None
    wanted: Fields
    changes: tuple[str, ...] = ()
    applied: dict[str, Secret] = field(default_factory=dict)


CASES = [
    Case("absent: every field", None, {"host": "mail", "port": 465}, ("host", "port")),
    Case("absent: also a field wanted empty", None, {"host": None}, ("host",)),
    Case("equal", {"host": "mail", "port": 465}, {"host": "mail", "port": 465}),
    Case("drift of one field only", {"host": "other", "port": 465}, {"host": "mail", "port": 465}, ("host",)),
    Case("a field that is not shown", {}, {"host": "mail"}, ("host",)),
    Case("a field nobody set, wanted empty", {}, {"host": None}),
    Case("a field that is not managed", {"host": "mail", "debug": True}, {"host": "mail"}),
    Case("a switch is not a number", {"on": 1}, {"on": True}, ("on",)),
    Case("a number is not a switch", {"limit": True}, {"limit": 1}, ("limit",)),
    Case("a switch that is on", {"on": True}, {"on": True}),
    Case("a number is not its text", {"port": "465"}, {"port": 465}, ("port",)),
    Case("an empty text is not nothing", {"host": ""}, {"host": None}, ("host",)),
    Case("a list", {"nets": ("10.0.0.0/8",)}, {"nets": ("10.0.0.0/8",)}),
    Case("a list in another order", {"nets": ("b", "a")}, {"nets": ("a", "b")}, ("nets",)),
    Case("an empty list", {"nets": ()}, {"nets": ()}),
    Case("a secret that can be read", {"password": Secret("correct horse")}, {"password": PASSWORD}),
    Case("another secret that can be read", {"password": Secret("old")}, {"password": PASSWORD}, ("password",)),
    Case("no secret", {"password": None}, {"password": PASSWORD}, ("password",)),
    Case("a secret shown as plain text", {"password": "correct horse"}, {"password": PASSWORD}, ("password",)),
    Case(
        "an unreadable secret we wrote",
        {"password": Marker.UNREADABLE},
        {"password": PASSWORD},
        applied={"password": PASSWORD},
    ),
    Case(
        "an unreadable secret that shall be another",
        {"password": Marker.UNREADABLE},
        {"password": PASSWORD},
        ("password",),
        applied={"password": Secret("old")},
    ),
    Case("an unreadable secret nobody knows", {"password": Marker.UNREADABLE}, {"password": PASSWORD}, ("password",)),
    Case("made by apply", {"password": Marker.UNREADABLE}, {"password": Marker.PENDING}, ("password",)),
    Case("made by apply, nothing there", {"password": None}, {"password": Marker.PENDING}, ("password",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_live_and_wanted_give_these_changes(case: Case) -> None:
    entry = Entry(component="acme/app", key="mail", secrets={n: hashed(s) for n, s in case.applied.items()})
    changes = compare(case.wanted, Reading(case.live), entry, hashed)
    assert tuple(change.name for change in changes) == case.changes
    for change in changes:
        assert change.before == (case.live or {}).get(change.name)
        assert change.after == case.wanted[change.name]


FOREIGN_RELAY = Foreign("mail goes through smtp.sendgrid.net", Permission.REPLACE)
FOREIGN_MAILBOX = Foreign("the mailbox exists and is not ours", Permission.ADOPT)


@dataclass(frozen=True)
class Decision:
    """A reading, the permissions there are, and what is decided."""

    name: str
    reading: Reading
    action: Action | None
    permissions: frozenset[Permission] = frozenset()
    refused: bool = False


DECISIONS = [
    Decision("absent", ABSENT, Action.CREATE),
    Decision("different", Reading({"host": "old"}), Action.UPDATE),
    Decision("as wanted", Reading({"host": "mail"}), None),
    Decision("foreign", Reading({"host": "old"}, foreign=FOREIGN_RELAY), None, refused=True),
    Decision("foreign beside nothing of ours", Reading(None, foreign=FOREIGN_RELAY), None, refused=True),
    Decision("foreign and as wanted", Reading({"host": "mail"}, foreign=FOREIGN_RELAY), None),
    Decision(
        "foreign, the other permission",
        Reading({"host": "old"}, foreign=FOREIGN_RELAY),
        None,
        frozenset({Permission.ADOPT}),
        refused=True,
    ),
    Decision(
        "foreign, replaced",
        Reading({"host": "old"}, foreign=FOREIGN_RELAY),
        Action.UPDATE,
        frozenset({Permission.REPLACE}),
    ),
    Decision(
        "foreign, adopted",
        Reading({"host": "old"}, foreign=FOREIGN_MAILBOX),
        Action.ADOPT,
        frozenset({Permission.ADOPT}),
    ),
]


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: case.name)
def test_a_reading_and_permissions_give_this_decision(case: Decision, world: World) -> None:
    step = Step(Thing(world.app, "mail", {"host": "mail"}), ["acme/email/app"], reading=case.reading)
    step.wanted = {"host": "mail"}
    decide(step, None, hashed, case.permissions)
    assert (step.change.action if step.change else None) is case.action
    assert isinstance(step.problem, ForeignHands) == case.refused


def test_a_plan_writes_nothing_and_counts_what_differs(world: World) -> None:
    world.app.things["mail"] = {"host": "old", "port": 465}
    world.wants(Thing(world.app, "mail", {"host": "mail", "port": 465}), Thing(world.app, "page", {"title": "Hello"}))
    plan = world.plan()
    assert plan.changes == 2
    assert [item.status for item in plan.integrations] == [Status.PENDING]
    assert world.app.writes == []
    assert world.app.things == {"mail": {"host": "old", "port": 465}}
    assert not world.home.state_dir.exists()


def test_nothing_to_do_is_no_change(world: World) -> None:
    world.app.things["mail"] = {"host": "mail"}
    world.wants(Thing(world.app, "mail", {"host": "mail"}))
    plan = world.plan()
    assert plan.changes == 0
    assert plan.integrations[0].status is Status.UNVERIFIED
    assert "nothing was applied or proven by us" in plan.integrations[0].reason


class TestForeignHands:
    """A working configuration of somebody else is not touched until somebody says so."""

    @pytest.fixture(autouse=True)
    def _relay(self, world: World) -> None:
        world.app.things["mail"] = {"host": "smtp.sendgrid.net"}

        def of(fields: Fields) -> Foreign | None:
            return FOREIGN_RELAY if fields.get("host") == "smtp.sendgrid.net" else None

        world.wants(Thing(world.app, "mail", {"host": "mail"}, foreign=of))

    def test_blocked_with_the_word_that_lets_us(self, world: World) -> None:
        [item] = world.plan().integrations
        assert item.status is Status.BLOCKED
        assert "smtp.sendgrid.net" in item.reason
        assert "`replace: true`" in item.reason
        assert world.plan().changes == 0

    def test_integrate_leaves_it_and_fails(self, world: World) -> None:
        [result] = world.integrate()
        assert (result.status, int(result.exit_code)) == (Status.BLOCKED, 1)
        assert world.app.things["mail"] == {"host": "smtp.sendgrid.net"}
        assert world.app.writes == []

    def test_replace_in_stack_yaml_lets_us(self, world: World) -> None:
        world.told["app"] = {"replace": True}
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert world.app.things["mail"] == {"host": "mail"}

    def test_adopt_is_not_replace(self, world: World) -> None:
        world.told["app"] = {"adopt": True}
        assert world.plan().integrations[0].status is Status.BLOCKED

    def test_granted_by_a_person_during_the_command(self, world: World) -> None:
        [step] = world.plan().foreign
        granted = {step.key: Permission.REPLACE}
        [result] = world.integrate(granted=granted)
        assert result.status is Status.APPLIED
        assert world.app.things["mail"] == {"host": "mail"}


class TestUnreachable:
    """Unreachable, forbidden and absent are three answers."""

    @pytest.mark.parametrize(
        "trouble",
        [
            Unavailable("does not answer"),
            AuthenticationFailed("refused the token"),
            BadAnswer("answered HTML"),
        ],
        ids=["unreachable", "forbidden", "bad answer"],
    )
    def test_never_read_as_absent(self, world: World, trouble: Any) -> None:
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        world.app.trouble = trouble
        plan = world.plan()
        assert plan.changes == 0
        assert plan.integrations[0].status is Status.BLOCKED
        [result] = world.integrate()
        assert result.changes == []
        assert world.app.writes == []

    def test_a_component_that_is_down_is_asked_once(self, world: World) -> None:
        world.wants(*(Thing(world.app, f"page {number}", {"title": "x"}) for number in range(5)))
        world.app.trouble = Unavailable("does not answer", component=world.app.ref)
        world.plan()
        assert world.app.calls == ["read page 0"]

    def test_a_component_that_is_up_is_asked_for_everything(self, world: World) -> None:
        world.wants(*(Thing(world.app, f"page {number}", {"title": "x"}) for number in range(5)))
        world.plan()
        assert len(world.app.calls) == 5

    def test_unreachable_ends_with_its_own_exit_code(self, world: World) -> None:
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        world.app.trouble = Unavailable("does not answer", component=world.app.ref)
        [result] = world.integrate()
        assert int(result.exit_code) == 4

    def test_one_component_down_leaves_the_others_alone(self, two_clients: World) -> None:
        two_clients.add(make_integration(lambda site: [Thing(two_clients.apps[site.client], "mail", {"host": "m"})]))
        two_clients.apps["acme"].trouble = Unavailable("does not answer")
        acme, beta = two_clients.integrate()
        assert (acme.status, beta.status) == (Status.BLOCKED, Status.APPLIED)
        assert two_clients.apps["beta"].things == {"mail": {"host": "m"}}


class TestBrokenIntegration:
    """What somebody else's integration raises takes only itself down."""

    def _sound(self, world: World) -> None:
        world.wants(Thing(world.other, "mail", {"host": "m"}), application="other")

    @pytest.mark.parametrize("error", [ValueError("surprise"), KeyError("x")], ids=repr)
    @pytest.mark.parametrize("where", ["resources", "read", "wanted", "component_version", "former"])
    def test_only_its_own_status_suffers(self, world: World, where: str, error: Exception) -> None:
        self._sound(world)

        def burst(*_: object) -> Any:
            raise error

        thing = Thing(world.app, "mail", {"host": "m"})
        if where in {"read", "wanted"}:
            setattr(thing, where, burst)
        world.add(
            make_integration(
                burst if where == "resources" else lambda _site: [thing],
                component_version=burst if where == "component_version" else lambda: None,
                former=burst if where == "former" else lambda _key: None,
            )
        )
        if where == "former":
            self._once_wanted_something_else(world)
        broken, sound = world.integrate()
        assert sound.status is Status.APPLIED
        assert broken.status in {Status.BLOCKED, Status.PENDING, Status.UNVERIFIED}
        assert type(error).__name__ in broken.reason
        after = {item.name: item.status for item in world.plan().integrations}
        assert after["acme/email/other"] is Status.APPLIED
        assert after["acme/email/app"] is not Status.APPLIED

    def _once_wanted_something_else(self, world: World) -> None:
        broken = world.integrations.pop()
        world.wants(Thing(world.app, "old", {"x": 1}))
        world.integrate()
        world.integrations[-1] = broken


class TestOtherAnswers:
    """An integration may say beforehand that nothing can be planned."""

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (Blocked("the plugin is missing", remedy="install it"), Status.BLOCKED, 1),
            (Manual("a person must accept the terms"), Status.MANUAL, 0),
            (Unsupported("version 1 cannot do this"), Status.UNSUPPORTED, 0),
        ],
        ids=lambda value: getattr(value, "code", str(value)),
    )
    def test_is_the_status_with_its_reason(self, world: World, error: Exception, status: Status, code: int) -> None:
        def resources(_site: Site) -> Any:
            raise error

        world.add(make_integration(resources))
        [item] = world.plan().integrations
        assert (item.status, item.reason) == (status, str(error))
        [result] = world.integrate()
        assert (result.status, int(result.exit_code)) == (status, code)


class TestShared:
    """A resource of several integrations: read once, and all must want the same."""

    def _two(self, world: World, first: Fields, second: Fields) -> None:
        world.wants(Thing(world.hub, "realm", first), Thing(world.app, "mail", {"a": 1}))
        world.wants(Thing(world.hub, "realm", second), Thing(world.other, "mail", {"a": 1}), application="other")

    def test_is_read_once_and_counted_once(self, world: World) -> None:
        self._two(world, {"name": "acme"}, {"name": "acme"})
        plan = world.plan()
        assert world.hub.calls == ["read realm"]
        assert plan.changes == 3
        assert all(len(item.changes) == 2 for item in plan.integrations)

    def test_different_wishes_are_a_conflict_on_both(self, world: World) -> None:
        self._two(world, {"name": "acme"}, {"name": "beta"})
        plan = world.plan()
        assert [item.status for item in plan.integrations] == [Status.BLOCKED, Status.BLOCKED]
        for item in plan.integrations:
            assert isinstance(item.problem, Conflict)
            assert "acme/email/app" in item.reason
            assert "acme/email/other" in item.reason
            assert "name" in item.reason
        world.integrate()
        assert world.hub.writes == []

    def test_a_conflict_shows_no_secret(self, world: World) -> None:
        self._two(world, {"password": Secret("canary-one-6b1f")}, {"password": Secret("canary-two-6b1f")})
        assert not any("canary" in item.reason for item in world.plan().integrations)

    def test_a_third_integration_is_not_held_up(self, two_clients: World) -> None:
        world = two_clients
        world.add(make_integration(lambda site: [Thing(world.apps[site.client], "mail", {"client": site.client})]))
        world.add(
            make_integration(
                lambda site: [Thing(world.apps[site.client], "mail", {"client": "acme"})], application="other"
            )
        )
        statuses = {item.name: item.status for item in world.plan().integrations}
        assert statuses == {
            "acme/email/app": Status.PENDING,
            "acme/email/other": Status.PENDING,
            "beta/email/app": Status.BLOCKED,
            "beta/email/other": Status.BLOCKED,
        }


class TestNoLongerWanted:
    """What an earlier configuration wanted is given back, and the plan says what that means."""

    def _wanted(self, world: World, *things: Thing) -> None:
        world.integrations = [
            make_integration(
                lambda _site: things,
                former=lambda key: Thing(world.app, key, {"a": 1}) if key.startswith("page") else None,
            )
        ]

    def test_created_things_are_deleted(self, world: World) -> None:
        self._wanted(world, Thing(world.app, "page one", {"a": 1}))
        world.integrate()
        self._wanted(world, Thing(world.app, "page two", {"a": 1}))
        [item] = world.plan().integrations
        assert [(step.change.action, step.key[1]) for step in item.changes if step.change] == [
            (Action.CREATE, "page two"),
            (Action.DELETE, "page one"),
        ]
        world.integrate()
        assert world.app.things == {"page two": {"a": 1}}
        assert world.plan().changes == 0

    def test_changed_things_are_put_back_and_not_deleted(self, world: World) -> None:
        world.app.things["page one"] = {"a": 7, "theirs": True}
        self._wanted(world, Thing(world.app, "page one", {"a": 1}))
        world.integrate()
        self._wanted(world)
        [step] = world.plan().integrations[0].changes
        assert step.change is not None
        assert step.change.action is Action.UPDATE
        assert [(c.name, c.before, c.after) for c in step.change.fields] == [("a", 1, 7)]
        world.integrate()
        assert world.app.things == {"page one": {"a": 7, "theirs": True}}
        assert world.plan().changes == 0

    def test_what_a_person_changed_since_is_left(self, world: World) -> None:
        self._wanted(world, Thing(world.app, "page one", {"a": 1}))
        world.integrate()
        world.app.things["page one"]["a"] = 99
        self._wanted(world)
        assert world.plan().changes == 0
        world.integrate()
        assert world.app.things == {"page one": {"a": 99}}

    def test_what_is_gone_already_is_no_change(self, world: World) -> None:
        self._wanted(world, Thing(world.app, "page one", {"a": 1}))
        world.integrate()
        del world.app.things["page one"]
        self._wanted(world)
        assert world.plan().changes == 0

    def test_what_nobody_knows_any_more_is_named_and_left(self, world: World) -> None:
        self._wanted(world, Thing(world.app, "menu", {"a": 1}))
        world.integrate()
        self._wanted(world)
        [item] = world.plan().integrations
        assert any("menu is no longer wanted and is left as it is" in warning for warning in item.warnings)
        assert world.app.things == {"menu": {"a": 1}}

    def test_what_somebody_else_uses_stays(self, world: World) -> None:
        self._wanted(world, Thing(world.app, "page one", {"a": 1}))
        world.wants(Thing(world.app, "page one", {"a": 1}), application="other")
        world.integrate()
        other = world.integrations[1]
        self._wanted(world)
        world.integrations.append(other)
        assert world.plan(Wish(applications=("app",))).changes == 0
        assert world.plan().changes == 0
        world.integrate()
        assert world.app.things == {"page one": {"a": 1}}

    def test_what_all_who_shared_it_want_no_more_goes(self, world: World) -> None:
        def known(key: str) -> Thing:
            return Thing(world.app, key, {"a": 1})

        def both(*things: Thing) -> None:
            world.integrations = []
            for application in ("app", "other"):
                world.wants(*things, application=application, former=known)

        both(Thing(world.app, "page one", {"a": 1}))
        world.integrate()
        both()
        assert world.plan(Wish(applications=("app",))).changes == 0
        assert world.plan().changes == 1
        world.integrate()
        assert world.app.things == {}
        assert world.plan().changes == 0
        assert world.undo()[1] == {}


def test_values_before_and_after_are_in_the_change(world: World) -> None:
    world.app.things["mail"] = {"host": "old"}
    world.wants(Thing(world.app, "mail", {"host": "mail"}))
    [step] = world.plan().integrations[0].changes
    assert step.change is not None
    seen: list[tuple[str, Value, Value]] = [(c.name, c.before, c.after) for c in step.change.fields]
    assert seen == [("host", "old", "mail")]
