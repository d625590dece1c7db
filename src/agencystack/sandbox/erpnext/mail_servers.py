"""The connections ERPNext makes to mail servers: the checks when settings are saved, and sending."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
import traceback
from dataclasses import dataclass
from typing import Any

from agencystack.sandbox.erpnext.errors import FrappeError, broken, invalid, thrown, unauthenticated
from agencystack.sandbox.erpnext.store import Document, Transaction

# What EHLO says; asking the system for its own name can take seconds where there is no resolver.
_HELO = "erpnext.localhost"
# Plain, and with TLS from the first byte.
_IMAP_PORTS = (143, 993)
_SMTP_PORTS = {"ssl": 465, "tls": 587}


@dataclass(frozen=True)
class Patience:
    """How long the product waits for a mail server, in seconds (facts/erpnext.md "Email").

    Args:
        domain: for each server of an Email Domain.
        account: for the servers of an Email Account, and when it sends.
    """

    domain: float = 30.0
    account: float = 120.0


def check_domain(domain: Document, patience: Patience) -> None:
    """Connect to both servers of an Email Domain, without a login.

    Raises:
        FrappeError: the first that fails.
    """
    domain["incoming_port"] = incoming_port(domain)
    try:
        _Incoming(domain, patience.domain, verify=False).shutdown()
    except (OSError, imaplib.IMAP4.error, poplib.error_proto, ValueError) as error:
        raise invalid(f"Error connecting via IMAP/POP3: {error}", title="Incoming email account not correct") from error
    _set_outgoing_port(domain)
    try:
        _open_smtp(domain, patience.domain).quit()
    except (OSError, ValueError) as error:
        raise invalid(f"Error connecting via SMTP: {error}", title="Outgoing email account not correct") from error


def check_incoming(account: Document, transaction: Transaction, patience: Patience) -> None:
    """Log in to the incoming server of an Email Account."""
    if not account.get("email_server"):
        raise invalid("Email Server is required")
    account["incoming_port"] = account.get("incoming_port") or incoming_port(account)
    try:
        _Incoming(account, patience.account).log_in(login(account), clear_password(account, transaction) or "")
    except (imaplib.IMAP4.error, poplib.error_proto) as error:
        if any(word in str(error).lower().replace(" ", "") for word in ("authenticationfailed", "loginfailed")):
            raise _bad_credentials(error) from error
        raise invalid(str(error)) from error
    except OSError as error:
        message = {"message": "Invalid Mail Server. Please rectify and try again.", "title": "Message"}
        raise broken(type(error).__name__, str(error), messages=[message]) from error


def check_outgoing(account: Document, transaction: Transaction, patience: Patience) -> None:
    """Connect and log in to the outgoing server of an Email Account."""
    if not account.get("smtp_server"):
        raise invalid("SMTP Server is required")
    open_session(account, transaction, patience).quit()


def open_session(account: Document, transaction: Transaction, patience: Patience) -> smtplib.SMTP:
    """Return a session with the outgoing server, logged in where the account has a password.

    Raises:
        FrappeError: with the product's text for what went wrong.
    """
    password = clear_password(account, transaction)
    if password is None and not account.get("no_smtp_authentication"):
        raise unauthenticated(f"Password not found for Email Account {account['name']} password")
    try:
        session = _open_smtp(account, patience.account)
        if account.get("use_tls"):
            session.starttls(context=_unverified())
            session.ehlo()
        if password:
            session.login(login(account), password)
    except smtplib.SMTPAuthenticationError as error:
        raise _bad_credentials(error) from error
    except OSError as error:
        raise invalid(f"Invalid Outgoing Mail Server or Port: {error}", title="Incorrect Configuration") from error
    return session


def clear_password(account: Document, transaction: Transaction) -> str | None:
    """Return the password of an account: the new one while it is being saved, else the stored one."""
    given = account.get("password")
    if given and not is_mask(str(given)):
        return str(given)
    return transaction.password("Email Account", account["name"], "password")


def is_mask(password: str) -> bool:
    """Whether it is what the product shows instead of a password: as many asterisks as that has characters."""
    return set(password) == {"*"}


def login(account: Document) -> str:
    """Return the user name of an account."""
    return str(account.get("login_id") or account["email_id"])


def incoming_port(settings: Document) -> int:
    """Return the port of the incoming server, or the usual one of its protocol."""
    if settings.get("incoming_port"):
        return _number(settings["incoming_port"])
    if settings.get("use_imap"):
        return _IMAP_PORTS[bool(settings.get("use_ssl"))]
    return poplib.POP3_SSL_PORT if settings.get("use_ssl") else poplib.POP3_PORT


def _bad_credentials(error: Exception) -> FrappeError:
    cause = traceback.format_exception_only(error)[-1].strip()
    text = f"Please check your email login credentials. {cause}"
    return FrappeError(
        "InvalidEmailCredentials",
        text,
        module="frappe.email.smtp",
        messages=[thrown(text, title="Invalid Credentials")],
    )


class _Incoming:
    """An IMAP or POP3 connection, whichever the settings ask for."""

    def __init__(self, settings: Document, timeout: float, *, verify: bool = True) -> None:
        self._imap: imaplib.IMAP4 | None = None
        self._pop: poplib.POP3 | None = None
        host, port = settings.get("email_server") or "", incoming_port(settings)
        # Python's own default for IMAP4_SSL, which an Email Domain's check uses, verifies nothing.
        context = ssl.create_default_context() if verify else _unverified()
        if settings.get("use_imap") and settings.get("use_ssl"):
            self._imap = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=timeout)
        elif settings.get("use_imap"):
            self._imap = imaplib.IMAP4(host, port, timeout=timeout)
            if verify and settings.get("use_starttls"):
                self._imap.starttls(ssl_context=_unverified())
        elif settings.get("use_ssl"):
            self._pop = poplib.POP3_SSL(host, port, context=context, timeout=timeout)
        else:
            self._pop = poplib.POP3(host, port, timeout=timeout)

    def log_in(self, user: str, password: str) -> None:
        try:
            if self._imap:
                self._imap.login(user, password)
            elif self._pop:
                self._pop.user(user)
                self._pop.pass_(password)
        finally:
            self.shutdown()

    def shutdown(self) -> None:
        if self._imap:
            self._imap.logout()
        elif self._pop:
            self._pop.quit()


def _open_smtp(settings: Document, timeout: float) -> smtplib.SMTP:
    host, port = str(settings.get("smtp_server") or ""), _outgoing_port(settings)
    if settings.get("use_ssl_for_outgoing"):
        return smtplib.SMTP_SSL(host, port, local_hostname=_HELO, timeout=timeout, context=_unverified())
    return smtplib.SMTP(host, port, local_hostname=_HELO, timeout=timeout)


def _outgoing_port(settings: Document) -> int:
    usual = _SMTP_PORTS["ssl"] if settings.get("use_ssl_for_outgoing") else 0
    usual = usual or (_SMTP_PORTS["tls"] if settings.get("use_tls") else 0)
    return _number(settings.get("smtp_port")) or usual


def _set_outgoing_port(domain: Document) -> None:
    if _outgoing_port(domain) and not domain.get("smtp_port"):
        domain["smtp_port"] = _outgoing_port(domain)


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


def _unverified() -> ssl.SSLContext:
    """Return what the product's SMTP uses: it accepts any certificate (facts/erpnext.md "Email")."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
