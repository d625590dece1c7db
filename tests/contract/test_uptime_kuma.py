"""Uptime Kuma 2's Socket.IO and HTTP as recorded: the stand-in, and a real one where one is named.

Where ``AGENCYSTACK_TEST_STACK`` names an Uptime Kuma on this machine and ``AGENCYSTACK_TEST_UPTIME_KUMA_PASSWORD`` is
set, the same is asked of it; what the tests make there is deleted, but a key for its metrics stays in force.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.components.uptime_kuma import Listed, PageGroup, Status
from agencystack.sandbox.uptime_kuma import ADMIN
from agencystack.stack.errors import AuthenticationFailed, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.mail_servers import LOCAL, Mailbox, smtp
from tests.serving import free_port, served
from tests.uptime_kuma import WHERE, Kuma, client_of, left_as_it_was, real_kuma, stand_in_kuma

RECORDINGS = Path(__file__).parent / "recordings" / "uptime-kuma"
SOON = 15.0


@pytest.fixture(scope="module")
def real() -> Iterator[Kuma]:
    # It counts logins, so that all tests share one.
    made = real_kuma()
    with contextlib.closing(made.client):
        yield made


@pytest.fixture(params=["stand-in", "real"])
def kuma(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kuma]:
    of_kind = left_as_it_was(request.getfixturevalue("real")) if request.param == "real" else stand_in_kuma(tmp_path)
    with of_kind as made:
        yield made


@pytest.fixture
def shop() -> Iterator[str]:
    async def health(_: Request) -> Response:
        return Response('{\n  "database": "ok",\n  "version": "12"\n}', media_type="application/json")

    async def broken(_: Request) -> Response:
        return PlainTextResponse("no", status_code=500)

    async def front(_: Request) -> Response:
        return JSONResponse({"message": "pong"})

    with served(Starlette(routes=[Route("/", front), Route("/health", health), Route("/broken", broken)])) as url:
        yield url


def recorded(name: str, emit: str, note: str = "") -> Any:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    calls = data if isinstance(data, list) else data["calls"]
    return next(call for call in calls if call.get("emit") == emit and call.get("note", "") == note)


class Raw:
    """A client without any help, for what the traps are."""

    def __init__(self, url: str) -> None:
        self.pushed: dict[str, Any] = {}
        self._client = socketio.Client()
        self._client.on("*", self._keep)
        self._client.connect(url)
        while "loginRequired" not in self.pushed:
            self._client.sleep(0.01)

    def _keep(self, event: str, *data: Any) -> None:
        self.pushed[event] = data

    def call(self, event: str, *arguments: Any) -> Any:
        return self._client.call(event, arguments, timeout=10)

    def log_in(self, password: str) -> Any:
        return self.call("login", {"username": ADMIN, "password": password, "token": ""})

    def close(self) -> None:
        self._client.disconnect()


@pytest.fixture
def raw(kuma: Kuma) -> Iterator[Raw]:
    client = Raw(kuma.url)
    with contextlib.closing(client):
        assert client.log_in(kuma.password)["ok"]
        yield client


def name() -> str:
    return f"contract {secrets.token_hex(4)}"


def test_everything_is_pushed_before_a_login_is_acknowledged(raw: Raw) -> None:
    assert {"monitorList", "info", "notificationList", "apiKeyList", "statusPageList"} <= set(raw.pushed)
    assert raw.pushed["info"][0]["version"].startswith("2.")


def test_without_a_login_nothing_is_told_and_nothing_done(kuma: Kuma) -> None:
    with contextlib.closing(Raw(kuma.url)) as stranger:
        assert "version" not in stranger.pushed["info"][0]
        assert stranger.call("needSetup") is False
        assert stranger.call("loginByToken", "bad") == recorded("login", "loginByToken")["ack"]
        for event, argument in (("add", {}), ("getMonitor", 1), ("addTag", {"name": "x", "color": "y"})):
            assert stranger.call(event, argument) == {"ok": False, "msg": "You are not logged in."}
        assert set(stranger.pushed) <= {"info", "loginRequired"}


def test_a_new_monitor_lacks_what_is_not_given_and_says_so_in_words_of_the_database(raw: Raw) -> None:
    minimal = recorded("add_minimal_trials", "add", "minimal")
    assert raw.call("add", *minimal["args"]) == minimal["ack"]
    without_conditions = recorded("add_minimal_trials", "add", "+interval+accepted_statuscodes")
    answer = raw.call("add", *without_conditions["args"])
    assert answer["msg"].startswith("insert into `monitor` (")
    assert answer["msg"].endswith(without_conditions["ack"]["msg"].rpartition(" - ")[2])
    unknown = recorded("monitor_add", "add", "unknown field")
    answer = raw.call("add", *unknown["args"])
    assert answer["msg"].endswith(unknown["ack"]["msg"].rpartition(" - ")[2])


def test_a_monitor_is_shown_with_the_recorded_settings(raw: Raw) -> None:
    call = recorded("add_minimal_trials", "add", "+notificationIDList + conditions")
    added = raw.call("add", *call["args"])
    assert {**added, "monitorID": 1} == call["ack"]
    shown = raw.pushed["updateMonitorIntoList"][0][str(added["monitorID"])]
    told = call["events_after"][0]["args"][0]["1"]
    assert {**shown, "id": 1} == told


def test_nothing_of_a_monitor_is_checked(kuma: Kuma) -> None:
    twice = name()
    ids = [kuma.client.add_monitor({"type": "no-such-type", "name": twice, "interval": 5}) for _ in range(2)]
    assert kuma.client.heartbeat(ids[1], Status.DOWN, SOON).message == "Unknown Monitor Type"
    assert [row.name for row in kuma.client.monitors() if row.id in ids] == [twice, twice]
    push = kuma.client.add_monitor({"type": "push", "name": name()})
    assert next(row for row in kuma.client.monitors() if row.id == push).push_token is None
    kuma.client.delete_monitor(10_000_000)


def test_an_edit_takes_the_whole_object(kuma: Kuma, raw: Raw, shop: str) -> None:
    id_ = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop, "interval": 1234, "maxretries": 3})
    refused = raw.call("editMonitor", {"id": id_, "name": "partial"})
    assert refused == recorded("monitor_edit_delete", "editMonitor", "partial edit: only id+name")["ack"]
    kuma.client.change_monitor(id_, {"name": "other", "description": "why"})
    [row] = [row for row in kuma.client.monitors() if row.id == id_]
    assert (row.name, row.description, row.interval, row.max_retries) == ("other", "why", 1234, 3)
    with pytest.raises(Refused, match="Cannot read properties of null"):
        kuma.client.change_monitor(10_000_000, {})


def test_checks_are_done(kuma: Kuma, shop: str) -> None:
    closed = free_port()
    port = int(shop.rpartition(":")[2])
    wanted = {
        ("http", f"{shop}/"): (Status.UP, "200 - OK"),
        ("http", f"{shop}/broken"): (Status.DOWN, "Request failed with status code 500"),
        ("http", f"http://{LOCAL}:{closed}/"): (Status.DOWN, f"connect ECONNREFUSED {LOCAL}:{closed}"),
        ("port", port): (Status.UP, " ms"),
        ("port", closed): (Status.DOWN, "Connection failed"),
    }
    for (type_, where), (status, message) in wanted.items():
        target = {"url": where} if type_ == "http" else {"hostname": LOCAL, "port": where}
        id_ = kuma.client.add_monitor({"type": type_, "name": name(), **target})
        beat = kuma.client.heartbeat(id_, status, SOON)
        assert beat is not None
        assert beat.status is status
        assert message in beat.message
        assert kuma.client.last_heartbeat(id_) == beat.model_copy(update={"time": beat.time})


def test_a_keyword_is_looked_for_in_json_without_its_spaces(kuma: Kuma, shop: str) -> None:
    for keyword, status in (('"database":"ok"', Status.UP), ('"database": "ok"', Status.DOWN)):
        settings = {"type": "keyword", "name": name(), "url": f"{shop}/health", "keyword": keyword}
        beat = kuma.client.heartbeat(kuma.client.add_monitor(settings), status, SOON)
        assert beat is not None
        assert beat.status is status
        assert ("keyword is found" if status is Status.UP else "but keyword is not in [") in beat.message


def test_a_mail_server_is_greeted(kuma: Kuma, tmp_path: Path) -> None:
    with smtp(Mailbox(), tmp_path) as port:
        for security, status in (("nostarttls", Status.UP), ("secure", Status.DOWN)):
            settings = {"type": "smtp", "name": name(), "hostname": LOCAL, "port": port, "smtpSecurity": security}
            beat = kuma.client.heartbeat(kuma.client.add_monitor(settings), status, SOON)
            assert beat is not None
            assert beat.status is status
    assert beat.message.startswith("SMTP connection doesn't verify: ")


def test_retries_are_pending_until_they_are_used_up(kuma: Kuma) -> None:
    settings = {"url": f"http://{LOCAL}:{free_port()}", "maxretries": 1, "retryInterval": 1, "interval": 1}
    id_ = kuma.client.add_monitor({"type": "http", "name": name(), **settings})
    assert kuma.client.heartbeat(id_, Status.PENDING, SOON).status is Status.PENDING
    assert kuma.client.heartbeat(id_, Status.DOWN, SOON).status is Status.DOWN


def test_a_paused_monitor_checks_when_it_is_resumed(kuma: Kuma, shop: str) -> None:
    id_ = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop, "active": False})
    assert kuma.client.heartbeat(id_, Status.UP, 0.5) is None
    kuma.client.check_now(id_)
    assert kuma.client.heartbeat(id_, Status.UP, SOON).status is Status.UP
    kuma.client.set_active(id_, active=False)
    assert not next(row for row in kuma.client.monitors() if row.id == id_).active


def test_a_group_that_is_deleted_leaves_its_monitors(kuma: Kuma, shop: str) -> None:
    group = kuma.client.add_monitor({"type": "group", "name": name()})
    child = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop, "parent": group})
    kuma.client.delete_monitor(group)
    rows = {row.id: row for row in kuma.client.monitors()}
    assert group not in rows
    assert rows[child].parent is None


def test_tags_are_not_unique_and_may_be_attached_twice(kuma: Kuma, shop: str) -> None:
    label = f"tag-{secrets.token_hex(4)}"
    one, two = kuma.client.add_tag(label, "#111111"), kuma.client.add_tag(label, "#222222")
    assert one.id != two.id
    assert [tag.name for tag in kuma.client.tags()].count(label) == 2
    id_ = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop})
    for _ in range(2):
        kuma.client.attach_tag(one.id, id_, "acme/x")
    assert next(row for row in kuma.client.monitors() if row.id == id_).values_of(label) == ("acme/x", "acme/x")
    kuma.client.detach_tag(one.id, id_, "acme/x")
    assert next(row for row in kuma.client.monitors() if row.id == id_).values_of(label) == ()


def test_notifications_are_pushed_in_clear_and_keep_what_they_are_given(kuma: Kuma, raw: Raw) -> None:
    config = {"name": name(), "type": "smtp", "smtpPassword": "in-clear", "agencystack": "acme"}
    id_ = kuma.client.save_notification(config)
    pushed = eventually(lambda: {row["id"]: row for row in raw.pushed["notificationList"][0]}, lambda rows: id_ in rows)
    assert json.loads(pushed[id_]["config"])["smtpPassword"] == "in-clear"
    assert kuma.client.save_notification({**config, "smtpTo": "x@acme.example"}, id_) == id_
    [kept] = [row for row in kuma.client.notifications() if row.id == id_]
    assert (kept.config["agencystack"], kept.config["smtpTo"]) == ("acme", "x@acme.example")
    kuma.client.delete_notification(id_)
    with pytest.raises(Refused, match="notification not found"):
        kuma.client.delete_notification(id_)


def test_a_default_notification_is_not_given_to_a_monitor_of_ours(kuma: Kuma, shop: str) -> None:
    kuma.client.save_notification({"name": name(), "type": "smtp", "isDefault": True})
    id_ = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop})
    assert next(row for row in kuma.client.monitors() if row.id == id_).notifications == ()


def test_an_alarm_is_mailed(kuma: Kuma, tmp_path: Path) -> None:
    inbox = Mailbox()
    with smtp(inbox, tmp_path) as port:
        config = {
            "name": name(),
            "type": "smtp",
            "smtpHost": LOCAL,
            "smtpPort": port,
            "smtpSecure": False,
            "smtpIgnoreTLSError": True,
            "smtpUsername": "checks@acme.example",
            "smtpPassword": inbox.password,
            "smtpFrom": '"Checks" <checks@acme.example>',
            "smtpTo": "ops@acme.example",
        }
        assert kuma.client.test_notification(config) == "Sent Successfully."
        id_ = kuma.client.save_notification(config)
        down = {"url": f"http://{LOCAL}:{free_port()}", "notificationIDList": {str(id_): True}}
        monitor = kuma.client.add_monitor({"type": "http", "name": "shop is down", **down})
        assert kuma.client.heartbeat(monitor, Status.DOWN, SOON)
    assert {mail.sender for mail in inbox.received} == {"checks@acme.example"}
    assert all(mail.to == ["ops@acme.example"] for mail in inbox.received)
    assert len(inbox.received) == 2
    with pytest.raises(Refused, match="ECONNREFUSED"):
        kuma.client.test_notification({**config, "smtpPort": free_port()})


def test_a_push_monitor_is_up_when_it_is_told(kuma: Kuma) -> None:
    token = secrets.token_hex(16)
    id_ = kuma.client.add_monitor({"type": "push", "name": name(), "pushToken": token, "interval": 300})
    kuma.client.push(token, "verify ok")
    beat = kuma.client.heartbeat(id_, Status.UP, SOON)
    assert (beat.status, beat.message) == (Status.UP, "verify ok")
    with pytest.raises(Refused, match="Monitor not found or not active"):
        kuma.client.push("nope", "x")


def test_a_status_page_is_public_and_saved_as_a_whole(kuma: Kuma, shop: str) -> None:
    slug = f"contract-{secrets.token_hex(4)}"
    assert kuma.client.pages.page(slug) is None
    assert kuma.client.pages.public(slug) is None
    kuma.client.pages.add(slug, "Contract")
    try:
        assert kuma.client.pages.public(slug) is None, "what was said before is said for 5 minutes"
        id_ = kuma.client.add_monitor({"type": "http", "name": "shop", "url": shop})
        page = kuma.client.pages.page(slug)
        assert page is not None
        assert page.config == {**recorded("status_pages", "getStatusPage")["ack"]["config"], **ids(page.config)}
        group = PageGroup(name="Web", monitors=(Listed(id=id_, send_url=True, url="https://shop.example"),))
        kuma.client.pages.save(page, {"autoRefreshInterval": 77}, [group])
        saved = kuma.client.pages.page(slug)
        assert saved is not None
        assert saved.config["autoRefreshInterval"] == 77
        [kept] = saved.groups
        [row] = kept.monitors
        assert (kept.name, row.name, row.send_url, row.url) == ("Web", "shop", True, "https://shop.example")
        assert kuma.client.pages.public(slug) == saved.groups
        kuma.client.pages.save(saved, {}, [])
        assert kuma.client.pages.public(slug) == ()
        with pytest.raises(Refused, match=r"UNIQUE constraint failed: status_page\.slug"):
            kuma.client.pages.add(slug, "again")
        with pytest.raises(Refused, match="Invalid Slug"):
            kuma.client.pages.add("Bad Slug!", "bad")
    finally:
        kuma.client.pages.delete(slug)
    with pytest.raises(Refused, match="Status Page is not found"):
        kuma.client.pages.delete(slug)


def ids(config: Any) -> dict[str, Any]:
    return {key: config[key] for key in ("id", "slug", "title")}


def test_a_key_opens_the_metrics_and_from_then_on_no_password_does(kuma: Kuma) -> None:
    key = kuma.client.add_api_key("contract")
    [made] = [row for row in kuma.client.api_keys() if row.name == "contract"]
    try:
        assert kuma.client.opens_metrics(key)
        assert not kuma.client.opens_metrics(Secret("uk1_bad"))
        assert httpx.get(f"{kuma.url}/metrics", auth=(ADMIN, kuma.password)).status_code == 401
        bearer = {"Authorization": f"Bearer {key.reveal()}"}
        assert httpx.get(f"{kuma.url}/metrics", headers=bearer).status_code == 401
    finally:
        kuma.client.delete_api_key(made.id)
    assert made.id not in {row.id for row in kuma.client.api_keys()}
    assert not kuma.client.opens_metrics(key)


def test_a_monitor_with_a_new_tag_is_not_in_the_metrics_before_a_restart(kuma: Kuma, shop: str, tmp_path: Path) -> None:
    tag = kuma.client.add_tag(f"tag{secrets.token_hex(4)}", "#2f855a")
    plain, tagged = (kuma.client.add_monitor({"type": "http", "name": name(), "url": shop}) for _ in range(2))
    kuma.client.attach_tag(tag.id, tagged, "acme/shop/front")
    # The labels of a monitor are made when it starts.
    for id_ in (tagged, plain):
        kuma.client.check_now(id_)
        assert kuma.client.heartbeat(id_, Status.UP, SOON)
    key = kuma.client.add_api_key("contract")
    try:
        seen = eventually(lambda: statuses(kuma.url, key), lambda found: plain in found)
        assert seen[plain].endswith("} 1")
        assert tagged not in seen
        if kuma.stand_in:
            with stand_in_kuma(tmp_path) as again:
                again.client.check_now(tagged)
                assert again.client.heartbeat(tagged, Status.UP, SOON)
                assert f'{tag.name}="acmeshopfront"' in statuses(again.url, key)[tagged]
    finally:
        for row in kuma.client.api_keys():
            if row.name == "contract":
                kuma.client.delete_api_key(row.id)


def statuses(url: str, key: Secret) -> dict[int, str]:
    text = httpx.get(f"{url}/metrics", auth=("", key.reveal())).text
    lines = [line for line in text.splitlines() if line.startswith("monitor_status{")]
    return {int(line.partition('monitor_id="')[2].partition('"')[0]): line for line in lines}


def eventually(look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + SOON
    while not good(found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_wrong_password_is_named(kuma: Kuma) -> None:
    with contextlib.closing(kuma.another("wrong-password")) as wrong, pytest.raises(AuthenticationFailed) as failure:
        wrong.monitors()
    assert "authIncorrectCreds" in failure.value.message
    assert "stack.yaml" in failure.value.remedy


def test_a_client_that_waits_sees_what_another_did(kuma: Kuma, shop: str) -> None:
    with contextlib.closing(kuma.another()) as other:
        known = {row.id for row in other.monitors()}
        id_ = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop})
        kuma.client.delete_monitor(id_)
        tagged = kuma.client.add_monitor({"type": "http", "name": name(), "url": shop})
        other.forget()
        assert {row.id for row in other.monitors()} - known == {tagged}


def test_too_many_logins_are_said_and_a_login_by_its_token_is_none(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path) as kuma:
        assert kuma.client.version() == "2.5.3"
        with contextlib.closing(Raw(kuma.url)) as stranger:
            answers = [stranger.log_in("wrong") for _ in range(20)]
            assert answers[0] == {"ok": False, "msg": "authIncorrectCreds", "msgi18n": True}
            assert (
                stranger.log_in(kuma.password) == json.loads((RECORDINGS / "login_rate_limit.json").read_text())["ack"]
            )
        kuma.client.close()
        assert kuma.client.monitors() == ()
        with contextlib.closing(kuma.another()) as late, pytest.raises(Unavailable, match="Too frequently") as failure:
            late.version()
        assert "20 logins a minute" in failure.value.remedy


def test_a_second_factor_is_said(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path, two_factor=True) as kuma:
        with pytest.raises(AuthenticationFailed, match="second factor") as failure:
            kuma.client.version()
        assert "two-factor" in failure.value.remedy


def test_an_old_version_is_refused(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path, version="1.23.16") as kuma:
        with pytest.raises(Refused, match=r"is version 1\.23\.16, and only 2\.x") as failure:
            kuma.client.monitors()
        assert "upgrade" in failure.value.remedy


def test_one_that_nobody_set_up_is_said(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path, password=None) as kuma, pytest.raises(Refused, match="is not set up"):
        kuma.client.version()


def test_one_without_a_login_needs_none(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path, open_to_all=True) as kuma, contextlib.closing(kuma.another("any")) as client:
        assert client.version() == "2.5.3"


def test_what_cannot_be_reached_is_unavailable() -> None:
    port = free_port()
    with contextlib.closing(client_of(f"http://{LOCAL}:{port}", "any")) as client:
        words = f"cannot be reached at http://{LOCAL}:{port}"
        with pytest.raises(Unavailable, match=words):
            client.monitors()


def test_another_product_is_not_taken_for_it(shop: str) -> None:
    with contextlib.closing(client_of(shop, "any")) as client, pytest.raises(Unavailable, match="cannot be reached"):
        client.monitors()


def test_a_connection_lost_in_the_middle_leaves_it_open_whether_it_was_done(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path) as kuma, contextlib.closing(kuma.another(limit=3)) as client:
        assert client.monitors() == ()
        assert kuma.stand_in
        kuma.stand_in.lose_answer_of = {"add"}
        with pytest.raises(Unavailable, match="closed the connection during add") as failure:
            client.add_monitor({"type": "group", "name": "acme"})
        assert "found by its mark" in failure.value.remedy
        assert [row.name for row in client.monitors()] == ["acme"]
        assert client.where == WHERE
