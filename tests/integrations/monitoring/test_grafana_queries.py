"""Every query of every dashboard and alert rule, asked of a real Loki; and that each begins with the label matchers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agencystack.integrations.monitoring import alerts, dashboards
from agencystack.integrations.monitoring.alerts import AlertRule, Limits
from agencystack.integrations.monitoring.dashboards.model import Board, Panel, Scope, Source
from agencystack.sandbox.go_programs import LOKI
from agencystack.sandbox.loki import PORTS, real_loki
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import ensure_ports

COMPONENTS = ("wordpress", "erpnext", "mailu", "keycloak", "grafana", "listmonk", "chatwoot", "uptime-kuma")
LABELS = {"client", "component", "stream", "level"}
FILLED = {"$__interval": "1m", "$__range": "6h", "$client": ".+", "$stream": ".+", "$level": ".+"}


def boards() -> list[Board]:
    scopes = [Scope("acme", "acme.example", name, metrics=True) for name in COMPONENTS]
    made = [dashboards.of_component(scope) for scope in scopes]
    overviews = [dashboards.of_owner("acme", "acme.example", metrics=True, bridge=source) for source in Source]
    return [*made, *overviews, dashboards.of_all(metrics=True)]


def panels() -> list[tuple[str, Panel]]:
    return [(f"{board.title}: {panel.title}", panel) for board in boards() for panel in board.panels()]


def rules() -> list[tuple[str, AlertRule]]:
    scopes = [Scope("acme", "acme.example", name, metrics=True, bridge=Source.LOKI) for name in COMPONENTS]
    return [(f"{s.component}: {rule.name}", rule) for s in scopes for rule in alerts.rules_of(s, Limits())]


def queries() -> list[tuple[str, str, bool]]:
    """Return name, LogQL and whether one value is asked for, of every query to Loki."""
    shown = [
        (name, query.expr, panel.instant)
        for name, panel in panels()
        for query in panel.queries
        if query.source is Source.LOKI
    ]
    return [*shown, *((name, rule.expr, True) for name, rule in rules() if rule.source is Source.LOKI)]


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    obstacle = LOKI.obstacle()
    if obstacle:
        pytest.skip(f"NO REAL LOKI HERE: {obstacle}")
    folder = SandboxFolder(tmp_path_factory.mktemp("loki"))
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True, exist_ok=True)
    service = real_loki(folder, ensure_ports(folder.ports_file, PORTS))
    service.start()
    try:
        _fill(service.url)
        yield service.url
    finally:
        service.stop()


def _fill(url: str) -> None:
    """Keep one entry that has every field the queries speak of, under each stream."""
    fields = {
        "event": "login_failed",
        "status": "502",
        "path": "/checkout/",
        "seconds": "1.5",
        "address": "192.0.2.7",
        "user": "mara",
        "queue_id": "4A1",
        "delay": "2.5",
        "reason": "550 unknown",
        "verdict": "reject",
        "score": "15.2",
        "site": "erp.acme.example",
        "exception": "ValidationError",
        "logger": "frappe",
        "job": "flush",
        "file": "functions.php",
        "realm": "acme",
        "oidc_client": "acme-wordpress",
    }
    streams = [
        {
            "stream": {"client": "acme", "component": component, "stream": stream, "level": "error"},
            "values": [[str(time.time_ns()), "a line", fields]],
        }
        for component in COMPONENTS
        for stream in ("access", "server", "antispam")
    ]
    assert httpx.post(f"{url}/loki/api/v1/push", json={"streams": streams}).status_code == 204


@pytest.mark.real
def test_every_query_parses_and_runs_in_a_real_loki(loki: str) -> None:
    wrong = []
    for name, expr, instant in queries():
        for variable, value in FILLED.items():
            expr = expr.replace(variable, value)
        now = time.time()
        params = (
            {"query": expr} if instant else {"query": expr, "start": str(now - 3600), "end": str(now), "step": "60"}
        )
        answer = httpx.get(f"{loki}/loki/api/v1/{'query' if instant else 'query_range'}", params=params, timeout=30)
        if answer.status_code != 200:
            wrong.append(f"{name}: {answer.status_code} {answer.text.strip()}: {expr}")
    assert wrong == []


@pytest.mark.real
def test_a_number_without_any_line_is_nought_and_with_one_it_is_told(loki: str) -> None:
    for component, wanted in (("wordpress", 100.0), ("nothing-of-it", 0.0)):
        board = dashboards.of_component(Scope("acme", "acme.example", "wordpress"))
        [panel] = [panel for panel in board.panels() if panel.title == "Server errors"]
        expr = (
            panel.queries[0].expr.replace("$__range", "1h").replace('component="wordpress"', f'component="{component}"')
        )
        told = httpx.get(f"{loki}/loki/api/v1/query", params={"query": expr}).json()["data"]["result"]
        assert [float(row["value"][1]) for row in told] == [wanted]


@pytest.mark.real
def test_the_bridge_s_log_tells_how_it_is(loki: str) -> None:
    """Its rules fire for what the log says now, and for nothing that it said before."""
    started = time.time_ns()
    for ago, paused, oldest in ((120, 1, 9000.5), (60, 0, 1200.5)):
        state = {"pairing": "acme", "active": 1, "paused": paused, "oldest": oldest, "undecided": 7.0, "workers": 0}
        labels = {"client": "shared", "component": "agencystack", "stream": "bridge", "level": "info"}
        fields = {"verdict": "state", "pairing": "acme"}
        entry = [str(started - ago * 10**9), json.dumps({**state, "event": "state"}), fields]
        body = {"streams": [{"stream": labels, "values": [entry]}]}
        assert httpx.post(f"{loki}/loki/api/v1/push", json=body).status_code == 204
    values = {
        name: [float(row["value"][1]) for row in _asked(loki, rule.expr)]
        for name, rule in rules()
        if name.startswith("wordpress: bridge-")
    }
    assert values == {
        "wordpress: bridge-behind": [1200.5],
        "wordpress: bridge-paused": [0.0],
        "wordpress: bridge-undecided": [7.0],
        "wordpress: bridge-stopped": [1.0],
    }


def _asked(loki: str, expr: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{loki}/loki/api/v1/query", params={"query": expr})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


@pytest.mark.parametrize(("name", "expr"), [(name, expr) for name, expr, _ in queries()])
def test_a_query_selects_by_labels_alone_and_by_the_client_first(name: str, expr: str) -> None:
    selectors = re.findall(r"\{([^{}]*)\}", expr)
    assert selectors
    for selector in selectors:
        labels = re.findall(r"(\w+)(?:=~|!=|=)", re.sub(r'"[^"]*"', '""', selector))
        assert labels[0] == "client"
        assert set(labels) <= LABELS


def test_what_can_be_chosen_is_a_label() -> None:
    assert {choice.label for board in boards() for choice in board.choices} <= LABELS


def test_uids_are_short_enough_for_grafana_and_each_is_its_own() -> None:
    owner = "a-client-with-a-name-of-sixty-three-letters-as-it-may-well-have"
    uids = [dashboards.uid_of(owner, component, rule) for component in COMPONENTS for rule in ("silent", "errors")]
    assert all(len(uid) <= 40 for uid in uids)
    assert len(set(uids)) == len(uids)
    assert dashboards.uid_of("acme", "wordpress") == "as-acme-wordpress"
