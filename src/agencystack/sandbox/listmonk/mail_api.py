"""The interfaces that send mail: the test of a server, and transactional mail through the saved ones (tx.json)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agencystack.sandbox.listmonk.answers import Declined, data, json_body
from agencystack.sandbox.listmonk.sending import DURATION, DURATIONS, compose, headers_of, send
from agencystack.sandbox.listmonk.state import State

TX_TEMPLATE = 3


class MailApi:
    """Sends with what the program runs with."""

    def __init__(self, state: State, ca_file: Path | None) -> None:
        self._state = state
        self._ca_file = ca_file

    async def test(self, request: Request) -> Response:
        """Send the test mail through the server that is sent along."""
        body = await json_body(request, "Internal server error", 400)
        if any(not DURATION.match(str(body.get(name, "1s"))) for name in DURATIONS):
            raise Declined(400, "Internal server error")
        if not body.get("email"):
            raise Declined(400, "Missing field(s): email")
        mail = compose(self._sender, body["email"], "Test connection", "<h2>Test connection</h2>", headers_of(body))
        await asyncio.to_thread(send, self._sender, self._ca_file, body, mail, body["email"])
        return data(self._state.log)

    async def templates(self, _: Request) -> Response:
        """Answer the templates of a new Listmonk."""
        return data(
            [
                {"id": 1, "name": "Default campaign template", "type": "campaign", "is_default": True},
                {"id": TX_TEMPLATE, "name": "Sample transactional template", "type": "tx", "is_default": False},
            ]
        )

    async def send_transactional(self, request: Request) -> Response:
        """Take a mail that leaves through one of the saved servers after the answer."""
        body = await json_body(request, "unexpected EOF", 400)
        if body.get("template_id") != TX_TEMPLATE:
            raise Declined(400, f"template {body.get('template_id')} not found")
        subject = body.get("subject") or "Welcome "
        block = secrets.choice([block for block in self._state.in_use()["smtp"] if block["enabled"]])
        to = body["subscriber_emails"]
        mails = [(compose(self._sender, person, subject, "<p>Order</p>", headers_of(block)), person) for person in to]
        return JSONResponse({"data": True}, background=BackgroundTask(self._deliver, block, mails))

    async def _deliver(self, block: dict[str, Any], mails: Sequence[tuple[EmailMessage, str]]) -> None:
        for mail, address in mails:
            try:
                await asyncio.to_thread(send, self._sender, self._ca_file, block, mail, address)
            except Declined as declined:
                self._state.log.append(f"error sending message: {declined}")

    @property
    def _sender(self) -> str:
        return str(self._state.in_use()["app.from_email"])
