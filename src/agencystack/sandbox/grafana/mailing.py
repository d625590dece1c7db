"""The stand-in's mail: what ``[smtp]`` says, and a test alert sent by it (``pkg/services/notifications/smtp.go``)."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid
from pathlib import Path
from typing import Any

OFF = "SMTP not configured, check your grafana.ini config file's [smtp] section"
IMPLICIT_TLS = 465
TIMEOUT = 15.0
DEFAULTS = {
    "enabled": "false",
    "host": "localhost:25",
    "user": "",
    "password": "",
    "from_address": "admin@grafana.localhost",
    "from_name": "Grafana",
    "skip_verify": "false",
    "startTLS_policy": "",
    "ehlo_identity": "",
}


class Mailing:
    """``[smtp]`` of its configuration.

    Args:
        settings: over the defaults, as text.
        ca_file: authority it trusts; the system's when absent.
    """

    def __init__(self, settings: Mapping[str, str] | None, ca_file: Path | None) -> None:
        self._settings = {**DEFAULTS, **(settings or {})}
        self._ca_file = ca_file

    def shown(self) -> dict[str, str]:
        """Return the settings as an administrator sees them."""
        return {**self._settings, "password": "*********" if self._settings["password"] else ""}

    async def send(self, settings: Mapping[str, Any], alert: Mapping[str, Any]) -> str:
        """Send a test alert; return what went wrong, empty where nothing did."""
        to = str(settings.get("addresses", ""))
        if self._settings["enabled"] != "true":
            return f"failed to send notification to email addresses: {to}: {OFF}"
        try:
            await asyncio.to_thread(self._send, to, str(settings.get("subject") or "[FIRING:1] Test"), alert)
        except (OSError, smtplib.SMTPException) as error:
            return f"failed to send notification to email addresses: {to}: {error}"
        return ""

    def _send(self, to: str, subject: str, alert: Mapping[str, Any]) -> None:
        said, mail = self._settings, EmailMessage()
        mail["From"] = formataddr((said["from_name"], said["from_address"]))
        mail["To"], mail["Subject"], mail["Date"] = to, subject, formatdate()
        mail["Message-ID"] = make_msgid(domain=said["from_address"].partition("@")[2])
        mail.set_content("\n".join(f"{name}: {value}" for name, value in (alert.get("annotations") or {}).items()))
        host, _, port = said["host"].rpartition(":")
        trusted = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
        if int(port) == IMPLICIT_TLS or said["startTLS_policy"] == "":
            server: smtplib.SMTP = self._opened(host, int(port), trusted)
        else:
            server = smtplib.SMTP(host, int(port), timeout=TIMEOUT)
            if said["startTLS_policy"] != "NoStartTLS":
                server.starttls(context=trusted)
        with server:
            if said["user"]:
                server.login(said["user"], said["password"])
            server.send_message(mail)

    def _opened(self, host: str, port: int, trusted: ssl.SSLContext) -> smtplib.SMTP:
        """Return a connection with TLS from the first byte at 465, else with STARTTLS where the server offers it."""
        if port == IMPLICIT_TLS:
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=trusted)
        server = smtplib.SMTP(host, port, timeout=TIMEOUT)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=trusted)
        return server
