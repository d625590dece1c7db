"""The stand-in without a network: httpx asks it directly, in the caller's thread, for tests that run by thousands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import httpx
from starlette.responses import Response

Trouble = Literal["unreachable", "lost before", "lost after", "broken after"]
Misbehaves = Callable[[str, str], "Trouble | int | None"]


class Handles(Protocol):
    """A stand-in that answers one request."""

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """Answer a request; ``path`` with its query."""


class Inside(httpx.BaseTransport):
    """A transport to a stand-in in this process.

    Args:
        stand_in: what answers.
        misbehaves: is asked for each request, with its method and path, how it goes wrong: ``unreachable``, the
            connection ``lost before`` or ``lost after`` the work, a 500 after it (``broken after``), or a status
            without the work; ``None`` for not at all.
    """

    def __init__(self, stand_in: Handles, misbehaves: Misbehaves = lambda method, path: None) -> None:
        self._stand_in = stand_in
        self.misbehaves = misbehaves
        self.calls: list[tuple[str, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        method, path = request.method, request.url.raw_path.decode()
        self.calls.append((method, path))
        trouble = self.misbehaves(method, path)
        if trouble == "unreachable":
            raise httpx.ConnectError("connection refused", request=request)
        if trouble == "lost before":
            raise httpx.ReadError("the connection was lost", request=request)
        if isinstance(trouble, int):
            return httpx.Response(trouble, json={"message": "asked to fail"}, request=request)
        answer = self._stand_in.handle(method, path, dict(request.headers), request.read())
        if trouble == "lost after":
            raise httpx.ReadError("the connection was lost", request=request)
        if trouble == "broken after":
            return httpx.Response(500, json={"message": "Internal Server Error"}, request=request)
        return httpx.Response(
            answer.status_code, headers=answer.raw_headers, content=bytes(answer.body), request=request
        )
