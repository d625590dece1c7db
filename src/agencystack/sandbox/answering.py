"""Ask a port for a sign of life that only the right program gives: a listening socket alone proves nothing."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from agencystack.sandbox.faults import CONTROL
from agencystack.sandbox.ports import LOOPBACK

PortCheck = Callable[[int], bool]
TIMEOUT = 5.0
SMTP_GREETING = b"220 "
IMAP_GREETING = b"* OK"


def stand_in_answers(port: int) -> bool:
    """Say whether a stand-in answers HTTP on ``port``, faults or not."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{CONTROL}faults")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greets(greeting: bytes) -> PortCheck:
    """Return a check for a server that speaks first, such as SMTP with ``220``."""

    def check(port: int) -> bool:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT) as connection:
                return connection.recv(len(greeting)) == greeting
        except OSError:
            return False

    return check


def greets_over_tls(greeting: bytes, ca_file: Path) -> PortCheck:
    """Return a check for a server that speaks first once TLS, verified against ``ca_file``, stands."""

    def check(port: int) -> bool:
        context = ssl.create_default_context(cafile=str(ca_file))
        try:
            with (
                socket.create_connection((LOOPBACK, port), timeout=TIMEOUT) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                return connection.recv(len(greeting)) == greeting
        except OSError:
            return False

    return check
