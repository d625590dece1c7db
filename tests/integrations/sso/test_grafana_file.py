"""Grafana without the interface for SSO settings: its environment file is changed, and it is started with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.grafana import Grafana, variable
from agencystack.engine.integration import Proof, Site, integration
from agencystack.engine.planning import Status
from agencystack.engine.resource import Resource
from agencystack.engine.session import Wish
from agencystack.engine.values import Marker, Value
from agencystack.integrations.sso import grafana
from agencystack.integrations.sso.grafana import GrafanaLogin
from agencystack.integrations.sso.logging_in import Entrance
from agencystack.integrations.sso.oidc_ways import RESTARTED
from agencystack.integrations.sso.registration import Registration
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from tests.engine.fakes import World, passing
from tests.grafana_machine import ENV, Machine
from tests.serving import served

FIRST, SECOND = "first-client-secret", "second-client-secret"
# What World gives for every reference to a secret.
PASSWORD = "not used here"
SECRET, CLIENT = variable("client_secret"), variable("client_id")


class Known(Registration):
    """A registration whose secret Keycloak was already asked for."""

    known: Value = None

    @property
    def secret(self) -> Any:
        return self.known


@dataclass
class Installed(World):
    """One client whose group edits in Grafana."""

    described: dict[str, Any] = field(default_factory=dict)
    secret: Value = field(default_factory=lambda: Secret(FIRST))

    def __post_init__(self) -> None:
        super().__post_init__()
        world = self

        @integration("sso", "grafana", provider="keycloak", version=1)
        class GrafanaAlone(GrafanaLogin):
            """Grafana's side of the login."""

            def resources(self, site: Site) -> Iterator[Resource]:
                return (one for one in super().resources(site) if one.component == site.application.ref)

            def registration(self, site: Site) -> Registration:
                made = Known(site, super().registration(site).registered)
                made.known = world.secret
                return made

            def proofs(self, site: Site) -> Iterator[Proof]:
                yield passing()

        self.add(GrafanaAlone())

    def stack(self) -> Stack:
        keycloak = {
            "url": "https://id.agency.example",
            "internal_url": "http://keycloak:8080",
            "admin_password": "env:P",
        }
        acme = {
            "domain": "acme.example",
            "groups": {"staff": {"grafana": ["Editor"]}},
            "integrations": {"sso": self.told},
        }
        shared = {"components": {"keycloak": keycloak, "grafana": self.described}}
        return Stack.model_validate_json(json.dumps({"version": 1, "shared": shared, "clients": {"acme": acme}}))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", PASSWORD)


@pytest.fixture
def world(tmp_path: Path, machine: Machine) -> Iterator[Installed]:
    with served(machine) as url:
        yield installed(tmp_path, machine, url)


def installed(folder: Path, machine: Machine, url: str) -> Installed:
    world = Installed(folder)
    world.described = {
        "url": "https://grafana.agency.example",
        "api_url": url,
        "admin_password": "env:P",
        "exec": {"local": True},
        "env_file": str(machine.env),
        "restart": machine.restart,
    }
    return world


def changed(world: World) -> set[str]:
    [item] = world.plan().integrations
    return {name for step in item.changes if step.change for name in step.change.names}


def test_its_file_says_how_people_log_in_and_it_is_started_with_it(world: Installed, machine: Machine) -> None:
    [result] = world.integrate()
    assert result.status is Status.APPLIED, result.reason
    text = machine.env.read_text()
    assert text.startswith(ENV)
    assert machine.starts == 1
    realm, inside = (f"{at}/realms/agencystack/protocol/openid-connect" for at in _addresses(world))
    back = "https%3A%2F%2Fgrafana.agency.example%2Flogin"
    assert {name: value for name, value in machine.values().items() if "OAUTH" in name} == {
        variable("enabled"): "true",
        variable("name"): "Keycloak",
        CLIENT: "acme-grafana",
        SECRET: FIRST,
        variable("auth_url"): f"{realm}/auth",
        variable("token_url"): f"{inside}/token",
        variable("api_url"): f"{inside}/userinfo",
        variable("scopes"): "openid email profile",
        variable("use_pkce"): "true",
        variable("allow_sign_up"): "true",
        variable("login_attribute_path"): "preferred_username",
        variable("role_attribute_path"): "contains(roles[*], 'Editor') && 'Editor'",
        variable("role_attribute_strict"): "true",
        variable("skip_org_role_sync"): "false",
        variable("allow_assign_grafana_admin"): "false",
        variable("signout_redirect_url"): f"{realm}/logout?post_logout_redirect_uri={back}",
    }


def test_a_second_run_changes_nothing(world: Installed, machine: Machine) -> None:
    world.integrate()
    [result] = world.integrate()
    assert (result.status, result.changes, machine.starts) == (Status.APPLIED, [], 1)


def test_undo_puts_the_file_back_byte_for_byte_with_its_mode(world: Installed, machine: Machine) -> None:
    before = machine.env.stat()
    world.integrate()
    _, errors = world.undo()
    after = machine.env.stat()
    assert (errors, machine.env.read_text(), machine.starts) == ({}, ENV, 2)
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_undo_needs_no_grafana_that_answers(world: Installed, machine: Machine) -> None:
    world.integrate()
    world.described["api_url"] = "http://127.0.0.1:1"
    _, errors = world.undo()
    assert (errors, machine.env.read_text()) == ({}, ENV)


def test_undo_of_a_file_that_stack_yaml_no_longer_names(world: Installed, machine: Machine) -> None:
    world.integrate()
    del world.described["env_file"]
    _, errors = world.undo()
    assert (errors, machine.env.read_text()) == ({}, ENV)


def test_the_secret_is_compared_and_shown_nowhere(world: Installed, machine: Machine) -> None:
    world.integrate()
    machine.env.write_text(machine.env.read_text().replace(FIRST, "typed-by-a-person"))
    [item] = world.plan().integrations
    [step] = item.changes
    assert step.change is not None
    assert [(each.name, each.before) for each in step.change.fields] == [(SECRET, Secret("typed-by-a-person"))]
    world.secret = Secret(SECOND)
    world.integrate()
    assert machine.values()[SECRET] == SECOND
    its_own = {machine.env, machine.env.with_name("running.env")}
    written = [path for path in world.folder.rglob("*") if path.is_file() and path not in its_own]
    assert written
    assert not [path for path in written if SECOND in path.read_bytes().decode(errors="replace")]


def test_a_plan_before_the_client_is_there_knows_what_it_will_write(world: Installed) -> None:
    world.secret = Marker.PENDING
    assert {SECRET, CLIENT, RESTARTED} - changed(world) == {RESTARTED}


def test_a_restart_that_failed_is_made_up_for(world: Installed, machine: Machine) -> None:
    world.described["restart"] = ["false"]
    [failed] = world.integrate()
    assert failed.status is not Status.APPLIED
    assert "restart in stack.yaml" in str(failed.reason)
    world.described["restart"] = machine.restart
    [result] = world.integrate()
    assert (result.status, machine.starts, changed(world)) == (Status.APPLIED, 1, set())


def test_a_restart_that_reads_no_file_is_named(world: Installed) -> None:
    world.described["restart"] = ["true"]
    [result] = world.integrate()
    assert result.status is not Status.APPLIED
    assert "still lets nobody in through Keycloak" in str(result.reason)
    assert "docker restart does not read one again" in str(result.reason)


@pytest.mark.parametrize("way", ["environment file", "own file"])
def test_the_login_of_somebody_else_is_replaced_only_when_stack_yaml_says_so(
    world: Installed, machine: Machine, way: str
) -> None:
    if way == "own file":
        machine.own_settings = {"enabled": True, "client_id": "theirs", "auth_url": "https://sso.example/auth"}
    else:
        machine.add(f"{CLIENT}=theirs\n")
    before = machine.env.read_text()
    [result] = world.integrate()
    assert (result.status, machine.env.read_text()) == (Status.BLOCKED, before)
    world.told = {"grafana": {"replace": True}}
    [result] = world.integrate()
    assert result.status is Status.APPLIED, result.reason
    assert machine.values()[CLIENT] == "acme-grafana"
    world.undo()
    assert machine.env.read_text() == before


def test_a_role_grafana_does_not_have_blocks(world: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registration, "managed_roles", ("Owner",))
    [item] = world.plan().integrations
    assert item.status is Status.BLOCKED
    assert "no role of Grafana: Owner" in item.reason


@pytest.mark.parametrize(("version", "ends"), [("9.5.2", False), ("10.3.1", True)])
def test_a_version_that_cannot_end_keycloaks_session_is_not_asked_to(
    world: Installed, monkeypatch: pytest.MonkeyPatch, version: str, ends: bool
) -> None:
    monkeypatch.setattr(Grafana, "version", lambda _grafana: version)
    entrances: list[Entrance] = []
    monkeypatch.setattr(grafana, "proofs_of", lambda entrance, **_: entrances.append(entrance))
    with world.session() as session:
        [(_, site)] = session.select(Wish()).sites
        GrafanaLogin().proofs(site)
        assert [entrance.door.ends_keycloak_session() for entrance in entrances] == [ends]


@pytest.mark.parametrize("key", ["exec", "restart"])
def test_what_the_file_needs_is_asked_for(world: Installed, key: str) -> None:
    del world.described[key]
    [item] = world.plan().integrations
    assert item.status is Status.BLOCKED
    assert key in item.reason
    with world.session() as session:
        [(made, site)] = session.select(Wish()).sites
        assert list(made.missing(site)) == [f"shared.components.grafana.{key}"]


def test_without_a_file_it_says_what_to_write(world: Installed, machine: Machine) -> None:
    del world.described["env_file"]
    [item] = world.plan().integrations
    assert item.status is Status.UNSUPPORTED
    assert "write env_file, restart and exec of shared.components.grafana" in item.reason
    assert machine.env.read_text() == ENV


def test_where_there_is_the_interface_the_file_stays(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine", PASSWORD, has_interface=True)
    with served(machine) as url:
        world = installed(tmp_path, machine, url)
        [result] = world.integrate()
        assert result.status is Status.APPLIED, result.reason
        assert (machine.env.read_text(), machine.starts) == (ENV, 0)
        assert {step.resource.key for step, _ in result.changes} == {"generic OAuth"}
        assert changed(world) == set()


def _addresses(world: Installed) -> tuple[str, str]:
    keycloak = world.stack().shared.components.keycloak
    assert keycloak is not None
    return keycloak.url, keycloak.reached_by_components()
