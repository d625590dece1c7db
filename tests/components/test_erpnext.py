"""ERPNext's client: what a person is told when ERPNext or its mail server declines, and how often it asks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from agencystack.components.erpnext import ErpNext, ErpNextRefused
from agencystack.sandbox.erpnext import ErpNextStandIn, Patience
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.mail_servers import Mailbox, imap, silent, smtp
from tests.serving import free_port, served

WHERE = ComponentRef("acme", "erpnext")
RIGHT, WRONG = Secret("mailpw"), Secret("not-the-password")


@dataclass
class Counted:
    """A stand-in that notes what it was asked."""

    app: Any
    calls: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)

    hides: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append((scope["method"], scope["path"]))
        self.cookies += [value.decode() for name, value in scope["headers"] if name == b"cookie"]
        await self.app(scope, receive, self.without_tracebacks(send) if self.hides else send)

    @staticmethod
    def without_tracebacks(send: Any) -> Any:
        """Blank a refusal's ``exc`` and ``exception``; of the same length, as it was announced."""

        async def sending(message: Any) -> None:
            body = message.get("body", b"")
            if body.startswith(b'{"exc_type"'):
                shown = json.dumps({k: v for k, v in json.loads(body).items() if k not in {"exc", "exception"}})
                message = {**message, "body": shown.encode().ljust(len(body))}
            await send(message)

        return sending


@dataclass
class Site:
    """A site with a mail server, and our client of it."""

    client: ErpNext
    mailbox: Mailbox
    smtp: int
    smtps: int
    calls: list[tuple[str, str]]
    cookies: list[str]
    counted: Counted

    def account(self, **changes: object) -> dict[str, object]:
        """Return the fields of an account that works."""
        wanted: dict[str, object] = {
            "email_id": "erp@acme.example",
            "enable_outgoing": True,
            "smtp_server": "127.0.0.1",
            "smtp_port": self.smtp,
            "use_tls": True,
        }
        return wanted | changes

    def save(self, name: str = "Mail", *, password: Secret | None = RIGHT, **changes: object) -> Any:
        return self.client.insert_email_account(name, self.account(**changes), password=password)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    mailbox = Mailbox()
    stand_in = ErpNextStandIn(tmp_path / "site", patience=Patience(3, 3))
    counted = Counted(stand_in.app)
    with ExitStack() as stack:
        ports = [stack.enter_context(smtp(mailbox, tmp_path / "tls", implicit_tls=tls)) for tls in (False, True)]
        url = stack.enter_context(served(counted))
        client = ErpNext(WHERE, url, Secret(stand_in.api_key), Secret(stand_in.api_secret))
        stack.callback(client.close)
        yield Site(client, mailbox, *ports, counted.calls, counted.cookies, counted)


# -- what the product's own check of mail settings says --------------------------------------------------------------


def refusal(save: Callable[[], object]) -> ErpNextRefused:
    with pytest.raises(ErpNextRefused) as caught:
        save()
    assert caught.value.component == WHERE
    assert caught.value.remedy
    return caught.value


def test_wrong_password(site: Site) -> None:
    error = refusal(lambda: site.save(password=WRONG))
    assert f"127.0.0.1:{site.smtp} did not accept the login of erp@acme.example" in error.message
    assert error.kind == "InvalidEmailCredentials"
    assert "rotate" in error.remedy
    assert WRONG.reveal() not in str(error)


def test_wrong_password_on_update_names_the_server_that_is_not_sent_again(site: Site) -> None:
    site.save()
    site.client.email_accounts()
    error = refusal(lambda: site.client.update_email_account("Mail", {}, password=WRONG))
    assert f"127.0.0.1:{site.smtp} did not accept the login of erp@acme.example" in error.message


def test_host_that_does_not_resolve(site: Site) -> None:
    error = refusal(lambda: site.save(smtp_server="mail.nowhere.invalid"))
    assert f"cannot resolve the host name of mail.nowhere.invalid:{site.smtp}" in error.message
    assert "internal_url" in error.remedy


def test_port_nothing_listens_on(site: Site) -> None:
    port = free_port()
    error = refusal(lambda: site.save(smtp_port=port))
    assert f"nothing accepts connections at 127.0.0.1:{port}" in error.message


def test_tls_from_the_first_byte_on_a_port_that_speaks_first(site: Site) -> None:
    error = refusal(lambda: site.save(use_tls=False, use_ssl_for_outgoing=True))
    assert f"TLS does not fit 127.0.0.1:{site.smtp}" in error.message
    assert "port 465 wants use_ssl_for_outgoing" in error.remedy


def test_plain_on_a_port_with_tls_from_the_first_byte_is_a_server_that_does_not_answer(site: Site) -> None:
    # Both ends wait for the other's first byte: nobody can tell this from a server that hangs.
    error = refusal(lambda: site.save(smtp_port=site.smtps, use_tls=False))
    assert f"127.0.0.1:{site.smtps} did not answer ERPNext in time" in error.message


def test_self_signed_certificates_are_accepted_as_the_product_does(site: Site) -> None:
    assert site.save().use_tls
    other = site.save("Other", email_id="o@acme.example", smtp_port=site.smtps, use_tls=False, use_ssl_for_outgoing=1)
    assert other.use_ssl_for_outgoing


def test_password_missing(site: Site) -> None:
    error = refusal(lambda: site.save(password=None, smtp_server="mail.nowhere.invalid"))
    assert "no password is stored for erp@acme.example" in error.message


def test_a_site_in_another_language_is_understood(tmp_path: Path) -> None:
    """Recorded in language.json: the texts we recognise causes by are translated unless the request asks otherwise."""
    stand_in = ErpNextStandIn(tmp_path / "site", language="de", patience=Patience(3, 3))
    port = free_port()
    values = {"email_id": "erp@acme.example", "enable_outgoing": True, "smtp_server": "127.0.0.1", "smtp_port": port}
    with served(stand_in.app) as url:
        client = ErpNext(WHERE, url, Secret(stand_in.api_key), Secret(stand_in.api_secret))
        error = refusal(lambda: client.insert_email_account("Mail", {**values, "smtp_server": "mail.acme.example"}))
        assert "no password is stored for erp@acme.example" in error.message
        error = refusal(lambda: client.insert_email_account("Mail", values, password=RIGHT))
        assert "it said: Invalid Outgoing Mail Server" in error.message


def test_what_may_not_be_in_a_name_is_quoted_whole(site: Site) -> None:
    with pytest.raises(ErpNextRefused, match="cannot contain special characters like '<', '>'"):
        site.save("Acme <Mail>")


def test_an_error_of_its_own_is_not_called_a_refusal_of_ours() -> None:
    body = {"exc_type": "AttributeError", "exception": "AttributeError: 'NoneType' object has no attribute 'get'"}
    with served(answering(lambda _: JSONResponse(body, status_code=500))) as url:
        error = refusal(lambda: client_of(url).insert("Customer", {}))
    assert "it failed with an AttributeError of its own" in error.message
    assert "Error Log" in error.remedy


def test_address_another_account_has(site: Site) -> None:
    site.save()
    for hidden in (False, True):
        site.counted.hides = hidden
        error = refusal(lambda: site.save("Second"))
        assert error.kind == "UniqueValidationError"
        assert "another Email Account has the address erp@acme.example" in error.message


def test_name_another_account_has(site: Site) -> None:
    site.save()
    error = refusal(lambda: site.save(email_id="else@acme.example"))
    assert (error.status, error.kind) == (409, "DuplicateEntryError")
    assert "Email Account Mail already exists" in error.message, "without the product's HTML"


def test_incoming_without_folder_and_with_wrong_password(site: Site) -> None:
    with imap() as port:
        incoming = {"enable_incoming": True, "use_imap": True, "email_server": "127.0.0.1", "incoming_port": port}
        assert "needs a folder" in refusal(lambda: site.save(**incoming)).message
        folders = incoming | {"imap_folder": [{"folder_name": "INBOX"}]}
        error = refusal(lambda: site.save(password=WRONG, **folders))
        assert f"127.0.0.1:{port} did not accept the login" in error.message
        saved = site.save(**folders)
        assert [folder.folder_name for folder in saved.imap_folder] == ["INBOX"]


def test_incoming_server_that_is_down(site: Site) -> None:
    port = free_port()
    incoming = {"email_server": "127.0.0.1", "incoming_port": port, "imap_folder": [{"folder_name": "INBOX"}]}
    error = refusal(lambda: site.save(enable_incoming=True, use_imap=True, **incoming))
    assert f"nothing accepts connections at 127.0.0.1:{port}" in error.message


def domain_fields(site: Site, imap_port: int, **changes: object) -> dict[str, object]:
    wanted: dict[str, object] = {"email_server": "127.0.0.1", "use_imap": True, "incoming_port": imap_port}
    return wanted | {"smtp_server": "127.0.0.1", "smtp_port": site.smtp, "use_tls": True} | changes


def test_email_domain_is_saved_after_both_servers_answered(site: Site) -> None:
    with imap() as port:
        saved = site.client.insert_email_domain("acme.example", domain_fields(site, port))
        assert site.client.email_domain("acme.example") == saved
        dead = free_port()

        def change():
            return site.client.update_email_domain("acme.example", {"smtp_port": dead, "smtp_server": "127.0.0.1"})

        assert f"nothing accepts connections at 127.0.0.1:{dead}" in refusal(change).message
    gone = refusal(lambda: site.client.update_email_domain("acme.example", domain_fields(site, port)))
    assert f"nothing accepts connections at 127.0.0.1:{port}" in gone.message, (
        "the incoming server is the one that is down"
    )


def test_a_domain_also_tests_its_accounts_and_the_failing_one_is_named(site: Site) -> None:
    with imap() as port:
        site.client.insert_email_domain("acme.example", domain_fields(site, port))
        site.save(domain="acme.example")
        site.mailbox.password = "changed-behind-its-back"
        error = refusal(lambda: site.client.update_email_domain("acme.example", {"attachment_limit": 5}))
    assert 'also saves Email Account "Mail", whose own check fails' in error.message


def test_a_new_default_also_tests_the_old_one(site: Site, tmp_path: Path) -> None:
    other = Mailbox()
    with smtp(other, tmp_path / "tls") as port:
        site.save("Theirs", email_id="theirs@acme.example", smtp_port=port, default_outgoing=True)
    error = refusal(lambda: site.save(default_outgoing=True))
    assert "also saves the Email Account that is the default now" in error.message
    without_tracebacks(site)
    error = refusal(lambda: site.save(default_outgoing=True))
    assert f'nothing accepts connections at 127.0.0.1:{site.smtp} or 127.0.0.1:{port} of Email Account "Theirs"' in (
        error.message
    ), "a site that hides tracebacks does not tell which of the two it was"
    assert [account.name for account in site.client.email_accounts() if account.default_outgoing] == ["Theirs"]


def without_tracebacks(site: Site) -> None:
    """Take from refusals what System Settings' "Show Full Error and Allow Reporting" takes when it is off."""
    site.counted.hides = True


def test_only_one_account_is_the_default(site: Site) -> None:
    site.save("Theirs", email_id="theirs@acme.example", default_outgoing=True)
    site.save(default_outgoing=True)
    assert {a.name: a.default_outgoing for a in site.client.email_accounts() if a.enable_outgoing} == {
        "Theirs": False,
        "Mail": True,
    }


def test_a_value_erpnext_drops_without_a_word_is_reported(site: Site) -> None:
    with pytest.raises(Refused, match="did not keep no_such_field"):
        site.save(no_such_field="x")
    with pytest.raises(Refused, match=r"did not keep default_outgoing .*can only be enabled if Enable Outgoing"):
        site.save("Off", email_id="off@acme.example", enable_outgoing=False, default_outgoing=True)


def test_a_stale_write_is_refused(site: Site) -> None:
    stale = site.save().modified
    site.client.update_email_account("Mail", {"track_email_status": False})
    error = refusal(lambda: site.client.update_email_account("Mail", {"use_tls": True}, modified=stale))
    assert error.kind == "TimestampMismatchError"
    assert "somebody changed it since it was read" in error.message


def test_password_stays_when_none_is_sent_and_is_never_shown(site: Site) -> None:
    saved = site.save()
    assert saved.password_is_set
    assert site.client.update_email_account("Mail", {"send_unsubscribe_message": False}).password_is_set
    assert site.client.send_mail("jane@acme.example", "s", "<p>x</p>", sender="erp@acme.example")
    assert RIGHT.reveal() not in repr(saved)
    assert "*" not in repr(saved), "the mask has as many asterisks as the password has characters"


# -- sending ---------------------------------------------------------------------------------------------------------


def test_mail_leaves_as_the_account_when_the_account_says_so(site: Site) -> None:
    always = {"always_use_account_email_id_as_sender": True, "always_use_account_name_as_sender_name": True}
    site.save("Acme Shop", default_outgoing=True, **always)
    sent = site.client.send_mail("jane@acme.example", "Hello nonce-1", "<p>Hi</p>")
    mail = site.mailbox.received[-1]
    assert (mail.sender, mail.to, mail.user, mail.tls) == (
        "erp@acme.example",
        ["jane@acme.example"],
        "erp@acme.example",
        True,
    )
    assert "From: Acme Shop <erp@acme.example>" in mail.data
    assert "Subject: Hello nonce-1" in mail.data
    assert f"Message-Id: <{sent.message_id}>" in mail.data
    assert sent.sender == "Acme Shop <erp@acme.example>"
    assert 0 < sent.seconds < 30


def test_mail_leaves_as_the_caller_otherwise(site: Site) -> None:
    site.save(default_outgoing=True)
    site.client.send_mail("jane@acme.example", "Hello", "<p>Hi</p>")
    assert site.mailbox.received[-1].sender == "integration@example.com"


def test_no_account_to_send_with(site: Site) -> None:
    with pytest.raises(Refused, match="no Email Account is the default for outgoing mail") as caught:
        site.client.send_mail("jane@acme.example", "s", "x")
    assert caught.value.remedy == "run agencystack integrate email"


def test_mail_server_that_refuses_the_sender(site: Site) -> None:
    site.mailbox.refuse_sender = "erp@acme.example"
    site.save(default_outgoing=True)
    error = refusal(lambda: site.client.send_mail("jane@acme.example", "s", "x"))
    assert "does not let it send from this sender address" in error.message
    assert "not owned by user" in error.message
    assert "always_use_account_email_id_as_sender" in error.remedy


def test_mail_server_that_refuses_the_recipient(site: Site) -> None:
    site.save(default_outgoing=True)
    error = refusal(lambda: site.client.send_mail("nobody@acme.example", "s", "x"))
    assert "does not take mail for the recipient" in error.message
    rows = site.client.documents("Email Queue", fields=["status", "retry", "error"])
    assert [(row["status"], row["retry"]) for row in rows] == [("Not Sent", 1)], "it stays queued, as in the product"
    assert "no such user" in rows[0]["error"]


def test_login_that_stopped_working(site: Site) -> None:
    site.save(default_outgoing=True)
    site.mailbox.password = "changed-behind-its-back"
    error = refusal(lambda: site.client.send_mail("jane@acme.example", "s", "x"))
    assert error.kind == "InvalidEmailCredentials"


def test_recipient_who_is_a_disabled_user(site: Site) -> None:
    site.save(default_outgoing=True)
    site.client.insert("User", {"email": "off@acme.example", "first_name": "Off", "enabled": 0})
    with pytest.raises(Refused, match=r"wrote the mail to off@acme\.example but queued nothing"):
        site.client.send_mail("off@acme.example", "s", "x")


def test_hanging_mail_server_ends_at_our_limit_on_save_and_on_sending(tmp_path: Path) -> None:
    mailbox = Mailbox()
    stand_in = ErpNextStandIn(tmp_path / "site", patience=Patience(8, 8))
    with ExitStack() as stack:
        good, hangs = stack.enter_context(smtp(mailbox, tmp_path / "tls")), stack.enter_context(silent())
        url = stack.enter_context(served(stand_in.app))
        client = ErpNext(WHERE, url, Secret(stand_in.api_key), Secret(stand_in.api_secret), mail_limit=1)
        values = {
            "email_id": "erp@acme.example",
            "enable_outgoing": True,
            "smtp_server": "127.0.0.1",
            "smtp_port": hangs,
        }
        started = time.monotonic()
        with pytest.raises(Unavailable, match=rf"within 1 s: .* waiting for 127.0.0.1:{hangs}") as caught:
            client.insert_email_account("Mail", values, password=RIGHT)
        assert "120 s" in caught.value.remedy

        patient = ErpNext(WHERE, url, Secret(stand_in.api_key), Secret(stand_in.api_secret))
        patient.insert_email_account("Mail", {**values, "smtp_port": good, "default_outgoing": 1}, password=RIGHT)
        move_account(stand_in, hangs)
        with pytest.raises(Unavailable, match=r"did not send the mail to jane@acme\.example within 1 s") as caught:
            patient.send_mail("jane@acme.example", "s", "x", limit=1)
        assert time.monotonic() - started < 7, "before the stand-in gives up"
    assert mailbox.received == []


def move_account(stand_in: ErpNextStandIn, port: int) -> None:
    """Give the account another port behind everybody's back, as when a mail server breaks later."""
    transaction = stand_in._store.begin()
    account = transaction.get("Email Account", "Mail")
    assert account is not None
    transaction.put({**account, "smtp_port": port})
    transaction.commit()


# -- answers no healthy ERPNext gives --------------------------------------------------------------------------------


def answering(answer: Callable[[Request], Response]) -> Starlette:
    async def serve(request: Request) -> Response:
        return answer(request)

    return Starlette(routes=[Route("/{path:path}", serve, methods=["GET", "POST", "PUT", "DELETE"])])


def client_of(url: str, **changes: Any) -> ErpNext:
    return ErpNext(WHERE, url, Secret("a-key-of-this-test"), Secret("a-secret-of-this-test"), **changes)


@pytest.mark.parametrize("status", [200, 404])
def test_html_is_never_taken_for_an_absent_document(status: int) -> None:
    page = answering(lambda _: HTMLResponse("<h1>localhost does not exist</h1>", status_code=status))
    with served(page) as url, pytest.raises(BadAnswer, match="instead of JSON") as caught:
        client_of(url).document("User", "x")
    assert "several sites" in caught.value.remedy


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"message": "x"}, "an answer without data"),
        ({"data": [1]}, "a document"),
        ([1], "GET /api/resource/Email%20Domain/x"),
        ({"data": {"name": "x", "attachment_limit": "many"}}, "fields: attachment_limit"),
    ],
)
def test_json_that_is_not_the_interface(body: object, what: str) -> None:
    with served(answering(lambda _: JSONResponse(body))) as url, pytest.raises(BadAnswer) as caught:
        client_of(url).email_domain("x")
    assert what in caught.value.message


def test_unreachable_is_not_absent() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        client_of(f"http://127.0.0.1:{free_port()}").email_domain("x")


def test_unknown_doctype_is_not_absent(site: Site) -> None:
    with pytest.raises(ErpNextRefused, match="DocType Nonsense not found"):
        site.client.document("Nonsense", "x")


def test_wrong_secret_and_missing_permission_have_their_own_remedy(site: Site) -> None:
    url = site.client._api.base_url
    with pytest.raises(AuthenticationFailed) as caught:
        client_of(url).whoami()
    assert "make new keys" in caught.value.remedy
    assert "a-secret-of-this-test" not in str(caught.value)

    user = {"email": "clerk@acme.example", "first_name": "Clerk", "roles": [{"role": "Sales User"}]}
    site.client.insert("User", user)
    secret = site.client.call("frappe.core.doctype.user.user.generate_keys", {"user": "clerk@acme.example"})
    key = (site.client.document("User", "clerk@acme.example") or {})["api_key"]
    clerk = ErpNext(WHERE, url, Secret(key), Secret(secret["api_secret"]))
    assert clerk.whoami() == "clerk@acme.example"
    with pytest.raises(AuthenticationFailed, match="does not have doctype access") as caught:
        clerk.email_accounts()
    assert "System Manager" in caught.value.remedy
    assert "<strong>" not in caught.value.message


def queue_of(states: list[dict[str, Any]]) -> Starlette:
    """Serve a site whose queue row goes through ``states``."""
    left = list(states)

    def answer(request: Request) -> Response:
        if request.url.path.endswith("email.make"):
            return JSONResponse({"message": {"name": "comm", "emails_not_sent_to": ""}})
        if request.url.path.endswith("send_now"):
            return JSONResponse({})
        row = left.pop(0) if len(left) > 1 else left[0]
        return JSONResponse(
            {"data": [{"name": "row", "sender": "a@b.example", "message_id": "1@b", "error": None, **row}]}
        )

    return answering(answer)


def test_muted_mail_is_not_sent_mail() -> None:
    with (
        served(queue_of([{"status": "Not Sent"}])) as url,
        pytest.raises(Refused, match='in its queue as "Not Sent"') as caught,
    ):
        client_of(url).send_mail("jane@acme.example", "s", "x")
    assert "mute_emails" in caught.value.remedy


def test_mail_the_scheduler_took_first_is_awaited() -> None:
    states = [{"status": "Not Sent"}, {"status": "Sending"}, {"status": "Sending"}, {"status": "Sent"}]
    with served(queue_of(states)) as url:
        assert client_of(url).send_mail("jane@acme.example", "s", "x").queue == "row"


def test_mail_that_stays_in_sending_ends_at_the_limit() -> None:
    with served(queue_of([{"status": "Sending"}])) as url, pytest.raises(Unavailable, match="within 1 s"):
        client_of(url).send_mail("jane@acme.example", "s", "x", limit=1)


def test_reason_of_a_failed_mail_is_the_last_line_of_its_traceback() -> None:
    trace = "Traceback (most recent call last):\n  File x\nConnectionRefusedError: [Errno 111] Connection refused\n"
    with served(queue_of([{"status": "Error", "error": trace}])) as url, pytest.raises(Refused) as caught:
        client_of(url).send_mail("jane@acme.example", "s", "x")
    assert "nothing accepts connections at the outgoing server" in caught.value.message


def test_refusal_never_repeats_a_secret() -> None:
    body = {"exc_type": "ValidationError", "exception": "frappe.exceptions.ValidationError: bad mailpw-canary"}
    refusing = answering(lambda _: JSONResponse(body, status_code=417))
    with served(refusing) as url, pytest.raises(ErpNextRefused) as caught:
        client_of(url).insert_email_account("Mail", {"email_id": "a@b.example"}, password=Secret("mailpw-canary"))
    assert "mailpw-canary" not in str(caught.value)


# -- how often it asks -----------------------------------------------------------------------------------------------


def test_accounts_are_asked_once_until_something_is_saved(site: Site) -> None:
    threads = [threading.Thread(target=site.client.email_accounts) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.calls) == 4, "one list and the three accounts every site is born with"
    site.client.email_account("Notifications")
    assert len(site.calls) == 4
    site.save()
    assert "Mail" in {account.name for account in site.client.email_accounts()}
    assert len(site.calls) == 4 + 1 + 5
    site.client.forget()
    site.client.email_accounts()
    assert len(site.calls) == 4 + 1 + 5 + 5


def test_a_refused_save_makes_it_ask_again(site: Site) -> None:
    site.client.email_accounts()
    refusal(lambda: site.save(password=WRONG))
    before = len(site.calls)
    site.client.email_accounts()
    assert len(site.calls) > before


def test_no_cookie_is_ever_sent_back(site: Site) -> None:
    site.client.whoami()
    site.client.whoami()
    assert site.cookies == []


def test_names_are_fully_encoded_in_the_path(site: Site) -> None:
    name = "50% A/B & Co? #1 ü"
    site.client.insert("Role", {"role_name": name})
    assert (site.client.document("Role", name) or {})["name"] == name
    assert site.client.delete("Role", name) is True
    assert site.client.document("Role", name) is None
    assert site.client.delete("Role", name) is False


def test_lists_are_whole_unless_limited(site: Site) -> None:
    for number in range(25):
        site.client.insert("Role", {"role_name": f"R{number:02}"})
    every = [["name", "like", "R__"]]
    assert len(site.client.documents("Role", filters=every)) == 25, "the product's own default would be 20"
    page = site.client.documents(
        "Role", fields=["name", "disabled"], filters=every, order_by="name desc", limit=2, start=1
    )
    assert page == [{"name": "R23", "disabled": 0}, {"name": "R22", "disabled": 0}]
    assert site.client.documents("Role", filters={"name": "R03"}) == [{"name": "R03"}]


def test_the_site_is_named_where_the_address_does_not() -> None:
    def answer(request: Request) -> Response:
        return JSONResponse({"message": request.headers["host"]})

    with served(answering(answer)) as url:
        assert client_of(url, host_header="erp.acme.example").whoami() == "erp.acme.example"


def test_factory_defaults_are_told_from_an_account_in_use(site: Site) -> None:
    assert {account.name: account.is_factory_default for account in site.client.email_accounts()} == {
        "Email Linking": True,
        "Notifications": True,
        "Replies": True,
    }
    domain = site.client.email_domain("example.com")
    assert domain is not None
    assert domain.is_factory_default
    put_to_use = {**site.account(), "email_id": "notifications@example.com", "domain": ""}
    assert not site.client.update_email_account("Notifications", put_to_use, password=RIGHT).is_factory_default


def test_versions_are_those_of_the_installed_apps(site: Site) -> None:
    recorded = json.loads((Path(__file__).parents[1] / "contract/recordings/erpnext/auth.json").read_text())
    apps = next(one for one in recorded if one["name"] == "app versions")["response"]["body"]["message"]
    found = site.client.versions()
    assert found.pop("agencystack_connector"), "the sandbox's ERPNext has our app"
    assert found == {name: app["version"] for name, app in apps.items()}
