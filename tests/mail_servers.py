"""Small mail servers on loopback for tests: one that takes mail, one that lets people log in, one that says nothing."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from agencystack.sandbox.tls import ensure_certificates
from tests.serving import free_port

LOCAL = "127.0.0.1"


@dataclass
class Received:
    """One mail as the server got it."""

    sender: str
    to: list[str]
    data: str
    user: str
    tls: bool


@dataclass
class Mailbox:
    """What an SMTP server knows and got.

    Args:
        password: of every user.
        refuse_sender: answer 553 to mail from other senders than this, as Mailu does.
    """

    password: str = "mailpw"
    refuse_sender: str = ""
    received: list[Received] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.refuse_sender and envelope.mail_from != self.refuse_sender:
            return f"553 5.7.1 <{envelope.mail_from}>: Sender address rejected: not owned by user"
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        data = (envelope.original_content or b"").decode()
        tls = bool(server.transport.get_extra_info("sslcontext"))
        self.received.append(
            Received(str(envelope.mail_from), list(envelope.rcpt_tos), data, str(session.auth_data), tls)
        )
        return "250 OK"

    def authenticate(self, _: SMTP, __: Session, ___: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = given.password.decode() == self.password
        self.logins.append(given.login.decode())
        return AuthResult(success=right, handled=False, auth_data=given.login.decode())


@contextmanager
def smtp(mailbox: Mailbox, folder: Path, *, implicit_tls: bool = False) -> Iterator[int]:
    """Serve SMTP, with STARTTLS on offer or TLS from the first byte, under a certificate nobody trusts."""
    files = ensure_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    controller = Controller(
        mailbox,
        hostname=LOCAL,
        port=free_port(),
        authenticator=mailbox.authenticate,
        auth_require_tls=False,
        auth_required=True,
        **({"ssl_context": context} if implicit_tls else {"tls_context": context}),
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def listening(serve: Any) -> Iterator[int]:
    """Hand each connection to ``serve`` in a thread of its own."""
    with socket.create_server((LOCAL, 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()


def imap(password: str = "mailpw") -> Any:
    """Serve IMAP with nothing but logins."""

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rw", newline="\r\n") as lines:

            def say(text: str) -> None:
                lines.write(text + "\n")
                lines.flush()

            say("* OK ready")
            for line in lines:
                tag, command, *words = line.split()
                if command == "LOGIN":
                    right = words[1].strip('"') == password
                    say(f"{tag} OK done" if right else f"{tag} NO [AUTHENTICATIONFAILED] bad login")
                elif command == "LOGOUT":
                    say("* BYE see you")
                    say(f"{tag} OK done")
                    return
                else:
                    say("* CAPABILITY IMAP4rev1")
                    say(f"{tag} OK done")

    return listening(serve)


def silent() -> Any:
    """Accept connections and never say a word, as a server behind a broken proxy does."""
    return listening(lambda _: None)
