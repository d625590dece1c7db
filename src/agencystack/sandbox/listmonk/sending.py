"""How Listmonk sends: through any mail server it is told, with the words of a Go program where that fails."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from pathlib import Path
from typing import Any, cast

from agencystack.sandbox.listmonk.answers import Declined

MAIL_TIMEOUT = 5.0
DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+\Z")
DURATIONS = ("idle_timeout", "wait_timeout", "msg_retry_delay")


def can_start_with(block: Mapping[str, Any]) -> bool:
    """Say whether the program starts with this server (restart.json)."""
    known = block["auth_protocol"] in {"", "none", "plain", "login", "cram"}
    return known and block["max_conns"] >= 1 and all(DURATION.match(block[name]) for name in DURATIONS)


def compose(sender: str, to: str, subject: str, body: str, headers: Mapping[str, str]) -> EmailMessage:
    """Return the mail as Listmonk writes it."""
    name, address = parseaddr(sender)
    mail = EmailMessage(policy=SMTP_POLICY)
    own = {
        "From": formataddr((name, address)),
        "To": formataddr(parseaddr(to)) if "<" in to else f"<{to}>",
        "Subject": subject,
        "Date": format_datetime(datetime.now(UTC)),
        "Message-Id": make_msgid(domain=address.rpartition("@")[2] or "localhost"),
    }
    for key, value in (own | dict(headers)).items():
        mail[key] = value
    mail.set_content(f"<!doctype html>\n<html><body>{body}</body></html>\n", subtype="html")
    return mail


def send(sender: str, ca_file: Path | None, block: Mapping[str, Any], mail: EmailMessage, to: str) -> None:
    """Send through one server, or decline with the reason."""
    address = parseaddr(sender)[1]
    recipient = parseaddr(to)[1]
    if "@" not in recipient:
        raise Declined(500, "mail: missing '@' or angle-addr")
    if block["auth_protocol"] not in {"", "none", "plain", "login", "cram"}:
        raise Declined(400, f"Error creating SMTP: unknown SMTP auth type '{block['auth_protocol']}'")
    try:
        with _connected(block, ca_file) as server:
            _log_in(server, block)
            server.send_message(mail, from_addr=address, to_addrs=[recipient])
    except (OSError, smtplib.SMTPException) as error:
        raise Declined(500, _words_of(error, block)) from error


def headers_of(block: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers a server adds to each mail."""
    given = block.get("email_headers") or {}
    rows = given if isinstance(given, list) else [given]
    return {key: value for row in rows for key, value in row.items()}


def _connected(block: Mapping[str, Any], ca_file: Path | None) -> smtplib.SMTP:
    host, port, hello = block["host"], block["port"], block.get("hello_hostname") or "localhost"
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if block.get("tls_skip_verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if block.get("tls_type") == "TLS":
        return smtplib.SMTP_SSL(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT)
    if block.get("tls_type") == "STARTTLS":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _log_in(server: smtplib.SMTP, block: Mapping[str, Any]) -> None:
    protocol = block["auth_protocol"]
    if protocol in {"", "none"}:
        return
    server.ehlo_or_helo_if_needed()
    if not server.has_extn("auth"):
        raise smtplib.SMTPNotSupportedError("SMTP AUTH extension not found")
    server.user, server.password = block.get("username", ""), block.get("password", "")
    if not server.password.isascii():
        # smtplib cannot encode such a password; a mask, which is one, is never right.
        raise smtplib.SMTPAuthenticationError(535, b"5.7.8 Authentication credentials invalid")
    name, method = {
        "plain": ("PLAIN", server.auth_plain),
        "login": ("LOGIN", server.auth_login),
        "cram": ("CRAM-MD5", server.auth_cram_md5),
    }[protocol]
    server.auth(name, cast(Any, method))


def _words_of(error: Exception, block: Mapping[str, Any]) -> str:
    """Return what the real one, a Go program, says where Python said ``error`` (smtp_test.json)."""
    host, port = block["host"], block["port"]
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode() if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f'{error.smtp_code} "{text}"'
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "SMTP AUTH extension not found" if "AUTH" in str(error) else "SMTP STARTTLS extension not found"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}:{port}: connect: connection refused"
    return str(error) or "EOF"
