"""A run may be killed anywhere: the next one converges, and undo still restores exactly the first state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.engine.ledger import Ledger
from agencystack.engine.planning import Status
from agencystack.engine.records import Records
from agencystack.engine.resource import Change
from agencystack.engine.values import Marker, Value
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Killed, Thing, Tripwire, World, make_integration

WATCHED = [
    *((Ledger, name) for name in ("begin", "finish", "settle", "removing", "add_user", "drop_user", "forget", "cut")),
    *((Records, name) for name in ("put", "delete", "history")),
]
"""All that reaches the disk; with the effects in the products, all a kill can fall between."""


@pytest.fixture(autouse=True)
def _no_power_cut() -> Iterator[None]:
    """A kill leaves the kernel alive: waiting for the disk some thousand times would only cost minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)
        yield


def first_state(world: World) -> None:
    world.hub.things = {"realm": {"name": "before"}}
    world.app.things = {
        "mail": {"host": "old", "port": 25, "password": Secret("of a person"), "theirs": "stays"},
        "login": {"enabled": True},
        "page": {"title": "Hello"},
    }


class Token(Thing):
    """Makes a secret that a later resource needs; keeps it before the product has it, so that no kill loses it."""

    def write(self, change: Change) -> None:
        self.product.put("vault", "token", Secret("issued canary 77"))
        super().write(change)


def integrate_what_is_wanted(world: World, host: str = "mail") -> None:
    """Created and changed things, a shared one, one made by another, one after the proof, hidden secrets."""

    def password() -> Value:
        return world.other.things["vault"].get("token", Marker.PENDING)

    world.other.things.setdefault("vault", {})
    world.integrations = [
        make_integration(
            lambda _site: [
                Thing(world.hub, "realm", {"name": "agency", "theme": "dark"}),
                Thing(world.app, "user", {"name": "shop", "password": Secret("random one 55")}, hidden={"password"}),
                Token(world.other, "token", {"networks": ("10.0.0.0/8",)}),
                Thing(world.app, "mail", {"host": host, "port": 465, "tls": True, "nets": ("a",)}),
                Thing(world.app, "relay", lambda: {"host": host, "password": password()}, hidden={"password"}),
                Thing(world.app, "login", {"enabled": False}, after_proof=True),
            ]
        ),
        make_integration(
            lambda _site: [
                Thing(world.hub, "realm", {"name": "agency", "theme": "dark"}),
                Thing(world.other, "page", {"title": "x"}),
            ],
            application="other",
        ),
    ]


def watch(monkeypatch: pytest.MonkeyPatch, world: World, wire: Tripwire) -> None:
    for target, name in WATCHED:
        monkeypatch.setattr(target, name, wire.around(target, name))
    for product in world.products:
        product.effect = wire


def unwatch(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.undo()
    for product in world.products:
        product.effect = lambda _what: None


def without_vault(world: World) -> list[dict[str, dict[str, Value]]]:
    """The vault stands for our own sealed store, which undo leaves."""
    return [{key: fields for key, fields in state.items() if key != "vault"} for state in world.snapshot()]


def points_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, *, applied_before: bool) -> list[str]:
    """Run once without a kill and return every point passed."""
    world, wire = World(tmp_path / "counted"), Tripwire()
    first_state(world)
    integrate_what_is_wanted(world)
    if applied_before:
        world.integrate()
    watch(monkeypatch, world, wire)
    getattr(world, act)()
    unwatch(monkeypatch, world)
    return wire.passed


def test_killed_anywhere_while_applying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(points_of(tmp_path, monkeypatch, "integrate", applied_before=False))
    assert count > 60
    killed_at = set()
    for at in range(count):
        world, wire = World(tmp_path / f"killed-{at}"), Tripwire(at)
        first_state(world)
        first = without_vault(world)
        integrate_what_is_wanted(world)
        watch(monkeypatch, world, wire)
        with pytest.raises(Killed):
            world.integrate()
        unwatch(monkeypatch, world)
        where = f"killed at {at}: {wire.passed[-1]}"
        killed_at.add(wire.passed[-1])

        assert {result.status for result in world.integrate()} == {Status.APPLIED}, where
        assert world.plan().changes == 0, where
        assert world.app.things["relay"]["password"] == Secret("issued canary 77"), where
        assert world.app.things["login"] == {"enabled": False}, where

        plans, errors = world.undo()
        assert errors == {}, where
        assert world.notes(plans) == [], where
        assert without_vault(world) == first, where
    assert {"after Ledger.begin", "before Ledger.finish", "after Records.put"} <= killed_at
    # Components are written in parallel: which of the fields it fell between differs from run to run.
    assert any(point.startswith("after put ") for point in killed_at)


def test_killed_anywhere_while_applying_and_undone_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(points_of(tmp_path, monkeypatch, "integrate", applied_before=False))
    for at in range(count):
        world, wire = World(tmp_path / f"killed-{at}"), Tripwire(at)
        first_state(world)
        first = without_vault(world)
        integrate_what_is_wanted(world)
        watch(monkeypatch, world, wire)
        with pytest.raises(Killed):
            world.integrate()
        unwatch(monkeypatch, world)

        plans, errors = world.undo()
        where = f"killed at {at}: {wire.passed[-1]}"
        assert errors == {}, where
        assert world.notes(plans) == [], where
        assert without_vault(world) == first, where


def test_killed_anywhere_while_changing_what_was_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(400):
        world, wire = World(tmp_path / f"killed-{at}"), Tripwire(at)
        first_state(world)
        first = without_vault(world)
        integrate_what_is_wanted(world)
        world.integrate()
        integrate_what_is_wanted(world, host="new.mail")
        watch(monkeypatch, world, wire)
        try:
            world.integrate()
        except Killed:
            pass
        else:
            assert at > 15
            return
        finally:
            unwatch(monkeypatch, world)
        world.integrate()
        assert world.plan().changes == 0
        assert world.app.things["mail"]["host"] == "new.mail"
        world.undo()
        assert without_vault(world) == first, f"killed at {at}: {wire.passed[-1]}"
    pytest.fail("the run has no end")


def test_killed_anywhere_while_undoing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(points_of(tmp_path, monkeypatch, "undo", applied_before=True))
    assert count > 30
    for at in range(count):
        world, wire = World(tmp_path / f"killed-{at}"), Tripwire(at)
        first_state(world)
        first = without_vault(world)
        integrate_what_is_wanted(world)
        world.integrate()
        watch(monkeypatch, world, wire)
        with pytest.raises(Killed):
            world.undo()
        unwatch(monkeypatch, world)

        plans, errors = world.undo()
        where = f"killed at {at}: {wire.passed[-1]}"
        assert errors == {}, where
        assert world.notes(plans) == [], where
        assert without_vault(world) == first, where
        assert world.undo()[0] == [], where


def test_killed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(points_of(tmp_path, monkeypatch, "integrate", applied_before=False))
    for at in range(0, count, 3):
        world = World(tmp_path / f"killed-{at}")
        first_state(world)
        first = without_vault(world)
        integrate_what_is_wanted(world)
        for again in (at, 7):
            wire = Tripwire(again)
            watch(monkeypatch, world, wire)
            with pytest.raises(Killed):
                world.integrate()
            unwatch(monkeypatch, world)
        assert {result.status for result in world.integrate()} == {Status.APPLIED}
        world.undo()
        assert without_vault(world) == first


PROGRAM = """
    import os, signal, sys
    from pathlib import Path
    from tests.engine.fakes import Thing, World

    world = World(Path(sys.argv[1]))

    def effect(what):
        if what == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)

    world.app.effect = effect
    world.wants(Thing(world.app, "user", {"a": 1}), Thing(world.app, "mail", {"a": 1, "b": 2}))
    world.integrate()
"""


@pytest.mark.parametrize("where", ["before make user", "after make user", "after put mail a", "after put mail b"])
def test_a_real_kill_leaves_no_lock_and_no_half_file(tmp_path: Path, where: str) -> None:
    """The process dies without a word; what is on its disk is enough to go on, or back."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), where]
    died = subprocess.run(command, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert died.returncode == -signal.SIGKILL

    world = World(tmp_path)
    # The product outlives our process: what it was told before the kill is there.
    if where != "before make user":
        world.app.things["user"] = {} if where == "after make user" else {"a": 1}
    if where.startswith("after put mail"):
        world.app.things["mail"] = {"a": 1} if where.endswith("a") else {"a": 1, "b": 2}
    world.wants(Thing(world.app, "user", {"a": 1}), Thing(world.app, "mail", {"a": 1, "b": 2}))
    [result] = world.integrate()
    assert result.status is Status.APPLIED
    assert not list(tmp_path.rglob("*.tmp"))
    world.undo()
    assert world.app.things == {}
