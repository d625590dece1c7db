"""Rotation: new, applied, proven, old one revoked; and back to the old one where the proof fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agencystack.engine.integration import Evidence, Site
from agencystack.engine.planning import Status
from agencystack.engine.resource import Change, Reading
from agencystack.engine.values import Fields, Marker, Value
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Sees, Thing, World, make_integration


class Vault:
    """Issues numbered tokens, and holds the wish for a new one, as the sealed store does."""

    def __init__(self, world: World) -> None:
        self.world, self.current, self.wish, self.count = world, 0, False, 0
        self.refused = False
        world.hub.things["tokens"] = {}

    @property
    def password(self) -> Secret | Marker:
        return Marker.PENDING if self.wish or not self.current else Secret(f"token number {self.current}")

    def issue(self) -> None:
        self.count += 1
        self.current, self.wish = self.count, False
        self.world.hub.put("tokens", str(self.current), f"token number {self.current}")

    def rotate(self, _site: Site) -> Callable[[], None] | None:
        if not self.current:
            return None
        before, self.wish = self.current, True

        def back() -> None:
            self.current, self.wish = before, False

        return back


class Token(Thing):
    def __init__(self, vault: Vault) -> None:
        super().__init__(vault.world.hub, "token", {"known": True})
        self.vault = vault

    def read(self) -> Reading:
        self.product.look("tokens")
        known = not self.vault.wish and str(self.vault.current) in self.product.things["tokens"]
        return Reading({"known": True} if known else None)

    def write(self, change: Change) -> None:
        self.vault.issue()


class OldTokens(Thing):
    def __init__(self, vault: Vault) -> None:
        super().__init__(vault.world.hub, "old tokens", {"tokens": ()}, after_proof=True, stays="")
        self.vault = vault

    def read(self) -> Reading:
        return Reading({"tokens": tuple(self._old())})

    def write(self, change: Change) -> None:
        for name in self._old():
            self.product.put("tokens", name, None)

    def _old(self) -> list[str]:
        return [] if self.vault.wish else [n for n in self.product.things["tokens"] if n != str(self.vault.current)]


@pytest.fixture
def vault(world: World) -> Vault:
    vault = Vault(world)

    def wanted() -> Fields:
        password: Value = vault.password
        return {"password": password}

    def logs_in() -> Evidence:
        used = world.app.things["mail"]["password"]
        works = isinstance(used, Secret) and used.reveal() in world.hub.things["tokens"].values()
        return Evidence(ok=works and not vault.refused, reason="the login is refused")

    world.add(
        make_integration(
            lambda _site: [Token(vault), Thing(world.app, "mail", wanted, hidden={"password"}), OldTokens(vault)],
            lambda _site: [Sees("a login works", logs_in)],
            rotate=vault.rotate,
        )
    )
    return vault


def test_the_new_one_is_used_and_the_old_one_revoked(world: World, vault: Vault) -> None:
    world.integrate()
    assert world.app.things["mail"]["password"] == Secret("token number 1")
    [result] = world.rotate()
    assert (result.status, result.reason) == (Status.APPLIED, "")
    assert world.app.things["mail"]["password"] == Secret("token number 2")
    assert world.hub.things["tokens"] == {"2": "token number 2"}
    assert world.plan().changes == 0


def test_the_old_one_works_until_the_new_one_is_proven(world: World, vault: Vault) -> None:
    world.integrate()
    seen: list[list[str]] = []
    world.watcher.on_step = lambda what: seen.append(list(world.hub.things["tokens"])) if "prove" in what else None
    world.rotate()
    assert seen == [["1", "2"]]


def test_a_proof_that_fails_brings_the_old_one_back(world: World, vault: Vault) -> None:
    world.integrate()
    vault.refused = True
    [result] = world.rotate()
    assert result.status is Status.UNVERIFIED
    assert int(result.exit_code) == 1
    assert world.app.things["mail"]["password"] == Secret("token number 1")
    assert "1" in world.hub.things["tokens"]
    vault.refused = False
    [result] = world.integrate()
    assert result.status is Status.APPLIED
    assert world.hub.things["tokens"] == {"1": "token number 1"}


def test_nothing_applied_is_nothing_to_rotate(world: World, vault: Vault) -> None:
    assert world.rotate() == []
    assert world.hub.writes == []


def test_the_history_knows(world: World, vault: Vault) -> None:
    world.integrate()
    world.rotate()
    assert len((world.home.state_dir / "history.jsonl").read_text().splitlines()) == 2
