"""How the stand-in declines: Grafana's forms of an error."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Declined(Exception):
    """A 4xx or 5xx with Grafana's message and, where it has one, the name it gives that error."""

    def __init__(self, status: int, message: str, message_id: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message_id = message_id
        self.kind = kind

    def answer(self) -> Response:
        """Return it as Grafana answers it."""
        body: dict[str, Any] = {"message": str(self)}
        if self.kind:
            body["status"] = self.kind
        if self.message_id:
            body |= {"messageId": self.message_id, "statusCode": self.status, "traceID": ""}
        return JSONResponse(body, status_code=self.status)


def unauthorized() -> Declined:
    """Return what a caller without a session or credential is told."""
    return Declined(401, "Unauthorized", "auth.unauthorized")


def wrong_password() -> Declined:
    """Return what a wrong name or password is told."""
    return Declined(401, "Invalid username or password", "password-auth.failed")


def forbidden(permission: str) -> Declined:
    """Return what somebody is told who may not do this."""
    return Declined(403, f"You'll need additional permissions to perform this action. Permissions needed: {permission}")


async def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Declined(400, "Failed to parse request body")
    return body
