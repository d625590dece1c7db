"""The stand-in's notifications of type smtp: a mail, sent as Uptime Kuma's nodemailer sends it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

LIMIT = 10.0
SENT = "Sent Successfully."
STATES = {0: "🔴 Down", 1: "✅ Up"}


class NotSent(Exception):
    """A message that could not be sent, with the words Uptime Kuma has for it."""


def send(config: Mapping[str, Any], subject: str, body: str, trust: ssl.SSLContext) -> str:
    """Send one mail and return what is said of it.

    Raises:
        NotSent: the type is another one, or the server did not take it.
    """
    if config.get("type") != "smtp":
        raise NotSent("Notification type is not supported")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = config["smtpFrom"], config["smtpTo"], subject
    message.set_content(body)
    try:
        with _connected(config, trust) as connection:
            if config.get("smtpUsername") or config.get("smtpPassword"):
                connection.login(str(config.get("smtpUsername")), str(config.get("smtpPassword")))
            [(_, sender)] = getaddresses([str(config["smtpFrom"])])
            connection.send_message(message, from_addr=sender)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(_words(error, config)) from error
    return SENT


def _connected(config: Mapping[str, Any], trust: ssl.SSLContext) -> smtplib.SMTP:
    host, port = str(config["smtpHost"]), int(config["smtpPort"])
    if config.get("smtpIgnoreTLSError"):
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if config.get("smtpSecure"):
        return smtplib.SMTP_SSL(host, port, timeout=LIMIT, context=trust)
    connection = smtplib.SMTP(host, port, timeout=LIMIT)
    connection.ehlo()
    # nodemailer takes STARTTLS where it is offered, and goes on without where it is not.
    if connection.has_extn("starttls") and not config.get("smtpIgnoreSTARTTLS"):
        connection.starttls(context=trust)
    return connection


def _words(error: Exception, config: Mapping[str, Any]) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        text = error.smtp_error.decode() if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"Invalid login: {error.smtp_code} {text}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "self-signed certificate" if "self-signed" in str(error) else error.verify_message
    if isinstance(error, ConnectionRefusedError):
        return f"connect ECONNREFUSED {config['smtpHost']}:{config['smtpPort']}"
    return str(error)
