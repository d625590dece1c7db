"""One integration for every component that says so, whatever its name."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.integration import Integration, Site, integration
from agencystack.engine.planning import Status
from agencystack.engine.registry import Found, Registry, eject, load
from agencystack.engine.report import of_plan, of_results, of_status
from agencystack.engine.resource import Resource
from agencystack.engine.session import Wish
from agencystack.stack.errors import UsageError
from agencystack.stack.paths import Home
from agencystack.stack.products import CustomComponent
from tests.engine.fakes import Sees, Thing, World, make_integration, passing


@integration("email", "kind", version=1)
class OfAKind(Integration):
    """For every component of one's own, but the hub."""

    def __init__(self, world: World) -> None:
        self._world = world

    def serves(self, name: str, settings: Any) -> bool:
        return isinstance(settings, CustomComponent) and name != "hub"

    def resources(self, site: Site) -> list[Resource]:
        product = self._world.app if site.application.ref.name == "app" else self._world.other
        return [Thing(product, "setting", {"owner": site.name})]

    def proofs(self, site: Site) -> list[Sees]:
        return [passing()]


@pytest.fixture
def served(world: World) -> World:
    world.add(OfAKind(world))
    return world


def test_each_component_is_an_integration_of_its_own(served: World) -> None:
    served.integrate()
    assert served.app.things == {"setting": {"owner": "acme/email/app"}}
    assert served.other.things == {"setting": {"owner": "acme/email/other"}}
    records = served.home.state_dir / "acme/email"
    assert sorted(path.name for path in records.iterdir()) == ["app.json", "other.json"]
    assert json.loads((records / "app.json").read_text())["application"] == "app"


def test_all_output_names_the_component(served: World) -> None:
    results = served.integrate()
    made = served.plan()
    lines = [*of_plan(made, "run").results, *of_results(results, "run", []).results, *of_status(made).integrations]
    assert sorted(line.component for line in lines) == ["app"] * 3 + ["other"] * 3
    history = [json.loads(line) for line in (served.home.state_dir / "history.jsonl").read_text().splitlines()]
    assert {entry["component"] for entry in history} == {"app", "other"}


def test_a_second_run_changes_nothing_and_undo_takes_back_one(served: World) -> None:
    served.integrate()
    assert [item.status for item in served.plan().integrations] == [Status.APPLIED] * 2
    served.undo(Wish(applications=("app",)))
    assert (served.app.things, list(served.other.things)) == ({}, ["setting"])
    records = served.home.state_dir / "acme/email"
    assert [path.name for path in records.iterdir()] == ["other.json"]


def test_settings_are_those_of_the_component(served: World) -> None:
    served.told = {"other": {"replace": True}}
    with served.session() as opened:
        sites = {site.name: site for _, site in opened.select(Wish()).sites}
    assert sites["acme/email/other"].setting("replace", False) is True
    assert sites["acme/email/app"].setting("replace", False) is False


def test_one_component_can_be_chosen_and_an_unknown_one_is_refused(served: World) -> None:
    assert [item.name for item in served.plan(Wish(applications=("other",))).integrations] == ["acme/email/other"]
    with pytest.raises(UsageError, match="exists for component 'hub'") as refused:
        served.plan(Wish(applications=("hub",)))
    assert "app, kind, other" in refused.value.remedy


def test_an_integration_for_the_name_itself_goes_before(served: World) -> None:
    served.add(make_integration(lambda _site: [Thing(served.app, "special", {"owner": "me"})]))
    served.integrate()
    assert list(served.app.things) == ["special"]
    assert list(served.other.things) == ["setting"]


def test_a_users_file_of_that_name_takes_its_place(served: World) -> None:
    other = OfAKind(served)
    with served.session() as opened:
        built_in = opened.registry.all
        opened.registry = Registry([*built_in, Found(other, Path("mine.py"), drop_in=True)])
        selection = opened.select(Wish())
    assert [chosen for chosen, _ in selection.sites] == [other, other]
    assert selection.replaced == {"acme/email/app": "mine.py", "acme/email/other": "mine.py"}


def test_the_one_for_openid_connect_can_be_ejected(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "log", tmp_path / "key")
    path = eject(load(home), home, "sso", "oidc")
    found = load(home).get("sso", "oidc")
    assert found is not None
    assert (found.source, found.replaces) == (path, True)
    described = CustomComponent.model_validate({"custom": True, "url": "https://app.example"})
    assert not found.integration.serves("anything", described)


@integration("email", "app", version=1)
class WithCompanions(Integration):
    """Watches an application with whatever else there is."""

    def __init__(self, world: World, needed: str) -> None:
        self._world, self._needed = world, needed

    def lacks(self, components: Container[str]) -> str:
        return "" if self._needed in components else f"there is no {self._needed}"

    def resources(self, site: Site) -> list[Resource]:
        hub, own, none = (site.companion(name) for name in ("hub", "other", "nothing"))
        assert hub is not None
        assert own is not None
        seen = {"hub": str(hub.ref), "other": str(own.ref), "none": none is None, "owner": site.owner}
        return [Thing(self._world.app, "setting", {**seen, "told": ",".join(site.alerts_to)})]

    def proofs(self, site: Site) -> list[Sees]:
        return [passing()]


def test_an_integration_sees_what_else_serves_the_client(world: World) -> None:
    world.add(WithCompanions(world, "hub"))
    world.integrate()
    seen = world.app.things["setting"]
    assert (seen["hub"], seen["other"]) == ("shared/hub", "acme/other")
    assert (seen["none"], seen["owner"], seen["told"]) == (True, "acme", "ops@agency.example")


def test_an_integration_that_lacks_something_is_skipped_with_its_words(world: World) -> None:
    world.add(WithCompanions(world, "nothing"))
    plan = world.plan()
    assert list(plan.integrations) == []
    assert plan.skipped[0] == "acme/email/app: there is no nothing"
