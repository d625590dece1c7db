"""Read a mailbox over IMAP: did the mail with our nonce arrive, and what shows who sent it."""

from __future__ import annotations

import email
import imaplib
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Unavailable
from agencystack.stack.secrets import Secret, redact

IMAPS = 993
# A mail takes a tenth of a second through Mailu, and an application's queue up to a minute: ask soon, then seldom.
FIRST_PAUSE = 0.3
LONGEST_PAUSE = 3.0
CONNECT_TIMEOUT = 20.0
READY_SECONDS = 10.0
NONCE = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Signature:
    """A DKIM signature a mail carries, unverified: whose it says it is and where its key would be."""

    domain: str
    selector: str


@dataclass(frozen=True)
class Received:
    """A mail that arrived.

    Args:
        subject: decoded.
        envelope_sender: from Return-Path; empty for a bounce.
        header_from: the address in From, without the name.
        from_name: the name in From, decoded.
        signatures: its DKIM signatures.
        received: its Received lines, the last hop first, unfolded.
        headers: all headers as (name, value), unfolded.
        seconds: how long we waited for it.
    """

    subject: str
    envelope_sender: str
    header_from: str
    from_name: str
    signatures: tuple[Signature, ...]
    received: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    seconds: float


class Mailbox:
    """One mailbox, read over implicit TLS with the certificate verified; nothing in it is ever changed.

    Args:
        where: the mail server's component, for error messages.
        host: its name, as on its certificate.
        address: the mailbox, which is also the login name.
        password: its password or an application token.
        port: of IMAP with implicit TLS.
        ca_file: certificate authority to trust instead of the system's.
    """

    def __init__(
        self,
        where: ComponentRef,
        host: str,
        address: str,
        password: Secret,
        *,
        port: int = IMAPS,
        ca_file: Path | None = None,
    ) -> None:
        self._where = where
        self._host = host
        self._address = address
        self._password = password
        self._port = port
        self._ca_file = ca_file

    def count(self) -> int:
        """Return how many mails it holds.

        Raises:
            AuthenticationFailed: the login was refused, which Mailu also does for a disabled mailbox.
            Unavailable: no connection, or a certificate that is not trusted.
            BadAnswer: something there does not speak IMAP.
        """
        with self._connected() as server:
            return self._select(server)

    def wait_for(self, nonce: str, timeout: float = 60.0) -> Received | None:
        """Wait for a mail that holds ``nonce`` in its headers or text.

        Args:
            nonce: letters, digits, ``-``, ``_`` and ``.`` alone.
            timeout: seconds until giving up.

        Returns:
            The first such mail, or None when the time is over.

        Raises:
            ValueError: the nonce holds other characters.
            AuthenticationFailed, Unavailable, BadAnswer: as :meth:`count`.
        """
        if not NONCE.fullmatch(nonce):
            raise ValueError(f"{nonce!r} cannot be searched for")
        began = time.monotonic()
        with self._connected() as server:
            self._select_when_ready(server, min(READY_SECONDS, timeout))
            for _ in _pauses(began + timeout):
                self._select(server)
                content = self._find(server, nonce)
                if content is not None:
                    return _described(content, time.monotonic() - began)
        return None

    def _find(self, server: imaplib.IMAP4_SSL, nonce: str) -> bytes | None:
        _, found = server.uid("SEARCH", "TEXT", f'"{nonce}"')
        numbers = found[0].split() if found and found[0] else []
        if not numbers:
            return None
        _, data = server.uid("FETCH", numbers[0].decode(), "(BODY.PEEK[HEADER])")
        return next((part[1] for part in data if isinstance(part, tuple)), None)

    def _select_when_ready(self, server: imaplib.IMAP4_SSL, patience: float) -> None:
        """Open a mailbox that may be new: who opens it first makes it ready, and another is refused meanwhile."""
        refusal: BadAnswer | None = None
        for _ in _pauses(time.monotonic() + patience):
            try:
                self._select(server)
            except BadAnswer as error:
                refusal = error
            else:
                return
        if refusal is not None:
            raise refusal

    def _select(self, server: imaplib.IMAP4_SSL) -> int:
        status, data = server.select("INBOX", readonly=True)
        if status != "OK" or not data or data[0] is None:
            words = b" ".join(part for part in data or () if part).decode(errors="replace")
            raise BadAnswer(f"did not open the mailbox {self._address}: {words or status}", component=self._where)
        return int(data[0])

    @contextmanager
    def _connected(self) -> Iterator[imaplib.IMAP4_SSL]:
        at = f"{self._host}:{self._port}"
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
            server = imaplib.IMAP4_SSL(self._host, self._port, ssl_context=context, timeout=CONNECT_TIMEOUT)
            try:
                self._login(server)
                yield server
            finally:
                _leave(server)
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(
                f"its certificate for IMAP at {at} is not trusted: {error.verify_message}",
                component=self._where,
                remedy="name the authority that signed it as ca_file in stack.yaml, and mailu.hostname as on it",
            ) from error
        except OSError as error:
            raise Unavailable(
                f"IMAP cannot be reached at {at}: {error}",
                component=self._where,
                remedy="check mailu.imap in stack.yaml and that port 993 is open to us",
            ) from error
        except imaplib.IMAP4.error as error:
            raise BadAnswer(f"answered IMAP at {at} with: {redact(str(error))[:200]}", component=self._where) from None

    def _login(self, server: imaplib.IMAP4_SSL) -> None:
        try:
            server.login(self._address, self._password.reveal())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise AuthenticationFailed(
                f"refused the IMAP login of {self._address}: {redact(str(error))[:200]}",
                component=self._where,
                remedy="check that the mailbox is enabled with IMAP, and the networks its token may be used from",
            ) from None


def _leave(server: imaplib.IMAP4_SSL) -> None:
    try:
        server.logout()
    except (OSError, imaplib.IMAP4.error):
        server.shutdown()  # the connection is gone already


def _pauses(deadline: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yield now and again until the deadline, with pauses that grow."""
    pause = FIRST_PAUSE
    yield
    while (left := deadline - time.monotonic()) > 0:
        sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
        yield


def _described(content: bytes, seconds: float) -> Received:
    message = email.message_from_bytes(content, policy=policy.default)
    headers = tuple((name, _unfolded(value)) for name, value in message.items())
    name, address = parseaddr(_first(message, "From"))
    return Received(
        subject=_first(message, "Subject"),
        envelope_sender=parseaddr(_first(message, "Return-Path"))[1],
        header_from=address,
        from_name=name,
        signatures=tuple(_signature(value) for key, value in headers if key.lower() == "dkim-signature"),
        received=tuple(value for key, value in headers if key.lower() == "received"),
        headers=headers,
        seconds=round(seconds, 3),
    )


def _first(message: EmailMessage, name: str) -> str:
    return _unfolded(message.get(name, ""))


def _unfolded(value: object) -> str:
    return " ".join(str(value).split())


def _signature(value: str) -> Signature:
    tags = dict(re.findall(r"(\w+)\s*=\s*([^;]*)", value))
    return Signature(tags.get("d", "").strip(), tags.get("s", "").strip())
