"""The data bridge is watched: by its numbers where Alloy reaches them, else by its log; with the client's WordPress."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.context import Component, Context
from agencystack.engine.integration import Site
from agencystack.integrations.monitoring import alerts, bridge_watch, dashboards
from agencystack.integrations.monitoring.alert_json import RUNBOOK, to_json
from agencystack.integrations.monitoring.alerts import Limits
from agencystack.integrations.monitoring.collection import LogCollection
from agencystack.integrations.monitoring.dashboards.model import Scope, Source
from agencystack.integrations.monitoring.kuma_checks import checks_of
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Bridge, Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

HERE: Mapping[str, Any] = {"url": "http://127.0.0.1:12345", "config": "/etc/alloy", "exec": {"local": True}}
IN_A_CONTAINER: Mapping[str, Any] = {**HERE, "exec": {"docker": "alloy"}}
ELSEWHERE: Mapping[str, Any] = {**HERE, "exec": {"ssh": "logs.example"}}
PROMETHEUS: Mapping[str, Any] = {"url": "http://prometheus:9090"}
LOKI: Mapping[str, Any] = {"url": "http://loki:3100"}
KUMA: Mapping[str, Any] = {
    "url": "http://kuma:3001",
    "admin_user": "a",
    "admin_password": "env:K",
    "exec": HERE["exec"],
}
RULES = {"bridge-behind", "bridge-paused", "bridge-undecided", "bridge-stopped"}


def site(
    tmp_path: Path,
    shared: Mapping[str, Any],
    *,
    own: Mapping[str, Any] | None = None,
    bridge: Mapping[str, Any] | None = None,
    shares: bool = True,
    application: str = "wordpress",
) -> Site:
    erpnext = {"url": "http://erp.acme.example", "api_key": "env:K", "api_secret": "env:S"}
    components = {"wordpress": {"url": "http://acme.example"}, "erpnext": erpnext, **(own or {})}
    client: dict[str, Any] = {"domain": "acme.example", "components": components}
    if shares:
        client["data_bridge"] = {"entities": {"page": {"direction": "both"}}}
    stack = Stack.model_validate(
        {
            "version": 1,
            "bridge": {"url": "https://bridge.agency.example", **(bridge or {})},
            "shared": {"components": dict(shared)},
            "clients": {"acme": client},
        }
    )
    companions = {
        name: Component(ComponentRef(owner, name), settings)
        for owner, of in (("shared", stack.shared.components), ("acme", stack.clients["acme"].components))
        for name, settings in of.by_name().items()
    }
    home = Home(tmp_path, tmp_path / "log", tmp_path / "key")
    return Site(
        client="acme",
        domain="acme.example",
        application=companions[application],
        provider=None,
        settings=None,
        context=Context(home, SealedStore(home.secrets_dir, home.key_file), resolve=lambda _: Secret("unused")),
        name=f"acme/monitoring/{application}",
        companions=companions,
        bridge=stack.bridge,
        shares=stack.clients["acme"].data_bridge,
    )


def fragments(of: Site) -> dict[str, str]:
    """Return the files Alloy would have."""
    part = LogCollection(of)
    return dict(part._files(of.companions["alloy"]))


ALL: Mapping[str, Any] = {"loki": LOKI, "alloy": HERE, "prometheus": PROMETHEUS}


@pytest.mark.parametrize(
    ("shared", "own", "bridge", "told"),
    [
        (ALL, {}, {}, Source.PROMETHEUS),
        ({"loki": LOKI, "alloy": HERE}, {}, {}, Source.LOKI),
        ({**ALL, "alloy": IN_A_CONTAINER}, {}, {}, Source.LOKI),
        ({**ALL, "alloy": IN_A_CONTAINER}, {}, {"internal_url": "http://172.17.0.1:8095"}, Source.PROMETHEUS),
        ({**ALL, "alloy": ELSEWHERE}, {}, {}, None),
        ({**ALL, "alloy": ELSEWHERE}, {}, {"listen": "10.0.0.5:8095"}, Source.PROMETHEUS),
        ({"loki": LOKI}, {}, {}, None),
        (ALL, {"prometheus": PROMETHEUS}, {}, Source.LOKI),
        (ALL, {"prometheus": PROMETHEUS, "loki": LOKI}, {}, None),
        ({"prometheus": PROMETHEUS}, {"loki": LOKI, "alloy": HERE}, {}, None),
    ],
)
def test_who_hears_of_the_bridge(
    tmp_path: Path, shared: Mapping[str, Any], own: Mapping[str, Any], bridge: Mapping[str, Any], told: Source | None
) -> None:
    here = site(tmp_path, shared, own=own, bridge=bridge)
    assert bridge_watch.told_by(here) is told
    advice = " ".join(bridge_watch.advice(here))
    assert ("nobody is told" in advice) is (told is None)
    if "alloy" in here.companions:
        scraped = any('"__address__" = "' in text and "honor_labels" in text for text in fragments(here).values())
        assert scraped is (told is Source.PROMETHEUS)


@pytest.mark.parametrize(
    ("listen", "where", "url"),
    [
        ("127.0.0.1:8095", HERE, "http://127.0.0.1:8095"),
        ("0.0.0.0:8095", HERE, "http://127.0.0.1:8095"),
        ("10.0.0.5:8095", HERE, "http://10.0.0.5:8095"),
        ("0.0.0.0:8095", IN_A_CONTAINER, None),
        ("[::1]:8095", ELSEWHERE, None),
        ("bridge.internal:8095", ELSEWHERE, "http://bridge.internal:8095"),
    ],
)
def test_where_the_bridge_is_reached_from(listen: str, where: Mapping[str, Any], url: str | None) -> None:
    stack = Stack.model_validate({"version": 1, "shared": {"components": {"alloy": dict(where)}}})
    asking = Component(ComponentRef("shared", "alloy"), stack.shared.components.by_name()["alloy"])
    assert bridge_watch.address(Bridge(listen=listen, url="https://bridge.agency.example"), asking) == url


def test_alloy_scrapes_it_once_for_all_clients_and_each_number_keeps_its_client(tmp_path: Path) -> None:
    text = fragments(site(tmp_path, ALL))["agencystack-shared-agencystack-bridge.alloy"]
    assert '"__address__" = "127.0.0.1:8095"' in text
    assert "honor_labels    = true" in text
    assert '"component"   = "agencystack"' in text
    assert '= "/metrics"' in text
    erpnext = fragments(site(tmp_path, ALL, application="erpnext"))
    assert "agencystack-shared-agencystack-bridge.alloy" not in erpnext


def test_its_log_is_collected_beside_that_of_our_runs(tmp_path: Path) -> None:
    text = fragments(site(tmp_path, ALL))["agencystack-shared-agencystack.alloy"]
    assert f'"{tmp_path}/log/bridge/*.jsonl"' in text
    assert 'loki.process "agencystack__shared__agencystack__bridge"' in text


def test_a_client_that_shares_nothing_has_nothing_watched(tmp_path: Path) -> None:
    here = site(tmp_path, ALL | {"uptime-kuma": KUMA}, shares=False)
    assert bridge_watch.told_by(here) is None
    assert list(bridge_watch.advice(here)) == []
    assert "agencystack-shared-agencystack-bridge.alloy" not in fragments(here)
    assert not any("bridge" in check.mark for check in checks_of(here))


def test_uptime_kuma_asks_the_bridge_where_it_reaches_it(tmp_path: Path) -> None:
    near = site(tmp_path, ALL | {"uptime-kuma": KUMA})
    [check] = [check for check in checks_of(near) if "bridge" in check.mark]
    assert (check.mark, check.name, check.group, check.public) == (
        "acme/agencystack/bridge",
        "acme data bridge",
        "acme",
        False,
    )
    assert check.target() == {"type": "keyword", "url": "http://127.0.0.1:8095/health", "keyword": '"status":"ok"'}
    far = site(tmp_path, ALL | {"uptime-kuma": {name: value for name, value in KUMA.items() if name != "exec"}})
    assert not any("bridge" in check.mark for check in checks_of(far))


@pytest.mark.parametrize("source", [Source.PROMETHEUS, Source.LOKI])
def test_its_rules_stand_with_wordpress_and_ask_the_store_that_hears_of_it(source: Source) -> None:
    limits = Limits(bridge_behind_minutes=5, bridge_undecided_hours=2, off=("bridge-paused",))
    scope = Scope("acme", "acme.example", "wordpress", bridge=source)
    rules = {rule.name: rule for rule in alerts.rules_of(scope, limits)}
    assert set(rules) & RULES == RULES - {"bridge-paused"}
    assert {rules[name].source for name in RULES & set(rules)} == {source}
    assert (rules["bridge-behind"].above, rules["bridge-undecided"].above) == (300, 7200)
    others = alerts.rules_of(Scope("acme", "acme.example", "erpnext", bridge=source), Limits())
    assert not {rule.name for rule in others} & RULES


def test_without_anybody_who_hears_of_it_there_is_no_rule_and_no_row() -> None:
    rules = alerts.rules_of(Scope("acme", "acme.example", "wordpress"), Limits())
    assert not {rule.name for rule in rules} & RULES
    overview = dashboards.of_owner("acme", "acme.example", metrics=True)
    assert "Data bridge" not in [row.title for row in overview.rows]
    shown = dashboards.of_owner("acme", "acme.example", metrics=True, bridge=Source.LOKI)
    assert "Data bridge" in [row.title for row in shown.rows]


def test_every_rule_s_runbook_is_a_heading_of_the_page() -> None:
    page = (Path(__file__).parents[3] / RUNBOOK).read_text("utf-8")
    for component in ("wordpress", "erpnext", "mailu", "listmonk", "uptime-kuma"):
        scope = Scope("acme", "acme.example", component, metrics=True, bridge=Source.PROMETHEUS)
        for rule in alerts.rules_of(scope, Limits()):
            told = to_json(rule, scope, "folder", {Source.LOKI: "l", Source.PROMETHEUS: "p"}, None)
            assert told["annotations"]["runbook"] == f"{RUNBOOK}#{rule.name}"
            assert f"\n### {rule.name}\n" in page
    for name in Limits.model_fields:
        assert name == "off" or f"`{name}`" in page, name
