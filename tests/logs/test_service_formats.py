"""What the rules make of lines of Grafana, Loki, Alloy, Uptime Kuma, Listmonk, Chatwoot and of our own runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agencystack.engine.runlog import RunLog
from agencystack.stack.secrets import Secret
from tests.logs.reading import read, read_one

# Chatwoot's lines, and this one of a later Grafana, are in the form their sources and users show: none was recorded.
GRAFANA_REFUSED = (
    'logger=context userId=0 orgId=0 uname= t=2026-11-22T13:08:42.281472211Z level=info msg="Request Completed" '
    "method=POST path=/login status=401 remote_addr=203.0.113.7 time_ms=15 duration=15.61585ms size=94 "
    "referer=https://grafana.example/login?x=canary handler=/login status_source=server errorReason=Unauthorized "
    'errorMessageID=password-auth.failed error="failed to authenticate identity: user not found"'
)


def test_a_refused_login_to_grafana_has_the_address() -> None:
    entry = read_one("grafana", "server", GRAFANA_REFUSED)
    assert "canary" not in entry.line
    assert (entry.time, entry.labels["level"]) == ("2026-11-22T13:08:42.281472211Z", "warning")
    assert entry.metadata == {
        "event": "login_failed",
        "method": "POST",
        "path": "/login",
        "status": "401",
        "address": "203.0.113.7",
        "bytes": "94",
        "logger": "context",
        "reason": "failed to authenticate identity: user not found",
    }


def test_grafana_tells_a_refused_login_twice_and_it_is_counted_once() -> None:
    before = (
        'logger=authn.service t=2026-11-22T13:08:42.2Z level=info msg="Failed to authenticate request" '
        'client=auth.client.form error="[password-auth.failed] no user found"'
    )
    assert [entry.metadata.get("event") for entry in read("grafana", "server", before, GRAFANA_REFUSED)] == [
        None,
        "login_failed",
    ]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            'logger=http.server t=2026-11-22T13:08:42Z level=info msg="Successful Login" User=anna@acme.example',
            "login_ok",
        ),
        (GRAFANA_REFUSED.replace("path=/login ", "path=/login/generic_oauth "), "login_failed"),
        (GRAFANA_REFUSED.replace("path=/login ", "path=/api/live/ws "), None),
        (GRAFANA_REFUSED.replace("status=401", "status=302"), None),
    ],
)
def test_what_counts_as_a_login_to_grafana(line: str, event: str | None) -> None:
    assert read_one("grafana", "server", line).metadata.get("event") == event


def test_grafana_may_write_json() -> None:
    line = {"t": "2026-11-22T13:08:42.2Z", "level": "error", "logger": "alerting", "msg": "x", "error": "no such host"}
    entry = read_one("grafana", "server", json.dumps(line))
    assert (entry.labels["level"], entry.metadata["logger"], entry.metadata["reason"]) == (
        "error",
        "alerting",
        "no such host",
    )


@pytest.mark.parametrize(("component", "key"), [("loki", "component"), ("alloy", "component_id")])
def test_loki_and_alloy_say_which_part_of_them_speaks(component: str, key: str) -> None:
    line = f'ts=2026-11-23T04:12:04.375863002Z level=warn msg="it failed" {key}=the.part err="connection refused"'
    entry = read_one(component, "server", line)
    assert entry.labels["level"] == "warning"
    assert entry.metadata == {"logger": "the.part", "reason": "connection refused"}


COLOURED = "\x1b[36m2026-11-23T04:12:54Z\x1b[0m [\x1b[38;5;208m{module}\x1b[0m] \x1b[33m{level}:\x1b[0m {text}"


def test_colours_of_uptime_kuma_are_gone() -> None:
    line = COLOURED.format(module="SERVER", level="INFO", text="Env: production")
    assert read_one("uptime-kuma", "server", line).line == "2026-11-23T04:12:54Z [SERVER] INFO: Env: production"


@pytest.mark.parametrize(
    ("text", "event", "user"),
    [
        ("Successfully logged in user admin. IP=203.0.113.7", "login_ok", "admin"),
        (
            "Incorrect username or password for user a.b@acme.example. IP=203.0.113.7",
            "login_failed",
            "a.b@acme.example",
        ),
        ("Invalid token provided for user admin. IP=203.0.113.7", "login_failed", "admin"),
        ("Too many failed requests for user x. IP=198.51.100.1. IP=203.0.113.7", "login_failed", "x. IP=198.51.100.1"),
        ("Invalid token. IP=203.0.113.7", "login_failed", None),
    ],
)
def test_logins_to_uptime_kuma(text: str, event: str, user: str | None) -> None:
    metadata = read_one("uptime-kuma", "server", COLOURED.format(module="AUTH", level="WARN", text=text)).metadata
    assert (metadata["event"], metadata.get("user"), metadata["address"]) == (event, user, "203.0.113.7")


def test_a_check_that_fails_says_which_and_why() -> None:
    text = "Monitor #3 'acme: shop': Failing: connect ECONNREFUSED | Interval: 60 seconds | Type: http | Down Count: 0"
    metadata = read_one("uptime-kuma", "server", COLOURED.format(module="MONITOR", level="WARN", text=text)).metadata
    assert (metadata["job"], metadata["verdict"], metadata["reason"]) == (
        "acme: shop",
        "Failing",
        "connect ECONNREFUSED",
    )


def test_uptime_kuma_may_write_json() -> None:
    text = "Successfully logged in user admin. IP=203.0.113.7"
    line = json.dumps({"time": "2026-11-23T04:12:54+01:00", "module": "AUTH", "level": "info", "msg": text})
    entry = read_one("uptime-kuma", "server", line)
    assert (entry.time, entry.metadata["event"]) == ("2026-11-23T03:12:54.000000000Z", "login_ok")


def test_subjects_of_mails_listmonk_could_not_send_are_masked() -> None:
    line = "2026/11/22 21:11:30.591726 manager.go:578: error sending message 'Your diagnosis: it's ill': no server"
    entry = read_one("listmonk", "server", line)
    assert entry.line.endswith("error sending message '***': no server")
    assert (entry.labels["level"], entry.metadata["file"], entry.metadata["line"]) == ("error", "manager.go", "578")


def test_a_panic_of_listmonk_is_one_entry() -> None:
    panic = ("echo: http: panic serving 203.0.113.7:33530: nil", "goroutine 158 [running]:", "main.main()", "\t/x.go:1")
    first, second = read("listmonk", "server", *panic, "2026/11/22 21:11:31.0 main.go:1: x")
    assert (first.labels["level"], first.metadata["event"], first.metadata["address"]) == (
        "critical",
        "exception",
        "203.0.113.7",
    )
    assert second.line.endswith("x")


CHATWOOT = "I, [2026-11-22T10:00:00.123456 #1]  INFO -- : [0b1a5b52-7d1f-4f0e-9c3e-0c8b6ed1a111] {text}"


@pytest.mark.parametrize(("status", "event"), [(200, "login_ok"), (401, "login_failed")])
def test_logins_to_chatwoot_and_nothing_of_what_was_sent(status: int, event: str) -> None:
    request = {
        "method": "POST", "path": "/auth/sign_in", "format": "json", "status": status, "duration": 12.5,
        "host": "chat.example", "remote_ip": "203.0.113.7", "user_id": None,
        "params": {"email": "anna@acme.example", "message": {"content": "canary"}},
    }  # fmt: skip
    entry = read_one("chatwoot", "server", CHATWOOT.format(text=json.dumps(request, separators=(",", ":"))))
    assert "canary" not in entry.line
    assert (entry.metadata["event"], entry.metadata["address"], entry.metadata["status"]) == (
        event,
        "203.0.113.7",
        str(status),
    )


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        (
            'Started GET "/app?locale=canary" for 203.0.113.7 at 2026-11-22 10:00:00 +0000',
            {"method": "GET", "path": "/app", "address": "203.0.113.7"},
        ),
        ("Completed 500 Internal Server Error in 12ms", {"status": "500"}),
        ('  Parameters: {"content"=>"canary", "id"=>"1"}', {}),
        (
            "ActiveRecord::RecordNotFound (Couldn't find Conversation):",
            {"event": "exception", "exception": "ActiveRecord::RecordNotFound"},
        ),
    ],
)
def test_lines_of_rails(text: str, metadata: dict[str, str]) -> None:
    entry = read_one("chatwoot", "server", CHATWOOT.format(text=text))
    assert "canary" not in entry.line
    assert entry.metadata == metadata


def test_what_our_own_run_log_writes_is_read(tmp_path: Path) -> None:
    log = RunLog(tmp_path, "20261123T040000000Z-abcd")
    log.info("run", command="agencystack integrate email", by="operator")
    log.info("proof", integration="acme/email/wordpress", proof="a mail arrives", ok=True)
    log.error(
        "integration failed", ValueError("canary " + Secret("canary-secret").reveal()), integration="acme/sso/erpnext"
    )
    log.close()
    run, proof, failed = read("agencystack", "run", *log.path.read_text("utf-8").splitlines())
    assert run.metadata == {"verdict": "run", "process": "20261123T040000000Z-abcd"}
    assert (proof.metadata["event"], proof.metadata["job"]) == ("job_ok", "acme/email/wordpress")
    assert (failed.labels["level"], failed.metadata["event"], failed.metadata["exception"]) == (
        "error",
        "job_failed",
        "ValueError",
    )
    assert all(entry.parsed and entry.time for entry in (run, proof, failed))


COMPONENTS = ("grafana", "loki", "alloy", "uptime-kuma", "listmonk", "chatwoot")


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_line_nobody_knows_keeps_its_text(component: str) -> None:
    entry = read_one(component, "server", "what is this?")
    assert (entry.line, entry.parsed, entry.labels["level"]) == ("what is this?", False, "info")


@pytest.mark.parametrize("component", COMPONENTS)
def test_bytes_that_are_no_text_do_not_cost_the_rest_of_the_line(component: str) -> None:
    assert read_one(component, "server", b"\xff\xfe what").line == "\ufffd\ufffd what"
