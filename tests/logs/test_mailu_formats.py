"""What the rules make of Mailu's lines beyond the recorded samples: time, hostile and damaged text, what is masked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.logs.reading import NOW, read, read_one

SENT = (
    "Nov 22 18:14:12 mail postfix/lmtp[29671]: 2FF6D57E6B0: to=<anna@acme.example>, relay=front[10.0.0.2]:2525, "
    "delay=0.26, delays=0.15/0.04/0.01/0.06, dsn=2.0.0, status=sent (250 2.0.0 Saved)"
)
REFUSED = (
    "Nov 22 18:17:20 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 554 5.7.1 "
    "<x@other.example>: Relay access denied; from=<a@b.example> to=<x@other.example> proto=ESMTP helo=<b>"
)
LOGIN = (
    "Nov 22 18:14:12 imap-login: Info: Login: user=<anna@acme.example>, method=PLAIN, rip=203.0.113.7, "
    "lip=10.0.0.3, mpid=29672, secured, session=<gy28ceFgFtJ/AAAB>"
)


def test_a_line_of_new_years_eve_read_on_new_years_day_stays_in_its_year() -> None:
    entry = read_one("mailu", "smtp", SENT.replace("Nov 22 18:14:12", "Dec 31 23:59:58"), now=_at(2027, 1, 1))
    assert entry.time == "2026-12-31T23:59:58.000000000Z"


def test_a_line_of_new_years_day_read_by_a_late_clock_stays_in_its_year() -> None:
    entry = read_one("mailu", "smtp", SENT.replace("Nov 22 18:14:12", "Jan  1 00:00:01"), now=_at(2026, 12, 31))
    assert entry.time == "2027-01-01T00:00:01.000000000Z"


def test_a_line_from_the_day_a_leap_year_has_more_is_read() -> None:
    entry = read_one("mailu", "smtp", SENT.replace("Nov 22 18:14:12", "Feb 29 12:00:00"), now=_at(2028, 3, 1))
    assert entry.time == "2028-02-29T12:00:00.000000000Z"


def test_times_without_zone_are_the_hosts() -> None:
    assert read_one("mailu", "smtp", SENT, zone="Europe/Berlin").time == "2026-11-22T17:14:12.000000000Z"


def test_a_clock_an_hour_off_changes_nothing_but_the_time_the_line_says() -> None:
    """The rules believe the line. An hour ahead is more than Loki takes, which is why the zone has to be right."""
    ahead = read_one("mailu", "smtp", SENT.replace("Nov 22 18:14:12", "Nov 23 05:00:00"), now=NOW)
    assert (ahead.time, ahead.metadata["event"]) == ("2026-11-23T05:00:00.000000000Z", "mail_sent")


def test_lines_without_a_time_keep_their_place_after_the_last_that_had_one() -> None:
    first, second = read("mailu", "imap", LOGIN, "Warning: fd limit (ulimit -n) is lower than required")
    assert (first.time, second.time) == ("2026-11-22T18:14:12.000000000Z", "2026-11-22T18:14:12.000000001Z")
    assert second.labels["level"] == "warning"


def test_a_delivery_has_its_queue_id_status_and_delay() -> None:
    assert read_one("mailu", "smtp", SENT).metadata == {
        "event": "mail_sent",
        "process": "lmtp",
        "queue_id": "2FF6D57E6B0",
        "mail_status": "sent",
        "dsn": "2.0.0",
        "delay": "0.26",
        "reason": "250 2.0.0 Saved",
    }


def test_long_queue_ids_are_queue_ids() -> None:
    entry = read_one("mailu", "smtp", SENT.replace("2FF6D57E6B0", "4Xk7Zq2Ddcz1Qlb"))
    assert entry.metadata["queue_id"] == "4Xk7Zq2Ddcz1Qlb"


@pytest.mark.parametrize(
    ("status", "event"),
    [("deferred", "mail_deferred"), ("bounced", "mail_bounced"), ("sent", "mail_sent"), ("undeliverable", None)],
)
def test_the_event_follows_the_status(status: str, event: str | None) -> None:
    entry = read_one("mailu", "smtp", SENT.replace("status=sent", f"status={status}"))
    assert (entry.metadata["mail_status"], entry.metadata.get("event")) == (status, event)


def test_a_mail_that_expired_counts_as_bounced() -> None:
    line = (
        "Nov 22 18:14:12 mail postfix/qmgr[1]: 2DD829EC20E: from=<a@acme.example>, status=expired, returned to sender"
    )
    entry = read_one("mailu", "smtp", line)
    assert (entry.metadata["event"], entry.metadata["reason"]) == ("mail_bounced", "returned to sender")


def test_a_refusal_has_address_code_and_reason() -> None:
    entry = read_one("mailu", "smtp", REFUSED)
    assert entry.labels["level"] == "warning"
    assert entry.metadata == {
        "event": "mail_rejected",
        "process": "smtpd",
        "mail_status": "reject",
        "address": "203.0.113.7",
        "dsn": "5.7.1",
        "reason": "Relay access denied",
    }


def test_a_refused_login_at_postfix_itself_is_one() -> None:
    line = (
        "Nov 22 18:14:12 mail postfix/smtpd[1]: warning: unknown[2001:db8::7]: SASL LOGIN authentication failed: "
        "authentication failure"
    )
    metadata = read_one("mailu", "smtp", line).metadata
    assert (metadata["event"], metadata["address"]) == ("login_failed", "2001:db8::7")


def test_subjects_are_masked_where_header_checks_log_them() -> None:
    line = (
        "Nov 22 18:14:12 mail postfix/cleanup[1]: 2FF6D57E6B0: info: header Subject: Canary from the board from "
        "front[10.0.0.2]; from=<a@acme.example> to=<b@acme.example>"
    )
    assert "Canary" not in read_one("mailu", "smtp", line).line


def test_a_login_to_a_mailbox_has_user_address_and_method() -> None:
    metadata = read_one("mailu", "imap", LOGIN).metadata
    assert (metadata["event"], metadata["user"], metadata["address"], metadata["method"]) == (
        "login_ok",
        "anna@acme.example",
        "203.0.113.7",
        "PLAIN",
    )


@pytest.mark.parametrize("said", ["Disconnected: Connection closed", "Login aborted: Connection closed"])
def test_a_refused_login_is_one_under_either_of_dovecots_names(said: str) -> None:
    line = (
        f"Nov 22 18:17:21 imap-login: Info: {said} (auth failed, 2 attempts in 13 secs): "
        "user=<anna@acme.example>, method=LOGIN, rip=203.0.113.7, lip=10.0.0.3, TLS"
    )
    entry = read_one("mailu", "imap", line)
    assert (entry.labels["level"], entry.metadata["event"]) == ("warning", "login_failed")


def test_a_user_name_cannot_put_another_address_into_dovecots_line() -> None:
    forged = "x>, method=PLAIN, rip=198.51.100.1, user=<y"
    line = LOGIN.replace("anna@acme.example", forged)
    assert read_one("mailu", "imap", line).metadata["address"] == "203.0.113.7"


def test_a_mailbox_that_is_full_is_a_warning() -> None:
    line = (
        "Nov 23 03:53:20 lmtp(full@acme.example)<1><oHVaA7C4A2thSwAAg+zDdQ:P1>: Info: sieve: msgid=<1@x.example>: "
        "failed to store into mailbox 'INBOX': Quota exceeded (mailbox for user is full)"
    )
    assert read_one("mailu", "imap", line).labels["level"] == "warning"


@pytest.mark.parametrize(
    ("outcome", "event", "reason"),
    [
        ("success: password", "login_ok", "password"),
        ("failed: badauth: f04ac4", "login_failed", "badauth"),
        ("failed: account disabled", "login_failed", "account disabled"),
        ("failed: password ok, but a token is required", "login_failed", "password ok, but a token is required"),
    ],
)
def test_admin_tells_every_login(outcome: str, event: str, reason: str) -> None:
    line = "[2026-11-22 18:17:08,425] INFO in nginx: Login attempt for: anna@acme.example/submission/587 from: "
    metadata = read_one("mailu", "admin", f"{line}203.0.113.7/43974: {outcome}").metadata
    assert metadata == {
        "event": event,
        "logger": "nginx",
        "user": "anna@acme.example",
        "process": "submission",
        "address": "203.0.113.7",
        "reason": reason,
    }


@pytest.mark.parametrize("user", ["'ghost@acme.example'", "<User 'ghost@acme.example'>", "ghost@acme.example"])
def test_admin_quotes_users_in_three_ways(user: str) -> None:
    line = f"[2026-11-22 18:17:08,425] INFO in nginx: Login attempt for: {user}/imap/993 from: 203.0.113.7/1: failed: x"
    assert read_one("mailu", "admin", line).metadata["user"] == "ghost@acme.example"


def test_a_user_name_cannot_put_another_address_into_admins_line() -> None:
    forged = "x/imap/993 from: 198.51.100.1/1: success: password"
    line = (
        f"[2026-11-22 18:17:08,425] INFO in nginx: Login attempt for: {forged}/imap/993 from: 203.0.113.7/1: failed: x"
    )
    metadata = read_one("mailu", "admin", line).metadata
    assert (metadata["address"], metadata["event"]) == ("203.0.113.7", "login_failed")


def test_the_hash_of_a_wrong_password_is_masked() -> None:
    line = (
        "[2026-11-22 18:17:08,425] INFO in nginx: Login attempt for: a@b/imap/993 from: ::1/5: failed: badauth: f04ac4"
    )
    assert read_one("mailu", "admin", line).line.endswith("badauth: ***")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING in common: Invalid API token provided by 203.0.113.7.", "invalid API token"),
        ("WARNING in limiter: Authentication attempt from 203.0.113.7 has been rate-limited.", "rate-limited"),
        (
            "WARNING in base: Login failed by proxy - does not exist: a@b.example from 203.0.113.7 through 10.0.0.2.",
            "proxy",
        ),
    ],
)
def test_other_refusals_of_admin_are_failed_logins(said: str, reason: str) -> None:
    metadata = read_one("mailu", "admin", f"[2026-11-22 18:17:08,425] {said}").metadata
    assert (metadata["event"], metadata["address"], metadata["reason"]) == ("login_failed", "203.0.113.7", reason)


def test_who_was_rate_limited_is_told_where_admin_says_it() -> None:
    said = "Authentication attempt from 203.0.113.7 for anna@acme.example has been rate-limited."
    line = f"[2026-11-22 18:17:08,425] WARNING in limiter: {said}"
    assert read_one("mailu", "admin", line).metadata["user"] == "anna@acme.example"


def test_a_traceback_of_admin_is_one_entry_with_its_exception() -> None:
    error = "[2026-11-22 18:15:49,442] ERROR in app: Exception on /api/v1/alias [POST]"
    trace = (
        "Traceback (most recent call last):",
        '  File "/app/mailu/api/v1/alias.py", line 9, in post',
        "KeyError: 'x'",
    )
    first, second = read("mailu", "admin", error, *trace, "[2026-11-22 18:15:50,000] INFO in common: next")
    assert (first.line.count("\n"), first.metadata["exception"], first.metadata["event"]) == (
        3,
        "KeyError",
        "exception",
    )
    assert second.line.endswith("next")


def test_auth_on_the_port_for_servers_is_a_failed_login_of_the_front() -> None:
    line = (
        '2026/11/22 18:29:51 [info] 28019#28019: *8 client login failed: "AUTH not supported" while in http auth '
        'state, client: 203.0.113.7, server: 0.0.0.0:25, login: "anna"'
    )
    metadata = read_one("mailu", "front", line).metadata
    assert (metadata["event"], metadata["address"], metadata["user"]) == ("login_failed", "203.0.113.7", "anna")


def test_dovecots_debug_lines_are_kept_as_such() -> None:
    entry = read_one("mailu", "front", "Nov 22 18:14:12 lmtp(1): Debug: auth-master: passdb lookup(a@b): Started")
    assert (entry.labels["level"], entry.parsed) == ("debug", True)


def test_a_spam_verdict_has_score_and_mail() -> None:
    line = (
        "2026-11-23 03:53:20 #1(rspamd_proxy) <db8739>; proxy; rspamd_task_write_log: id: <1@x.example>, "
        "qid: <146C59EC1F6>, ip: 203.0.113.7, from: <a@b.example>, (default: S (reject): [15.00/15.00] "
        '[GTUBE(0.00){}]), len: 215, time: 0.307ms, forced: reject "Gtube pattern"; score=15.00 (set by GTUBE)'
    )
    entry = read_one("mailu", "antispam", line)
    assert entry.labels["level"] == "warning"
    assert entry.metadata == {
        "event": "spam_rejected",
        "process": "rspamd_proxy",
        "logger": "proxy",
        "queue_id": "146C59EC1F6",
        "address": "203.0.113.7",
        "verdict": "reject",
        "score": "15.00",
        "reason": "Gtube pattern",
    }


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('[22-Nov-2026 18:17:08] WARNING: [pool php] child 7 said into stdout: "errors: <abc> IMAP Error: Login failed '
         'for anna@acme.example against front from 203.0.113.7. AUTHENTICATE PLAIN"', "login_failed"),
        ("[22-Nov-2026 18:17:08] NOTICE: fpm is running, pid 1", None),
        ("2026/11/22 18:17:08 [notice] 12#12: start worker process 14", None),
    ],
)  # fmt: skip
def test_webmail_lines_are_known(line: str, event: str | None) -> None:
    entry = read_one("mailu", "webmail", line)
    assert (entry.parsed, entry.metadata.get("event")) == (True, event)


def test_a_message_id_cannot_forge_a_verdict() -> None:
    forged = "x>, qid: <FAKE>, ip: 198.51.100.1, (default: S (reject): [99.00/15.00] []"
    line = (
        f"2026-11-23 03:53:20 #1(rspamd_proxy) <db8739>; proxy; rspamd_task_write_log: id: <{forged}>, "
        "qid: <146C59EC1F6>, ip: 203.0.113.7, from: <a@b.example>, (default: F (no action): [0.10/15.00] []), len: 215"
    )
    metadata = read_one("mailu", "antispam", line).metadata
    assert (metadata["verdict"], metadata["address"], "event" in metadata) == ("no action", "203.0.113.7", False)


def test_session_ids_of_webmail_are_masked() -> None:
    said = (
        "userlogins: <canary42> Successful login for anna@acme.example (ID: 3) from 203.0.113.7 in session canary42rest"
    )
    entry = read_one(
        "mailu", "webmail", f'[22-Nov-2026 18:17:08] WARNING: [pool php] child 7 said into stdout: "{said}"'
    )
    assert "canary42rest" not in entry.line
    assert (entry.metadata["event"], entry.metadata["user"]) == ("login_ok", "anna@acme.example")


STREAMS = ("front", "admin", "imap", "smtp", "antispam", "webmail", "redis", "resolver")


@pytest.mark.parametrize("stream", STREAMS)
def test_a_line_nobody_knows_keeps_its_text(stream: str) -> None:
    entry = read_one("mailu", stream, "what is this?")
    assert (entry.line, entry.parsed, entry.labels["level"]) == ("what is this?", False, "info")


@pytest.mark.parametrize("stream", STREAMS)
def test_bytes_that_are_no_text_do_not_cost_the_rest_of_the_line(stream: str) -> None:
    (entry,) = read("mailu", stream, b"\x16\x03\x01\xff\xfe login")
    assert entry.line == "\x16\x03\x01\ufffd\ufffd login"


def test_a_line_of_300_kb_is_cut_and_still_read() -> None:
    entry = read_one("mailu", "smtp", SENT[:-1] + "x" * 300_000 + ")")
    assert entry.metadata["queue_id"] == "2FF6D57E6B0"
    assert len(entry.line) < 262_144


def _at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 0, 5, tzinfo=UTC)
