"""What a monitor asks of each product to see whether it works."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.health import token_hash
from agencystack.engine.context import Component, Context
from agencystack.engine.integration import Site
from agencystack.integrations.monitoring.health import HealthTarget, health_resources, health_url
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from tests.serving import served

ADMIN = {"admin_password": "env:P"}
INSIDE = {"url": "https://x.example", "internal_url": "http://x:1"}
WORDPRESS = {"url": "https://shop.example/blog/", "exec": {"docker": "wordpress"}}
OURS = "agencystack-connector"
WELL = '"status":"ok"'


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that WordPress's own user can enter; pytest's cannot be when we are root."""
    made = Path(tempfile.mkdtemp(prefix="health-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def site_of(name: str, settings: Mapping[str, Any], folder: Path, *, client: bool = True) -> tuple[Site, Context]:
    home = Home(folder / "home", folder / "log", folder / "key")
    context = Context(home, SealedStore(home.secrets_dir, home.key_file), lambda _: Secret("unused"))
    components = {"components": {name: settings}}
    acme = {"domain": "acme.example", **(components if client else {})}
    described = {"version": 1, "clients": {"acme": acme}, **({} if client else {"shared": components})}
    stack = Stack.model_validate_json(json.dumps(described))
    application = Component(*stack.components("acme")[name])
    named = f"acme/monitoring/{name}"
    return Site("acme", "acme.example", application, None, {}, context, named), context


@pytest.mark.parametrize(
    ("name", "settings", "target"),
    [
        ("wordpress", WORDPRESS, ("https://shop.example/blog/?rest_route=/agencystack/v1/health", OURS, WELL)),
        ("wordpress", {"url": "https://shop.example"}, ("https://shop.example/?rest_route=/", '"namespaces"', "")),
        ("mailu", {"url": "https://mail.example", "api_token": "env:T"}, ("https://mail.example/health", "", "")),
        (
            "listmonk",
            {"url": "https://news.example", "api_user": "a", "api_token": "env:T"},
            ("https://news.example/health", '"data":true', ""),
        ),
        ("chatwoot", {"url": "https://chat.example"}, ("https://chat.example/api", '"version"', "")),
        ("grafana", {"url": "https://g.example/", **ADMIN}, ("https://g.example/api/health", '"ok"', "")),
        (
            "keycloak",
            {"url": "https://id.example/auth", **ADMIN},
            ("https://id.example/auth/realms/master/.well-known/openid-configuration", '"issuer"', ""),
        ),
        ("loki", INSIDE, ("http://x:1/ready", "", "")),
        ("alloy", INSIDE, ("http://x:1/-/ready", "", "")),
        ("promtail", INSIDE, ("http://x:1/ready", "", "")),
        ("prometheus", INSIDE, ("http://x:1/-/ready", "", "")),
        ("uptime-kuma", {"url": "https://up.example", **ADMIN}, ("https://up.example/api/entry-page", '"type"', "")),
        ("shop", {"url": "https://own.example/x", "custom": True}, ("https://own.example/x", "", "")),
    ],
)
def test_each_product_is_asked_where_it_tells(
    name: str, settings: Mapping[str, Any], target: tuple[str, str, str], tmp_path: Path
) -> None:
    site, _ = site_of(name, settings, tmp_path)
    assert health_url(site) == HealthTarget(*target)
    if name not in {"wordpress", "erpnext"}:
        assert list(health_resources(site)) == []


@pytest.mark.parametrize(
    ("connector_app", "path", "keyword", "all_well"),
    [
        (True, "/api/method/agencystack_connector.health.check", OURS, WELL),
        (False, "/api/method/ping", "pong", ""),
    ],
)
def test_an_erpnext_is_asked_as_far_as_it_can_tell(
    folder: Path, tmp_path: Path, *, connector_app: bool, path: str, keyword: str, all_well: str
) -> None:
    made = ErpNextStandIn(folder / "site", connector_app=connector_app)
    with served(made.app) as url:
        settings = {"url": "https://erp.example", "api_url": url, "api_key": "env:KEY", "api_secret": "env:SECRET"}
        site, context = site_of("erpnext", settings, tmp_path)
        values = {"KEY": made.api_key, "SECRET": made.api_secret}
        context.resolve = lambda reference: Secret(values[reference.name])
        assert health_url(site) == HealthTarget(f"https://erp.example{path}", keyword, all_well)


def test_clients_who_share_a_site_share_its_token(folder: Path, tmp_path: Path) -> None:
    made = WordPressStandIn(folder / "shared", "http://w.example", name="W", admin_email="a@acme.example")
    made.up()
    settings = {"url": "http://w.example", "exec": {"local": True, "path": str(made.path)}}
    site, context = site_of("wordpress", settings, tmp_path, client=False)
    token = next(resource for resource in health_resources(site) if resource.key == "health token")
    assert token.wanted() != {"token": token_hash(Secret("of-all-of-them"))}
    context.sealed.put("shared/monitoring/wordpress/health-token", Secret("of-all-of-them"))
    assert token.wanted() == {"token": token_hash(Secret("of-all-of-them"))}
