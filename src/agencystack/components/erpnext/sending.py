"""Send one mail through ERPNext: write it, find it in the queue, have it sent, see what became of it."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from agencystack.components.erpnext.models import SentMail, Text
from agencystack.components.erpnext.refusals import MailServer, Refusal, mail_error, plain
from agencystack.components.erpnext.site import FrappeSite, Values, resource
from agencystack.components.http import DEFAULT_TIMEOUT
from agencystack.stack.errors import ComponentRef, Refused, Unavailable

POLL_SECONDS = 0.5

_MAKE = "frappe.core.doctype.communication.email.make"
_SEND_NOW = "frappe.email.doctype.email_queue.email_queue.send_now"


class _QueueRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    status: str
    error: Text = ""
    sender: Text = ""
    message_id: Text = ""


class Sending:
    """One mail on its way, under one time limit.

    ERPNext only queues what it is asked to send, and its scheduler looks at the queue every four minutes; so the row is
    looked up and sent at once (facts/erpnext.md "Email").

    Args:
        site: the ERPNext.
        to: the recipient.
        limit: seconds for all of it.
    """

    def __init__(self, site: FrappeSite, to: str, limit: float) -> None:
        self._site = site
        self._to = to
        self._limit = limit
        self._start = time.monotonic()

    def send(self, subject: str, html: str, sender: str | None) -> SentMail:
        """Send it. Raises as :meth:`agencystack.components.erpnext.ErpNext.send_mail`."""
        communication = self._compose(subject, html, sender)
        self._send_queued(self._queued(communication))
        row = self._settled(communication)
        if row.status != "Sent":
            raise self._not_sent(row)
        return SentMail(
            communication=communication,
            queue=row.name,
            sender=row.sender,
            message_id=row.message_id,
            seconds=time.monotonic() - self._start,
        )

    def _compose(self, subject: str, html: str, sender: str | None) -> str:
        arguments: dict[str, object] = {"recipients": self._to, "subject": subject, "content": html, "send_email": 1}
        if sender:
            arguments["sender"] = sender
        answer, body = self._call(_MAKE, arguments)
        if not answer.is_success:
            raise self._not_composed(Refusal.from_body(answer.status_code, body))
        made = body.get("message")
        if not isinstance(made, dict) or not made.get("name"):
            raise self._site.bad_shape("the answer to a new mail")
        return str(made["name"])

    def _not_composed(self, refusal: Refusal) -> Refused:
        if refusal.kind != "OutgoingEmailError":
            return refusal.error(self._site.where, f"write a mail to {self._to}")
        return Refused(
            f"cannot send mail: no Email Account is the default for outgoing mail (it said: {refusal.words})",
            component=self._site.where,
            remedy="run agencystack integrate email",
        )

    def _queued(self, communication: str) -> _QueueRow:
        answer = self._site.done(
            "GET",
            resource("Email Queue"),
            "read the mail queue",
            params={
                "fields": json.dumps(["name", "status", "error", "sender", "message_id"]),
                "filters": json.dumps([["communication", "=", communication]]),
                "limit_page_length": "1",
            },
            timeout=min(DEFAULT_TIMEOUT, self._left()),
        )
        rows = answer.get("data")
        if not rows:
            raise Refused(
                f"wrote the mail to {self._to} but queued nothing",
                component=self._site.where,
                remedy="check in ERPNext whether the recipient is a disabled user or has an Email Unsubscribe",
            )
        return self._site.model(_QueueRow, rows[0])

    def _send_queued(self, row: _QueueRow) -> None:
        answer, body = self._call(_SEND_NOW, {"name": row.name})
        if not answer.is_success:
            refusal = Refusal.from_body(answer.status_code, body)
            raise mail_error(self._site.where, f"send the mail to {self._to}", refusal, MailServer())

    def _settled(self, communication: str) -> _QueueRow:
        """Read the row back; ERPNext's own scheduler may have taken it first and still be busy with it."""
        row = self._queued(communication)
        while row.status == "Sending":
            time.sleep(min(POLL_SECONDS, self._left()))
            row = self._queued(communication)
        return row

    def _not_sent(self, row: _QueueRow) -> Refused:
        if not row.error:
            return Refused(
                f'left the mail to {self._to} in its queue as "{row.status}"',
                component=self._site.where,
                remedy="check that mail is not muted (mute_emails in site_config.json) and its queue not suspended",
            )
        # The field holds a traceback; its last line is the reason.
        reason = plain(row.error.strip().splitlines()[-1])
        refusal = Refusal(status=0, kind="", words=reason, exception=reason)
        return mail_error(self._site.where, f"send the mail to {self._to}", refusal, MailServer())

    def _call(self, method: str, arguments: Values) -> tuple[httpx.Response, dict[str, Any]]:
        try:
            return self._site.send("POST", f"/api/method/{method}", body=dict(arguments), timeout=self._left())
        except Unavailable as error:
            doing = f"send the mail to {self._to}"
            raise hanging(self._site.where, error, doing, "its mail server", self._limit) from error

    def _left(self) -> float:
        left = self._limit - (time.monotonic() - self._start)
        if left > 0:
            return left
        raise Unavailable(
            f"did not send the mail to {self._to} within {self._limit:g} s",
            component=self._site.where,
            remedy="check that the mail server answers ERPNext, then run again",
        )


def hanging(where: ComponentRef, error: Unavailable, doing: str, server: str, limit: float) -> Unavailable:
    """Return ``error``, or, where it is a request that got no answer in time, what that means when mail is involved.

    Args:
        where: the ERPNext.
        error: from the request.
        doing: what it did.
        server: the mail server, for the message.
        limit: seconds that were allowed.
    """
    if not isinstance(error.__cause__, httpx.ReadTimeout):
        return error
    return Unavailable(
        f"did not {doing} within {limit:g} s: it is most likely waiting for {server}, which accepts connections but "
        "does not answer",
        component=where,
        remedy="check the mail server and the firewall in between from ERPNext's machine; ERPNext itself gives up "
        "after 120 s, so wait that long before running again",
    )
