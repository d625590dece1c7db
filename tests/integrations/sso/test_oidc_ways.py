"""The four ways an application is told its settings: written once, read back, healed, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agencystack.components.hostfile import HostFile
from agencystack.engine.integration import Site
from agencystack.engine.planning import Status
from agencystack.engine.resource import Resource
from agencystack.engine.values import Marker, Value
from agencystack.integrations.restart import OwedRestart
from agencystack.integrations.sso import oidc_words
from agencystack.integrations.sso.oidc_ways import (
    FORM,
    RESTARTED,
    EnvironmentSettings,
    FileSettings,
    GivenSettings,
    Told,
)
from agencystack.integrations.sso.oidc_words import Words
from agencystack.stack.errors import Unavailable
from agencystack.stack.local import LocalExecutor
from agencystack.stack.oidc_application import WORDS
from agencystack.stack.secrets import Secret
from tests.engine.fakes import World, make_integration

CLIENT, FIRST, SECOND = "acme-wiki", "first-client-secret", "second-client-secret"
VARIABLES = {"ISSUER": "{issuer}", "CLIENT": "{client_id}", "LOGIN": "{client_id}:{client_secret}"}
ENV = "# ours\nTITLE='All we know'   # stays\nCLIENT=\n"
TEMPLATE = "[oidc]\nissuer = {issuer}\nid = {client_id}\nsecret = {client_secret}\nagain = {issuer}\nsize = {10}\n"


@dataclass
class Wiki:
    """An application, its files, and what became of it."""

    folder: Path
    secret: Value = field(default_factory=lambda: Secret(FIRST))
    restarts: list[bool] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    taken_back: int = 0
    failing: bool = False

    @property
    def path(self) -> Path:
        return self.folder / "settings"

    def words(self) -> Words:
        return {
            **{word: f"https://{word}.example" for word in WORDS},
            "client_id": CLIENT,
            "client_secret": self.secret,
        }

    def told(self, site: Site, *, restart: bool = True) -> Told:
        return Told(CLIENT, self.words, OwedRestart(site.sealed("restart-due"), self._restart if restart else None))

    def file(self, site: Site) -> HostFile:
        where = site.application.ref
        return HostFile(where, LocalExecutor(component=where), str(self.path))

    def give(self, settings: Secret) -> None:
        self.given.append(settings.reveal())

    def take_back(self) -> None:
        self.taken_back += 1

    def _restart(self, wait: bool) -> None:
        if self.failing:
            raise Unavailable("does not restart")
        self.restarts.append(wait)


@pytest.fixture
def wiki(tmp_path: Path) -> Wiki:
    (tmp_path / "wiki").mkdir()
    return Wiki(tmp_path / "wiki")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def told_by(world: World, make: Callable[[Site], Resource]) -> None:
    """Have an integration with one resource."""

    def resources(site: Site) -> Iterable[Resource]:
        return [make(site)]

    world.add(make_integration(resources))


def changed(world: World) -> set[str]:
    """Return the fields the next run would change."""
    [item] = world.plan().integrations
    return {name for step in item.changes if step.change for name in step.change.names}


class TestEnvironmentFile:
    @pytest.fixture(autouse=True)
    def _applied(self, world: World, wiki: Wiki) -> None:
        wiki.path.write_text(ENV)
        told_by(world, lambda site: EnvironmentSettings(wiki.file(site), VARIABLES, wiki.told(site)))
        [result] = world.integrate()
        assert result.status is Status.APPLIED, result.reason

    def test_variables_are_set_and_everything_else_stays(self, wiki: Wiki) -> None:
        text = wiki.path.read_text()
        assert text.startswith("# ours\nTITLE='All we know'   # stays\nCLIENT=acme-wiki\n")
        assert f"LOGIN={CLIENT}:{FIRST}\n" in text
        assert wiki.restarts == [True]

    def test_a_second_run_changes_nothing(self, world: World, wiki: Wiki) -> None:
        [result] = world.integrate()
        assert (result.status, result.changes, wiki.restarts) == (Status.APPLIED, [], [True])

    def test_undo_puts_it_back_byte_for_byte(self, world: World, wiki: Wiki) -> None:
        world.undo()
        assert wiki.path.read_text() == ENV
        assert wiki.restarts == [True, False]

    def test_undo_leaves_what_a_person_changed(self, world: World, wiki: Wiki) -> None:
        wiki.path.write_text(wiki.path.read_text().replace("ISSUER=https://issuer.example", "ISSUER=https://theirs"))
        plans, _ = world.undo()
        assert "ISSUER=https://theirs" in wiki.path.read_text()
        assert FIRST not in wiki.path.read_text()
        assert any("ISSUER was changed by somebody" in note for note in world.notes(plans))

    def test_a_line_changed_by_hand_is_that_field_alone(self, world: World, wiki: Wiki) -> None:
        wiki.path.write_text(wiki.path.read_text().replace(FIRST, "another"))
        assert changed(world) == {"LOGIN"}
        world.integrate()
        assert f"{CLIENT}:{FIRST}" in wiki.path.read_text()

    def test_a_new_secret_is_written(self, world: World, wiki: Wiki) -> None:
        wiki.secret = Secret(SECOND)
        assert changed(world) == {"LOGIN"}
        world.integrate()
        assert SECOND in wiki.path.read_text()
        assert wiki.restarts == [True, True]

    def test_a_restart_that_failed_is_made_up_for(self, world: World, wiki: Wiki) -> None:
        wiki.secret, wiki.failing = Secret(SECOND), True
        [failed] = world.integrate()
        assert failed.status is not Status.APPLIED
        wiki.failing = False
        assert changed(world) == {RESTARTED}
        world.integrate()
        assert wiki.restarts == [True, True]
        assert changed(world) == set()

    def test_a_file_that_is_gone_blocks(self, world: World, wiki: Wiki) -> None:
        wiki.path.unlink()
        [item] = world.plan().integrations
        assert item.status is Status.BLOCKED
        assert "there is no file" in item.reason


def test_variables_of_another_client_block_until_they_may_be_replaced(world: World, wiki: Wiki) -> None:
    wiki.path.write_text("CLIENT=theirs\n")
    told_by(world, lambda site: EnvironmentSettings(wiki.file(site), VARIABLES, wiki.told(site)))
    [result] = world.integrate()
    assert (result.status, wiki.path.read_text()) == (Status.BLOCKED, "CLIENT=theirs\n")
    world.told = {"app": {"replace": True}}
    [result] = world.integrate()
    assert result.status is Status.APPLIED
    world.undo()
    assert wiki.path.read_text() == "CLIENT=theirs\n"


def test_while_the_secret_is_still_to_be_made_the_plan_says_so(world: World, wiki: Wiki) -> None:
    wiki.path.write_text(ENV)
    wiki.secret = Marker.PENDING
    told_by(world, lambda site: EnvironmentSettings(wiki.file(site), VARIABLES, wiki.told(site)))
    assert changed(world) == {"ISSUER", "CLIENT", "LOGIN"}


class TestFile:
    @pytest.fixture(autouse=True)
    def _described(self, world: World, wiki: Wiki) -> None:
        told_by(world, lambda site: FileSettings(wiki.file(site), TEMPLATE, wiki.told(site)))

    def text(self, secret: str = FIRST) -> str:
        words = {"issuer": "https://issuer.example", "client_id": CLIENT, "client_secret": secret}
        done = TEMPLATE
        for word, value in words.items():
            done = done.replace(f"{{{word}}}", value)
        return done

    def test_it_is_made_read_back_and_removed(self, world: World, wiki: Wiki) -> None:
        [result] = world.integrate()
        assert (result.status, wiki.path.read_text()) == (Status.APPLIED, self.text())
        [again] = world.integrate()
        assert (again.changes, wiki.restarts) == ([], [True])
        world.undo()
        assert not wiki.path.exists()

    @pytest.mark.parametrize(
        ("theirs", "shown"),
        [
            (("id = acme-wiki", "id = acme-wiki-2"), {"client_id"}),
            (("again = https://issuer.example", "again = https://other"), {"issuer 2"}),
            ((FIRST, "guessed"), {"client_secret"}),
        ],
    )
    def test_a_word_changed_by_hand_is_that_word_alone(
        self, world: World, wiki: Wiki, theirs: tuple[str, str], shown: set[str]
    ) -> None:
        world.integrate()
        wiki.path.write_text(self.text().replace(*theirs))
        assert changed(world) == shown
        world.integrate()
        assert wiki.path.read_text() == self.text()

    def test_another_text_around_the_words_is_told(self, world: World, wiki: Wiki) -> None:
        world.integrate()
        wiki.path.write_text(self.text() + "more = yes\n")
        assert FORM in changed(world)

    def test_a_new_secret_is_that_word_alone(self, world: World, wiki: Wiki) -> None:
        world.integrate()
        wiki.secret = Secret(SECOND)
        assert changed(world) == {"client_secret"}
        world.integrate()
        assert wiki.path.read_text() == self.text(SECOND)

    def test_a_file_of_a_persons_blocks_and_comes_back_byte_for_byte(self, world: World, wiki: Wiki) -> None:
        wiki.path.write_bytes(b"[oidc]\r\nid = theirs\r\n")
        [result] = world.integrate()
        assert (result.status, wiki.path.read_bytes()) == (Status.BLOCKED, b"[oidc]\r\nid = theirs\r\n")
        world.told = {"app": {"replace": True}}
        [result] = world.integrate()
        assert (result.status, wiki.path.read_text()) == (Status.APPLIED, self.text())
        world.undo()
        assert wiki.path.read_bytes() == b"[oidc]\r\nid = theirs\r\n"

    def test_where_a_person_changed_it_since_their_former_file_needs_force(self, world: World, wiki: Wiki) -> None:
        wiki.path.write_text("theirs, for acme-wiki\n")
        world.integrate()
        wiki.path.write_text(self.text().replace("id = acme-wiki", "id = acme-wiki-2"))
        _, errors = world.undo()
        assert "was another file before" in str(errors["acme/email/app"])
        assert "acme-wiki-2" in wiki.path.read_text()
        _, errors = world.undo(force=True)
        assert (errors, wiki.path.read_text()) == ({}, "theirs, for acme-wiki\n")

    def test_a_former_file_of_the_same_form_comes_back_but_for_what_a_person_changed(
        self, world: World, wiki: Wiki
    ) -> None:
        former = self.text("former")
        wiki.path.write_text(former)
        world.integrate()
        wiki.path.write_text(self.text().replace("again = https://issuer.example", "again = https://other"))
        world.undo()
        assert wiki.path.read_text() == former.replace("again = https://issuer.example", "again = https://other")


class TestGiven:
    """A program and a call: nothing can be read back."""

    @pytest.fixture(autouse=True)
    def _described(self, world: World, wiki: Wiki) -> None:
        told_by(world, lambda site: self.settings(site, wiki, wiki.take_back))

    def settings(self, site: Site, wiki: Wiki, take_back: Callable[[], None] | None) -> Resource:
        return GivenSettings(
            site.application.ref,
            "login settings by wiki",
            wiki.told(site),
            wanted=oidc_words.as_json,
            give=wiki.give,
            take_back=take_back,
            memory=site.sealed("settings-given"),
        )

    def test_all_words_are_given_once(self, world: World, wiki: Wiki) -> None:
        [result] = world.integrate()
        assert result.status is Status.APPLIED
        [again] = world.integrate()
        assert again.changes == []
        [given] = wiki.given
        assert json.loads(given)["client_secret"] == FIRST
        assert sorted(json.loads(given)) == sorted(WORDS)

    def test_a_new_secret_is_given_again(self, world: World, wiki: Wiki) -> None:
        world.integrate()
        wiki.secret = Secret(SECOND)
        assert changed(world) == {"settings"}
        world.integrate()
        assert json.loads(wiki.given[-1])["client_secret"] == SECOND

    def test_they_are_taken_back(self, world: World, wiki: Wiki) -> None:
        world.integrate()
        world.undo()
        assert wiki.taken_back == 1
        assert changed(world) == {"settings", RESTARTED}

    def test_what_was_given_is_written_nowhere(self, world: World, wiki: Wiki) -> None:
        world.integrate()
        files = [path for path in world.folder.rglob("*") if path.is_file() and path != world.home.key_file]
        assert files
        assert not [path for path in files if FIRST in path.read_bytes().decode(errors="replace")]


def test_without_a_way_back_undo_says_what_stays(world: World, wiki: Wiki) -> None:
    told_by(world, lambda site: TestGiven().settings(site, wiki, None))
    world.integrate()
    plans, errors = world.undo()
    assert errors == {}
    assert any("names no `undo`" in note for note in world.notes(plans))


def test_an_application_that_needs_no_restart_owes_none(world: World, wiki: Wiki) -> None:
    told_by(world, lambda site: FileSettings(wiki.file(site), TEMPLATE, wiki.told(site, restart=False)))
    [result] = world.integrate()
    assert (result.status, wiki.restarts) == (Status.APPLIED, [])
