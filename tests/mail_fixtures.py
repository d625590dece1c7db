"""A mail server of the sandbox for one test: stand-in, certificates, mailboxes and free ports."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx

from agencystack.sandbox.maildir import Maildirs
from agencystack.sandbox.mailserver import MailServer
from agencystack.sandbox.mailu import MailuStandIn
from agencystack.sandbox.tls import Certificates, ensure_certificates
from agencystack.stack.secrets import Secret
from tests.serving import free_port, in_loop, served

API_TOKEN = Secret("the-api-token-of-the-test")
ERP, SHOP = "erp@client1.test", "shop@client1.test"
PASSWORD = Secret("the-password-of-both")


@dataclass(frozen=True)
class Mail:
    """A running mail server and how to reach it."""

    mailu: MailuStandIn
    maildirs: Maildirs
    certificates: Certificates
    tls_port: int
    starttls_port: int
    imap_port: int
    api: httpx.Client
    host: str = "localhost"

    def submit(self, message: EmailMessage, *, sender: str = ERP, login: str = ERP, to: list[str]) -> None:
        """Hand in a mail by implicit TLS."""
        with self.session() as server:
            server.login(login, PASSWORD.reveal())
            server.sendmail(sender, to, message.as_bytes())

    def session(self) -> smtplib.SMTP_SSL:
        return smtplib.SMTP_SSL(self.host, self.tls_port, context=self.trusting(), timeout=10)

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificates.ca))


@contextmanager
def mail_server(folder: Path, *, recipients_per_day: int = 200, require_tokens: bool = False) -> Iterator[Mail]:
    """Run a mail server with two mailboxes, ERP and SHOP, in the domain client1.test."""
    certificates = ensure_certificates(folder / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    mailu = MailuStandIn(
        folder,
        API_TOKEN,
        hostname="mail.lab.test",
        domain="lab.test",
        admin_password=Secret("admin-password"),
        recipients_per_day=recipients_per_day,
        require_tokens=require_tokens,
    )
    maildirs = Maildirs(folder / "mail")
    ports = free_port(), free_port(), free_port()
    server = MailServer(
        "127.0.0.1",
        mailu,
        maildirs,
        context,
        tls_port=ports[0],
        starttls_port=ports[1],
        imap_port=ports[2],
        login_delay=0.05,
    )
    with served(mailu.app) as url, in_loop(server.start, server.stop):
        api = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": API_TOKEN.reveal()})
        assert api.post("/domain", json={"name": "client1.test"}).status_code == 200
        for address in (ERP, SHOP):
            answer = api.post("/user", json={"email": address, "raw_password": PASSWORD.reveal()})
            assert answer.status_code == 200
        yield Mail(mailu, maildirs, certificates, *ports, api)


def message(subject: str = "hello", *, header_from: str = ERP, to: str = SHOP) -> EmailMessage:
    """Return a mail."""
    mail = EmailMessage()
    mail["From"] = header_from
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content("Some text.\n")
    return mail
