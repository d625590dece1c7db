"""The protocol with the PHP program: what travels where, and what every kind of damage becomes."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agencystack.components.wordpress import (
    MAIL,
    OWNER,
    PLUGINS,
    SITE,
    Carrier,
    MailImage,
    MailSettings,
    WordPress,
    owner_of_wp_config,
)
from agencystack.components.wordpress.program import connector_files, program
from agencystack.stack.errors import AgencyStackError, BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import Secret

WHERE = ComponentRef("acme", "wordpress")
CANARY = "canary-8d1f'\\\"ü"
ANSWERS: dict[str, Any] = {
    "site": {
        "wordpress": "6.9.1",
        "php": "8.2.36",
        "wp_cli": None,
        "siteurl": "https://acme.example",
        "home": "https://acme.example",
        "name": "Acme",
        "admin_email": "admin@acme.example",
        "multisite": False,
        "environment": "production",
    },
    "plugins": [],
    "owner": {"marks": {"mail": "acme/email/wordpress"}},
}


class WatchingExecutor:
    """Answers as the PHP program does, keeps every argument and every request."""

    def __init__(self, disturb: Callable[[bytes, str], bytes] = lambda frame, _nonce: frame) -> None:
        self.disturb = disturb
        self.stderr = b""
        self.returncode = 0
        self.argv: list[Sequence[str]] = []
        self.requests: list[dict[str, Any]] = []
        self.command: dict[str, Any] = {"ok": True, "value": None}

    description = "a fake place"

    def host(self) -> Executor:
        return self

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        self.argv.append(argv)
        length, _, rest = stdin.partition(b"\n")
        assert rest[: int(length)] == program()
        request = json.loads(rest[int(length) :])
        self.requests.append(request)
        return Finished(self.returncode, self.disturb(self._frame(request), request["nonce"]), self.stderr)

    def _frame(self, request: dict[str, Any]) -> bytes:
        queries = {key: {"ok": True, "value": ANSWERS.get(query["name"])} for key, query in request["queries"].items()}
        body = json.dumps({"commands": [self.command for _ in request["commands"]], "answers": queries})
        return f"\n{request['nonce']} {len(body)}\n{body}\n{request['nonce']}\n".encode()


def wordpress(executor: WatchingExecutor, path: str = "/srv/acme", url: str | None = None) -> WordPress:
    return WordPress(WHERE, executor, path, url=url)


def failure(disturb: Callable[[bytes, str], bytes], stderr: bytes = b"", returncode: int = 0) -> AgencyStackError:
    executor = WatchingExecutor(disturb)
    executor.stderr, executor.returncode = stderr, returncode
    with pytest.raises(AgencyStackError) as caught:
        wordpress(executor).answer(SITE)
    assert caught.value.component == WHERE
    return caught.value


class TestBatch:
    def test_one_start_answers_all_that_was_asked(self) -> None:
        executor = WatchingExecutor()
        client = wordpress(executor)
        for query in (SITE, PLUGINS, OWNER):
            client.ask(query)
        assert client.answer(OWNER) == {"mail": "acme/email/wordpress"}
        assert client.answer(SITE).wordpress == "6.9.1"
        assert client.answer(PLUGINS) == {}
        assert len(executor.requests) == 1
        assert len(executor.requests[0]["queries"]) == 3

    def test_a_late_question_costs_one_more_start_for_itself_only(self) -> None:
        executor = WatchingExecutor()
        client = wordpress(executor)
        client.answer(SITE)
        client.answer(OWNER)
        assert [list(request["queries"]) for request in executor.requests] == [["site {}"], ["owner {}"]]

    def test_forget_reads_anew(self) -> None:
        executor = WatchingExecutor()
        client = wordpress(executor)
        client.answer(SITE)
        client.forget()
        client.answer(SITE)
        assert len(executor.requests) == 2

    def test_a_write_brings_the_fresh_state_in_its_own_start(self) -> None:
        executor = WatchingExecutor()
        client = wordpress(executor)
        client.answer(OWNER)
        client.write_owner({"mail": None})
        client.answer(OWNER)
        assert [len(request["commands"]) for request in executor.requests] == [0, 1]
        assert "owner {}" in executor.requests[1]["queries"]

    def test_after_a_change_of_constants_php_is_started_anew(self) -> None:
        executor = WatchingExecutor()
        executor.command = {"ok": True, "value": {"restart": True}}
        client = wordpress(executor)
        client.answer(OWNER)
        assert client.write_mail_settings(Carrier.WP_MAIL_SMTP, MailSettings()).restart
        client.answer(OWNER)
        assert len(executor.requests) == 3

    def test_many_threads_share_one_start(self) -> None:
        executor = WatchingExecutor()
        client = wordpress(executor)
        threads = [threading.Thread(target=client.answer, args=(SITE,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(executor.requests) == 1

    def test_a_site_that_is_down_is_waited_for_once(self) -> None:
        executor = WatchingExecutor(lambda _frame, _nonce: b"Error establishing a database connection")
        client = wordpress(executor)
        for query in (SITE, OWNER):
            with pytest.raises(Unavailable):
                client.answer(query)
        assert len(executor.requests) == 1
        client.forget()
        with pytest.raises(Unavailable):
            client.answer(SITE)
        assert len(executor.requests) == 2


class TestFrame:
    def test_what_plugins_print_around_the_answer_does_not_matter(self) -> None:
        noise = b"<br />Deprecated: foo\n0123 10\n\xff\xfe{}"
        executor = WatchingExecutor(lambda frame, _nonce: noise + frame + noise)
        assert wordpress(executor).answer(SITE).name == "Acme"

    def test_an_answer_of_a_megabyte(self) -> None:
        executor = WatchingExecutor()
        big = {**ANSWERS["site"], "name": "x\n" * 600_000}
        executor.disturb = lambda _frame, nonce: _framed(nonce, {"answers": {"site {}": {"ok": True, "value": big}}})
        assert len(wordpress(executor).answer(SITE).name) == 1_200_000

    def test_another_nonce_is_no_answer(self) -> None:
        forged = failure(lambda frame, nonce: frame.replace(nonce.encode(), b"f" * 32))
        assert isinstance(forged, BadAnswer)

    def test_half_an_answer_is_no_answer(self) -> None:
        assert isinstance(failure(lambda frame, _nonce: frame[: len(frame) // 2]), BadAnswer)

    @pytest.mark.parametrize("body", [b"[]", b"{", b"null", b'{"commands": 3}', b'"text"', b"\xff"])
    def test_a_damaged_answer(self, body: bytes) -> None:
        def damaged(_frame: bytes, nonce: str) -> bytes:
            return b"\n%b %d\n%b\n%b\n" % (nonce.encode(), len(body), body, nonce.encode())

        assert isinstance(failure(damaged), BadAnswer)

    def test_an_answer_without_the_question(self) -> None:
        error = failure(lambda _frame, nonce: _framed(nonce, {"answers": {}}))
        assert "site is damaged" in error.message

    def test_a_plugin_that_dies_in_the_middle_is_named(self) -> None:
        fatal = "Uncaught Error: Call to undefined function foo() in /srv/wp-content/plugins/shop/shop.php on line 3"
        error = failure(lambda _frame, nonce: _framed(nonce, {"fatal": fatal, "doing": "mail"}))
        assert isinstance(error, BadAnswer)
        assert "while it did mail" in error.message
        assert "plugins/shop/shop.php" in error.message


class TestNotStarted:
    @pytest.mark.parametrize(
        ("stdout", "stderr", "kind", "words"),
        [
            (b"", b"agencystack: no-folder", ConfigurationError, "no folder /srv/acme"),
            (b"", b"agencystack: no-wordpress", ConfigurationError, "holds no WordPress"),
            (b"", b"agencystack: no-php", ConfigurationError, "neither WP-CLI nor PHP"),
            (b"", b"agencystack: no-database", Unavailable, "cannot reach its database"),
            (b"", b"agencystack: not-installed", ConfigurationError, "not installed yet"),
            (b"", b"Error: Error establishing a database connection.", Unavailable, "cannot reach its database"),
            (b"<h1>Briefly unavailable for scheduled maintenance.</h1>", b"", Unavailable, "maintenance"),
            (b"", b"Verify DOMAIN_CURRENT_SITE matches an existing site", ConfigurationError, "exec.url"),
            (b"", b"PHP Fatal error:  Uncaught Error: boom in /a.php:3", BadAnswer, "boom"),
            (b"something else", b"", BadAnswer, "something else"),
            (b"", b"", BadAnswer, "printed nothing"),
        ],
    )  # fmt: skip
    def test_each_kind_has_its_error(
        self, stdout: bytes, stderr: bytes, kind: type[AgencyStackError], words: str
    ) -> None:
        error = failure(lambda _frame, _nonce: stdout, stderr, 1)
        assert type(error) is kind
        assert words in str(error)
        assert error.remedy

    def test_a_long_fatal_is_short_and_without_its_trace(self) -> None:
        trace = "\n".join(f"#{number} /a.php(3): wpdb->__construct('user', 'secret-word')" for number in range(50))
        said = f"PHP Fatal error:  Uncaught Error: boom in /a.php:3\nStack trace:\n{trace}\n  thrown in /a.php"
        error = failure(lambda _frame, _nonce: b"", said.encode(), 255)
        assert "secret-word" not in str(error)
        assert len(error.message) < 500


class TestSecrets:
    def test_a_password_is_never_an_argument(self) -> None:
        executor = WatchingExecutor()
        executor.command = {"ok": True, "value": {}}
        client = wordpress(executor, url="https://acme.example")
        settings = MailSettings(password=Secret(CANARY), user="someone")
        client.write_mail_settings(Carrier.CONNECTOR, settings, expected=settings)
        client.restore_mail_settings(
            Carrier.CONNECTOR, MailImage.of({"option": CANARY, "defines": {}}), applied=settings
        )
        assert CANARY in json.dumps(executor.requests, ensure_ascii=False).replace("\\\\", "\\").replace('\\"', '"')
        arguments = [argument for argv in executor.argv for argument in argv]
        assert not [argument for argument in arguments if "canary" in argument or "someone" in argument]
        assert executor.argv[0] == executor.argv[1]
        assert executor.argv[0][4:6] == ["/srv/acme", "https://acme.example"]

    def test_a_refusal_that_quotes_the_password_is_masked(self) -> None:
        executor = WatchingExecutor()
        executor.command = {"ok": False, "reason": "error", "message": f"bad value {CANARY}"}
        with pytest.raises(Refused) as caught:
            wordpress(executor).write_mail_settings(Carrier.CONNECTOR, MailSettings(password=Secret(CANARY)))
        assert "canary" not in "".join(traceback.format_exception(caught.value))

    def test_damaged_mail_state_is_not_quoted(self) -> None:
        """Validation errors quote what they were given: here a password not yet known as one."""
        value = {"via": "none", "foreign": None, "carriers": {"wp-mail-smtp": {"fields": {"password": "fresh-word"}}}}
        executor = WatchingExecutor(
            lambda _frame, nonce: _framed(nonce, {"answers": {"mail {}": {"ok": True, "value": value}}})
        )
        with pytest.raises(BadAnswer) as caught:
            wordpress(executor).answer(MAIL)
        assert "fresh-word" not in "".join(traceback.format_exception(caught.value))

    def test_settings_and_images_do_not_show_what_they_hold(self) -> None:
        shown = repr((MailSettings(password=Secret(CANARY)), MailImage.of({"option": {"value": "c2VjcmV0"}})))
        assert "canary" not in shown
        assert "c2VjcmV0" not in shown


def test_constants_that_cannot_be_changed_are_given_as_lines() -> None:
    executor = WatchingExecutor()
    names = ["WPMS_SMTP_HOST", "WPMS_SMTP_PORT", "WPMS_SMTP_AUTH", "WPMS_SMTP_PASS"]
    executor.command = {"ok": False, "reason": "constants", "message": "x", "details": {"names": names}}
    settings = MailSettings(host="it's.example", user="someone", password=Secret(CANARY))
    with pytest.raises(ConfigurationError) as caught:
        wordpress(executor).write_mail_settings(Carrier.WP_MAIL_SMTP, settings)
    assert "define( 'WPMS_SMTP_HOST', 'it\\'s.example' );" in caught.value.remedy
    assert "define( 'WPMS_SMTP_PORT', 465 );" in caught.value.remedy
    assert "define( 'WPMS_SMTP_AUTH', true );" in caught.value.remedy
    assert "(the password of someone)" in caught.value.remedy
    assert "canary" not in str(caught.value)


def test_our_connector_is_found_and_whole() -> None:
    files = connector_files()
    assert {"agencystack-connector.php", "uninstall.php", "readme.txt", "includes/class-mail.php"} <= set(files)


def test_the_owner_of_a_site_is_read_without_running_it() -> None:
    class Stat(WatchingExecutor):
        def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
            self.argv.append(argv)
            return Finished(0, b"acme\n", b"") if argv[-1] == "/srv/acme" else Finished(1, b"", b"")

    assert owner_of_wp_config(Stat(), "/srv/acme") == "acme"
    with pytest.raises(ConfigurationError, match=r"no wp-config\.php in /srv/lost"):
        owner_of_wp_config(Stat(), "/srv/lost")


def _framed(nonce: str, data: object) -> bytes:
    body = json.dumps(data)
    return f"\n{nonce} {len(body)}\n{body}\n{nonce}\n".encode()
