"""The invented product of the worked example: a small HTTP interface with mail settings, which can fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FACTORY: dict[str, Any] = {
    "title": "Our guests",
    "mail": {"server": "", "port": 25, "sender": "", "notices_to": "", "password": None},
}


class Guestbook:
    """Holds its settings, takes a token, and sends notices unless mail is lost.

    Args:
        token: what opens its interface.
    """

    def __init__(self, token: str) -> None:
        self.settings = copy.deepcopy(FACTORY)
        self.calls = 0
        self.down = self.lost = False
        self._token = token
        self.app = Starlette(
            routes=[
                Route("/api/about", self._guarded(lambda _body: {"version": "4.2"})),
                Route("/api/settings", self._guarded(lambda _body: self._shown())),
                Route("/api/settings", self._guarded(self._change), methods=["PATCH"]),
                Route("/api/test-notice", self._guarded(lambda _body: self._notice()), methods=["POST"]),
            ]
        )

    @contextmanager
    def out_of_order(self) -> Iterator[None]:
        self.down = True
        yield
        self.down = False

    @contextmanager
    def losing_mail(self) -> Iterator[None]:
        self.lost = True
        yield
        self.lost = False

    def _guarded(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            self.calls += 1
            if self.down:
                return JSONResponse({"error": "out of order"}, 503)
            if request.headers.get("authorization") != f"Bearer {self._token}":
                return JSONResponse({"error": "who are you?"}, 401)
            body = await request.body()
            return JSONResponse(answer(json.loads(body) if body else None))

        return endpoint

    def _shown(self) -> dict[str, Any]:
        shown = copy.deepcopy(self.settings)
        shown["mail"]["has_password"] = shown["mail"].pop("password") is not None
        return shown

    def _change(self, body: Any) -> dict[str, Any]:
        self.settings["mail"] |= body["mail"]
        return self._shown()

    def _notice(self) -> dict[str, Any]:
        mail = self.settings["mail"]
        taken = not self.lost and bool(mail["server"]) and mail["password"] is not None
        return {
            "from": mail["sender"],
            "to": mail["notices_to"],
            "accepted": taken,
            "answer": "250 queued" if taken else "451 try again later",
        }
