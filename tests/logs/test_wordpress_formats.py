"""What the rules make of lines of WordPress, of PHP and of the web servers before it."""

from __future__ import annotations

import json

import pytest

from agencystack.logs import alloy, catalogue, evaluate, guess, pipeline
from agencystack.logs.model import Wrapping
from tests.logs.golden import SAMPLES, samples
from tests.logs.reading import NOW, read, read_one

LINE = '203.0.113.7 - - [22/Nov/2026:18:30:11 +0000] "{}" {} 5 "-" "curl/8"'
TRACE = (
    "Stack trace:",
    "#0 /var/www/html/wp-login.php(20): wp_signon('anna@shop.example', 'canary-secret')",
    "#1 [internal function]: WP_Hook->apply_filters('canary', Array)",
    "#2 {main}",
    "  thrown in /var/www/html/wp-content/plugins/a/b.php on line 20",
)
FATAL = "PHP Fatal error:  Uncaught Acme\\Boom: lab boom in /var/www/html/wp-content/plugins/a/b.php:20"
ESCAPED = "\\n".join((FATAL, *TRACE))
STAMP = "[22-Nov-2026 18:31:17 UTC] "
SAID = '[22-Nov-2026 18:36:24] WARNING: [pool www] child {} said into stderr: "{}"'


@pytest.mark.parametrize(
    ("request_line", "status", "event", "level"),
    [
        ("POST /wp-login.php HTTP/1.1", 200, "login_failed", "warning"),
        ("POST /wp-login.php HTTP/1.1", 302, "login_ok", "info"),
        ("POST /blog/wp-login.php HTTP/2.0", 200, "login_failed", "warning"),
        ("GET /wp-login.php HTTP/1.1", 200, None, "info"),
        ("POST /wp-login.php?action=lostpassword HTTP/1.1", 302, None, "info"),
        ("POST /wp-login.php HTTP/1.1", 403, None, "warning"),
        ("POST /not-wp-login.php HTTP/1.1", 200, None, "info"),
        ("POST /xmlrpc.php HTTP/1.1", 200, None, "info"),
        ("GET /wp-json/wp/v2/users/me HTTP/1.1", 401, None, "warning"),
        ("GET / HTTP/1.1", 502, None, "error"),
    ],
)
def test_a_login_is_told_by_the_answer_to_the_form(
    request_line: str, status: int, event: str | None, level: str
) -> None:
    entry = read_one("wordpress", "access", LINE.format(request_line, status))
    assert (entry.metadata.get("event"), entry.labels["level"]) == (event, level)
    assert entry.metadata["address"] == "203.0.113.7"


def test_a_refused_application_password_is_a_failed_login() -> None:
    line = LINE.replace("- - [", "- anna [").format("GET /wp-json/wp/v2/users/me?context=edit HTTP/1.1", 401)
    entry = read_one("wordpress", "access", line)
    assert (entry.metadata["event"], entry.metadata["user"]) == ("login_failed", "anna")


def test_a_browser_that_calls_itself_a_login_is_none() -> None:
    forged = r"x\" 200 1 \"-\" \"POST /wp-login.php HTTP/1.1\" 200 "
    entry = read_one("wordpress", "access", LINE.format("GET / HTTP/1.1", 404).replace("curl/8", forged))
    assert (entry.metadata["status"], entry.metadata.get("event")) == ("404", None)


@pytest.mark.parametrize("site", ["shop.example", "127.0.0.1"])
def test_apache_may_put_the_site_before_the_line(site: str) -> None:
    entry = read_one("wordpress", "access", f"{site}:443 " + LINE.format("GET /a?b=canary HTTP/1.1", 200))
    assert (entry.metadata["site"], entry.metadata["address"]) == (site, "203.0.113.7")
    assert entry.metadata["path"] == "/a"
    assert "canary" not in entry.line


def test_an_address_of_ipv6_is_no_site() -> None:
    entry = read_one("wordpress", "access", LINE.replace("203.0.113.7", "2001:db8::1").format("GET / HTTP/1.1", 200))
    assert (entry.metadata["address"], entry.metadata.get("site")) == ("2001:db8::1", None)


def test_a_referer_with_a_secret_leaves_the_agent_readable() -> None:
    line = LINE.format("GET / HTTP/1.1", 200).replace('"-" "curl', '"https://shop.example/?token=canary" "curl')
    entry = read_one("wordpress", "access", line)
    assert "canary" not in entry.line
    assert entry.metadata["agent"] == "curl/8"


def test_a_fatal_error_with_its_trace_is_one_entry() -> None:
    entries = read("wordpress", "php", STAMP + FATAL, *TRACE, STAMP + "PHP Warning:  next in /a.php on line 1")
    assert [entry.labels["level"] for entry in entries] == ["critical", "warning"]
    assert entries[0].line.count("\n") == len(TRACE)
    assert entries[0].time == "2026-11-22T18:31:17.000000000Z"
    assert entries[0].metadata == {
        "event": "php_fatal",
        "exception": "Acme\\Boom",
        "file": "/var/www/html/wp-content/plugins/a/b.php",
        "line": "20",
    }


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        ("php", (STAMP + FATAL, *TRACE)),
        ("php-fpm", tuple(SAID.format(7, line) for line in ("NOTICE: PHP message: " + FATAL, *TRACE))),
        ("server", ("NOTICE: PHP message: " + FATAL, *TRACE)),
        (
            "web-error",
            (
                f'2026/11/22 18:36:24 [error] 9#9: *3 FastCGI sent in stderr: "PHP message: {FATAL}',
                *TRACE[:-1],
                f'{TRACE[-1]}" while reading response header from upstream, client: 203.0.113.7, server: _',
            ),
        ),
        (
            "web-error",
            (
                "[Sun Nov 22 18:36:24.256140 2026] [php:error] [pid 9] [client 203.0.113.7:4] "
                rf"{ESCAPED}, referer: https://shop.example/?token=canary",
            ),
        ),
        ("woocommerce", ("2026-11-22T18:31:17+00:00 CRITICAL " + FATAL[18:], *TRACE)),
    ],
)
def test_arguments_in_a_trace_never_leave_the_host(stream: str, lines: tuple[str, ...]) -> None:
    entry = read_one("wordpress", stream, *lines)
    assert (entry.metadata["event"], entry.metadata["line"]) == ("php_fatal", "20")
    assert entry.metadata["file"] == "/var/www/html/wp-content/plugins/a/b.php"
    assert "wp_signon(***)" in entry.line
    assert "thrown in" in entry.line
    assert "canary" not in entry.line
    assert "anna" not in entry.line


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        (
            "web-error",
            f'2026/11/22 18:36:24 [error] 9#9: *3 FastCGI sent in stderr: "PHP message: {FATAL}\n{TRACE[0]}\n'
            "#0 /a.php(20): wp_signon('canary\" while reading response header from upstream, client: 203.0.113.7",
        ),
        ("php", f"{STAMP}{FATAL}\n{TRACE[0]}\n#0 /a.php(20): wp_signon('canary"),
        (
            "php-fpm",
            SAID.format(7, f"NOTICE: PHP message: {FATAL}") + "\n" + SAID.format(7, "#0 /a.php(2): f('canary..."),
        ),
    ],
)
def test_arguments_are_masked_in_a_trace_that_was_cut(stream: str, line: str) -> None:
    entry = read_one("wordpress", stream, *line.split("\n"))
    assert entry.metadata["event"] == "php_fatal"
    assert "canary" not in entry.line


def test_what_follows_a_cut_trace_in_nginx_stays() -> None:
    line = (
        f'2026/11/22 18:36:24 [error] 9#9: *3 FastCGI sent in stderr: "PHP message: {FATAL}\n'
        "#0 /a.php(20): f('canary\" while reading response header from upstream, client: 203.0.113.7, server: _, "
        'request: "GET /a?b=canary HTTP/1.1", host: "shop.example"'
    )
    entry = read_one("wordpress", "web-error", *line.split("\n"))
    assert (entry.metadata["address"], entry.metadata["path"]) == ("203.0.113.7", "/a")
    assert (entry.metadata["method"], entry.metadata["site"]) == ("GET", "shop.example")


def test_text_that_only_looks_like_a_frame_is_kept() -> None:
    text = STAMP + "order #5 failed: gateway (stripe) said no"
    assert read_one("wordpress", "php", text).line == text


def test_the_rest_of_a_trace_whose_beginning_was_lost_is_kept() -> None:
    entries = read("wordpress", "php", *TRACE[1:], STAMP + "PHP Notice:  next in /a.php on line 1")
    assert [entry.parsed for entry in entries] == [True] * 5
    assert "canary" not in "".join(entry.line for entry in entries)


@pytest.mark.parametrize("stream", ["web-error", "php", "php-fpm", "woocommerce", "server"])
def test_a_lost_beginning_leaves_the_rest_known(stream: str) -> None:
    assert [entry.parsed for entry in read("wordpress", stream, *TRACE)] == [True] * len(TRACE)


def test_a_lost_beginning_leaves_the_frames_of_a_slow_request_known() -> None:
    entries = read("wordpress", "php-slow", "script_filename = /a.php", "[0x00007f1f28413490] sleep() /a.php:14")
    assert [(entry.parsed, entry.metadata) for entry in entries] == [(True, {})] * 2


def test_children_that_fail_at_once_lose_nothing() -> None:
    first, second = "NOTICE: PHP message: " + FATAL, "NOTICE: PHP message: PHP Warning:  other in /a.php on line 3"
    lines = (SAID.format(1, first), SAID.format(2, second), SAID.format(1, TRACE[0]), SAID.format(1, TRACE[-1]))
    entries = read("wordpress", "php-fpm", *lines)
    assert [entry.metadata["process"] for entry in entries] == ["1", "2"]
    assert sorted("\n".join(entry.line for entry in entries).split("\n")) == sorted(lines)


@pytest.mark.parametrize(
    "text",
    [
        "child 12 exited on signal 11 (SIGSEGV) after 3 seconds from start",
        "child 12 started",
        "server reached max_children",
    ],
)
def test_what_php_fpm_says_itself_ends_a_message(text: str) -> None:
    entries = read(
        "wordpress",
        "php-fpm",
        SAID.format(1, "NOTICE: PHP message: x"),
        f"[22-Nov-2026 18:36:24] WARNING: [pool www] {text}",
    )
    assert len(entries) == 2


def test_of_several_messages_of_one_request_the_fatal_one_counts() -> None:
    said = f"PHP message: PHP Deprecated:  old in /a.php on line 1; PHP message: {FATAL}"
    line = f'2026/11/22 18:36:24 [error] 9#9: *3 FastCGI sent in stderr: "{said}" while reading upstream, client: ::1'
    entry = read_one("wordpress", "web-error", line)
    assert (entry.labels["level"], entry.metadata["line"], entry.metadata["address"]) == ("critical", "20", "::1")


def test_a_notice_is_no_error_because_nginx_calls_it_one() -> None:
    line = (
        '2026/11/22 18:36:24 [error] 9#9: *3 FastCGI sent in stderr: "PHP message: PHP Deprecated:  old in /a.php on '
        'line 1" while reading upstream, client: ::1'
    )
    assert read_one("wordpress", "web-error", line).labels["level"] == "info"


def test_php_cannot_forge_the_client_of_an_error() -> None:
    line = (
        '2026/11/22 18:36:24 [error] 9#9: *3 open() "/var/www/html/x" failed (2: No such file or directory), '
        'client: 203.0.113.7, server: _, request: "GET /x HTTP/1.1", host: "shop.example", '
        'referrer: "https://x.example/, client: 198.51.100.1, host: \\"evil\\""'
    )
    entry = read_one("wordpress", "web-error", line)
    assert (entry.metadata["address"], entry.metadata["site"]) == ("203.0.113.7", "shop.example")
    assert entry.metadata["reason"].startswith("open()")


def test_woocommerce_masks_what_php_shows() -> None:
    said = "WordPress database error Duplicate entry 'anna' for key 'a' for query SELECT 'canary' made by f"
    printed = ("2026-11-22T18:36:20+00:00 ERROR " + said, "Array", "(", "    [billing_first_name] => canary", ")")
    entry = read_one("wordpress", "woocommerce", *printed)
    assert "[billing_first_name] => ***" in entry.line
    assert "anna" not in entry.line
    assert "canary" not in entry.line


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO `wp_users` (`email`) VALUES ('anna@shop.example', 'made by canary')",
        'SELECT * FROM wp_users WHERE email = "anna@shop.example"',
        "SELECT 1 FROM wp_users WHERE name = 'it''s canary'",
    ],
)
def test_values_in_sql_never_leave_the_host(query: str) -> None:
    said = f"WordPress database error Duplicate entry 'anna@shop.example' for key 'email' for query {query}"
    entry = read_one("wordpress", "php", f"{STAMP}{said} made by do_action('init'), f")
    assert entry.labels["level"] == "error"
    assert entry.line.endswith(" made by do_action('init'), f")
    assert "anna" not in entry.line
    assert "canary" not in entry.line


@pytest.mark.parametrize(
    ("stamp", "zone", "time"),
    [
        ("22-Nov-2026 18:31:17 UTC", "Europe/Berlin", "2026-11-22T18:31:17.000000000Z"),
        ("22-Nov-2026 19:31:17 Europe/Berlin", "Europe/Berlin", "2026-11-22T18:31:17.000000000Z"),
        ("22-Nov-2026 19:31:17 Europe/Berlin", "UTC", "2026-11-22T19:31:17.000000000Z"),
    ],
)
def test_utc_is_utc_and_any_other_zone_is_that_of_the_host(stamp: str, zone: str, time: str) -> None:
    assert read_one("wordpress", "php", f"[{stamp}] lab: plain message", zone=zone).time == time


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        ("web-error", "2026/11/22 19:36:24 [notice] 9#9: signal process started"),
        ("web-error", "[Sun Nov 22 19:36:24.000000 2026] [core:notice] [pid 9:tid 9] AH00094: Command line: 'apache2'"),
        ("php-fpm", "[22-Nov-2026 19:36:24] NOTICE: fpm is running, pid 9"),
        ("php-slow", "[22-Nov-2026 19:36:24]  [pool www] pid 9"),
        ("server", "[22-Nov-2026 19:36:24] NOTICE: fpm is running, pid 9"),
    ],
)
def test_times_without_a_zone_are_those_of_the_host(stream: str, line: str) -> None:
    entry = read_one("wordpress", stream, line, zone="Europe/Berlin")
    assert (entry.time, entry.parsed) == ("2026-11-22T18:36:24.000000000Z", True)


WEBHOOK = """2026-11-22T18:21:18+00:00 INFO Array
(
    [Webhook Delivery] => Array
        (
            [URL] => https://hook.example/?key=canary
            [Request] => Array
                (
                    [Headers] => Array
                        (
                            [X-WC-Webhook-Signature] => canary
                        )

                )

            [Body] => {\\"billing\\":{\\"email\\":\\"anna@shop.example\\",\\"note\\":\\"[Response]\\"}}
            [Response] => Array
                (
                    [Code] => 500
                    [Body] => <p>anna</p>
                        )
canary
                )

        )

)"""


def test_what_a_webhook_carried_stays_on_the_host() -> None:
    entry = read_one("wordpress", "woocommerce", *WEBHOOK.split("\n"))
    assert "[Code] => 500" in entry.line
    assert "anna" not in entry.line
    assert "canary" not in entry.line


def test_what_is_known_of_a_person_is_masked_and_the_rest_of_a_context_is_not() -> None:
    context = {
        "order_id": 16,
        "billing_email": "anna@shop.example",
        "customer": {"first_name": 'An"na'},
        "code": "card_declined",
    }
    text = f"2026-11-22T18:36:20+00:00 ERROR Refused for anna@shop.example CONTEXT: {json.dumps(context)}"
    entry = read_one("wordpress", "woocommerce", text)
    assert '"order_id": 16' in entry.line
    assert "declined" in entry.line
    assert "anna" not in entry.line
    assert "An" not in entry.line


def test_the_source_of_woocommerce_is_in_the_name_of_its_file() -> None:
    stages = pipeline.stages(catalogue.find("wordpress", "woocommerce"), "acme")
    path = "/srv/wp-content/uploads/wc-logs/webhooks-delivery-2026-11-22-0123456789abcdef.log"
    lines = ["2026-11-22T18:36:20+00:00 EMERGENCY it burns"]
    (entry,) = evaluate.run(stages, lines, now=NOW, source_labels={"filename": path})
    assert (entry.metadata["logger"], entry.labels["level"]) == ("webhooks-delivery", "critical")


def test_a_container_tells_the_time_of_what_php_says_without_one() -> None:
    stages = pipeline.stages(catalogue.find("wordpress", "server"), "acme", wrapping=Wrapping.DOCKER)
    wrapped = [
        json.dumps({"log": f"{text}\n", "stream": "stderr", "time": f"2026-11-22T18:36:2{number}.5Z"})
        for number, text in enumerate((LINE.format("GET / HTTP/1.1", 200), "NOTICE: PHP message: " + FATAL, *TRACE))
    ]
    entries = list(evaluate.run(stages, wrapped, now=NOW))
    assert [(entry.time, entry.metadata.get("event")) for entry in entries] == [
        ("2026-11-22T18:30:11.000000000Z", None),
        ("2026-11-22T18:36:21.500000000Z", "php_fatal"),
    ]


@pytest.mark.parametrize(
    ("line", "time", "level", "metadata"),
    [
        (
            '2026/11/22 19:36:24 [crit] 9#9: *3 connect() failed while connecting to upstream, client: ::1, host: "a"',
            "2026-11-22T18:36:24.000000000Z",
            "critical",
            {"reason": "connect() failed", "address": "::1", "site": "a", "process": "9"},
        ),
        (
            "[22-Nov-2026 19:36:24] WARNING: [pool www] child 7, script '/a.php' (request: \"GET /a.php?b=canary\") "
            "executing too slow (1.5 sec), logging",
            "2026-11-22T18:36:24.000000000Z",
            "warning",
            {
                "event": "slow_request",
                "seconds": "1.5",
                "method": "GET",
                "path": "/a.php",
                "file": "/a.php",
                "logger": "www",
                "process": "7",
            },
        ),
        ("AH00558: apache2: Could not determine the name", None, "info", {"reason": "AH00558"}),
        (STAMP + "plain", "2026-11-22T18:31:17.000000000Z", "info", {}),
        ("[22-Nov-2026 19:31:17 Europe/Berlin] plain", "2026-11-22T18:31:17.000000000Z", "info", {}),
        ("WARNING: /var/www/html is not empty! (copying anyhow)", None, "warning", {}),
        ("WordPress not found in /var/www/html - copying now...", None, "info", {}),
    ],
)
def test_what_a_container_writes(line: str, time: str | None, level: str, metadata: dict[str, str]) -> None:
    entry = read_one("wordpress", "server", line, zone="Europe/Berlin")
    assert entry.parsed
    assert "canary" not in entry.line
    assert (entry.time, entry.labels["level"], entry.metadata) == (time, level, metadata)


def test_a_container_tells_a_refused_application_password() -> None:
    line = LINE.replace("- - [", "- anna [").format("GET /wp-json/wp/v2/users/me HTTP/1.1", 401)
    assert read_one("wordpress", "server", line).metadata["event"] == "login_failed"


def test_the_container_tells_logins_too() -> None:
    entry = read_one("wordpress", "server", LINE.format("POST /wp-login.php HTTP/1.1", 200))
    assert (entry.metadata["event"], entry.labels) == (
        "login_failed",
        {"client": "acme", "component": "wordpress", "stream": "server", "level": "warning"},
    )


@pytest.mark.parametrize("stream", catalogue.streams("wordpress"))
def test_bytes_that_are_no_text_and_lines_without_end_lose_nothing(stream: str) -> None:
    noise, long = b"\xff\xfe caf\xe9", "x" * 300_000
    entries = read("wordpress", stream, noise, long)
    text = "\n".join(entry.line for entry in entries)
    assert "caf\ufffd" in text
    assert "x" * 200_000 in text
    assert not any(entry.parsed for entry in entries)


@pytest.mark.parametrize("stream", catalogue.streams("wordpress"))
def test_each_stream_can_be_written_for_alloy(stream: str) -> None:
    assert "loki.process" in alloy.process("x", "wordpress", stream, "acme", forward_to="loki.write.x.receiver")


@pytest.mark.parametrize(
    ("name", "sample", "stream"),
    [
        ("access.log", "access", "access"),
        ("error.log", "web-error", "web-error"),
        ("error.log", "web-error-2", "web-error"),
        ("php8.2-fpm.log", "php-fpm", "php-fpm"),
        ("debug.log", "php", "php"),
        ("error_log", "php", "php"),
        ("www-slow.log", "php-slow", "php-slow"),
        ("fatal-errors-2026-11-22-abc.log", "woocommerce", "woocommerce"),
    ],
)
def test_a_file_is_recognised(name: str, sample: str, stream: str) -> None:
    lines = (SAMPLES / "wordpress" / f"{sample}.log").read_text("utf-8", "replace").splitlines()
    assert guess.stream("wordpress", name, lines) == stream


def test_no_person_and_no_secret_of_the_recordings_is_in_their_entries() -> None:
    recorded = [sample for sample in samples() if sample.component == "wordpress"]
    assert "hunter2-canary" in "".join(sample.lines.read_text("utf-8") for sample in recorded)
    for sample in recorded:
        text = json.dumps(sample.expected())
        assert not any(word in text for word in ("canary", "anna@", "Anna", "anna%40")), sample.name
