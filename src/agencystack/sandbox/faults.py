"""Make a stand-in misbehave on request, and count what it was asked: tests and benchmarks need both."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTROL = "/__sandbox__/"
# The longest benchmark (100 clients, PERFORMANCE.md) makes a few thousand calls; the log must not grow for ever.
CALLS_KEPT = 100_000
BODY_LIMIT = 1_000_000
FOREVER = 0
SERVER_ERROR = 500
TOO_MANY = 429
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


class Fault(BaseModel):
    """One rule: which calls misbehave, how often, and how. Exactly one kind of misbehaviour per rule.

    Args:
        path: regular expression that must be found in the path of the call.
        method: HTTP method, upper case; any when absent.
        times: how many calls it takes effect on; 0 for every call until it is removed.
        latency: seconds the answer is held back; the call is then done as usual.
        status: answer this status without doing the work.
        retry_after: seconds in the ``Retry-After`` header of ``status``.
        after_write: do the work, then answer 500.
        drop: end the connection without an answer, ``before`` or ``after`` the work.
        html: answer 200 with a login page, as a proxy in front of a product does.
        hang: accept the call and never answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, AfterValidator(_regex)] = ""
    method: Annotated[str, Field(pattern="^[A-Z]+$")] | None = None
    times: Annotated[int, Field(ge=FOREVER)] = 1
    latency: Annotated[float, Field(gt=0, le=600)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after: Annotated[int, Field(ge=0)] | None = None
    after_write: bool = False
    drop: Literal["before", "after"] | None = None
    html: bool = False
    hang: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Fault:
        kinds = ("latency", "status", "after_write", "drop", "html", "hang")
        chosen = [kind for kind in kinds if getattr(self, kind)]
        if len(chosen) != 1:
            raise ValueError(f"name exactly one of {', '.join(kinds)}; got {', '.join(chosen) or 'none'}")
        return self

    def matches(self, method: str, path: str) -> bool:
        """Say whether a call of ``method`` on ``path`` is meant."""
        return self.method in (None, method) and re.search(self.path, path) is not None


_FAULTS = TypeAdapter(list[Fault])


@dataclass(frozen=True)
class Call:
    """One call a stand-in got; never its body, query or headers, which may hold a secret.

    Args:
        method: HTTP method.
        path: path without the query.
        status: what was answered; 0 where the connection ended without an answer.
    """

    method: str
    path: str
    status: int


class _Rules:
    """The rules in force, each with how often it may still take effect."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []

    def replace(self, faults: list[Fault]) -> None:
        self._left = [(fault, fault.times) for fault in faults]

    def listed(self) -> list[dict[str, Any]]:
        return [{**fault.model_dump(exclude_defaults=True), "left": left} for fault, left in self._left]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first rule meant by this call, and use it up once."""
        for index, (fault, left) in enumerate(self._left):
            if fault.matches(method, path):
                if left == 1:
                    del self._left[index]
                elif left:
                    self._left[index] = (fault, left - 1)
                return fault
        return None


class FaultInjector:
    """Wraps one stand-in.

    ``POST /__sandbox__/faults`` with a JSON list of :class:`Fault` replaces the rules, ``GET`` lists and ``DELETE``
    removes them. ``GET /__sandbox__/calls`` returns what was asked since the start or the last ``DELETE``. The
    control addresses answer callers on this machine alone and are not counted.

    Args:
        app: the stand-in.
        disconnect: ends the connection of a call without an answer; given by the server, which owns the connections.
    """

    def __init__(self, app: AsgiApp, disconnect: Callable[[Scope], None]) -> None:
        self._app = app
        self._disconnect = disconnect
        self._rules = _Rules()
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._serve(scope, receive, noting)
        finally:
            self._calls.append(Call(scope["method"], scope["path"], status))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._rules.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.latency:
            await asyncio.sleep(fault.latency)
            await self._app(scope, receive, send)
        elif fault.status:
            await _answer_status(send, fault)
        elif fault.html:
            await _answer(send, 200, LOGIN_PAGE, "text/html; charset=utf-8")
        elif fault.hang:
            await _until_the_caller_leaves(receive)
        else:
            await self._lose_the_answer(fault, scope, receive, send)

    async def _lose_the_answer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.after_write or fault.drop == "after":
            await self._app(scope, receive, _nowhere)
        if fault.after_write:
            await _answer_json(send, SERVER_ERROR, {"message": "Internal Server Error"})
        else:
            self._disconnect(scope)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or client[0] not in {"127.0.0.1", "::1"}:
            await _answer_json(send, 403, {"message": "only from this machine"})
            return
        answers = {
            ("faults", "GET"): self._list_faults,
            ("faults", "POST"): self._set_faults,
            ("faults", "DELETE"): self._clear_faults,
            ("calls", "GET"): self._list_calls,
            ("calls", "DELETE"): self._forget_calls,
        }
        answer = answers.get((scope["path"].removeprefix(CONTROL), scope["method"]))
        if answer is None:
            await _answer_json(send, 404, {"message": "faults or calls, with GET, POST or DELETE"})
            return
        status, data = answer(await _body(receive))
        await _answer_json(send, status, data)

    def _list_faults(self, _: bytes) -> tuple[int, object]:
        return 200, {"faults": self._rules.listed()}

    def _set_faults(self, body: bytes) -> tuple[int, object]:
        try:
            self._rules.replace(_FAULTS.validate_json(body))
        except ValidationError as error:
            return 400, {"message": "; ".join(f"{list(e['loc'])}: {e['msg']}" for e in error.errors())}
        return self._list_faults(b"")

    def _clear_faults(self, _: bytes) -> tuple[int, object]:
        self._rules.replace([])
        return self._list_faults(b"")

    def _list_calls(self, _: bytes) -> tuple[int, object]:
        return 200, {"count": len(self._calls), "calls": [asdict(call) for call in self._calls]}

    def _forget_calls(self, _: bytes) -> tuple[int, object]:
        self._calls.clear()
        return 200, {"count": 0, "calls": []}


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) < BODY_LIMIT:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


async def _until_the_caller_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nowhere(_: Message) -> None:
    return None


async def _answer_status(send: Send, fault: Fault) -> None:
    status = fault.status or SERVER_ERROR
    wait = fault.retry_after if fault.retry_after is not None else (1 if status == TOO_MANY else None)
    headers = [] if wait is None else [(b"retry-after", str(wait).encode())]
    await _answer_json(send, status, {"message": "asked to fail"}, headers)


async def _answer_json(send: Send, status: int, data: object, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await _answer(send, status, json.dumps(data).encode(), "application/json", headers)


async def _answer(
    send: Send, status: int, body: bytes, kind: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    sent = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
