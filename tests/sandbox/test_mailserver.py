"""The stand-in's mail side, against what was recorded of the real one (recordings/mailu/mail_behaviour*.json)."""

from __future__ import annotations

import imaplib
import json
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim
import pytest

from agencystack.sandbox.mailu_state import dkim_public
from tests.mail_fixtures import ERP, PASSWORD, SHOP, Mail, mail_server, message

RECORDINGS = Path(__file__).parent.parent / "contract" / "recordings" / "mailu"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    with mail_server(tmp_path) as running:
        yield running


def recorded(case: str) -> dict[str, Any]:
    cases = [
        entry
        for name in ("mail_behaviour", "mail_behaviour_2")
        for entry in json.loads((RECORDINGS / f"{name}.json").read_text())["cases"]
    ]
    return next(entry for entry in cases if entry["case"] == case)


def outcome(mail: Mail, case: dict[str, Any], password: str) -> tuple[str, str]:
    """Do what a recorded case did and return what came of it, in the recording's words."""
    subject = message("GTUBE" if case["case"] == "GTUBE" else "a case", to=case["rcpt"])
    if case["case"] == "GTUBE":
        subject.set_content("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
    if case["tls"] == "implicit":
        server: smtplib.SMTP = mail.session()
    else:
        server = smtplib.SMTP(mail.host, mail.starttls_port, timeout=10)
    try:
        if case["tls"] == "starttls":
            server.starttls(context=mail.trusting())
        if case["user"]:
            server.login(case["user"], password)
        server.sendmail(case["mail_from"], [case["rcpt"]], subject.as_bytes())
    except smtplib.SMTPRecipientsRefused as error:
        return "SMTPRecipientsRefused", str(error.recipients)
    except smtplib.SMTPSenderRefused as error:
        return "SMTPSenderRefused", str((error.smtp_code, error.smtp_error, error.sender))
    except smtplib.SMTPResponseException as error:
        return type(error).__name__, str((error.smtp_code, error.smtp_error))
    except smtplib.SMTPException as error:
        return type(error).__name__, str(error)
    finally:
        server.close()
    return "accepted", ""


@pytest.mark.parametrize(
    "name",
    [
        "password 587 starttls",
        "password 465 implicit",
        "587 no auth",
        "username without domain",
        "username uppercase",
        "envelope from another mailbox (spoof)",
        "envelope from unknown domain",
        "envelope own+tag",
        "header From differs, envelope own",
        "unknown local recipient",
        "external recipient (no DNS in lab)",
        "GTUBE",
        "outsider (rip!=lip) 587 without TLS: EHLO + AUTH",
    ],
)
def test_submission_ends_as_recorded(mail: Mail, name: str) -> None:
    case = recorded(name)
    wanted = ("accepted", "") if case["result"] == "accepted" else (case["error"], case["detail"])
    assert outcome(mail, case, PASSWORD.reveal()) == wanted


@pytest.mark.parametrize("name", ["wrong password", "unknown user"])
def test_wrong_logins_are_refused_as_recorded(mail: Mail, name: str) -> None:
    case = recorded(name)
    assert outcome(mail, case, "a-wrong-password") == (case["error"], case["detail"])


def test_disabled_mailbox_is_refused_as_recorded(mail: Mail) -> None:
    token = mail.api.post("/token", json={"email": ERP}).json()["token"]
    mail.api.patch(f"/user/{ERP}", json={"enabled": False})
    for name, password in (("disabled user password", PASSWORD.reveal()), ("disabled user token", token)):
        case = recorded(name)
        assert outcome(mail, case, password) == (case["error"], case["detail"])


def test_tokens_open_from_their_networks_alone(mail: Mail) -> None:
    here = mail.api.post("/token", json={"email": ERP, "AuthorizedIP": ["127.0.0.0/8"]}).json()
    elsewhere = mail.api.post("/token", json={"email": ERP, "AuthorizedIP": ["203.0.113.0/24"]}).json()
    assert outcome(mail, recorded("app token 587"), here["token"]) == ("accepted", "")
    case = recorded("token from unauthorised IP")
    assert outcome(mail, case, elsewhere["token"]) == (case["error"], case["detail"])
    mail.api.delete(f"/token/{here['id']}")
    case = recorded("deleted token")
    assert outcome(mail, case, here["token"]) == (case["error"], case["detail"])


def test_allow_spoofing_lifts_the_sender_rule(mail: Mail) -> None:
    mail.api.patch(f"/user/{ERP}", json={"allow_spoofing": True})
    assert outcome(mail, recorded("spoof with allow_spoofing"), PASSWORD.reveal()) == ("accepted", "")


def test_an_alias_may_be_sent_as_by_who_it_points_to(mail: Mail) -> None:
    mail.api.post("/alias", json={"email": "sales@client1.test", "destination": [ERP]})
    mail.submit(message(header_from="sales@client1.test"), sender="sales@client1.test", to=[SHOP])
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail.submit(message(), sender="sales@client1.test", login=SHOP, to=[SHOP])


def test_the_limit_counts_recipients(tmp_path: Path) -> None:
    case = recorded("after limit, single recipient")
    with mail_server(tmp_path, recipients_per_day=4) as mail:
        mail.submit(message(), to=[SHOP, ERP, SHOP])
        mail.submit(message(), to=[SHOP])
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            mail.submit(message(), to=[ERP])
        mail.submit(message(), login=SHOP, sender=SHOP, to=[ERP])
    assert f"SMTPRecipientsRefused({caught.value.recipients})" == case["error"].replace("burst@", "erp@")


def test_mail_is_signed_with_the_key_in_the_expected_record(mail: Mail) -> None:
    mail.api.post("/domain/client1.test/dkim")
    mail.submit(message("signed"), to=[SHOP])
    (stored,) = mail.maildirs.of(SHOP).mails()
    key = mail.mailu.dkim_key("client1.test")
    assert key is not None
    record = f"v=DKIM1; k=rsa; p={dkim_public(key.private_pem)}".encode()
    # What delivery put on top is not signed: start at the signature, as a receiver's parser does by name.
    assert dkim.verify(stored.content(), dnsfunc=lambda *_, **__: record)
    assert not dkim.verify(
        stored.content().replace(b"Subject: signed", b"Subject: other"), dnsfunc=lambda *_, **__: record
    )


def test_mail_is_unsigned_without_a_key_or_with_a_foreign_from(mail: Mail) -> None:
    mail.submit(message(), to=[SHOP])
    mail.api.post("/domain/client1.test/dkim")
    mail.submit(message(header_from="someone@example.org"), to=[SHOP])
    assert [b"DKIM-Signature" in stored.content() for stored in mail.maildirs.of(SHOP).mails()] == [False, False]


def test_unknown_recipient_comes_back_as_a_bounce(mail: Mail) -> None:
    mail.submit(message("lost"), to=["nobody@client1.test"])
    (bounce,) = mail.maildirs.of(ERP).mails()
    content = bounce.content()
    assert b"Return-Path: <>" in content
    assert b"Subject: Undelivered Mail Returned to Sender" in content
    assert b"<nobody@client1.test>" in content


def test_full_mailbox_bounces(mail: Mail) -> None:
    mail.api.patch(f"/user/{SHOP}", json={"quota_bytes": 100})
    mail.submit(message(), to=[SHOP])
    assert mail.maildirs.of(SHOP).mails() == []
    assert len(mail.maildirs.of(ERP).mails()) == 1


def test_mail_to_elsewhere_stays_in_the_sandbox(mail: Mail) -> None:
    mail.submit(message(), to=["someone@example.com"])
    assert len(mail.maildirs.outgoing().mails()) == 1


def test_used_quota_grows_with_the_mailbox(mail: Mail) -> None:
    assert mail.api.get(f"/user/{SHOP}").json()["quota_bytes_used"] == 0
    mail.submit(message(), to=[SHOP])
    assert mail.api.get(f"/user/{SHOP}").json()["quota_bytes_used"] == mail.maildirs.size(SHOP) > 0


# -- IMAP


def imap(mail: Mail, address: str = SHOP) -> imaplib.IMAP4_SSL:
    server = imaplib.IMAP4_SSL(mail.host, mail.imap_port, ssl_context=mail.trusting(), timeout=10)
    server.login(address, PASSWORD.reveal())
    return server


@pytest.mark.parametrize("change", [{"enabled": False}, {"enable_imap": False}])
def test_imap_refuses_as_recorded(mail: Mail, change: dict[str, bool]) -> None:
    mail.api.patch(f"/user/{SHOP}", json=change)
    with pytest.raises(imaplib.IMAP4.error) as caught:
        imap(mail)
    assert str(caught.value) == recorded("imap disabled")["detail"]


def test_imap_finds_fetches_and_deletes(mail: Mail) -> None:
    for subject in ("first", "second", "third"):
        mail.submit(message(subject), to=[SHOP])
    with imap(mail) as server:
        assert server.select("INBOX") == ("OK", [b"3"])
        assert server.uid("SEARCH", "SUBJECT", '"second"') == ("OK", [b"2"])
        assert server.uid("SEARCH", "NOT", "SUBJECT", "second", "UNSEEN") == ("OK", [b"1 3"])
        _, data = server.uid("FETCH", "2", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        assert data[0] == (b"2 (FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {19}", b"Subject: second\r\n\r\n")
        _, data = server.fetch("2", "(RFC822)")
        assert data[0][1].startswith(b"Delivered-To: <shop@client1.test>\r\nReturn-Path: <erp@client1.test>\r\n")
        assert server.search(None, "SEEN") == ("OK", [b"2"])
        server.store("2", "+FLAGS", "\\Deleted")
        assert server.expunge() == ("OK", [b"2"])
        assert server.uid("SEARCH", "ALL") == ("OK", [b"1 3"])
    assert len(mail.maildirs.of(SHOP).mails()) == 2


def test_imap_notices_new_mail_and_never_gives_a_number_twice(mail: Mail) -> None:
    mail.submit(message("first"), to=[SHOP])
    with imap(mail) as server:
        server.select("INBOX")
        server.store("1", "+FLAGS", "\\Deleted")
        server.expunge()
        mail.submit(message("second"), to=[SHOP])
        server.noop()
        assert server.uid("SEARCH", "ALL") == ("OK", [b"2"])


def test_imap_read_only_changes_nothing(mail: Mail) -> None:
    mail.submit(message("first"), to=[SHOP])
    with imap(mail) as server:
        server.select("INBOX", readonly=True)
        server.fetch("1", "(RFC822)")
        assert server.search(None, "UNSEEN") == ("OK", [b"1"])


def test_imap_without_login_reads_nothing(mail: Mail) -> None:
    server = imaplib.IMAP4_SSL(mail.host, mail.imap_port, ssl_context=mail.trusting(), timeout=10)
    tag = server._new_tag()
    server.send(tag + b" SELECT INBOX\r\n")
    assert b"BAD" in server.readline()
    server.shutdown()


def test_imap_serves_tls_alone(mail: Mail) -> None:
    with pytest.raises((imaplib.IMAP4.abort, ssl.SSLError, OSError)):
        imaplib.IMAP4(mail.host, mail.imap_port, timeout=3)
