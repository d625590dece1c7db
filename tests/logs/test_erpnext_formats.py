"""What the rules make of lines of ERPNext: Frappe, gunicorn, the workers, the scheduler."""

from __future__ import annotations

import json

import pytest

from agencystack.logs import alloy, catalogue, guess
from tests.logs.golden import SAMPLES, samples
from tests.logs.reading import read, read_one

DATED = "2026-11-22 18:21:42,011 "
RECORD = DATED + "ERROR frappe New Exception collected in error log"
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "apps/frappe/frappe/app.py", line 114, in application',
    "    response = frappe.api.handle(request)",
    "               ^^^^^^^^^^^^^^^^^^^^^^^^^^",
    '  File "env/lib/python3.11/site-packages/pymysql/err.py", line 150, in raise_mysql_exception',
    "    raise errorclass(errno, errval)",
)
RAISED = (*TRACEBACK, "pymysql.err.OperationalError: (1054, \"Unknown column 'nosuch' in 'ORDER BY'\")")
ACCESS = '203.0.113.7 - {} [22/Nov/2026:18:20:47 +0000] "{}" {} 12 "-" "curl/8"'
JOB = (
    "bench:default: frappe.utils.background_jobs.execute_job(event=None, is_async=True, job_name='{}', kwargs={}, "
    "method='frappe.client.insert', site='erp.localhost', user='Administrator') (erp.localhost::{})"
)


def test_a_record_its_site_and_its_form_are_one_entry_without_the_form() -> None:
    form = {"customer_name": "Canary", "email_id": "anna@shop.example", "note": "Form Dict: {'x': 'canary'}"}
    entries = read(
        "erpnext", "frappe", RECORD, "Site: erp.localhost", f"Form Dict: {form}", RECORD, "Site: b", "Form Dict: {}"
    )
    assert [entry.metadata["site"] for entry in entries] == ["erp.localhost", "b"]
    assert entries[0].line == f"{RECORD}\nSite: erp.localhost\nForm Dict: ***"
    assert entries[0].metadata == {"event": "exception", "site": "erp.localhost", "logger": "frappe"}
    assert entries[0].time == "2026-11-22T18:21:42.011000000Z"


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ("{'a': 'canary', 'cmd': 'frappe.client.insert'}", "***'cmd': 'frappe.client.insert'}"),
        ("{'cmd': 'frappe.client.insert', 'a': 'canary'}", "***"),
        ("{'a': \"'cmd': 'canary'}\"}", "***"),
        ("{'a': 'canary\\n2026-11-22 18:21:42,011 ERROR frappe x'}", "***"),
        ("canary", "***"),
        ("{'a': 'canary", "***"),
    ],
)
def test_of_a_form_only_the_called_method_is_kept(form: str, kept: str) -> None:
    entry = read_one("erpnext", "frappe", RECORD, "Site: x", f"Form Dict: {form}")
    assert entry.line == f"{RECORD}\nSite: x\nForm Dict: {kept}"


def test_a_form_of_300_kilobytes_is_masked_too() -> None:
    entry = read_one("erpnext", "frappe", RECORD, "Site: x", "Form Dict: {'a': '" + "canary" * 50_000 + "'}", *RAISED)
    assert "canary" not in entry.line
    assert (entry.metadata["site"], entry.metadata["exception"]) == ("x", "pymysql.err.OperationalError")


def test_a_traceback_behind_a_form_belongs_to_the_entry() -> None:
    entry = read_one("erpnext", "frappe", DATED + "ERROR payments No luck", "Site: x", "Form Dict: {}", *RAISED)
    assert entry.metadata == {
        "event": "exception",
        "exception": "pymysql.err.OperationalError",
        "file": "env/lib/python3.11/site-packages/pymysql/err.py",
        "line": "150",
        "site": "x",
        "logger": "payments",
    }


def test_a_value_that_was_there_already_is_masked() -> None:
    end = "pymysql.err.IntegrityError: (1062, \"Duplicate entry 'anna@shop.example' for key 'email'\")"
    entry = read_one("erpnext", "web-output", *TRACEBACK, end)
    assert entry.metadata["exception"] == "pymysql.err.IntegrityError"
    assert "anna" not in entry.line


def test_each_printed_traceback_is_one_entry_and_has_no_time() -> None:
    dated = "[2026-11-22 18:19:21 +0000] [305] [INFO] Booting worker with pid: 305"
    entries = read("erpnext", "web-output", dated, *RAISED, "", *RAISED, "", dated)
    assert [entry.metadata.get("event") for entry in entries] == [None, "exception", "exception", None]
    assert [entry.time is None for entry in entries] == [False, True, True, False]
    assert entries[1].line.rstrip("\n") == "\n".join(RAISED)


def test_an_exception_that_led_to_another_is_one_event() -> None:
    between = "During handling of the above exception, another exception occurred:"
    entries = read(
        "erpnext", "web-output", *RAISED, "", between, "", *TRACEBACK, "frappe.exceptions.ValidationError: no"
    )
    assert [entry.metadata.get("event") for entry in entries] == [None, "exception"]
    assert [entry.metadata["exception"] for entry in entries] == [
        "pymysql.err.OperationalError",
        "frappe.exceptions.ValidationError",
    ]


def test_the_end_of_a_traceback_whose_beginning_was_lost_is_an_event() -> None:
    entries = read("erpnext", "web-output", *RAISED[4:], RAISED[0])
    assert [entry.parsed for entry in entries] == [True] * len(entries)
    assert [entry.metadata.get("event") for entry in entries] == [None, None, "exception", None]


@pytest.mark.parametrize("stream", ["web-output", "web-error", "server"])
def test_a_process_of_gunicorn_that_hangs_is_a_slow_request(stream: str) -> None:
    entry = read_one("erpnext", stream, "[2026-11-23 04:42:43 +0000] [9] [CRITICAL] WORKER TIMEOUT (pid:7)")
    assert (entry.labels["level"], entry.metadata["event"]) == ("critical", "slow_request")


@pytest.mark.parametrize("stream", ["web-output", "web-error", "server"])
def test_empty_lines_between_tracebacks_are_no_entries(stream: str) -> None:
    assert len(read("erpnext", stream, "", "  ", "Booting Gunicorn with 2 workers")) == 1


@pytest.mark.parametrize("stream", ["frappe", "schedule", "worker"])
def test_a_traceback_is_an_error_whatever_its_logger_calls_it(stream: str) -> None:
    entry = read_one(
        "erpnext", stream, DATED + "DEBUG scheduler Failed to enqueue events for site: erp.localhost", *RAISED
    )
    assert (entry.labels["level"], entry.metadata["event"]) == ("error", "exception")


def test_a_word_for_the_level_counts_where_there_is_no_status() -> None:
    assert read_one("erpnext", "web", DATED + "WARNING frappe.web something else").labels["level"] == "warning"


@pytest.mark.parametrize("stream", ["worker", "server"])
def test_arguments_of_a_job_are_masked_in_a_line_that_was_cut(stream: str) -> None:
    line = DATED + JOB.format("frappe.client.insert", {"email_id": "anna@shop.example"}, "7")
    entry = read_one("erpnext", stream, line[: line.index(".example")])
    assert entry.metadata["job"] == "frappe.client.insert"
    assert "anna" not in entry.line


@pytest.mark.parametrize(
    ("user", "request_line", "status", "event"),
    [
        ("-", "POST /api/method/login HTTP/1.1", 401, "login_failed"),
        ("-", "POST /login HTTP/1.1", 401, "login_failed"),
        ("-", "POST / HTTP/1.1", 401, "login_failed"),
        ("-", "POST / HTTP/1.1", 200, None),
        ("-", "POST /api/method/login HTTP/1.1", 200, "login_ok"),
        ("-", "GET /api/method/login HTTP/1.1", 200, None),
        ("-", "GET /api/resource/Customer HTTP/1.1", 401, None),
        ("abc", "GET /api/resource/Customer HTTP/1.1", 401, "login_failed"),
    ],
)
def test_a_login_is_told_by_its_answer(user: str, request_line: str, status: int, event: str | None) -> None:
    entry = read_one("erpnext", "access", ACCESS.format(user, request_line, status))
    assert entry.metadata.get("event") == event
    assert (entry.labels["level"] == "warning") == (status == 401)


def test_the_frontend_writes_errors_between_requests() -> None:
    line = (
        "2026/11/22 18:20:47 [error] 9#9: *3 connect() failed (111: Connection refused) while connecting to upstream, "
        'client: 203.0.113.7, server: _, request: "GET /app?x=canary HTTP/1.1", host: "erp.example"'
    )
    entry = read_one("erpnext", "access", line)
    assert "canary" not in entry.line
    assert (entry.labels["level"], entry.metadata["reason"], entry.metadata["path"], entry.metadata["site"]) == (
        "error",
        "connect() failed (111: Connection refused)",
        "/app",
        "erp.example",
    )


def _request(path: str, status: int, method: str = "GET", user: str = "Guest") -> str:
    record = {
        "site": "erp.localhost",
        "remote_addr": "203.0.113.7",
        "pid": 9,
        "user": user,
        "base_url": "http://erp.localhost" + path.partition("?")[0],
        "full_path": path,
        "method": method,
        "scheme": "http",
        "http_status_code": status,
    }
    return f"{DATED}INFO frappe.web {record}"


def test_a_request_in_frappes_own_log_has_its_user_and_no_query() -> None:
    entry = read_one(
        "erpnext", "web", _request("/api/resource/Item?filters=canary&q=canary", 500, user="anna@acme.example")
    )
    assert "canary" not in entry.line
    assert entry.labels["level"] == "error"
    assert entry.metadata == {
        "site": "erp.localhost",
        "address": "203.0.113.7",
        "process": "9",
        "user": "anna@acme.example",
        "path": "/api/resource/Item",
        "method": "GET",
        "status": "500",
        "logger": "frappe.web",
    }


@pytest.mark.parametrize(
    ("path", "method", "status", "event"),
    [
        ("/api/method/login?", "POST", 401, "login_failed"),
        ("/api/method/login?", "POST", 200, None),
        ("/api/method/login?", "GET", 401, None),
        ("/x'y?", "GET", 404, None),
    ],
)
def test_a_refused_login_in_frappes_own_log(path: str, method: str, status: int, event: str | None) -> None:
    entry = read_one("erpnext", "web", _request(path, status, method))
    assert (entry.metadata.get("event"), entry.metadata["status"]) == (event, str(status))


def test_arguments_of_a_job_never_leave_the_host() -> None:
    kwargs = {"doc": {"email_id": "anna@shop.example", "x": "canary, method='y'"}, "password": "canary"}
    entry = read_one("erpnext", "worker", DATED + JOB.format("frappe.client.insert", kwargs, "71714d7b"))
    assert "canary" not in entry.line
    assert "anna" not in entry.line
    assert entry.metadata == {"job": "frappe.client.insert", "site": "erp.localhost", "logger": "bench:default"}


def test_a_shortened_job_is_named_by_its_id() -> None:
    text = JOB.format("x", "{}", "scheduled_job::erpnext.crm.auto_close").replace(
        "'x'", "'frappe.core.run_scheduled_jo..."
    )
    entry = read_one("erpnext", "worker", DATED + text)
    assert (entry.metadata["job"], entry.metadata["site"]) == ("erpnext.crm.auto_close", "erp.localhost")


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        (
            "bench:long: Job OK (erp.localhost::scheduled_job::a.b)",
            {"event": "job_ok", "job": "a.b", "site": "erp.localhost", "logger": "bench:long"},
        ),
        (
            "bench:long: Job OK (erp.localhost::7-1)",
            {"event": "job_ok", "site": "erp.localhost", "logger": "bench:long"},
        ),
        (
            "Moving job to FailedJobRegistry (Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); )",
            {"event": "job_failed", "reason": "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9)"},
        ),
        ("Job stopped by user, moving job to FailedJobRegistry", {"event": "job_failed"}),
        ("Result is kept for 600 seconds", {}),
    ],
)
def test_how_a_job_ended(text: str, metadata: dict[str, str]) -> None:
    entry = read_one("erpnext", "worker", DATED + text)
    assert (entry.metadata, entry.parsed) == (metadata, True)
    assert entry.labels["level"] == ("error" if metadata.get("event") == "job_failed" else "info")


def test_a_job_that_raised_has_its_traceback() -> None:
    failed = (
        DATED + "[Job erp.localhost::scheduled_job::a.b]: exception raised while executing (frappe.utils.execute_job)"
    )
    entries = read("erpnext", "worker", failed, *RAISED, "", DATED + "bench:long: Job OK (x::y)")
    assert [entry.metadata["event"] for entry in entries] == ["job_failed", "job_ok"]
    assert (entries[0].metadata["job"], entries[0].metadata["site"]) == ("a.b", "erp.localhost")
    assert entries[0].metadata["exception"] == "pymysql.err.OperationalError"


def test_a_worker_without_redis_is_an_error() -> None:
    entry = read_one("erpnext", "worker", DATED + "Worker rq:worker:0: Redis connection timeout, quitting...")
    assert entry.labels["level"] == "error"


def test_a_change_of_a_table_is_one_entry() -> None:
    lines = (
        DATED + "WARNING database DDL Query made to DB:",
        "create table `tabX` (",
        "\t\t\tname varchar(140),",
        "`a` text)",
    )
    entry = read_one("erpnext", "database", *lines)
    assert (entry.line, entry.labels["level"]) == ("\n".join(lines), "warning")


def test_a_site_the_scheduler_skips_is_a_warning() -> None:
    entry = read_one("erpnext", "schedule", "erp.localhost: SystemSettings.enable_scheduler is UNSET")
    assert (entry.labels["level"], entry.metadata["site"]) == ("warning", "erp.localhost")


def test_a_scheduler_that_cannot_enqueue_says_for_which_site() -> None:
    entry = read_one(
        "erpnext", "schedule", DATED + "ERROR scheduler Exception in Enqueue Events for Site erp.localhost", *RAISED
    )
    assert (entry.metadata["site"], entry.metadata["event"]) == ("erp.localhost", "exception")


def test_an_error_of_the_websocket_has_its_stack() -> None:
    entries = read(
        "erpnext",
        "websocket",
        "Realtime service listening on:  9000",
        "TypeError: x is no function",
        "    at f (a.js:1:2)",
    )
    assert [entry.metadata.get("exception") for entry in entries] == [None, "TypeError"]
    assert entries[1].line.endswith("(a.js:1:2)")


BACKEND = ("web-output", "web-error", "server")


@pytest.mark.parametrize("stream", [*BACKEND, "frappe", "worker", "schedule"])
def test_wherever_frappes_loggers_write_no_form_is_sent(stream: str) -> None:
    value = "pymysql.err.IntegrityError: (1062, \\\"Duplicate entry \\'anna@shop.example\\' for key\\\")"
    plain = "IntegrityError: (1062, \"Duplicate entry 'anna@shop.example' for key\")"
    form = "Form Dict: {'email_id': 'anna@shop.example'}"
    entry = read_one("erpnext", stream, DATED + "ERROR payments " + value, "Site: erp.localhost", form, plain)
    assert (entry.metadata["logger"], entry.metadata["site"]) == ("payments", "erp.localhost")
    assert entry.labels["level"] == "error"
    assert "anna" not in entry.line


@pytest.mark.parametrize("stream", BACKEND)
@pytest.mark.parametrize(
    ("line", "level", "metadata"),
    [
        (
            ACCESS.format("-", "GET /app?x=canary HTTP/1.1", 502),
            "error",
            {
                "address": "203.0.113.7",
                "method": "GET",
                "path": "/app",
                "status": "502",
                "bytes": "12",
                "agent": "curl/8",
            },
        ),
        ("[2026-11-22 18:19:21 +0100] [9] [INFO] Booting worker with pid: 7", "info", {"process": "9"}),
        (
            "[2026-11-22 18:19:21 +0000] [9] [ERROR] Error handling request /x?token=canary",
            "error",
            {"process": "9", "path": "/x"},
        ),
        (
            "/home/frappe/a.py:139: ResourceWarning: unclosed",
            "warning",
            {"file": "/home/frappe/a.py", "line": "139", "logger": "ResourceWarning"},
        ),
        (DATED + "ERROR frappe x\nSite: erp.localhost", "error", {"logger": "frappe", "site": "erp.localhost"}),
        ("Booting Gunicorn with 2 workers and 4 threads...", "info", {}),
        ("Traceback (most recent call last):", "info", {}),
    ],
)
def test_what_a_backend_writes(stream: str, line: str, level: str, metadata: dict[str, str]) -> None:
    entry = read_one("erpnext", stream, *line.split("\n"))
    assert entry.parsed
    assert "canary" not in entry.line
    assert (entry.labels["level"], entry.metadata) == (level, metadata)


@pytest.mark.parametrize("stream", BACKEND)
def test_a_backend_reads_the_ends_of_tracebacks(stream: str) -> None:
    entries = read("erpnext", stream, *RAISED[4:])
    assert [(entry.parsed, entry.metadata.get("event")) for entry in entries] == [
        (True, None),
        (True, None),
        (True, "exception"),
    ]


@pytest.mark.parametrize("stream", ["web-output", "web-error"])
def test_a_backend_tells_a_handled_exception_once(stream: str) -> None:
    between = "The above exception was the direct cause of the following exception:"
    entries = read("erpnext", stream, *RAISED, "", between, "", *RAISED)
    assert [entry.metadata.get("event") for entry in entries] == [None, "exception"]


@pytest.mark.parametrize(
    ("line", "metadata"),
    [
        (
            "bench:long: Job OK (erp.localhost::scheduled_job::a.b)",
            {"event": "job_ok", "job": "a.b", "site": "erp.localhost", "logger": "bench:long"},
        ),
        (
            "[Job erp.localhost::7]: exception raised while executing (frappe.x)",
            {"event": "job_failed", "site": "erp.localhost"},
        ),
        (
            JOB.format("frappe.client.insert", {"email": "canary"}, "7"),
            {"job": "frappe.client.insert", "site": "erp.localhost", "logger": "bench:default"},
        ),
    ],
)
def test_a_container_tells_jobs_too(line: str, metadata: dict[str, str]) -> None:
    entry = read_one("erpnext", "server", DATED + line)
    assert "canary" not in entry.line
    assert (entry.metadata, entry.time) == (metadata, "2026-11-22T18:21:42.011000000Z")


def test_a_container_tells_requests_errors_and_logins_too() -> None:
    failed = (
        "2026/11/22 18:20:48 [error] 9#9: *3 connect() failed (111: Connection refused) while connecting to upstream, "
        'client: 203.0.113.7, server: _, request: "GET /app?x=canary HTTP/1.1", host: "erp.example"'
    )
    lines = (
        ACCESS.format("-", "POST / HTTP/1.1", 401),
        ACCESS.format("abc", "GET /api HTTP/1.1", 401),
        ACCESS.format("-", "POST /login HTTP/1.1", 200),
        failed,
    )
    entries = read("erpnext", "server", *lines)
    assert [entry.metadata.get("event") for entry in entries] == ["login_failed", "login_failed", "login_ok", None]
    assert (entries[3].metadata["reason"], entries[3].metadata["path"]) == (
        "connect() failed (111: Connection refused)",
        "/app",
    )
    assert entries[3].time == "2026-11-22T18:20:48.000000000Z"


@pytest.mark.parametrize("stream", ["frappe", "worker", "schedule"])
def test_the_rest_of_a_traceback_of_a_job_is_kept(stream: str) -> None:
    entries = read("erpnext", stream, *RAISED[1:6], DATED + "ERROR x y")
    assert all(entry.parsed for entry in entries)


def test_a_thread_of_a_worker_that_dies_is_an_exception() -> None:
    entry = read_one("erpnext", "worker", "Exception in thread Thread-1:", *RAISED)
    assert (entry.labels["level"], entry.metadata["event"]) == ("error", "exception")


def test_the_end_of_a_traceback_of_a_job_is_an_event() -> None:
    entry = read_one("erpnext", "worker", RAISED[-1])
    assert (entry.labels["level"], entry.metadata["event"]) == ("error", "exception")


@pytest.mark.parametrize("line", ["\t\t\tname varchar(140),", "`a` text)", "ALTER TABLE `tabX` ADD COLUMN `a` int"])
def test_the_rest_of_a_change_of_a_table_is_kept(line: str) -> None:
    assert read_one("erpnext", "database", line).parsed


@pytest.mark.parametrize(
    ("line", "level", "event"),
    [
        ("Realtime service listening on:  9000", "info", None),
        ("    at f (a.js:1:2)", "info", None),
        ("TypeError: x is no function", "error", "exception"),
    ],
)
def test_what_the_websocket_writes(line: str, level: str, event: str | None) -> None:
    entry = read_one("erpnext", "websocket", line)
    assert (entry.parsed, entry.labels["level"], entry.metadata.get("event")) == (True, level, event)


@pytest.mark.parametrize("stream", ["frappe", "web", "worker", "database", "schedule"])
def test_frappes_times_are_those_of_the_host(stream: str) -> None:
    entry = read_one("erpnext", stream, DATED + "ERROR x y", zone="Europe/Berlin")
    assert entry.time == "2026-11-22T17:21:42.011000000Z"


@pytest.mark.parametrize("stream", catalogue.streams("erpnext"))
def test_bytes_that_are_no_text_and_lines_without_end_lose_nothing(stream: str) -> None:
    entries = read("erpnext", stream, b"\xff\xfe caf\xe9", "x" * 300_000)
    text = "\n".join(entry.line for entry in entries)
    assert "caf\ufffd" in text
    assert "x" * 200_000 in text
    assert not any(entry.parsed for entry in entries)


@pytest.mark.parametrize("stream", catalogue.streams("erpnext"))
def test_each_stream_can_be_written_for_alloy(stream: str) -> None:
    assert "loki.process" in alloy.process("x", "erpnext", stream, "acme", forward_to="loki.write.x.receiver")


@pytest.mark.parametrize(
    ("name", "sample", "stream"),
    [
        ("frappe.log", "frappe", "frappe"),
        ("frappe.web.log", "web", "web"),
        ("web.log", "web-output", "web-output"),
        ("web.error.log", "web-error", "web-error"),
        ("worker.log", "worker", "worker"),
        ("database.log", "database", "database"),
        ("access.log", "access", "access"),
        ("redis.log", "redis", "redis"),
    ],
)
def test_a_file_is_recognised(name: str, sample: str, stream: str) -> None:
    lines = (SAMPLES / "erpnext" / f"{sample}.log").read_text("utf-8", "replace").splitlines()
    assert guess.stream("erpnext", name, lines) == stream


def test_no_person_and_no_secret_of_the_recordings_is_in_their_entries() -> None:
    recorded = [sample for sample in samples() if sample.component == "erpnext"]
    assert "hunter2-canary" in "".join(sample.lines.read_text("utf-8") for sample in recorded)
    for sample in recorded:
        text = json.dumps(sample.expected())
        assert not any(word in text for word in ("canary", "anna@", "Canary", "Acme Ltd", "WOO-1001")), sample.name
