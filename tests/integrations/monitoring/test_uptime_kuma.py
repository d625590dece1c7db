"""Uptime Kuma's part of monitoring: conformance, ownership, adoption, trouble, and what it leaves alone."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.uptime_kuma import Listed, PageGroup
from agencystack.engine.context import Component, Context
from agencystack.engine.integration import SealedValue, Site
from agencystack.engine.planning import ForeignHands, IntegrationPlan, Status
from agencystack.engine.resource import ABSENT, Action, Change, Image, Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring.kuma_checks import checks_of, slug_of
from agencystack.integrations.monitoring.kuma_jobs import job_monitor, push_token, report_run
from agencystack.integrations.monitoring.kuma_metrics import metrics_access, metrics_key, metrics_warnings
from agencystack.stack.errors import AuthenticationFailed, ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.testing.conformance import ConformanceSuite
from agencystack.testing.installation import Installation
from tests.integrations.monitoring.kuma_bench import FRONT, KumaBench, kuma_bench
from tests.uptime_kuma import client_of

VERIFY = "acme/agencystack/verify"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[KumaBench]:
    with kuma_bench(tmp_path) as made:
        yield made


@pytest.fixture
def installed(bench: KumaBench, tmp_path: Path) -> Installation:
    return Installation(bench, tmp_path / "agencystack")


class TestConforms(ConformanceSuite):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[KumaBench]:
        with kuma_bench(tmp_path) as made:
            yield made


def changes(item: IntegrationPlan) -> dict[str, set[str]]:
    return {step.resource.key: set(step.change.names) for step in item.changes if step.change}


def actions(item: IntegrationPlan) -> dict[str, Action]:
    return {step.resource.key: step.change.action for step in item.changes if step.change}


def test_what_is_made(bench: KumaBench, installed: Installation) -> None:
    result = installed.integrate()
    assert (result.status, result.reason) == (Status.APPLIED, "")
    group, front, verify = bench.row("acme"), bench.row(FRONT), bench.row(VERIFY)
    assert (group.type, group.parent) == ("group", None)
    assert (front.type, front.url, front.name, front.parent) == ("http", bench.shop, "acme shop", group.id)
    assert (front.interval, front.retry_interval, front.max_retries) == (60, 30, 0)
    assert (verify.type, verify.interval, verify.parent) == ("push", 26 * 3600, group.id)
    assert len(verify.push_token or "") == 32
    page = bench.hand.pages.page("acme")
    assert page is not None
    assert page.title == "acme.example"
    assert [(group.name, [row.name for row in group.monitors]) for group in page.groups] == [("shop", ["acme shop"])]
    seen = {proof.name: proof.evidence for proof in result.proofs}
    assert seen["each monitor is up"] == {FRONT: "up: 200 - OK", VERIFY: "up: agencystack verify"}
    assert seen["a monitor sees an outage"]["message"] == "Connection failed"
    assert seen["the status page is public"] == {"url": f"{bench.url}/status/acme", "lists": ["acme shop"]}


def test_a_run_logs_in_once(bench: KumaBench, installed: Installation) -> None:
    bench.hand.monitors()
    logins = bench.kuma.app._logins
    before = len(logins)
    installed.integrate()
    assert len(logins) - before == 1


def test_losing_our_records_makes_no_second_monitor(bench: KumaBench, installed: Installation, tmp_path: Path) -> None:
    installed.integrate()
    before = bench.state()
    again = Installation(bench, tmp_path / "another")
    assert changes(again.plan()) == {}
    assert again.integrate().status is Status.APPLIED
    assert bench.state() == before


def test_a_run_that_died_between_monitor_and_tag_is_continued(bench: KumaBench, installed: Installation) -> None:
    bench.kuma.app.lose_answer_of = {"add"}
    assert installed.integrate().status is not Status.APPLIED
    bench.hand.forget()
    assert [row.description for row in bench.hand.monitors()] == ["Made by AgencyStack: acme"]
    bench.kuma.app.lose_answer_of = {"addMonitorTag"}
    installed.integrate()
    bench.kuma.app.lose_answer_of = set()
    assert installed.integrate().status is Status.APPLIED
    for mark in ("acme", FRONT, VERIFY):
        assert bench.row(mark).values_of("agencystack") == (mark,)
    assert len(bench.hand.monitors()) == 3


def test_a_page_that_was_made_and_not_marked_is_continued(bench: KumaBench, installed: Installation) -> None:
    bench.hand.pages.add("acme", "acme.example")
    assert installed.integrate().status is Status.APPLIED


def test_a_deleted_monitor_is_made_again(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    bench.hand.delete_monitor(bench.row(FRONT).id)
    assert actions(installed.plan()) == {f"check {FRONT}": Action.CREATE, "status page acme: shop": Action.CREATE}
    assert installed.integrate().status is Status.APPLIED
    assert bench.row(FRONT).url == bench.shop


def test_an_edited_monitor_keeps_what_is_not_ours(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    theirs = {"method": "HEAD", "resendInterval": 3, "description": "ours, and I like it", "timeout": 7}
    bench.hand.change_monitor(bench.row(FRONT).id, {**theirs, "url": "http://elsewhere.example"})
    bench.hand.set_active(bench.row(FRONT).id, active=False)
    assert changes(installed.plan()) == {f"check {FRONT}": {"url", "active"}}
    installed.integrate()
    kept = bench.kuma.app.state.monitors[bench.row(FRONT).id]
    assert {name: kept[name] for name in theirs} == theirs
    assert (kept["url"], kept["active"]) == (bench.shop, True)


def test_a_persons_monitor_is_adopted_only_when_that_is_said(bench: KumaBench, installed: Installation) -> None:
    notification = bench.hand.save_notification({"name": "pager", "type": "webhook"})
    theirs = {
        "name": 'the "shop" 🛒 <b>',
        "interval": 300,
        "maxretries": 9,
        "notificationIDList": {str(notification): True},
    }
    mine = bench.hand.add_monitor({"type": "http", "url": f"{bench.shop}/", **theirs})
    before = bench.state()
    item = installed.plan()
    assert item.status is Status.BLOCKED
    [problem] = [step.problem for step in item.steps if step.problem]
    assert isinstance(problem, ForeignHands)
    assert "🛒" in problem.message
    assert installed.integrate().status is Status.BLOCKED
    assert bench.state() == before
    bench.settings["adopt"] = True
    assert actions(installed.plan())[f"check {FRONT}"] is Action.ADOPT
    assert installed.integrate().status is Status.APPLIED
    row = bench.row(FRONT)
    assert (row.id, row.name, row.interval, row.max_retries) == (mine, theirs["name"], 300, 9)
    assert (row.url, row.parent, row.notifications) == (bench.shop, None, (notification,))
    assert changes(installed.plan()) == {}
    installed.undo()
    assert bench.state() == before


def test_a_clone_of_ours_is_left_alone_and_said(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    row = bench.row(FRONT)
    clone = bench.hand.add_monitor({"type": "http", "name": "clone", "url": bench.shop, "description": row.description})
    bench.hand.attach_tag(row.tags[0].tag_id, clone, FRONT)
    item = installed.plan()
    assert changes(item) == {}
    warnings = [warning for step in item.steps if step.reading for warning in step.reading.warnings]
    assert any("clone" in warning for warning in warnings)
    installed.undo()
    assert [kept.id for kept in bench.rows(FRONT)] == [clone]


def told(bench: KumaBench, mark: str) -> list[str]:
    names = {one.id: one.name for one in bench.hand.notifications()}
    return sorted(names[id_] for id_ in bench.row(mark).notifications)


def test_the_clients_people_are_told_beside_those_others_chose(bench: KumaBench, installed: Installation) -> None:
    assert any("nobody is told" in warning for warning in installed.plan().warnings)
    theirs = bench.hand.save_notification({"name": "pager", "type": "webhook"})
    bench.with_mail()
    assert installed.integrate().status is Status.APPLIED
    assert told(bench, FRONT) == told(bench, VERIFY) == ["AgencyStack acme"]
    assert told(bench, "acme") == []
    bench.hand.change_monitor(bench.row(FRONT).id, {"notificationIDList": {str(theirs): True}})
    assert changes(installed.plan()) == {"notification AgencyStack acme on shop": {"on"}}
    installed.integrate()
    assert told(bench, FRONT) == ["AgencyStack acme", "pager"]
    installed.undo()
    assert [one.name for one in bench.hand.notifications()] == ["pager"]


def test_a_persons_notification_of_our_name_is_theirs(bench: KumaBench, installed: Installation) -> None:
    bench.with_mail()
    bench.hand.save_notification({"name": "AgencyStack acme", "type": "webhook", "webhookURL": "http://x.example"})
    assert installed.integrate().status is Status.BLOCKED
    bench.settings["adopt"] = True
    assert installed.integrate().status is Status.APPLIED
    installed.undo()
    [kept] = bench.hand.notifications()
    assert (kept.config["type"], kept.config["webhookURL"], kept.config.get("agencystack")) == (
        "webhook",
        "http://x.example",
        None,
    )


def test_a_page_of_a_person_is_theirs(bench: KumaBench, installed: Installation) -> None:
    bench.hand.pages.add("acme", "Our status")
    page = bench.hand.pages.page("acme")
    assert page is not None
    bench.hand.pages.save(page, {"autoRefreshInterval": 33}, [PageGroup(name="Ours")])
    assert installed.integrate().status is Status.BLOCKED
    bench.settings["adopt"] = True
    assert installed.integrate().status is Status.APPLIED
    page = bench.hand.pages.page("acme")
    assert page is not None
    assert (page.title, page.config["autoRefreshInterval"]) == ("Our status", 33)
    assert [group.name for group in page.groups] == ["Ours", "shop"]
    installed.undo()
    page = bench.hand.pages.page("acme")
    assert page is not None
    assert ([group.name for group in page.groups], page.css) == (["Ours"], "")


def test_what_people_put_on_our_page_stays(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    theirs = bench.hand.add_monitor({"type": "http", "name": "router", "url": bench.shop + "/?router"})
    page = bench.hand.pages.page("acme")
    assert page is not None
    moved = PageGroup(name="Web", monitors=(*page.groups[0].monitors, Listed(id=theirs)))
    bench.hand.pages.save(page, {"footerText": "call us"}, [moved])
    assert changes(installed.plan()) == {}
    _, errors = installed.undo()
    assert errors == {}
    page = bench.hand.pages.page("acme")
    assert page is not None
    assert [(group.name, [row.name for row in group.monitors]) for group in page.groups] == [("Web", ["router"])]
    assert page.config["footerText"] == "call us"
    assert [row.name for row in bench.hand.monitors()] == ["router"]


def test_what_people_put_into_our_group_stays(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    settings = {"type": "http", "name": "router", "url": bench.shop + "/?router", "parent": bench.row("acme").id}
    bench.hand.add_monitor(settings)
    installed.undo()
    bench.hand.forget()
    assert [(row.name, row.parent) for row in bench.hand.monitors()] == [("router", None)]


def test_leftover_test_monitors_are_swept(bench: KumaBench, installed: Installation) -> None:
    old, new = int(time.time()) - 5, int(time.time()) + 500
    for until in (old, new):
        bench.hand.add_monitor({"type": "port", "name": f"agencystack-probe-{until}-ab12", "hostname": "127.0.0.1"})
    installed.integrate()
    bench.hand.forget()
    names = {row.name for row in bench.hand.monitors() if row.name.startswith("agencystack-probe-")}
    assert names == {f"agencystack-probe-{new}-ab12"}


def test_an_outage_is_told_by_the_proof(bench: KumaBench, installed: Installation) -> None:
    installed.integrate()
    with bench.failing_proof():
        [failed] = [proof for proof in installed.verify() if not proof.ok]
    assert failed.name == "each monitor is up"
    assert failed.evidence[FRONT] == "down: Request failed with status code 500"
    bench.hand.set_active(bench.row(FRONT).id, active=False)
    [failed] = [proof for proof in installed.verify() if not proof.ok]
    assert failed.reason == f"{FRONT}: is paused"


def test_the_push_token_is_read_back_where_it_was_lost(
    bench: KumaBench, installed: Installation, tmp_path: Path
) -> None:
    installed.integrate()
    token = bench.row(VERIFY).push_token
    again = Installation(bench, tmp_path / "another")
    again.integrate()
    assert bench.row(VERIFY).push_token == token


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "1.23.16"}, "only 2.x"),
        ({"two_factor": True}, "second factor"),
        ({"password": None}, "is not set up"),
        ({"password": "another-password"}, "authIncorrectCreds"),
    ],
)
def test_one_that_cannot_be_used_blocks(tmp_path: Path, options: dict[str, str], words: str) -> None:
    with kuma_bench(tmp_path, **options) as bench:
        item = Installation(bench, tmp_path / "agencystack").plan()
        assert item.status is Status.BLOCKED
        assert words in item.reason
        assert item.changes == []


def test_another_client_keeps_its_own(bench: KumaBench, installed: Installation, tmp_path: Path) -> None:
    bench.with_mail()
    bench.clients = ("acme", "beta")
    assert installed.integrate().status is Status.APPLIED
    bench.client = "beta"
    assert Installation(bench, tmp_path / "agencystack").integrate().status is Status.APPLIED
    bench.client = "acme"
    _, errors = installed.undo()
    assert errors == {}
    bench.hand.forget()
    marks = {mark for row in bench.hand.monitors() for mark in row.values_of("agencystack")}
    assert marks == {"beta", "beta/shop/front", "beta/agencystack/verify"}
    assert [one.name for one in bench.hand.notifications()] == ["AgencyStack beta"]
    assert (bench.hand.pages.page("acme"), bench.hand.pages.page("beta") is None) == (None, False)


def test_nobody_to_tell_any_more_takes_the_notification_away(bench: KumaBench, installed: Installation) -> None:
    bench.with_mail()
    installed.integrate()
    bench.alerts_to = []
    assert installed.integrate().status is Status.APPLIED
    assert bench.hand.notifications() == ()
    assert bench.row(FRONT).notifications == ()


def test_too_many_logins_of_others_block_and_say_for_how_long(bench: KumaBench, installed: Installation) -> None:
    for _ in range(20):
        with contextlib.closing(client_of(bench.url, "wrong")) as stranger, pytest.raises(AuthenticationFailed):
            stranger.version()
    item = installed.plan()
    assert item.status is Status.BLOCKED
    assert "Too frequently" in item.reason
    assert "wait a minute" in item.reason
    assert item.changes == []


class TestMetrics:
    """The key for /metrics."""

    @pytest.fixture
    def site(self, bench: KumaBench, tmp_path: Path) -> Iterator[Site]:
        bench.shared = {"prometheus": {"url": "http://prometheus.example"}}
        home = Home(tmp_path / "h", tmp_path / "l", tmp_path / "k")
        context = Context(home, SealedStore(home.secrets_dir, home.key_file), bench.resolve)
        companions = {name: Component(*of) for name, of in bench.stack.components("acme").items()}
        yield Site("acme", "acme.example", companions["shop"], None, None, context, "x", companions=companions)
        context.close()

    def test_there_is_none_without_a_prometheus(self, site: Site) -> None:
        without = dataclasses.replace(site, companions={"uptime-kuma": site.companions["uptime-kuma"]})
        assert list(metrics_key(without)) == []
        assert list(metrics_warnings(without)) == []
        assert metrics_access(without) is None

    def test_it_opens_the_metrics_and_is_made_anew_where_it_was_lost(self, bench: KumaBench, site: Site) -> None:
        [key] = metrics_key(site)
        assert (key.read(), metrics_access(site)) == (ABSENT, None)
        self.write(key)
        url, secret = metrics_access(site) or ("", Secret(""))
        assert url == f"{bench.url}/metrics"
        assert bench.hand.opens_metrics(secret)
        assert key.read().fields == key.wanted() == {"known": True}
        SealedValue(site.context, "shared/monitoring/uptime-kuma-metrics-key").delete()
        assert key.read().fields == {"known": False}
        self.write(key)
        assert not bench.hand.opens_metrics(secret)
        assert [row.name for row in bench.hand.api_keys()] == ["AgencyStack"]
        assert "refusing user and password" in key.remove(key.read(), Image(None))
        assert bench.hand.api_keys() == ()
        assert metrics_access(site) is None

    def test_the_plan_says_what_it_means_for_others(self, site: Site) -> None:
        assert any("refuses user and password" in warning for warning in metrics_warnings(site))

    def write(self, key: Resource) -> None:
        key.write(Change(Action.CREATE, (), key.wanted(), key.read()))

    def test_a_run_is_reported_with_the_token_or_without(self, bench: KumaBench, site: Site) -> None:
        kuma = products.uptime_kuma(site.companions["uptime-kuma"], site.context)
        assert not report_run(site, kuma, "ok")
        monitor = job_monitor(site, kuma)
        self.write(monitor)
        row = bench.row(VERIFY)
        assert report_run(site, kuma, "verified 12 proofs")
        assert bench.hand.last_heartbeat(row.id).message == "verified 12 proofs"
        push_token(site).delete()
        assert report_run(site, kuma, "again")
        assert bench.hand.last_heartbeat(row.id).message == "again"
        bench.hand.set_active(row.id, active=False)
        assert not report_run(site, kuma, "while paused")


def test_what_is_looked_at_at_a_mail_server() -> None:
    mailu = {"url": "https://mail.acme.example/admin", "api_token": "env:X", "ca_file": "/ca.pem"}
    stack = Stack.model_validate({"version": 1, "shared": {"components": {"mailu": mailu}}})
    ref, settings = ComponentRef("shared", "mailu"), stack.shared.components.by_name()["mailu"]
    site = Site("acme", "acme.example", Component(ref, settings), None, None, None, "x")  # type: ignore[arg-type]
    found = {check.mark: (dict(check.target()), check.public) for check in checks_of(site)}
    host = "mail.acme.example"
    assert found == {
        "shared/mailu/front": ({"type": "http", "url": "https://mail.acme.example/admin/health"}, True),
        "shared/mailu/smtp": ({"type": "smtp", "hostname": host, "port": 25, "security": "nostarttls"}, True),
        "shared/mailu/submission-465": ({"type": "smtp", "hostname": host, "port": 465, "security": "secure"}, True),
        "shared/mailu/submission-587": ({"type": "smtp", "hostname": host, "port": 587, "security": "starttls"}, True),
        "shared/mailu/imap": ({"type": "port", "hostname": host, "port": 993}, True),
    }
    assert {check.mark: check.habits["certificate expiry"] for check in checks_of(site)}["shared/mailu/front"] is True


@pytest.mark.parametrize(("client", "slug"), [("acme", "acme"), ("a--b", "a-b"), ("a-b-", "a-b")])
def test_slugs_are_such_as_uptime_kuma_takes(client: str, slug: str) -> None:
    assert slug_of(client) == slug
