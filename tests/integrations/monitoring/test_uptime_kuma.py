"""Uptime Kuma's part of monitoring: conformance, ownership, adoption, trouble, and what it leaves alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.uptime_kuma import Listed, PageGroup
from agencystack.engine.planning import ForeignHands, IntegrationPlan, Status
from agencystack.engine.resource import Action
from agencystack.testing.conformance import ConformanceSuite
from agencystack.testing.installation import Installation
from tests.integrations.monitoring.kuma_bench import FRONT, KumaBench, kuma_bench

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
