"""Reading a probe mailbox: what a mail shows of its way, how long it took, and why a mailbox cannot be read."""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.mailbox import Mailbox, Signature
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Unavailable
from agencystack.stack.secrets import Secret
from tests.mail_fixtures import ERP, PASSWORD, SHOP, Mail, mail_server, message
from tests.serving import free_port

WHERE = ComponentRef("shared", "mailu")


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    with mail_server(tmp_path) as running:
        yield running


def mailbox(
    mail: Mail, password: Secret = PASSWORD, *, ca_file: Path | None = None, port: int | None = None
) -> Mailbox:
    return Mailbox(
        WHERE,
        "localhost",
        SHOP,
        password,
        port=port or mail.imap_port,
        ca_file=ca_file or mail.certificates.ca,
    )


def test_a_mail_shows_who_sent_it_and_who_signed(mail: Mail) -> None:
    mail.api.post("/domain/client1.test/dkim")
    mail.submit(message("Prüfung nonce-1", header_from="Ärzte AG <sales@client1.test>"), to=[SHOP])
    received = mailbox(mail).wait_for("nonce-1", 30)
    assert received is not None
    assert received.subject == "Prüfung nonce-1"
    assert received.envelope_sender == ERP
    assert (received.from_name, received.header_from) == ("Ärzte AG", "sales@client1.test")
    assert received.signatures == (Signature("client1.test", "dkim"),)
    assert "by mail.lab.test (Postfix) with ESMTP" in received.received[-1]
    assert received.seconds < 30


def test_a_nonce_in_the_text_is_found_too(mail: Mail) -> None:
    sent = message("no nonce here")
    sent.set_content("the nonce is nonce-2\n")
    mail.submit(message("another"), to=[SHOP])
    mail.submit(sent, to=[SHOP])
    received = mailbox(mail).wait_for("nonce-2", 30)
    assert received is not None
    assert (received.subject, received.signatures) == ("no nonce here", ())


def test_a_mail_that_comes_later_is_waited_for(mail: Mail) -> None:
    timer = threading.Timer(1.0, lambda: mail.submit(message("late nonce-3"), to=[SHOP]))
    timer.start()
    received = mailbox(mail).wait_for("nonce-3", 20)
    timer.join()
    assert received is not None
    assert 0.9 < received.seconds < 20


def refused(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let a mailbox not be opened so many times; returns what was asked for."""
    asked: list[str] = []
    opened = imaplib.IMAP4_SSL.select

    def select(server: imaplib.IMAP4_SSL, name: str = "INBOX", readonly: bool = False) -> Any:
        asked.append(name)
        return ("NO", [b"[SERVERBUG] try later"]) if len(asked) <= times else opened(server, name, readonly)

    monkeypatch.setattr(imaplib.IMAP4_SSL, "select", select)
    return asked


def test_a_mailbox_that_is_being_made_ready_is_opened_a_moment_later(
    mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.submit(message("n-1"), to=[SHOP])
    asked = refused(monkeypatch, 2)
    assert mailbox(mail).wait_for("n-1", 30) is not None
    assert len(asked) > 3


def test_a_mailbox_that_stays_closed_is_named_with_what_was_said(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, 1000)
    with pytest.raises(BadAnswer, match="SERVERBUG"):
        mailbox(mail).wait_for("n-1", 1)
    with pytest.raises(BadAnswer, match="SERVERBUG"):
        mailbox(mail).count()


def test_a_mail_that_never_comes_is_none(mail: Mail) -> None:
    mail.submit(message("other"), to=[SHOP])
    assert mailbox(mail).wait_for("nonce-4", 0.5) is None


def test_reading_leaves_the_mail_unread(mail: Mail) -> None:
    mail.submit(message("nonce-5"), to=[SHOP])
    assert mailbox(mail).wait_for("nonce-5", 30) is not None
    assert [stored.flags for stored in mail.maildirs.of(SHOP).mails()] == [""]


def test_count(mail: Mail) -> None:
    assert mailbox(mail).count() == 0
    mail.submit(message(), to=[SHOP])
    assert mailbox(mail).count() == 1


def test_a_nonce_cannot_carry_a_command(mail: Mail) -> None:
    with pytest.raises(ValueError, match="cannot be searched for"):
        mailbox(mail).wait_for('x"\r\nA1 LOGOUT', 1)


def test_wrong_password_is_authentication_and_shows_none(mail: Mail) -> None:
    with pytest.raises(AuthenticationFailed, match=r"refused the IMAP login of shop@client1\.test") as caught:
        mailbox(mail, Secret("not-the-password")).count()
    assert "not-the-password" not in str(caught.value)


def test_unknown_authority(mail: Mail, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not trusted") as caught:
        mailbox(mail, ca_file=ensure_certificates(tmp_path / "other").ca).count()
    assert "ca_file" in caught.value.remedy


def test_closed_port(mail: Mail) -> None:
    with pytest.raises(Unavailable, match="cannot be reached at localhost"):
        mailbox(mail, port=free_port()).count()


def test_something_else_than_imap(mail: Mail) -> None:
    with pytest.raises(BadAnswer, match="answered IMAP at localhost"):
        mailbox(mail, port=mail.tls_port).count()
