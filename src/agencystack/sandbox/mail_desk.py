"""What Postfix and Dovecot ask the Mailu stand-in: is this login right, may it send this, and here is the mail.

Mailu's own Postfix and Dovecot ask its admin container in the same places (facts/mailu.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from agencystack.sandbox.maildir import Maildirs
from agencystack.sandbox.mailserver import LARGEST_MAIL, Delivery
from agencystack.sandbox.mailu import MailuStandIn, Protocol
from agencystack.sandbox.ports import LOOPBACK

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LONGEST_QUESTION = 65_536


@dataclass
class MailDesk:
    """Serves the three questions on loopback ports.

    Args:
        mailu: who knows the answers.
        maildirs: where delivered mail goes, and Dovecot reads it.
        ports: port by name: ``mail-maps``, ``mail-logins``, ``lmtp``.
    """

    mailu: MailuStandIn
    maildirs: Maildirs
    ports: Mapping[str, int]

    def __post_init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._maps = {"sender-logins": self._sender_logins, "sender-rate": self._sender_rate}
        self.mailu.measure_with(self.maildirs.size)

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            OSError: a port is taken.
        """
        handlers: dict[str, Handler] = {"mail-maps": self._map, "mail-logins": self._login}
        for name, handler in handlers.items():
            self._servers.append(await asyncio.start_server(handler, LOOPBACK, self.ports[name]))
        loop = asyncio.get_running_loop()
        receiver = _Receiver(self.mailu, Delivery(self.mailu, self.maildirs))
        self._servers.append(
            await loop.create_server(lambda: LMTP(receiver, data_size_limit=LARGEST_MAIL), LOOPBACK, self.ports["lmtp"])
        )

    async def stop(self) -> None:
        """Answer no more."""
        for server in self._servers:
            server.close()

    async def _login(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question of ``checkpassword.py``."""
        parts = (await reader.read(LONGEST_QUESTION)).split(b"\0")
        if len(parts) == 4:
            user, password, address, protocol = (part.decode(errors="replace") for part in parts)
            kind: Protocol = "imap" if protocol == "imap" else "smtp"
            right = await asyncio.to_thread(self.mailu.authenticate, user, password, address, kind)
            writer.write(b"yes" if right else b"no")
        writer.close()

    async def _map(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer Postfix's lookups on one connection: netstrings of "map key" (socketmap_table(5))."""
        try:
            while question := await _netstring(reader):
                name, _, key = question.partition(" ")
                value = await asyncio.to_thread(self._maps[name], key)
                answer = f"OK {value}".encode() if value else b"NOTFOUND "
                writer.write(b"%d:%s," % (len(answer), answer))
                await writer.drain()
        finally:
            writer.close()

    def _sender_logins(self, sender: str) -> str:
        """Return who may send as an address."""
        return ",".join(login for login in self.mailu.users() if self.mailu.may_send_as(login, sender))

    def _sender_rate(self, login: str) -> str:
        """Count one recipient; return a refusal when the day's are used up (facts/mailu.md "MESSAGE_RATELIMIT")."""
        allowed = self.mailu.count_recipient(login)
        return "" if allowed else "450 4.2.1 You are sending too many emails too fast."


class _Receiver:
    """Signs and delivers what Postfix hands over; Postfix itself bounces what is refused here."""

    def __init__(self, mailu: MailuStandIn, delivery: Delivery) -> None:
        self._mailu = mailu
        self._delivery = delivery

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: LMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse what nobody has."""
        if self._mailu.is_local(address) and not self._mailu.mailboxes_for(address):
            return f"550 5.1.1 <{address}>: User unknown"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _: LMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        sender = envelope.mail_from or ""
        signed = self._delivery.sign(sender, content)
        await asyncio.to_thread(self._delivery.deliver, sender, envelope.rcpt_tos, signed)
        return "250 2.0.0 Saved"


async def _netstring(reader: asyncio.StreamReader) -> str:
    """Return the next netstring, an empty text at the end of the connection."""
    try:
        length = int((await reader.readuntil(b":"))[:-1])
        return (await reader.readexactly(length + 1))[:-1].decode(errors="replace")
    except asyncio.IncompleteReadError:
        return ""
