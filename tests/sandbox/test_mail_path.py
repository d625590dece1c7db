"""Mail goes from a login over TLS into a mailbox, signed, whichever servers stand behind the Mailu stand-in."""

from __future__ import annotations

import imaplib
import json
import os
import signal
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import dkim
import httpx
import pytest

from agencystack.sandbox import api
from agencystack.sandbox.mailstack import obstacle
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.process import read_record
from agencystack.stack.load import load

SHOP, ERP, DISABLED = "shop@acme.example", "erp@acme.example", "gone@acme.example"
PASSWORD = "a password of the test"


@dataclass
class Mail:
    """One sandbox, with three mailboxes of its client."""

    folder: Path
    ports: dict[str, int]
    tls: ssl.SSLContext
    rest: httpx.Client

    def post(self, path: str, **body: object) -> dict[str, object]:
        answer = self.rest.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, address: str, networks: list[str]) -> str:
        made = self.post("/token", email=address, comment="test", AuthorizedIP=networks)
        return str(made["token"])

    def over_tls(self) -> smtplib.SMTP:
        return smtplib.SMTP_SSL("localhost", self.ports["smtps"], context=self.tls)

    def over_starttls(self) -> smtplib.SMTP:
        server = smtplib.SMTP("localhost", self.ports["submission"])
        server.starttls(context=self.tls)
        return server

    def send(self, subject: str, *, to: str = SHOP, sender: str = ERP) -> None:
        with self.over_tls() as server:
            server.login(ERP, PASSWORD)
            server.send_message(letter(subject, to), sender, [to])

    def arrived(self, address: str, subject: str) -> bytes:
        """Return the mail with that subject, waiting as long as delivery may take."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for content in self.mails(address):
                if message_from_bytes(content)["Subject"] == subject:
                    return content
            time.sleep(0.1)
        raise AssertionError(f"{subject!r} did not arrive at {address}")

    def mails(self, address: str) -> list[bytes]:
        with imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.tls) as box:
            box.login(address, PASSWORD)
            box.select("INBOX", readonly=True)
            numbers = box.search(None, "ALL")[1][0].split()
            return [box.fetch(number.decode(), "(RFC822)")[1][0][1] for number in numbers]


def letter(subject: str, to: str = SHOP) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"ERP <{ERP}>", to, subject
    mail.set_content("Grüße\n")
    return mail


def opened(folder: Path) -> Mail:
    mailu = load(folder / "stack.yaml").shared.components.mailu
    token = (folder / "sandbox/credentials/mailu/api-token").read_text().strip()
    rest = httpx.Client(base_url=f"{mailu.url}/api/v1", headers={"Authorization": f"Bearer {token}"})
    ports = json.loads((folder / "sandbox/ports.json").read_text())
    mail = Mail(folder, ports, ssl.create_default_context(cafile=mailu.ca_file), rest)
    for address in (SHOP, ERP, DISABLED):
        mail.post("/user", email=address, raw_password=PASSWORD)
    assert rest.patch(f"/user/{DISABLED}", json={"enabled": False}).status_code == 200
    return mail


@pytest.fixture(
    scope="module",
    params=[pytest.param("none", id="own"), pytest.param("mail", id="postfix-dovecot", marks=pytest.mark.real)],
)
def mail(request: pytest.FixtureRequest, module_folder_of: Callable[[], Path]) -> Iterator[Mail]:
    folder = module_folder_of()
    if request.param == "mail":
        reason = obstacle(SandboxFolder(folder))
        if reason:
            pytest.skip(reason)
        report = api.up(folder, real=["mail"])
    else:
        report = api.up(folder, real="none")
    assert {part.name: part.real for part in report.components}["mail"] == (request.param == "mail")
    made = opened(folder)
    yield made
    made.rest.close()


@pytest.mark.parametrize("way", ["over_tls", "over_starttls"])
def test_a_token_submits_and_the_mail_is_read_back_signed(mail, way):
    token = mail.token(ERP, ["127.0.0.1/32"])
    with getattr(mail, way)() as server:
        server.login(ERP, token)
        server.send_message(letter(f"By token {way}"))
    content = mail.arrived(SHOP, f"By token {way}")
    assert message_from_bytes(content, policy=policy.default).get_content().strip() == "Grüße"
    record = mail.rest.get("/domain/acme.example").json()["dns_dkim"]
    public = record.partition(" TXT ")[2].replace('"', "").strip().replace("  ", " ")
    assert dkim.verify(content, dnsfunc=lambda *_, **__: public.encode())
    assert not dkim.verify(content.replace(b"Gr", b"Xr"), dnsfunc=lambda *_, **__: public.encode())


def test_the_envelope_sender_and_recipient_are_seen_in_the_mail(mail):
    mail.send("Envelope", sender="erp+orders@acme.example")
    headers = message_from_bytes(mail.arrived(SHOP, "Envelope"))
    assert headers["Return-Path"] == "<erp+orders@acme.example>"
    assert headers["Delivered-To"] == f"<{SHOP}>"


@pytest.mark.parametrize(
    ("login", "secret"), [(ERP, "wrong"), ("ghost@acme.example", PASSWORD), (DISABLED, PASSWORD), ("erp", PASSWORD)]
)
def test_a_wrong_login_is_refused_by_submission_and_imap(mail, login, secret):
    with mail.over_tls() as server:
        server.ehlo()
        server.user, server.password = login, secret
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            server.auth("PLAIN", server.auth_plain)
    assert refused.value.smtp_code == 535
    with (
        imaplib.IMAP4_SSL("localhost", mail.ports["imaps"], ssl_context=mail.tls) as box,
        pytest.raises(imaplib.IMAP4.error),
    ):
        box.login(login, secret)


def test_a_token_for_another_network_is_refused(mail):
    token = mail.token(ERP, ["192.0.2.0/24"])
    with mail.over_tls() as server:
        server.ehlo()
        server.user, server.password = ERP, token
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            server.auth("PLAIN", server.auth_plain)
    assert refused.value.smtp_code == 535


def test_a_foreign_sender_is_refused_for_the_recipient(mail):
    with mail.over_tls() as server:
        server.login(ERP, PASSWORD)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            server.sendmail(SHOP, [ERP], letter("Foreign").as_bytes())
    code, words = refused.value.recipients[ERP]
    assert code == 553
    assert words == f"5.7.1 <{SHOP}>: Sender address rejected: not owned by user {ERP}".encode()


def test_without_a_login_nothing_is_taken(mail):
    with mail.over_tls() as server:
        server.ehlo()
        code, words = server.mail(ERP)
    assert code == 530
    assert words.startswith(b"5.7.0")


def test_a_private_authority_is_not_trusted_by_default(mail):
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL("localhost", mail.ports["smtps"], context=ssl.create_default_context())


def test_mail_to_an_alias_arrives_at_its_mailbox(mail):
    mail.post("/alias", email="sales@acme.example", destination=[SHOP])
    mail.send("To the alias", to="sales@acme.example")
    assert b"sales@acme.example" in mail.arrived(SHOP, "To the alias")


def test_mail_to_nobody_comes_back_to_its_sender(mail):
    mail.send("To nobody", to="nobody@acme.example")
    bounce = mail.arrived(ERP, "Undelivered Mail Returned to Sender")
    assert b"nobody@acme.example" in bounce


def test_nothing_leaves_the_sandbox(mail):
    mail.send("To the world", to="person@elsewhere.example")
    outgoing = mail.folder / "sandbox/data/maildirs/_outgoing/new"
    deadline = time.monotonic() + 10
    while not any(b"To the world" in path.read_bytes() for path in outgoing.glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_recipients_of_a_day_are_limited(mail):
    mail.post("/user", email="busy@acme.example", raw_password=PASSWORD)
    with mail.over_tls() as server:
        server.login("busy@acme.example", PASSWORD)
        server.mail("busy@acme.example")
        codes = [server.rcpt(f"shop+{number}@acme.example")[0] for number in range(201)]
        last = server.rcpt(SHOP)
    assert codes == [250] * 200 + [450]
    assert last[0] == 450
    assert b"sending too many emails too fast" in last[1]


def test_a_new_mailbox_has_a_size(mail):
    mail.send("Heavy")
    mail.arrived(SHOP, "Heavy")
    assert mail.rest.get(f"/user/{SHOP}").json()["quota_bytes_used"] > 0


@pytest.mark.real
def test_a_killed_postfix_is_seen_and_repaired(folder):
    reason = obstacle(SandboxFolder(folder))
    if reason:
        pytest.skip(reason)
    api.up(folder, real=["mail"])
    postfix = read_record(folder / "sandbox/run/postfix.json")
    dovecot = read_record(folder / "sandbox/run/dovecot.json")
    os.kill(postfix.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert api.status(folder).running["mail"] is False
    assert api.up(folder).done == "repaired"
    assert read_record(folder / "sandbox/run/postfix.json").pid != postfix.pid
    assert read_record(folder / "sandbox/run/dovecot.json") == dovecot
    mail = opened(folder)
    mail.send("After the repair")
    mail.arrived(SHOP, "After the repair")
    api.down(folder)
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in _text(path)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
