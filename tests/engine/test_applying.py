"""What a run does to the product, to the disk, and in which order; what a person did meanwhile is never overwritten."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.integration import Evidence
from agencystack.engine.planning import Status
from agencystack.engine.resource import Change, Reading
from agencystack.engine.session import Wish
from agencystack.engine.values import Marker
from agencystack.stack import files
from agencystack.stack.errors import ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Sees, Thing, World, make_integration, passing


def test_resources_are_written_in_their_order(world: World) -> None:
    world.wants(*(Thing(world.app, name, {"a": 1}) for name in ("domain", "user", "token", "settings")))
    [result] = world.integrate()
    assert [call for call in world.app.writes if call.startswith("make")] == [
        "make domain", "make user", "make token", "make settings",
    ]  # fmt: skip
    assert result.status is Status.APPLIED
    assert len(result.changes) == 4


def test_a_second_run_writes_nothing_and_proves_nothing_again(world: World) -> None:
    proofs: list[str] = []

    def look() -> Evidence:
        proofs.append("asked")
        return Evidence(ok=True)

    world.wants(Thing(world.app, "mail", {"host": "mail"}), proofs=lambda _site: [Sees("works", look)])
    world.integrate()
    before, written = _files(world.home.root), list(world.app.writes)
    [result] = world.integrate()
    assert (result.status, result.changes, result.proofs) == (Status.APPLIED, [], [])
    assert world.app.writes == written
    assert proofs == ["asked"]
    assert _files(world.home.root) == before


def test_only_the_field_that_differs_is_written(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"host": "mail", "port": 465}))
    world.integrate()
    world.app.things["mail"]["port"] = 25
    world.app.calls.clear()
    world.integrate()
    assert world.app.writes == ["put mail port"]


def test_the_before_image_is_on_disk_before_the_product_is_touched(world: World) -> None:
    world.app.things["mail"] = {"host": "old"}
    seen: list[Any] = []

    def effect(what: str) -> None:
        if what.startswith("before"):
            [deed] = _entry(world, "mail")["deeds"]
            with world.session() as opened:
                entry = opened.ledger.entry(world.app.ref, "mail")
                seen.append((deed["state"], opened.ledger.before(entry, entry.deeds[0]).fields))

    world.app.effect = effect
    world.wants(Thing(world.app, "mail", {"host": "mail"}))
    world.integrate()
    assert seen == [("writing", {"host": "old"})]
    assert _entry(world, "mail")["deeds"][0]["state"] == "applied"


def test_the_record_says_what_was_applied_and_seen(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"host": "mail"}), component_version=lambda: "6.8", version=3)
    [result] = world.integrate()
    record = json.loads((world.home.state_dir / "acme/email/app.json").read_text())
    assert record["version"] == 3
    assert record["component_version"] == "6.8"
    assert list(record["resources"]) == ["acme/app: mail"]
    [proof] = record["proofs"]
    assert (proof["name"], proof["ok"], proof["evidence"]) == ("it works", True, {"answer": 42})
    assert proof["fingerprint"] == record["fingerprint"]
    history = [json.loads(line) for line in (world.home.state_dir / "history.jsonl").read_text().splitlines()]
    assert [(line["run"], line["status"], line["changes"]) for line in history] == [(record["run"], "applied", 1)]
    assert result.proofs[0].ok


def test_a_write_that_is_accepted_and_not_taken_is_a_failure_that_names_the_field(world: World) -> None:
    class Stubborn(Thing):
        def write(self, change: Change) -> None:
            super().write(change)
            self.product.things[self.key]["host"] = "localhost"

    world.wants(Stubborn(world.app, "mail", {"host": "mail", "port": 465}))
    [result] = world.integrate()
    assert result.status is Status.PENDING
    assert "host is 'localhost' instead of 'mail'" in result.reason
    assert "port" not in result.reason
    assert int(result.exit_code) == 1
    assert world.plan().integrations[0].status is not Status.APPLIED


def test_a_thing_that_is_not_there_after_the_write_is_a_failure(world: World) -> None:
    class Vanishing(Thing):
        def write(self, change: Change) -> None:
            pass

    world.wants(Vanishing(world.app, "mail", {"host": "mail"}))
    [result] = world.integrate()
    assert "was accepted, but afterwards" in result.reason


class TestChangedSincePlan:
    """What a person does between plan and apply is not run over."""

    def test_a_changed_value_stops_the_run_and_is_named(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old", "port": 25}
        world.wants(Thing(world.app, "mail", {"host": "mail", "port": 465}))
        [result] = world.integrate(between=lambda: world.app.things["mail"].update(host="theirs"))
        assert "was changed after the plan was made: host" in result.reason
        assert world.app.things["mail"] == {"host": "theirs", "port": 25}

    def test_something_made_meanwhile(self, world: World) -> None:
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        [result] = world.integrate(between=lambda: world.app.things.update(mail={"host": "theirs"}))
        assert "somebody made it" in result.reason
        assert world.app.things["mail"] == {"host": "theirs"}

    def test_something_gone_meanwhile(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old"}
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        [result] = world.integrate(between=world.app.things.clear)
        assert "it is gone" in result.reason
        assert world.app.things == {}

    def test_somebody_did_what_we_wanted(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old"}
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        [result] = world.integrate(between=lambda: world.app.things["mail"].update(host="mail"))
        assert result.status is Status.APPLIED
        assert world.app.writes == []

    def test_what_our_own_write_changed_beside_it_is_expected(self, world: World) -> None:
        class Plugin(Thing):
            def write(self, change: Change) -> None:
                super().write(change)
                self.product.things["mail"] = {"host": "default of the plugin"}

        world.wants(Plugin(world.app, "plugin", {"active": True}), Thing(world.app, "mail", {"host": "mail"}))
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert world.app.things["mail"] == {"host": "mail"}


class TestFailureHalfWay:
    """What failed is said, the rest goes on, and the next run continues."""

    def test_the_next_run_converges_and_undo_still_restores_the_first_state(self, world: World) -> None:
        world.app.things["mail"] = {"host": "old", "port": 25}
        first = world.snapshot()
        fail = [True]

        def effect(what: str) -> None:
            if what == "before put mail port" and fail[0]:
                raise Refused("says no", component=world.app.ref)

        world.app.effect = effect
        world.wants(Thing(world.app, "user", {"a": 1}), Thing(world.app, "mail", {"host": "mail", "port": 465}))
        [result] = world.integrate()
        assert result.status is Status.PENDING
        assert "says no" in result.reason
        assert world.app.things["mail"] == {"host": "mail", "port": 25}
        fail[0] = False
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert [step.key[1] for step, _ in result.changes] == ["mail"]
        world.undo()
        assert world.snapshot() == first

    def test_others_go_on(self, world: World) -> None:
        world.app.effect = lambda _what: (_ for _ in ()).throw(RuntimeError("surprise"))
        world.wants(Thing(world.app, "mail", {"a": 1}))
        world.wants(Thing(world.other, "mail", {"a": 1}), application="other")
        broken, sound = world.integrate()
        assert (broken.status, sound.status) == (Status.PENDING, Status.APPLIED)
        assert "RuntimeError" in broken.reason
        assert ".jsonl" in broken.reason
        assert world.watcher.finished.count("acme/email/app") == 1

    def test_a_later_resource_is_not_written_after_a_failed_one(self, world: World) -> None:
        world.app.effect = lambda what: (_ for _ in ()).throw(Refused("no")) if "user" in what else None
        world.wants(Thing(world.app, "user", {"a": 1}), Thing(world.app, "mail", {"a": 1}))
        world.integrate()
        assert "make mail" not in world.app.writes

    def test_all_who_share_what_failed_fail_with_it(self, world: World) -> None:
        world.hub.effect = lambda _what: (_ for _ in ()).throw(Refused("the hub says no"))
        for name, product in (("app", world.app), ("other", world.other)):
            world.wants(Thing(world.hub, "realm", {"a": 1}), Thing(product, "mail", {"a": 1}), application=name)
        results = world.integrate()
        assert all("the hub says no" in result.reason for result in results)
        assert world.hub.writes == ["make realm"]
        assert world.app.writes == world.other.writes == []


class TestInterrupted:
    """Ctrl-C lets the write that is going on finish, and starts no other."""

    def test_the_next_run_continues(self, world: World) -> None:
        def stop(what: str) -> None:
            if "user" in what:
                world.watcher.on_step = lambda _what: None
                raise KeyboardInterrupt

        world.watcher.on_step = stop
        world.wants(*(Thing(world.app, name, {"a": 1}) for name in ("domain", "user", "mail")))
        with pytest.raises(KeyboardInterrupt):
            world.integrate()
        assert list(world.app.things) == ["domain"]
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert list(world.app.things) == ["domain", "user", "mail"]

    def test_other_integrations_finish_their_write_and_begin_no_other(self, world: World) -> None:
        writing, interrupted = threading.Event(), threading.Event()

        def slowly(what: str) -> None:
            if what == "before make one":
                writing.set()
                assert interrupted.wait(10)

        def interrupt(what: str) -> None:
            if what.endswith("mail"):
                assert writing.wait(10)
                # The main thread hears of it as soon as this worker's future is done.
                threading.Timer(0.2, interrupted.set).start()
                raise KeyboardInterrupt

        world.other.effect = slowly
        world.watcher.on_step = interrupt
        world.wants(Thing(world.app, "mail", {"a": 1}))
        world.wants(Thing(world.other, "one", {"a": 1}), Thing(world.other, "two", {"a": 1}), application="other")
        with pytest.raises(KeyboardInterrupt):
            world.integrate()
        assert world.other.things == {"one": {"a": 1}}
        assert _entry(world, "one", "other")["deeds"][0]["state"] == "applied"


class TestShared:
    """A resource that several integrations want is written once and goes with its last user."""

    @pytest.fixture(autouse=True)
    def _two(self, two_clients: World) -> None:
        world = two_clients
        world.add(
            make_integration(
                lambda site: [
                    Thing(world.hub, "realm", {"name": "agency"}),
                    Thing(world.apps[site.client], "mail", {"client": site.client}),
                ]
            )
        )

    def test_written_once_for_all(self, two_clients: World) -> None:
        results = two_clients.integrate()
        assert two_clients.hub.writes == ["make realm", "put realm name"]
        assert all(result.status is Status.APPLIED for result in results)
        assert _entry(two_clients, "realm", "hub", "shared")["users"] == ["acme/email/app", "beta/email/app"]

    def test_given_back_with_its_last_user(self, two_clients: World) -> None:
        two_clients.integrate()
        two_clients.undo(Wish(clients=("acme",)))
        assert two_clients.hub.things == {"realm": {"name": "agency"}}
        assert two_clients.apps["acme"].things == {}
        two_clients.undo(Wish(clients=("beta",)))
        assert two_clients.hub.things == {}

    def test_all_at_once_is_given_back_too(self, two_clients: World) -> None:
        two_clients.integrate()
        two_clients.undo()
        assert [product.things for product in two_clients.products] == [{}, {}, {}, {}, {}]

    def test_a_failed_undo_of_one_keeps_it_for_the_next(self, two_clients: World) -> None:
        two_clients.integrate()
        two_clients.apps["acme"].trouble = Refused("says no", component=two_clients.apps["acme"].ref)
        _, errors = two_clients.undo()
        assert list(errors) == ["acme/email/app"]
        assert two_clients.hub.things == {"realm": {"name": "agency"}}
        two_clients.apps["acme"].trouble = None
        two_clients.undo()
        assert two_clients.hub.things == {}


class TestAfterProof:
    """Lock-outs and revoking old secrets wait until the proof has passed."""

    def _wants(self, world: World, *, ok: bool) -> None:
        order = world.app.calls

        def look() -> Evidence:
            order.append("read proof")
            return Evidence(ok=ok, reason="" if ok else "nobody can log in")

        world.integrations = [
            make_integration(
                lambda _site: [
                    Thing(world.app, "login", {"a": 1}),
                    Thing(world.app, "lock", {"forced": True}, after_proof=True, stays=None),
                ],
                lambda _site: [Sees("somebody logs in", look)],
            )
        ]

    def test_written_after_it(self, world: World) -> None:
        self._wants(world, ok=True)
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        calls = world.app.calls
        assert calls.index("put login a") < calls.index("read proof") < calls.index("make lock")

    def test_not_written_when_it_failed(self, world: World) -> None:
        self._wants(world, ok=False)
        [result] = world.integrate()
        assert result.status is Status.UNVERIFIED
        assert result.reason.startswith("proof failed: somebody logs in: nobody can log in")
        assert "lock" not in world.app.things
        assert int(result.exit_code) == 1

    def test_written_by_the_run_in_which_it_passes(self, world: World) -> None:
        self._wants(world, ok=False)
        world.integrate()
        self._wants(world, ok=True)
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert world.app.things["lock"] == {"forced": True}
        assert world.plan().changes == 0


class TestSecrets:
    """What cannot be read back is compared by the hash of what we wrote."""

    def test_written_once_and_again_only_when_it_changes(self, world: World) -> None:
        secret = [Secret("first-canary-1")]
        world.wants(Thing(world.app, "mail", lambda: {"host": "m", "password": secret[0]}, hidden={"password"}))
        world.integrate()
        world.app.calls.clear()
        assert world.plan().changes == 0
        world.integrate()
        assert world.app.writes == []
        secret[0] = Secret("second-canary-2")
        [step] = world.plan().integrations[0].changes
        assert step.change is not None
        assert step.change.names == {"password"}
        world.integrate()
        assert world.app.writes == ["put mail password"]
        assert world.app.things["mail"]["password"] == Secret("second-canary-2")

    def test_a_lost_ledger_writes_it_again_and_says_so(self, world: World) -> None:
        world.wants(Thing(world.app, "mail", {"host": "m", "password": Secret("canary-3-lost")}, hidden={"password"}))
        world.integrate()
        for path in (world.home.state_dir / "acme/resources").rglob("*.json"):
            path.unlink()
        [step] = world.plan().integrations[0].changes
        assert step.change is not None
        assert step.change.names == {"password"}
        [result] = world.integrate()
        assert result.status is Status.APPLIED

    def test_one_made_by_an_earlier_resource_is_known_when_it_is_written(self, world: World) -> None:
        issued: dict[str, Secret] = {}

        class Token(Thing):
            def write(self, change: Change) -> None:
                super().write(change)
                issued["token"] = Secret("issued-canary-4")

        def settings() -> dict[str, Any]:
            return {"password": issued.get("token", Marker.PENDING)}

        world.wants(Token(world.app, "token", {"a": 1}), Thing(world.app, "mail", settings, hidden={"password"}))
        [plan] = world.plan().integrations
        assert plan.steps[1].change is not None
        assert plan.steps[1].change.fields[0].after is Marker.PENDING
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        assert world.app.things["mail"]["password"] == Secret("issued-canary-4")
        assert world.plan().changes == 0


class TestDiskFull:
    """A product is not touched when what was there before it cannot be kept."""

    def _fill(self, monkeypatch: pytest.MonkeyPatch, folder: str) -> list[str]:
        real, refused = files._write_beside, []

        def full(path: Path, data: bytes, mode: int) -> Path:
            if folder in path.as_posix():
                refused.append(path.name)
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(path, data, mode)

        monkeypatch.setattr(files, "_write_beside", full)
        return refused

    def test_nothing_is_written_to_the_product(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.app.things["mail"] = {"host": "old"}
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        refused = self._fill(monkeypatch, "/resources/")
        [result] = world.integrate()
        assert refused
        assert "No space left" in result.reason
        assert "free space" in result.reason
        assert world.app.writes == []
        monkeypatch.undo()
        [result] = world.integrate()
        assert result.status is Status.APPLIED

    def test_a_disk_that_fills_up_right_after_the_write(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.app.things["mail"] = {"host": "old"}
        first = world.snapshot()
        world.wants(Thing(world.app, "mail", {"host": "mail"}))

        def effect(what: str) -> None:
            if what.startswith("after"):
                self._fill(monkeypatch, "/resources/")

        world.app.effect = effect
        [result] = world.integrate()
        assert "No space left" in result.reason
        monkeypatch.undo()
        world.app.effect = lambda _what: None
        assert world.app.things["mail"] == {"host": "mail"}
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        world.undo()
        assert world.snapshot() == first

    def test_a_record_that_cannot_be_written(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.wants(Thing(world.app, "mail", {"host": "mail"}))
        self._fill(monkeypatch, "/email/")
        [result] = world.integrate()
        assert result.status is Status.PENDING
        assert world.plan().integrations[0].status is Status.UNVERIFIED
        monkeypatch.undo()
        [result] = world.integrate()
        assert result.status is Status.APPLIED


def test_reading_back_needs_an_answer(world: World) -> None:
    class Blind(Thing):
        asked = 0

        def read(self) -> Reading:
            self.asked += 1
            if self.asked > 2:
                raise Refused("cannot be read now", component=self.component)
            return super().read()

    world.wants(Blind(world.app, "mail", {"host": "mail"}))
    [result] = world.integrate()
    assert "cannot be read now" in result.reason
    assert _entry(world, "mail")["deeds"][0]["state"] == "writing"


def test_a_proof_reads_nothing_into_a_plan_that_has_a_problem(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"host": "mail"}), proofs=lambda _site: [passing()])
    world.app.trouble = ConfigurationError("broken")
    [(_, [proof])] = world.verify()
    assert not proof.ok


def _entry(world: World, key: str, component: str = "app", client: str = "acme") -> dict[str, Any]:
    folder = world.home.state_dir / client / "resources" / component
    [found] = [data for path in folder.glob("*.json") if (data := json.loads(path.read_text()))["key"] == key]
    return dict(found)


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".lock")]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def test_the_ledger_and_the_records_are_for_the_owner_alone(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"host": "mail"}))
    world.integrate()
    modes = {path.stat().st_mode & 0o777 for path in world.home.state_dir.rglob("*.json*")}
    assert modes == {0o600}
