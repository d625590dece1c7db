"""What Mailu, Uptime Kuma and Chatwoot cannot do, and the gate a person can put in front of two of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ruamel.yaml import YAML

from agencystack.engine.integration import Integration, Site
from agencystack.engine.planning import Status
from agencystack.engine.registry import Found, Registry
from agencystack.engine.session import Session, Wish
from agencystack.integrations.sso.chatwoot import ChatwootLogin
from agencystack.integrations.sso.mailu import MailuLogin
from agencystack.integrations.sso.oidc import OidcLogin
from agencystack.integrations.sso.uptime_kuma import UptimeKumaLogin
from agencystack.stack.errors import ExitCode
from agencystack.stack.model import Stack
from tests.engine.fakes import World

GATED = {"mailu": MailuLogin, "uptime-kuma": UptimeKumaLogin}
WITHOUT = {**GATED, "chatwoot": ChatwootLogin}
STACK: dict[str, Any] = {
    "version": 1,
    "shared": {
        "components": {
            "keycloak": {"url": "https://id.agency.example", "internal_url": "http://keycloak:8080"},
            "mailu": {"url": "https://mail.agency.example", "api_token": "env:TOKEN"},
            "uptime-kuma": {"url": "https://up.agency.example"},
        }
    },
    "clients": {
        "acme": {"domain": "acme.example", "components": {"chatwoot": {"url": "https://chat.acme.example"}}},
    },
}


def opened(world: World, integration: Integration, session: Session) -> Session:
    session.stack = Stack.model_validate_json(json.dumps(STACK))
    session.registry = Registry([Found(integration, Path(__file__))])
    return session


def site_of(world: World, name: str) -> tuple[Integration, Site]:
    with world.session() as session:
        [(integration, site)] = opened(world, WITHOUT[name](), session).select(Wish()).sites
    return integration, site


def parts(world: World, name: str) -> list[str]:
    """Return the numbered parts of a snippet, as their lines without the comments that head them."""
    integration, site = site_of(world, name)
    return re.split(r"^# \d\. ", integration.snippet(site), flags=re.MULTILINE)[1:]


def yaml_in(text: str) -> Any:
    """Return the YAML of a part; its first line goes on from the number that is split off."""
    return YAML(typ="safe").load(f"# {text}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("name", WITHOUT)
def test_it_says_why_not_and_what_instead_and_fails_nothing(world: World, name: str) -> None:
    with world.session() as session:
        opened(world, WITHOUT[name](), session)
        made = session.plan(session.select(Wish()))
        [item] = made.integrations
        assert (item.status, item.exit_code, made.changes) == (Status.UNSUPPORTED, ExitCode.DONE, 0)
        assert item.problem is not None
        assert item.problem.remedy
        [result] = session.integrate(made)
        assert (result.status, result.exit_code) == (Status.UNSUPPORTED, ExitCode.DONE)


@pytest.mark.parametrize("name", GATED)
def test_the_reason_names_the_command_that_prints_the_gate(world: World, name: str) -> None:
    with world.session() as session:
        opened(world, WITHOUT[name](), session)
        [item] = session.plan(session.select(Wish())).integrations
    assert f"agencystack integration snippet sso {name} --client acme" in item.reason


def test_chatwoot_has_no_gate(world: World) -> None:
    integration, site = site_of(world, "chatwoot")
    assert integration.snippet(site) == ""


@pytest.mark.parametrize("name", GATED)
def test_the_gate_is_an_application_our_own_integration_serves(world: World, name: str) -> None:
    text = parts(world, name)[0]
    data = yaml_in(text)
    client = data["clients"]["acme"]
    client["domain"] = "acme.example"
    client["groups"] = {"staff": client["groups"]["GROUP"]}
    stack = Stack.model_validate_json(json.dumps({"version": 1, **data}))
    gate = stack.clients["acme"].components.by_name()[f"{name}-gate"]
    assert OidcLogin().serves(f"{name}-gate", gate)
    assert stack.clients["acme"].roles_in(f"{name}-gate") == {"staff": ("user",)}


@pytest.mark.parametrize("name", GATED)
def test_logging_out_of_the_gate_leads_to_keycloak_and_back(world: World, name: str) -> None:
    gate = yaml_in(parts(world, name)[0])["clients"]["acme"]["components"][f"{name}-gate"]
    way = urlsplit(gate["oidc"]["proof"]["logout"])
    [there] = parse_qs(way.query)["rd"]
    assert (way.path, urlsplit(there).netloc) == ("/oauth2/sign_out", "id.agency.example")
    assert urlsplit(there).path == "/realms/agencystack/protocol/openid-connect/logout"
    query = parse_qs(urlsplit(there).query)
    assert query["id_token_hint"] == ["{id_token}"]
    assert query["post_logout_redirect_uri"] == gate["oidc"]["logout_uris"]
    # oauth2-proxy goes only where it was told it may.
    assert "OAUTH2_PROXY_WHITELIST_DOMAINS=id.agency.example\n" in parts(world, name)[1]


@pytest.mark.parametrize("name", GATED)
def test_the_gate_publishes_no_port_and_believes_no_header(world: World, name: str) -> None:
    gate = yaml_in(parts(world, name)[2])["services"][f"{name}-gate"]
    assert "ports" not in gate
    labels = gate["labels"]
    host = urlsplit(STACK["shared"]["components"][name]["url"]).netloc
    assert labels[f"traefik.http.routers.{name}-gate.rule"] == f"Host(`{host}`) && PathPrefix(`/oauth2/`)"
    middleware = f"traefik.http.middlewares.{name}-gate.forwardauth."
    assert labels[middleware + "address"] == f"http://{name}-gate:4180/"
    assert labels[middleware + "trustForwardHeader"] == "false"
    assert "OAUTH2_PROXY_UPSTREAMS=static://202\n" in parts(world, name)[1]
    assert "OAUTH2_PROXY_REVERSE_PROXY=true\n" in parts(world, name)[1]


@pytest.mark.parametrize("name", GATED)
def test_no_variable_is_written_by_hand_and_by_us(world: World, name: str) -> None:
    gate = yaml_in(parts(world, name)[0])["clients"]["acme"]["components"][f"{name}-gate"]
    ours = set(gate["oidc"]["env_file"]["variables"])
    by_hand = set(re.findall(r"^(OAUTH2_PROXY_\w+)=", parts(world, name)[1], re.MULTILINE))
    assert not ours & by_hand
    assert "client_secret" not in parts(world, name)[1]


def labels_in(text: str) -> dict[str, str]:
    return dict(re.findall(r'^ +(traefik\.\S+): "(.*)"$', text, re.MULTILINE))


def test_mailus_header_is_taken_off_wherever_the_gate_does_not_set_it(world: World) -> None:
    labels, settings = labels_in(parts(world, "mailu")[3]), parts(world, "mailu")[4]
    [header] = re.findall(r"^PROXY_AUTH_HEADER=(.*)$", settings, re.MULTILINE)
    assert labels[f"traefik.http.middlewares.mailu-no-header.headers.customrequestheaders.{header}"] == ""
    routers = {name.split(".")[3] for name in labels if ".routers." in name}
    assert {labels[f"traefik.http.routers.{name}.middlewares"].split(",")[0] for name in routers} == {"mailu-no-header"}
    gate = yaml_in(parts(world, "mailu")[2])["services"]["mailu-gate"]["labels"]
    assert gate["traefik.http.middlewares.mailu-gate.forwardauth.authResponseHeaders"] == header
    assert "PROXY_AUTH_LOGOUT_URL=https://mail.agency.example/oauth2/sign_out?rd=https" in unquote(settings)


@pytest.mark.parametrize(
    ("path", "public"),
    [
        ("/status/agency", True),
        ("/api/status-page/agency", True),
        ("/api/push/token", True),
        ("/assets/index.js", True),
        ("/", False),
        ("/dashboard", False),
        ("/manage-status-page", False),
        ("/statuses", False),
        ("/metrics", False),
        ("/socket.io/", False),
        ("/api/entry-page", False),
    ],
)
def test_only_what_is_meant_for_the_public_is_outside_of_uptime_kumas_gate(
    world: World, path: str, public: bool
) -> None:
    labels = labels_in(parts(world, "uptime-kuma")[3])
    rule = labels["traefik.http.routers.uptime-kuma-public.rule"]
    exact = path in re.findall(r"[( ]Path\(`(.*?)`\)", rule)
    below = any(path.startswith(prefix) for prefix in re.findall(r"PathPrefix\(`(.*?)`\)", rule))
    assert (exact or below) is public
    assert "traefik.http.routers.uptime-kuma-public.middlewares" not in labels
    assert labels["traefik.http.routers.uptime-kuma.middlewares"] == "uptime-kuma-gate"
