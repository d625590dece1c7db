"""What the stand-in's monitors really do: ask an address, a port or a mail server, and say what was wrong with it."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

DOWN, UP, PENDING = 0, 1, 2
EXCERPT = 50
SMTP_OK = "SMTP connection verifies successfully"


@dataclass(frozen=True)
class Seen:
    """What one check saw."""

    status: int
    message: str
    ping: int | None = None


class Failed(Exception):
    """A check that failed, with the words Uptime Kuma has for it."""


class Checker:
    """Does the checks.

    Args:
        trust: verifies the certificates of what is checked.
    """

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust

    async def check(self, monitor: Mapping[str, Any]) -> Seen:
        """Check once."""
        kinds = {"http": self._http, "keyword": self._http, "port": self._port, "smtp": self._smtp}
        kind = kinds.get(monitor["type"])
        if kind is None:
            return Seen(DOWN, "Unknown Monitor Type")
        started = time.monotonic()
        try:
            async with asyncio.timeout(monitor["timeout"] or 48):
                message = await kind(monitor)
        except Failed as failed:
            return Seen(DOWN, str(failed))
        except TimeoutError:
            return Seen(DOWN, f"timeout of {monitor['timeout']}000ms exceeded")
        return Seen(UP, message, round((time.monotonic() - started) * 1000))

    async def _http(self, monitor: Mapping[str, Any]) -> str:
        verify = False if monitor["ignoreTls"] else self._trust
        redirects = int(monitor["maxredirects"])
        try:
            async with httpx.AsyncClient(
                verify=verify, follow_redirects=redirects > 0, max_redirects=max(redirects, 1), trust_env=False
            ) as client:
                answer = await client.request(monitor["method"] or "GET", monitor["url"] or "")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed(_words(error, *_endpoint(monitor["url"]))) from error
        if not any(_accepts(codes, answer.status_code) for codes in monitor["accepted_statuscodes"]):
            raise Failed(f"Request failed with status code {answer.status_code}")
        said = f"{answer.status_code} - {answer.reason_phrase}"
        return said if monitor["type"] == "http" else said + _with_keyword(said, answer.text, str(monitor["keyword"]))

    async def _port(self, monitor: Mapping[str, Any]) -> str:
        host, port = str(monitor["hostname"]), int(monitor["port"] or 0)
        started = time.monotonic()
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise Failed("Connection failed") from error
        writer.close()
        return f"{round((time.monotonic() - started) * 1000)} ms"

    async def _smtp(self, monitor: Mapping[str, Any]) -> str:
        host, port = str(monitor["hostname"]), int(monitor["port"] or 25)
        try:
            await asyncio.to_thread(self._greet, host, port, monitor["smtpSecurity"])
        except (OSError, smtplib.SMTPException) as error:
            raise Failed(f"SMTP connection doesn't verify: Error: {_words(error, host, port)}") from error
        return SMTP_OK

    def _greet(self, host: str, port: int, security: str) -> None:
        if security == "secure":
            smtplib.SMTP_SSL(host, port, timeout=10, context=self._trust).quit()
            return
        with smtplib.SMTP(host, port, timeout=10) as connection:
            connection.ehlo()
            if security == "starttls" or (security != "nostarttls" and connection.has_extn("starttls")):
                connection.starttls(context=self._trust)


def _with_keyword(said: str, text: str, keyword: str) -> str:
    # JSON is compared as JavaScript writes it: without spaces (server/model/monitor.js).
    try:
        data = json.loads(text)
        text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        pass
    if keyword in text:
        return ", keyword is found"
    shown = re.sub(r"<[^>]*>?|[\n\r]|\s+", " ", text).strip()
    shown = shown if len(shown) <= EXCERPT else shown[: EXCERPT - 3] + "..."
    raise Failed(f"{said}, but keyword is not in [{shown}]")


def _accepts(codes: str, status: int) -> bool:
    first, _, last = codes.partition("-")
    return int(first) <= status <= int(last or first)


def _endpoint(url: str) -> tuple[str, int]:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return url, 0
    return parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80)


def _words(error: BaseException, host: str, port: int) -> str:
    """Return what Node.js says of an error of a connection."""
    text = str(error)
    causes = [error, error.__cause__, error.__context__]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "self-signed certificate" if "self-signed" in text else "unable to verify the first certificate"
    if any(isinstance(cause, socket.gaierror) for cause in causes) or "Name or service" in text:
        return f"getaddrinfo ENOTFOUND {host}"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "connection attempts failed" in text:
        return f"connect ECONNREFUSED {'127.0.0.1' if host == 'localhost' else host}:{port}"
    return text or type(error).__name__
