"""ERPNext's refusals in our words: what it said, stripped of HTML, and what to do about its mail checks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agencystack.stack.errors import ComponentRef, Refused
from agencystack.stack.secrets import redact

LONGEST_QUOTE = 500
SERVER_ERROR = 500
_TAG = re.compile(r"<[/!a-zA-Z][^>]*>")


class ErpNextRefused(Refused):
    """ERPNext declined a request.

    Args:
        message: what failed, with ERPNext's own words.
        component: the ERPNext that answered.
        remedy: what to do now.
        status: its HTTP status.
        kind: its exception class, such as ``TimestampMismatchError``.
    """

    def __init__(
        self, message: str, *, component: ComponentRef, remedy: str = "", status: int = 0, kind: str = ""
    ) -> None:
        super().__init__(message, component=component, remedy=remedy)
        self.status = status
        self.kind = kind


@dataclass(frozen=True)
class Refusal:
    """The body of an error answer (facts/erpnext.md, "Resource API").

    Args:
        status: HTTP status.
        kind: ``exc_type``.
        words: its messages as plain text.
        exception: ``exception``: the class and the text it was raised with, plain; empty for DoesNotExistError.
        traceback: ``exc``; empty where the site does not show tracebacks.
    """

    status: int
    kind: str
    words: str
    exception: str = ""
    traceback: str = ""

    @classmethod
    def from_body(cls, status: int, body: Any) -> Refusal:
        """Read the error body of an answer."""
        fields = body if isinstance(body, dict) else {}
        return cls(
            status=status,
            kind=str(fields.get("exc_type") or ""),
            words=explain(body),
            exception=plain(str(fields.get("exception") or "")),
            traceback=str(fields.get("exc") or ""),
        )

    @property
    def text(self) -> str:
        """Everything it said, for recognising a cause: some causes are in the messages, some in the exception."""
        return f"{self.exception} {self.words}"

    def error(self, where: ComponentRef, doing: str) -> ErpNextRefused:
        """Return this refusal of ``doing`` (such as ``update Email Account "Mail"``) as our error."""
        message, remedy = _general(self)
        said = redact(self.words)[:LONGEST_QUOTE]
        return ErpNextRefused(
            f"refused to {doing}: {message or said}" + (f" (it said: {said})" if message else ""),
            component=where,
            remedy=remedy,
            status=self.status,
            kind=self.kind,
        )


def explain(body: Any) -> str:
    """Return the product's own words in an error body, as plain text."""
    if not isinstance(body, dict):
        return plain(str(body))
    said = server_messages(body)
    if said:
        return " / ".join(said)
    exception = str(body.get("exception") or "")
    _, _, text = exception.partition(": ")
    return plain(text or str(body.get("_error_message") or "") or exception or str(body.get("exc_type") or body))


def server_messages(body: dict[str, Any]) -> list[str]:
    """Return what the product would have shown its user: ``_server_messages`` is JSON in JSON."""
    try:
        packed = json.loads(body.get("_server_messages") or "[]")
        messages = [json.loads(one) for one in packed]
    except (TypeError, ValueError):
        return []
    texts = [plain(str(one.get("message", ""))) for one in messages if isinstance(one, dict)]
    return [text for text in texts if text]


def plain(text: str) -> str:
    """Return ``text`` without HTML, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _general(refusal: Refusal) -> tuple[str, str]:
    if refusal.kind == "TimestampMismatchError":
        return "somebody changed it since it was read", "make a new plan and run again"
    if refusal.kind in {"DuplicateEntryError", "UniqueValidationError"}:
        return "there is one already", "make a new plan: it shows what is there"
    if refusal.status == SERVER_ERROR:
        kind = refusal.kind or "error"
        return f"it failed with an {kind} of its own", "look it up in ERPNext's Error Log, and mend or report it there"
    return "", ""


@dataclass(frozen=True)
class MailServer:
    """What a save makes ERPNext connect to, for messages.

    Args:
        outgoing: ``host:port`` it sends through.
        other: ``host:port`` of another account that the save also saves, and so tests.
        incoming: ``host:port`` it fetches from.
        login: the user name it logs in with.
    """

    outgoing: str = "the outgoing server"
    incoming: str = "the incoming server"
    login: str = "the account"
    other: str = ""

    @property
    def either(self) -> str:
        """Any outgoing server that the save makes ERPNext connect to."""
        return f"{self.outgoing} or {self.other}" if self.other else self.outgoing


@dataclass(frozen=True)
class _Cause:
    pattern: re.Pattern[str]
    says: Callable[[str, MailServer], str]
    remedy: str


def _cause(pattern: str, says: Callable[[str, MailServer], str], remedy: str) -> _Cause:
    return _Cause(re.compile(pattern, re.IGNORECASE), says, remedy)


# Texts recorded in contract/erpnext/10_email.json (11-13, 22-25, 28, 29); the others are what Python's smtplib, ssl and
# socket say, which ERPNext passes on. The first that fits wins, so the narrow ones come first.
_MAIL_CAUSES = (
    _cause(
        "Password is required or select Awaiting Password",
        lambda _, server: f"no password is stored for {server.login}",
        "run again with the password; ERPNext saves no account that could not send",
    ),
    _cause(
        "InvalidEmailCredentials|check your email login credentials|AuthenticationError: \\(5",
        lambda target, server: f"{target} did not accept the login of {server.login}",
        "check that the mailbox exists, is enabled and may be used from ERPNext's address; then run "
        "agencystack rotate email to give it a new password",
    ),
    _cause(
        "SMTPSenderRefused|Sender address rejected|not owned by user",
        lambda _, server: "the mail server does not let it send from this sender address",
        "let mail leave as the account (always_use_account_email_id_as_sender), or make the sender an alias of its "
        "mailbox",
    ),
    _cause(
        "SMTPRecipientsRefused",
        lambda *_: "the mail server does not take mail for the recipient",
        "check the recipient's address and the mail server's limits",
    ),
    _cause(
        "You need to set one IMAP folder",
        lambda _, server: f"incoming mail of {server.login} needs a folder to read",
        "name the folder, usually INBOX",
    ),
    _cause(
        "Name or service not known|Temporary failure in name resolution|No address associated|nodename nor servname",
        lambda target, _: f"the machine ERPNext runs on cannot resolve the host name of {target}",
        "use a name that resolves inside ERPNext's network: set internal_url or submission.host of the mail server "
        "in stack.yaml",
    ),
    _cause(
        "Connection refused",
        lambda target, _: f"nothing accepts connections at {target}, as seen from ERPNext",
        "check host and port, that the mail server runs, and the firewall between the two",
    ),
    _cause(
        "No route to host|Network is unreachable",
        lambda target, _: f"ERPNext's machine has no route to {target}",
        "check the network between the two",
    ),
    _cause(
        "CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        lambda target, _: f"ERPNext does not trust the certificate of {target}",
        "give the mail server a certificate ERPNext's system trusts, or add its authority there",
    ),
    _cause(
        "timed out",
        lambda target, _: f"{target} did not answer ERPNext in time",
        "check the firewall between the two and that the mail server is not overloaded",
    ),
    _cause(
        "WRONG_VERSION_NUMBER|STARTTLS extension not supported|SSLError|\\[SSL|SMTP AUTH extension not supported"
        "|Connection unexpectedly closed|UNEXPECTED_EOF",
        lambda target, _: f"TLS does not fit {target}: ERPNext and the server expect different kinds on that port",
        "port 465 wants use_ssl_for_outgoing, port 587 wants use_tls",
    ),
    _cause(
        "please run connect\\(\\) first|is required",
        lambda *_: "host name or port of a server is missing",
        "set incoming and outgoing server: ERPNext checks both on every Email Domain",
    ),
)
_TAKEN_ADDRESS = re.compile("email_id|Email Address must be unique")
_INCOMING = re.compile(r"IMAP|POP3|Invalid Mail Server|imaplib|poplib")
_IN_ANOTHER = re.compile(r"Error has occurred in (?P<name>.+?)(?: / |$)")
_UNDEFAULTING = "there_must_be_only_one_default"


def mail_error(where: ComponentRef, doing: str, refusal: Refusal, server: MailServer) -> ErpNextRefused:
    """Return the refusal of a save that made ERPNext test its mail servers as our error.

    Args:
        where: the ERPNext.
        doing: what was refused, such as ``save Email Account "Mail"``.
        refusal: its answer.
        server: what the save made it connect to.
    """
    if refusal.kind == "UniqueValidationError" and _TAKEN_ADDRESS.search(refusal.text):
        return _refused(
            where,
            doing,
            refusal,
            f"another Email Account has the address {server.login}",
            "ERPNext allows an address once: remove it from the other account, or adopt that account",
        )
    other = _IN_ANOTHER.search(refusal.words)
    for cause in _MAIL_CAUSES:
        if cause.pattern.search(refusal.text):
            incoming = _INCOMING.search(refusal.text) is not None
            says = cause.says(server.incoming if incoming else _outgoing(refusal, server), server)
            return _refused(where, doing, refusal, *_elsewhere(refusal, other, says, cause.remedy))
    return refusal.error(where, doing)


def _outgoing(refusal: Refusal, server: MailServer) -> str:
    """Return whose check failed; only a traceback tells them apart, and a site may hide those."""
    return server.outgoing if refusal.traceback else server.either


def _elsewhere(refusal: Refusal, other: re.Match[str] | None, says: str, remedy: str) -> tuple[str, str]:
    """Say whose servers failed: a save also saves, and so tests, accounts that depend on what is saved.

    An Email Domain saves the accounts that use it; a new default saves the account that was the default before.
    """
    if other is not None:
        name = other["name"]
        return (
            f'it also saves Email Account "{name}", whose own check fails',
            f"repair or disable that account in ERPNext ({remedy})",
        )
    if _UNDEFAULTING in refusal.traceback:
        return (
            "making this the default also saves the Email Account that is the default now, whose own check fails",
            "repair that account in ERPNext, or take its Default Outgoing and Enable Outgoing away there",
        )
    return says, remedy


def _refused(where: ComponentRef, doing: str, refusal: Refusal, says: str, remedy: str) -> ErpNextRefused:
    said = redact(refusal.words)[:LONGEST_QUOTE]
    return ErpNextRefused(
        f"refused to {doing}: {says} (it said: {said})",
        component=where,
        remedy=remedy,
        status=refusal.status,
        kind=refusal.kind,
    )
