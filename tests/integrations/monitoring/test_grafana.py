"""Grafana's part of monitoring: what it sets up, what of a person's it leaves, what it says where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agencystack.components.grafana import ContactPoint, DataSource, Folder
from agencystack.engine.planning import IntegrationPlan, Status
from agencystack.engine.values import Value
from agencystack.integrations.monitoring.grafana_proofs import ANSWERED, EVALUATED
from agencystack.sandbox.grafana import GrafanaStandIn
from agencystack.testing import Installation
from tests.grafana_real import real_grafana
from tests.integrations.monitoring.watching import FOLDER, LOKI_PASSWORD, PASSWORD, GrafanaBench
from tests.serving import served

ROOT = "http://grafana.agency.example"
VIEWER = "viewer-password"


class Loki:
    """A log store that holds nothing; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.broken = False
        self.app = Starlette(routes=[Route("/loki/api/v1/{kind}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        if self.broken:
            return Response("too many outstanding requests", 429)
        if '|= "agencystack-canary-"' in request.query_params["query"]:
            lines = [{"stream": {"client": "acme"}, "values": [["1795400000000000000", "GET /agencystack-canary-1"]]}]
            return JSONResponse({"status": "success", "data": {"resultType": "streams", "result": lines}})
        metric = "(" in request.query_params["query"]
        kind = "streams" if not metric else "vector" if request.path_params["kind"] == "query" else "matrix"
        return JSONResponse({"status": "success", "data": {"resultType": kind, "result": []}})


@pytest.fixture
def loki() -> Loki:
    return Loki()


@pytest.fixture
def loki_url(loki: Loki) -> Iterator[str]:
    with served(loki.app) as url:
        yield url


@pytest.fixture
def stand_in(tmp_path: Path) -> GrafanaStandIn:
    return GrafanaStandIn(tmp_path / "grafana", root_url=ROOT, admin_password=PASSWORD, version="11.0.0")


@pytest.fixture
def bench(stand_in: GrafanaStandIn, loki_url: str) -> Iterator[GrafanaBench]:
    with served(stand_in) as url:
        yield GrafanaBench(url, loki_url)


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, loki_url: str) -> Iterator[GrafanaBench]:
    if request.param == "stand-in":
        yield request.getfixturevalue("bench")
        return
    with real_grafana(tmp_path / "real", PASSWORD) as url:
        yield GrafanaBench(url, loki_url)


def installed(bench: GrafanaBench, tmp_path: Path) -> Installation:
    return Installation(bench, tmp_path / "installation")


def differing(item: IntegrationPlan) -> dict[str, dict[str, tuple[Value, Value]]]:
    return {
        step.resource.key: {field.name: (field.before, field.after) for field in step.change.fields}
        for step in item.changes
        if step.change
    }


def test_everything_is_made_and_proven_once_and_undone_without_a_trace(anywhere: GrafanaBench, tmp_path: Path) -> None:
    here, before = installed(anywhere, tmp_path), anywhere.state()
    result = here.integrate()
    assert result.status is Status.APPLIED, result.reason
    assert [proof.name for proof in result.proofs if proof.ok] == [ANSWERED, EVALUATED]
    assert result.proofs[0].evidence["canaries shown"] == 1
    assert len(result.changes) == 9
    found = anywhere.boards.dashboard("as-acme-wordpress")
    assert found is not None
    assert (found.meta.folder_uid, found.content["title"]) == (FOLDER, "wordpress (acme.example)")
    assert set(anywhere.alerting.rules_in(FOLDER)) == {
        "wordpress: PHP fails",
        "wordpress: many failed logins from one address",
        "wordpress: many server errors",
        "wordpress: nothing is logged",
    }
    assert here.integrate().changes == []
    _, errors = here.undo()
    assert errors == {}
    assert anywhere.state() == before


def test_what_a_person_made_stays(anywhere: GrafanaBench, tmp_path: Path) -> None:
    anywhere.integration.proving = False
    here = installed(anywhere, tmp_path)
    anywhere.boards.create_folder(Folder(uid="theirs", title="Theirs"))
    anywhere.boards.save({"uid": "mine", "title": "Mine"}, "theirs", "")
    anywhere.alerting.create_contact_point(
        ContactPoint(uid="pager", name="Pager", type="email", settings={"addresses": "night@agency.example"})
    )
    tree = anywhere.alerting.policies()
    route = {"receiver": "Pager", "object_matchers": [["severity", "=", "critical"]]}
    anywhere.alerting.save_policies({**tree, "routes": [route]})
    before = anywhere.state()
    here.integrate()
    routes = anywhere.alerting.policies()["routes"]
    assert [one["receiver"] for one in routes] == ["agencystack-acme", "Pager"]
    assert routes[0]["continue"] is True, "theirs would not be told of what theirs match"
    here.undo()
    assert anywhere.state() == before


def test_what_a_person_keeps_in_our_folder_keeps_the_folder(anywhere: GrafanaBench, tmp_path: Path) -> None:
    anywhere.integration.proving = False
    here = installed(anywhere, tmp_path)
    here.integrate()
    anywhere.boards.save({"uid": "mine", "title": "Mine"}, FOLDER, "")
    here.undo()
    assert anywhere.boards.titles_in(FOLDER) == ("Mine",)
    assert "holds Mine, which is not ours" in "\n".join(here.said)
    assert anywhere.boards.folder("agencystack-shared") is None


def test_an_edit_is_shown_with_its_author_and_put_back_by_an_apply_alone(
    anywhere: GrafanaBench, tmp_path: Path
) -> None:
    anywhere.integration.proving = False
    here = installed(anywhere, tmp_path)
    here.integrate()
    edit = anywhere.edit()
    item = here.plan()
    assert item.status is Status.DRIFTED
    [(key, fields)] = differing(item).items()
    assert key == edit.resource
    assert str(fields["content"][0]).startswith("edited by admin (version 3)")
    assert edit.present()
    assert here.integrate().status is Status.APPLIED
    assert not edit.present()
    assert differing(here.plan()) == {}


def test_a_rule_that_was_paused_is_the_only_one_that_differs(anywhere: GrafanaBench, tmp_path: Path) -> None:
    anywhere.integration.proving = False
    here = installed(anywhere, tmp_path)
    here.integrate()
    rule = anywhere.alerting.rule("as-acme-wordpress-silent")
    assert rule is not None
    anywhere.alerting.save_rule({**rule, "isPaused": True})
    [(key, fields)] = differing(here.plan()).items()
    assert (key, list(fields)) == ("alert rules of acme/wordpress", ["silent"])
    assert "paused" in str(fields["silent"][0])
    here.integrate()
    again = anywhere.alerting.rule("as-acme-wordpress-silent")
    assert again is not None
    assert not again["isPaused"]


def test_limits_come_from_stack_yaml_and_what_is_off_goes(bench: GrafanaBench, tmp_path: Path) -> None:
    here = installed(bench, tmp_path)
    here.integrate()
    bench.settings = {"settings": {"alerts": {"failed_logins": 5, "off": ["php-fatals", "bounces"]}}}
    item = here.plan()
    assert set(differing(item)["alert rules of acme/wordpress"]) == {"failed-logins", "php-fatals"}
    assert any("bounces is switched off, and wordpress has none" in warning for warning in item.warnings)
    here.integrate()
    assert bench.alerting.rule("as-acme-wordpress-php-fatals") is None
    logins = bench.alerting.rule("as-acme-wordpress-failed-logins")
    assert logins is not None
    assert logins["data"][0]["model"]["expr"].endswith("[15m]))) > 5")


@pytest.mark.parametrize("limit", [{"failed_logins": 0}, {"nonsense": 1}, {"silent_minutes": "soon"}])
def test_a_limit_that_makes_no_sense_is_named(bench: GrafanaBench, tmp_path: Path, limit: dict[str, Any]) -> None:
    bench.settings = {"settings": {"alerts": limit}}
    item = installed(bench, tmp_path).plan()
    assert item.status is Status.BLOCKED
    assert f"settings.alerts is wrong: {next(iter(limit))}" in item.reason


def test_without_addresses_nobody_is_told_and_the_plan_says_so(bench: GrafanaBench, tmp_path: Path) -> None:
    bench.alerts_to = []
    here = installed(bench, tmp_path)
    item = here.plan()
    assert any("nobody is told of trouble" in warning for warning in item.warnings)
    assert not [key for key in differing(item) if key.startswith(("contact", "notifications"))]
    assert here.integrate().status is Status.APPLIED
    assert [point.uid for point in bench.alerting.contact_points()] == [""]


def test_from_12_on_each_rule_names_its_contact_point_and_no_policy_is_touched(
    stand_in: GrafanaStandIn, bench: GrafanaBench, tmp_path: Path
) -> None:
    stand_in._version = "12.2.0"
    here, before = installed(bench, tmp_path), bench.state()
    assert here.integrate().status is Status.APPLIED
    rule = bench.alerting.rule("as-acme-wordpress-silent")
    assert rule is not None
    assert rule["notification_settings"] == {"receiver": "agencystack-acme"}
    assert "routes" not in bench.alerting.policies()
    assert here.integrate().changes == []
    here.undo()
    assert bench.state() == before


def test_loki_is_read_with_its_tenant_and_password_and_neither_is_sent_again(
    stand_in: GrafanaStandIn, bench: GrafanaBench, loki: Loki, tmp_path: Path
) -> None:
    bench.loki |= {"tenant": "agency", "user": "grafana", "password": "env:LOKI"}
    here = installed(bench, tmp_path)
    assert here.integrate().status is Status.APPLIED
    assert {request.headers["x-scope-orgid"] for request in loki.asked} == {"agency"}
    assert all(request.headers["authorization"].startswith("Basic ") for request in loki.asked)
    kept = stand_in.watching.sources._kept["sources"]["agencystack-loki"]
    assert kept["secrets"]["basicAuthPassword"] == LOKI_PASSWORD
    kept["secrets"]["basicAuthPassword"] = "set by hand"
    source = bench.sources.get("agencystack-loki")
    assert source is not None
    bench.sources.save(source.model_copy(update={"url": "http://elsewhere"}), {})
    assert set(differing(here.plan())["data source AgencyStack Loki"]) == {"url"}
    here.integrate()
    assert kept["secrets"]["basicAuthPassword"] == "set by hand", "sent though it was not to change"
    assert all(LOKI_PASSWORD not in text for text in here.texts().values())


def test_a_data_source_of_a_person_for_the_same_loki_is_used_only_when_adopted(
    bench: GrafanaBench, loki_url: str, tmp_path: Path
) -> None:
    bench.sources.create(DataSource(uid="theirs", name="Our logs", type="loki", url=f"{loki_url}/"), {})
    here, before = installed(bench, tmp_path), bench.state()
    item = here.plan()
    assert item.status is Status.BLOCKED
    assert f"the data source Our logs reads {loki_url}/ already" in item.reason
    assert "adopt: true" in item.reason
    assert here.integrate().changes == []
    assert bench.state() == before
    bench.settings = {"adopt": True}
    assert here.integrate().status is Status.APPLIED
    assert [source.uid for source in bench.sources.all()] == ["theirs"]
    board = bench.boards.dashboard("as-acme-wordpress")
    assert board is not None
    assert board.content["panels"][1]["datasource"]["uid"] == "theirs"
    assert here.integrate().changes == []
    here.undo()
    assert bench.state() == before
    [source] = bench.sources.all()
    assert source.json_data == {}


def test_a_data_source_of_our_name_that_reads_something_else_is_changed_only_when_replaced(
    bench: GrafanaBench, tmp_path: Path
) -> None:
    bench.sources.create(DataSource(uid="x", name="AgencyStack Loki", type="loki", url="http://other:3100"), {})
    here, before = installed(bench, tmp_path), bench.state()
    item = here.plan()
    assert item.status is Status.BLOCKED
    assert "reads http://other:3100 (loki), and was made by a person" in item.reason
    assert "replace: true" in item.reason
    bench.settings = {"replace": True}
    assert here.integrate().status is Status.APPLIED
    assert here.integrate().changes == []
    here.undo()
    assert bench.state() == before


def test_a_data_source_from_a_file_that_reads_something_else_is_named(
    stand_in: GrafanaStandIn, bench: GrafanaBench, tmp_path: Path
) -> None:
    stand_in.watching.sources.provision(
        {"uid": "agencystack-loki", "name": "AgencyStack Loki", "type": "loki", "url": "http://other:3100"}
    )
    item = installed(bench, tmp_path).plan()
    assert item.status is Status.BLOCKED
    assert "(agencystack-loki) comes from a provisioning file, and only that may change it" in item.reason


def test_a_data_source_from_a_file_for_the_same_loki_is_used_as_it_is_when_adopted(
    stand_in: GrafanaStandIn, bench: GrafanaBench, loki_url: str, tmp_path: Path
) -> None:
    stand_in.watching.sources.provision({"uid": "file", "name": "Logs", "type": "loki", "url": loki_url})
    here = installed(bench, tmp_path)
    assert "adopt: true" in here.plan().reason
    bench.settings = {"adopt": True}
    result = here.integrate()
    assert result.status is Status.APPLIED, result.reason
    assert any("through the data source Logs, a person's" in warning for warning in here.plan().warnings)


def test_a_dashboard_of_ours_that_comes_from_a_file_is_named(
    stand_in: GrafanaStandIn, bench: GrafanaBench, tmp_path: Path
) -> None:
    here = installed(bench, tmp_path)
    here.integrate()
    stand_in.watching.boards.provision("as-acme-wordpress")
    item = here.plan()
    assert item.status is Status.BLOCKED
    assert "the dashboard as-acme-wordpress comes from a provisioning file" in item.reason


def test_a_viewer_changes_nothing_and_is_told_why(
    stand_in: GrafanaStandIn, bench: GrafanaBench, tmp_path: Path
) -> None:
    stand_in.people.add_viewer("looker", "looker@agency.example", VIEWER)
    bench.admin, bench.password = "looker", VIEWER
    before = bench.state()
    result = installed(bench, tmp_path).integrate()
    assert (result.status, result.changes) == (Status.BLOCKED, [])
    assert "a viewer may not change data sources, dashboards and alerts" in result.reason
    assert bench.state() == before


def test_a_grafana_that_is_down_is_unreachable_and_nothing_is_taken_for_absent(loki_url: str, tmp_path: Path) -> None:
    bench = GrafanaBench("http://127.0.0.1:9", loki_url)
    item = installed(bench, tmp_path).plan()
    assert item.status is Status.BLOCKED
    assert "cannot be reached" in item.reason
    assert item.changes == []


def test_a_store_that_does_not_answer_fails_the_proof_with_its_words(
    bench: GrafanaBench, loki: Loki, tmp_path: Path
) -> None:
    loki.broken = True
    result = installed(bench, tmp_path).integrate()
    reasons = [proof.reason for proof in result.proofs if not proof.ok]
    assert result.status is Status.UNVERIFIED
    assert any("too many outstanding requests" in reason for reason in reasons)
