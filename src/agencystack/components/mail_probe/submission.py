"""Look for a submission server: runs here as a module, and inside applications as a program read from standard input.

Nothing but the standard library, nothing newer than Python 3.7: this runs in other products' containers.
"""

from __future__ import annotations

import base64
import json
import smtplib
import socket
import ssl
import sys


def attempt(host: str, port: int, security: str, ca_file: str, timeout: float) -> dict[str, str]:
    """Try one way in and tell what happened, in the form every language's program uses."""
    result = {"port": str(port), "security": security, "kind": "ok", "tls": "", "detail": "", "certificate": ""}
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        result["kind"], result["tls"] = _converse(host, port, security, context, timeout)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        result["kind"], result["detail"] = classify(error)
        if result["kind"] in ("untrusted", "name-mismatch"):
            result["certificate"] = _certificate(host, port, security, timeout)
    return result


def _converse(host: str, port: int, security: str, context: ssl.SSLContext, timeout: float) -> tuple[str, str]:
    """Return what the server offers (``ok``, or what it lacks) and the version of TLS."""
    server = _connect(host, port, security, context, timeout)
    try:
        server.ehlo()
        if security == "starttls":
            if not server.has_extn("starttls"):
                return "no-starttls", ""
            server.starttls(context=context)
            server.ehlo()
        return ("ok" if server.has_extn("auth") else "no-auth"), _encrypted(server).version() or ""
    finally:
        server.close()


def _connect(host: str, port: int, security: str, context: ssl.SSLContext, timeout: float) -> smtplib.SMTP:
    if security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    return smtplib.SMTP(host, port, timeout=timeout)


def _encrypted(server: smtplib.SMTP) -> ssl.SSLSocket:
    if not isinstance(server.sock, ssl.SSLSocket):
        raise smtplib.SMTPException("the connection is not encrypted")
    return server.sock


def classify(error: Exception) -> tuple[str, str]:
    """Return the kind of a failure, and the words it came with."""
    words = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        return "unresolvable", words
    if isinstance(error, ConnectionRefusedError):
        return "refused", words
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "timeout", words
    if isinstance(error, ssl.SSLCertVerificationError):
        mismatch = error.verify_code in (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return ("name-mismatch" if mismatch else "untrusted"), error.verify_message
    if isinstance(error, ssl.SSLError):
        return "no-tls", words
    if isinstance(error, smtplib.SMTPException):
        # smtplib puts a time limit that ran out while it waited for an answer into words alone.
        return ("timeout" if "timed out" in words else "bad-answer"), words
    return "unreachable", words


def _certificate(host: str, port: int, security: str, timeout: float) -> str:
    """Return the certificate that was not believed, in base64, to name who issued it; nothing is sent there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        server = _connect(host, port, security, context, timeout)
        if security == "starttls":
            server.starttls(context=context)
        der = _encrypted(server).getpeercert(binary_form=True)
        server.close()
    except (OSError, smtplib.SMTPException):
        return ""
    return base64.b64encode(der or b"").decode()


def main(arguments: list[str]) -> None:
    """Try each way in until one is open; print what happened, each line after the given mark."""
    mark, host, ways, ca_file, timeout = arguments
    for way in ways.split(","):
        port, security = way.split(":")
        result = attempt(host, int(port), security, ca_file, float(timeout))
        sys.stdout.write(mark + json.dumps(result) + "\n")
        if result["kind"] == "ok":
            break


if __name__ == "__main__":
    main(sys.argv[1:])
