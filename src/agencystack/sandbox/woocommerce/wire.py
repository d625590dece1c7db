"""What goes in and out of the stand-in: a request, an answer, and WordPress's way to say no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        method: HTTP method.
        path: below the site's address: ``/wp-json/wc/v3/orders``.
        params: query parameters; a repeated one holds its last value.
        headers: by lower-case name.
        body: as it was sent.
        secure: it came over TLS.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secure: bool = False


@dataclass(frozen=True)
class Answer:
    """One answer.

    Args:
        status: HTTP status.
        data: sent as JSON.
        headers: besides the usual ones.
        seconds: how long the product takes for it (facts/wordpress.md "Speed").
    """

    status: int
    data: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.06

    @property
    def body(self) -> bytes:
        """The answer as it is sent."""
        return json.dumps(self.data, ensure_ascii=False).encode(errors="replace")


class RestError(Exception):
    """A refusal, as WordPress words it.

    Args:
        code: its code.
        message: its message.
        status: HTTP status.
        more: what its ``data`` holds beside the status.
        data: the whole of ``data``, where a product leaves the usual form.
    """

    _AS_USUAL = object()

    def __init__(self, code: str, message: str, status: int = 400, *, data: Any = _AS_USUAL, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.data = {"status": status, **more} if data is self._AS_USUAL else data

    @property
    def body(self) -> Json:
        """The error as JSON."""
        return {"code": self.code, "message": str(self), "data": self.data}


def no_route() -> RestError:
    """Return the answer to an address, or a method on it, that does not exist: 404, never 405."""
    return RestError("rest_no_route", "No route was found matching the URL and request method.", 404)
