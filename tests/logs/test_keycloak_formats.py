"""What the rules make of Keycloak's lines beyond the recorded samples: events, forged text, traces, what is masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.logs.golden import SAMPLES
from tests.logs.reading import read, read_one

HEAD = "2026-11-23 03:49:25,533 {level} [org.keycloak.events] (executor-thread-1) "
IDS = 'realmId="015f234b", realmName="acme", clientId="wordpress", userId="8448a96a"'
REFUSED = (
    HEAD.format(level="WARN ") + f'type="LOGIN_ERROR", {IDS}, ipAddress="203.0.113.7", '
    'error="invalid_user_credentials", auth_method="openid-connect", '
    'redirect_uri="https://shop.example/cb?code=canary-1", code_id="canary-2", username="{user}"'
)
DONE = (
    HEAD.format(level="INFO ") + f'type="LOGIN", {IDS}, sessionId="canary-3", ipAddress="203.0.113.7", '
    'token_id="onrtro:canary-4", refresh_token_id="canary-5", code_id="canary-6", username="anna", '
    'authSessionParentId="canary-7", authSessionTabId="canary-8"'
)


def _as_json(line: str) -> str:
    message = line.partition(") ")[2]
    return json.dumps(
        {
            "timestamp": "2026-11-23T03:49:25.533Z",
            "loggerName": "org.keycloak.events",
            "level": "WARN",
            "message": message,
        }
    )


@pytest.mark.parametrize("form", [str, _as_json], ids=["console", "json"])
def test_a_refused_login_says_who_where_and_why(form: type[str]) -> None:
    entry = read_one("keycloak", "server", form(REFUSED.format(user="anna")))
    assert entry.labels["level"] == "warning"
    assert {name: entry.metadata[name] for name in ("event", "user", "address", "realm", "oidc_client", "reason")} == {
        "event": "login_failed",
        "user": "anna",
        "address": "203.0.113.7",
        "realm": "acme",
        "oidc_client": "wordpress",
        "reason": "invalid_user_credentials",
    }


@pytest.mark.parametrize("form", [str, _as_json], ids=["console", "json"])
@pytest.mark.parametrize("line", [REFUSED.format(user="anna"), DONE], ids=["refused", "done"])
def test_ids_of_sessions_tokens_and_codes_are_masked(line: str, form: type[str]) -> None:
    entry = read_one("keycloak", "server", form(line))
    assert "canary" not in entry.line
    assert (entry.metadata["user"], entry.metadata["address"]) == ("anna", "203.0.113.7")


def test_names_of_people_are_masked_in_full() -> None:
    line = DONE + r', last_name="Muster, \"Anna\" Maria", first_name="Anna"'
    assert read_one("keycloak", "server", line).line.endswith('last_name="***", first_name="***"')


def test_a_user_name_with_quotes_forges_nothing() -> None:
    entry = read_one("keycloak", "server", REFUSED.format(user=r"x\", ipAddress=\"198.51.100.1"))
    assert (entry.metadata["user"], entry.metadata["address"]) == (r"x\", ipAddress=\"198.51.100.1", "203.0.113.7")


def test_values_without_quotes_as_old_keycloaks_write_them_are_read() -> None:
    line = (
        HEAD.format(level="WARN ") + "type=LOGIN_ERROR, realmId=bd21dbef, clientId=wordpress, userId=null, "
        "ipAddress=203.0.113.7, error=user_not_found, code_id=canary, username=nobody@acme.example"
    )
    entry = read_one("keycloak", "server", line)
    assert "canary" not in entry.line
    assert (entry.metadata["user"], entry.metadata["reason"]) == ("nobody@acme.example", "user_not_found")


def test_a_realm_without_a_name_in_the_line_is_its_id() -> None:
    line = REFUSED.format(user="anna").replace('realmName="acme", ', "")
    assert read_one("keycloak", "server", line).metadata["realm"] == "015f234b"


def test_without_a_name_the_user_is_the_id() -> None:
    line = HEAD.format(level="INFO ") + f'type="LOGOUT", {IDS}, ipAddress="203.0.113.7"'
    metadata = read_one("keycloak", "server", line).metadata
    assert (metadata["user"], metadata["verdict"], "event" in metadata) == ("8448a96a", "LOGOUT", False)


def test_a_change_by_an_administrator_has_the_path_of_what_was_changed() -> None:
    line = (
        HEAD.format(level="INFO ")
        + f'operationType="DELETE", {IDS}, ipAddress="::1", resourceType="USER", resourcePath="users/1"'
    )
    metadata = read_one("keycloak", "server", line).metadata
    assert (metadata["verdict"], metadata["path"], metadata["address"]) == ("DELETE", "users/1", "::1")


def test_a_lock_out_is_a_warning_though_keycloak_calls_it_information() -> None:
    line = HEAD.format(level="INFO ") + f'type="USER_DISABLED_BY_TEMPORARY_LOCKOUT", {IDS}, ipAddress="203.0.113.7"'
    assert read_one("keycloak", "server", line).labels["level"] == "warning"


def test_a_trace_with_its_causes_is_one_entry() -> None:
    trace = (
        "2026-11-23 03:49:28,490 ERROR [org.keycloak.services] (executor-thread-1) KC-SERVICES0029: Failed to send "
        "email: org.keycloak.email.EmailException: Non authenticated connect failed",
        "\tat org.keycloak.email.DefaultEmailSenderProvider.send(DefaultEmailSenderProvider.java:141)",
        "Caused by: org.eclipse.angus.mail.util.MailConnectException: Couldn't connect to host, port: 127.0.0.1, 1;",
        "  nested exception is:",
        "\tjava.net.ConnectException: Connection refused",
        "\tat org.eclipse.angus.mail.smtp.SMTPTransport.openServer(SMTPTransport.java:2243)",
        "\t... 23 more",
    )
    first, second = read("keycloak", "server", *trace, DONE)
    assert (first.metadata["event"], first.metadata["exception"]) == ("exception", "org.keycloak.email.EmailException")
    assert (first.line.count("\n"), second.metadata["event"]) == (6, "login_ok")


def test_a_truncated_trace_is_still_an_exception() -> None:
    first = (
        "2026-11-23 03:49:28,490 ERROR [a.B] (main) Conflict detected: org.keycloak.models.ModelDuplicateException: x"
    )
    assert read_one("keycloak", "server", first, "\tat org.keycloak").metadata["event"] == "exception"


def test_a_logger_in_brackets_is_no_exception() -> None:
    metadata = read_one("keycloak", "server", "2026-11-23 03:49:28,490 INFO  [a.b.SomeException] (main) fine").metadata
    assert (metadata["logger"], "event" in metadata) == ("a.b.SomeException", False)


def test_a_line_that_is_no_json_after_all_keeps_its_text() -> None:
    entry = read_one("keycloak", "server", '{"timestamp":"2026-11-23T03:49:25.533Z","level":"WARN","mess')
    assert (entry.parsed, entry.line[:14]) == (False, '{"timestamp":"')


def test_a_line_of_300_kb_is_cut_and_still_read() -> None:
    entry = read_one("keycloak", "server", REFUSED.format(user="x" * 300_000))
    assert entry.metadata["address"] == "203.0.113.7"
    assert len(entry.line) < 262_144


def test_no_id_of_a_session_is_left_in_what_the_samples_become() -> None:
    """The recordings name each session that was opened; afterwards none of these names is anywhere."""
    for sample in Path(SAMPLES, "keycloak").glob("*.log"):
        text = sample.read_text("utf-8")
        names = {
            name for part in text.split('sessionId=\\"')[1:] + text.split('sessionId="')[1:] if (name := part[:20])
        }
        entries = sample.with_suffix(".entries.jsonl").read_text("utf-8")
        assert [name for name in names if name in entries] == []
