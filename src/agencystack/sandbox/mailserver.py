"""The Mailu stand-in's own mail side, for where Postfix and Dovecot are not installed: submission, delivery, IMAP."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Any, AnyStr

import dkim  # type: ignore[import-untyped]
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from agencystack.sandbox.imap import ImapServer
from agencystack.sandbox.maildir import Maildirs
from agencystack.sandbox.mailu import MailuStandIn
from agencystack.sandbox.mailu_state import domain_of

LARGEST_MAIL = 50_000_000  # MESSAGE_SIZE_LIMIT, as EHLO shows it (contract/mailu/mail_behaviour.json)
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
ANSWER_ACCEPTED = "250 2.0.0 Ok: queued as {0}"
MAIL_BEFORE_LOGIN = "530 5.7.0 Authentication required."
SIGNED_HEADERS = [b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]


class MailServer:
    """Takes mail by submission, keeps it in Maildirs and gives it out by IMAP, after the stand-in's rules.

    Args:
        host: address to listen on.
        mailu: decides logins, senders, recipients and limits.
        maildirs: the mailboxes.
        context: the servers' side of TLS.
        tls_port: submission with implicit TLS (Mailu's 465).
        starttls_port: submission with STARTTLS (587); not served when None, as by a default Mailu.
        imap_port: IMAP with implicit TLS (993).
        login_delay: seconds a refused login waits.
    """

    def __init__(
        self,
        host: str,
        mailu: MailuStandIn,
        maildirs: Maildirs,
        context: ssl.SSLContext,
        *,
        tls_port: int,
        starttls_port: int | None,
        imap_port: int,
        login_delay: float = 2.0,
    ) -> None:
        self._host = host
        self._mailu = mailu
        self._context = context
        self._tls_port = tls_port
        self._starttls_port = starttls_port
        self._login_delay = login_delay
        self._delivery = Delivery(mailu, maildirs)
        self._imap = ImapServer(
            host,
            imap_port,
            context,
            maildirs,
            lambda address, password, client_ip: mailu.authenticate(address, password, client_ip, "imap"),
            login_delay=login_delay,
        )
        self._servers: list[asyncio.Server] = []
        mailu.measure_with(maildirs.size)

    async def start(self) -> None:
        """Listen on all ports.

        Raises:
            OSError: a port is taken.
        """
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_server(lambda: self._session(None), self._host, self._tls_port, ssl=self._context)
        )
        if self._starttls_port is not None:
            self._servers.append(
                await loop.create_server(lambda: self._session(self._context), self._host, self._starttls_port)
            )
        await self._imap.start()

    async def stop(self) -> None:
        """Take no more connections."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        await self._imap.stop()

    def _session(self, starttls: ssl.SSLContext | None) -> SMTP:
        handler = _Submission(self._mailu, self._delivery)
        return _MailuSmtp(
            handler,
            login_delay=self._login_delay,
            hostname=self._mailu.hostname,
            ident="ESMTP",
            data_size_limit=LARGEST_MAIL,
            tls_context=starttls,
            auth_required=True,
            encrypted=starttls is None,
            authenticator=handler.authenticate,
        )


class _MailuSmtp(SMTP):
    """Words and waits as Mailu's front has them."""

    def __init__(self, handler: _Submission, *, login_delay: float, encrypted: bool, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._login_delay = login_delay
        # aiosmtpd sees no encryption that was there before it, and warns of its own option for that with each mail.
        self._auth_require_tls = not encrypted

    async def push(self, status: AnyStr) -> None:
        text = str(status)
        if text.startswith("535"):
            await asyncio.sleep(self._login_delay)
        if text == "530 5.7.0 Authentication required":
            await super().push(MAIL_BEFORE_LOGIN)
        else:
            await super().push(status)


class _Submission:
    """What the submission server answers to each step (``contract/mailu/mail_behaviour.json``)."""

    def __init__(self, mailu: MailuStandIn, delivery: Delivery) -> None:
        self._mailu = mailu
        self._delivery = delivery

    def authenticate(self, _: SMTP, session: Session, __: Envelope, ___: str, login: Any) -> AuthResult:
        """Decide a login."""
        if not isinstance(login, LoginPassword):
            return AuthResult(success=False, handled=False, message="535 5.7.8 Authentication failed.")
        address, password = login.login.decode(errors="replace"), login.password.decode(errors="replace")
        if not self._mailu.authenticate(address, password, _client_ip(session), "smtp"):
            return AuthResult(success=False, handled=False, message="535 5.7.8 Authentication failed.")
        return AuthResult(success=True, auth_data=address.lower(), message="235 2.7.0 Logged in.")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Check who sends and how much, for each recipient."""
        login, sender = str(session.auth_data), envelope.mail_from or ""
        if not self._mailu.may_send_as(login, sender):
            return f"553 5.7.1 <{sender}>: Sender address rejected: not owned by user {login}"
        if not self._mailu.count_recipient(login):
            return f"450 4.2.1 <{login}>: SASL login name rejected: You are sending too many emails too fast."
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        if GTUBE in content:
            return "554 5.7.1 Gtube pattern"
        queue_id = secrets.token_hex(5).upper()
        received = (
            f"Received: from {session.host_name} (unknown [{_client_ip(session)}])\r\n"
            f"\tby {self._mailu.hostname} (Postfix) with ESMTP id {queue_id};\r\n\t{formatdate()}\r\n"
        )
        signed = self._delivery.sign(envelope.mail_from or "", content)
        self._delivery.deliver(envelope.mail_from or "", envelope.rcpt_tos, received.encode() + signed)
        return ANSWER_ACCEPTED.format(queue_id)


def _client_ip(session: Session) -> str:
    return str(session.peer[0]) if session.peer else ""


class Delivery:
    """Brings mail into mailboxes, or back to its sender."""

    def __init__(self, mailu: MailuStandIn, maildirs: Maildirs) -> None:
        self._mailu = mailu
        self._maildirs = maildirs

    def sign(self, sender: str, content: bytes) -> bytes:
        """Return the mail with the DKIM signature of its domain; unsigned where the domain has no key.

        As rspamd does by default, only where the envelope's and the header's sender share the domain.
        """
        shown = parseaddr(str(message_from_bytes(content).get("From", "")))[1]
        domain = domain_of(shown).lower()
        key = self._mailu.dkim_key(domain)
        if key is None or domain != domain_of(sender).lower():
            return content
        signature: bytes = dkim.sign(
            content,
            key.selector.encode(),
            domain.encode(),
            key.private_pem.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name for name in SIGNED_HEADERS if re.search(rb"(?mi)^" + name + rb":", content)],
        )
        return signature + content

    def deliver(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Deliver to each recipient; what cannot be delivered comes back to the sender.

        Addresses nobody has are accepted first and bounced later (facts/mailu.md "SMTP / IMAP behaviour").
        """
        for recipient in recipients:
            if not self._mailu.is_local(recipient):
                self._maildirs.outgoing().deliver(_stamped(sender, recipient, self._mailu.hostname, content))
                continue
            boxes = self._mailu.mailboxes_for(recipient)
            if not boxes:
                self._bounce(sender, recipient, content, "550 5.1.1 User unknown")
            for box in boxes or ():
                self._into(box, sender, recipient, content)

    def _into(self, box: str, sender: str, recipient: str, content: bytes) -> None:
        if box not in self._mailu.users():
            self._maildirs.outgoing().deliver(_stamped(sender, box, self._mailu.hostname, content))
            return
        quota = self._mailu.quota(box)
        if quota and self._maildirs.size(box) + len(content) > quota:
            self._bounce(sender, recipient, content, "552 5.2.2 Quota exceeded (mailbox for user is full)")
            return
        self._maildirs.of(box).deliver(_stamped(sender, box, self._mailu.hostname, content))

    def _bounce(self, sender: str, recipient: str, content: bytes, reason: str) -> None:
        if not sender:
            return  # a bounce that cannot be delivered is not answered by another
        boxes = self._mailu.mailboxes_for(sender) or ()
        report = self._report(sender, recipient, content, reason)
        for box in boxes:
            if box in self._mailu.users():
                self._maildirs.of(box).deliver(_stamped("", box, self._mailu.hostname, report))

    def _report(self, sender: str, recipient: str, content: bytes, reason: str) -> bytes:
        message = EmailMessage()
        message["Date"] = formatdate()
        message["From"] = f"Mail Delivery System <MAILER-DAEMON@{self._mailu.domain}>"
        message["Subject"] = "Undelivered Mail Returned to Sender"
        message["To"] = sender
        message["Auto-Submitted"] = "auto-replied"
        message["Message-Id"] = f"<{secrets.token_hex(8)}@{self._mailu.hostname}>"
        message.set_content(f"<{recipient}>: host {self._mailu.hostname} said: {reason}\n")
        headers = content.split(b"\r\n\r\n", 1)[0].decode(errors="replace")
        message.add_attachment(headers, subtype="rfc822-headers")
        return message.as_bytes(policy=policy.SMTP)


def _stamped(sender: str, recipient: str, hostname: str, content: bytes) -> bytes:
    """Add what final delivery adds: for whom, the envelope's sender, and when."""
    head = (
        f"Delivered-To: <{recipient}>\r\nReturn-Path: <{sender}>\r\n"
        f"Received: from {hostname} ([127.0.0.1])\r\n\tby {hostname} with LMTP\r\n\tid {secrets.token_urlsafe(12)}\r\n"
        f"\t(envelope-from <{sender}>)\r\n\tfor <{recipient}>; {formatdate()}\r\n"
    )
    return head.encode() + content
