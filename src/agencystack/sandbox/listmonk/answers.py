"""How the stand-in answers: data, refusals, and what it reads from a request."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Declined(Exception):
    """A 4xx or 5xx with Listmonk's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def data(value: Any) -> Response:
    """Return ``value`` as Listmonk answers it."""
    return JSONResponse({"data": value})


async def json_body(request: Request, message: str, status: int) -> dict[str, Any]:
    """Return the JSON object of a request, or decline it with ``message``."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Declined(status, message) from None
    if not isinstance(body, dict):
        raise Declined(status, message)
    return body


def credentials(header: str) -> tuple[str, str]:
    """Return user and token of an Authorization header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "token":
        raise Declined(403, "code=400, message=unknown Authorization scheme")
    name, separator, token = value.partition(":")
    if not separator:
        raise Declined(403, "code=400, message=api_key:token missing")
    return name, token


async def unknown_endpoint(_: Request, __: Exception) -> Response:
    """Answer what no route answers."""
    return JSONResponse({"message": "404 unknown endpoint"}, status_code=404)
