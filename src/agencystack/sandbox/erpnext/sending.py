"""Mail of the stand-in: written, queued, and sent through the Email Account the product would take."""

from __future__ import annotations

import json
import re
import secrets
import smtplib
import time
import traceback
from collections.abc import Mapping
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import formataddr, formatdate, parseaddr
from typing import Any

from agencystack.sandbox.erpnext.accounts import require_address
from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, broken, invalid, not_found
from agencystack.sandbox.erpnext.mail_servers import open_session
from agencystack.sandbox.erpnext.store import Document

RETRIES = 3
_NO_ACCOUNT = (
    "Unable to send mail because of a missing email account. "
    "Please setup default Email Account from Settings > Email Account"
)
_WAITING = ("Not Sent", "Partially Sent")


class Mail:
    """Writing and sending.

    Args:
        documents: the site's.
        site_url: for headers.
    """

    def __init__(self, documents: Documents, site_url: str) -> None:
        self._documents = documents
        self._site_url = site_url

    def make(self, work: Work, values: Mapping[str, Any]) -> dict[str, str]:
        """Write a mail, and queue it where ``send_email`` is set; the answer of ``communication.email.make``."""
        recipients = _addresses(values.get("recipients"))
        copies, blind = _addresses(values.get("cc")), _addresses(values.get("bcc"))
        for address in (*recipients, *copies, *blind):
            require_address(parseaddr(address)[1] or address)
        reference = values.get("doctype"), values.get("name")
        name, address = _sender(work, str(values.get("sender") or ""))
        sending = str(values.get("send_email") or "0") not in {"0", "false", "False"}
        account = find_outgoing(work, address, str(reference[0] or "")) if sending else None
        if sending and account is None:
            raise invalid(_NO_ACCOUNT, kind="OutgoingEmailError", status=501)
        communication = self._documents.insert(
            work,
            "Communication",
            {
                "subject": values.get("subject"),
                "content": values.get("content"),
                "sender": address,
                "sender_full_name": name,
                "recipients": ", ".join(recipients),
                "cc": ", ".join(copies) or None,
                "bcc": ", ".join(blind) or None,
                "communication_medium": "Email",
                "reference_doctype": reference[0],
                "reference_name": reference[1],
                "status": "Linked" if all(reference) else "Open",
                "message_id": f"{time.time_ns()}.{secrets.randbelow(10**9)}@{_host(self._site_url)}",
                "email_account": account["name"] if account else None,
                "user": work.user,
            },
            checked=False,
        )
        disabled = {user["email"] for user in work.transaction.all("User") if not user["enabled"]}
        dropped = [one for one in (*recipients, *copies) if one in disabled]
        if account and set(recipients + copies) - disabled:
            to = [one for one in recipients if one not in disabled]
            cc = [one for one in copies if one not in disabled]
            self._queue(work, communication, account, to, cc, blind)
        return {"name": communication["name"], "emails_not_sent_to": ", ".join(dropped)}

    def send_now(self, work: Work, name: str) -> None:
        """Send what a queue row holds; a mail that fails goes back to the queue, and the failure is raised."""
        row = work.transaction.get("Email Queue", name)
        if row is None:
            raise not_found("Email Queue", name)
        if row["status"] not in _WAITING:
            return
        _set_status(work, row, status="Sending")
        try:
            _deliver(work, row)
        except Exception as error:
            again = row["retry"] < RETRIES
            sent = any(one["status"] == "Sent" for one in row["recipients"])
            status = ("Partially Sent" if sent else "Not Sent") if again else "Error"
            trace = "".join(traceback.format_exception(error))
            _set_status(work, row, status=status, error=trace, retry=row["retry"] + int(again))
            raise _as_answered(error) from error
        _set_status(work, row, status="Sent")

    def _queue(
        self, work: Work, communication: Document, account: Document, to: list[str], cc: list[str], bcc: list[str]
    ) -> None:
        sender = _from(account, communication["sender_full_name"], communication["sender"])
        message = self._message(work, communication, account, sender, to, cc)
        self._documents.insert(
            work,
            "Email Queue",
            {
                "sender": sender,
                "recipients": [{"recipient": one, "status": "Not Sent"} for one in dict.fromkeys((*to, *cc, *bcc))],
                "show_as_cc": ",".join(cc),
                "message": message,
                "message_id": communication["message_id"],
                "reference_doctype": communication.get("reference_doctype"),
                "reference_name": communication.get("reference_name"),
                "communication": communication["name"],
                "expose_recipients": "header",
                "email_account": account["name"],
            },
            checked=False,
        )

    def _message(
        self, work: Work, communication: Document, account: Document, sender: str, to: list[str], cc: list[str]
    ) -> str:
        original = formataddr((communication["sender_full_name"], communication["sender"]))
        incoming = _find_incoming(work, communication["sender"])
        message = MIMEMultipart("mixed", policy=SMTP)
        headers = {
            "Message-Id": f"<{communication['message_id']}>",
            "X-Original-From": original,
            "Subject": str(communication["subject"]).strip(),
            "From": sender,
            "To": ", ".join(to),
            "Date": formatdate(),
            "Reply-To": incoming["email_id"] if incoming else communication["sender"],
            "CC": ", ".join(cc),
            "X-Frappe-Site": self._site_url,
        }
        for key, value in headers.items():
            if value:
                message[key] = value
        content = str(communication.get("content") or "")
        alternative = MIMEMultipart("alternative", policy=SMTP)
        alternative.attach(MIMEText(re.sub(r"<[^>]+>", "", content) + "\n", "plain", "utf-8", policy=SMTP))
        alternative.attach(MIMEText(_page(communication, content), "html", "utf-8", policy=SMTP))
        message.attach(alternative)
        return message.as_string()


def find_outgoing(work: Work, address: str, doctype: str = "") -> Document | None:
    """Return the account a mail leaves through: the sender's own, the doctype's, or the default one."""
    accounts = [one for one in work.transaction.all("Email Account") if one["enable_outgoing"]]
    own = [one for one in accounts if str(one["email_id"]).casefold() == address.casefold()]
    of_doctype = [one for one in accounts if doctype and one["enable_incoming"] and one.get("append_to") == doctype]
    return next(iter([*own, *of_doctype, *(one for one in accounts if one["default_outgoing"])]), None)


def _find_incoming(work: Work, address: str) -> Document | None:
    accounts = [one for one in work.transaction.all("Email Account") if one["enable_incoming"]]
    own = [one for one in accounts if one["email_id"] == address]
    return next(iter([*own, *(one for one in accounts if not one.get("append_to"))]), None)


def _sender(work: Work, given: str) -> tuple[str, str]:
    """Return name and address of a mail's sender: whoever asks, unless another is given."""
    if not given:
        user = work.transaction.get("User", work.user) or {}
        return str(user.get("full_name") or work.user), str(user.get("email") or work.user)
    name, address = parseaddr(given)
    require_address(address or given)
    known = work.transaction.get("User", address) or {}
    return (name if name and name != address else "") or str(known.get("full_name") or address), address


def _from(account: Document, name: str, address: str) -> str:
    if account["always_use_account_email_id_as_sender"]:
        address = account["email_id"]
    if account["always_use_account_name_as_sender_name"]:
        name = account["name"]
    return formataddr((str(Header(name, "utf-8")), address))


def _deliver(work: Work, row: Document) -> None:
    named = str(row.get("email_account") or "")
    account = (
        work.transaction.get("Email Account", named) if named else find_outgoing(work, parseaddr(row["sender"])[1])
    )
    if named and account is None:
        raise not_found("Email Account", named)
    if account is None:
        raise invalid(
            "Please setup default Email Account from Settings > Email Account", kind="OutgoingEmailError", status=501
        )
    session = open_session(account, work.transaction, work.patience)
    try:
        for recipient in row["recipients"]:
            if recipient["status"] != "Sent":
                session.sendmail(row["sender"], recipient["recipient"], row["message"].encode())
                recipient["status"] = "Sent"
    finally:
        _close(session)


def _close(session: smtplib.SMTP) -> None:
    try:
        session.quit()
    except smtplib.SMTPException:
        session.close()


def _as_answered(error: Exception) -> FrappeError:
    if isinstance(error, FrappeError):
        return error
    return broken(type(error).__name__, str(error), module=type(error).__module__)


def _set_status(work: Work, row: Document, **values: Any) -> None:
    """Change a queue row for good, whatever becomes of the request, and tell the mail it belongs to."""
    row.update(values)
    work.transaction.put(row)
    communication = work.transaction.get("Communication", str(row.get("communication") or ""))
    if communication is not None:
        shown_as = {"Not Sent": "Sending", "Sending": "Sending", "Sent": "Sent", "Error": "Error"}
        communication["delivery_status"] = shown_as.get(row["status"], communication["delivery_status"])
        work.transaction.put(communication)
    work.transaction.commit()


def _addresses(given: Any) -> list[str]:
    if isinstance(given, str) and given.startswith("["):
        given = json.loads(given)
    listed = given if isinstance(given, list) else str(given or "").replace(";", ",").replace("\n", ",").split(",")
    return [str(one).strip() for one in listed if str(one).strip()]


def _page(communication: Document, content: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">\n'
        f'<title>{communication["subject"]}</title>\n</head>\n<body>\n<table class="body-table"><tr><td>{content}'
        "</td></tr></table>\n</body>\n</html>\n"
    )


def _host(url: str) -> str:
    return url.partition("://")[2].partition(":")[0].partition("/")[0]
