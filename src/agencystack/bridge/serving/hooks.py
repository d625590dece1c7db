"""What products call when something changed: a signed word that says "look again", and nothing more.

Our plugin and app sign with time and nonce. The products' own webhooks carry an HMAC of the body alone, so a replay of
one is possible and harmless: it is a hint like any other, and hints of one record are one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.bridge.record import SideName
from agencystack.bridge.signing import SIGNATURE, SigningKey, Unsigned, check
from agencystack.stack.values import is_client

MOST_BYTES = 8 * 1024 * 1024
"""A WooCommerce webhook carries the whole record, and descriptions may be long; more is nobody's record."""
MOST_OF_OURS = 64 * 1024
"""Our plugin and app send a number."""

LONGEST_BODY = 20.0
"""Seconds within which a call must have come."""
MOST_AT_ONCE = 16

_WOOCOMMERCE, _FRAPPE = "x-wc-webhook-signature", "x-frappe-webhook-signature"
_WOOCOMMERCE_ENTITIES = {"customer": "customer", "order": "order", "product": "product"}
_FRAPPE_ENTITIES = {
    "Customer": "customer",
    "Item": "product",
    "Item Group": "category",
    "Sales Order": "order",
    "Lead": "submission",
    "Blog Post": "post",
    "Web Page": "page",
}


class Bucket:
    """Lets so many calls through at once, and so many a second after that.

    Args:
        clock: seconds; the monotonic clock.
    """

    AT_ONCE, A_SECOND = 200.0, 20.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left, self._at = clock, self.AT_ONCE, clock()

    def take(self) -> bool:
        """Say whether a call is let through."""
        if self.is_empty():
            return False
        self._left -= 1
        return True

    def is_empty(self) -> bool:
        """Say whether the next call would not be let through."""
        now = self._clock()
        self._left = min(self.AT_ONCE, self._left + (now - self._at) * self.A_SECOND)
        self._at = now
        return self._left < 1


class Bounds:
    """What a pairing may ask of us without our plugin's signature.

    Args:
        clock: tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        # A product's own webhooks, one a record: a shop that is imported into sends thousands.
        self.named = Bucket(clock)
        # Calls that nobody signed, or somebody else.
        self.wrong = Bucket(clock)


@dataclass(frozen=True)
class Call:
    """A call as it came: to whom, who may sign it, and what it says."""

    pairing: str
    side: SideName
    keys: Mapping[str, SigningKey]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Hint:
    """Where to look again.

    Args:
        entity: the record's entity; empty to ask the side what changed.
        record: its id.
    """

    entity: str = ""
    record: str = ""


class Told(Protocol):
    """What hints are told to."""

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        """Return the keys a side of a pairing signs with; none where there is no such pairing."""

    def first_time(self, nonce: str) -> bool:
        """Remember a nonce for as long as a signed call is good, and tell whether it was new."""

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        """Note hints down; they are safe when this returns."""


def routes(told: Told, clock: Callable[[], float] = time.monotonic) -> list[Route]:
    """Return the routes of the hook listener.

    Args:
        told: what hints are told to.
        clock: tells the time by which calls are counted, in seconds.
    """

    bounds: dict[str, Bounds] = {}
    # Threads of our own: who floods this listener must not hold up what else the process answers.
    threads = CapacityLimiter(MOST_AT_ONCE)

    async def hook(request: Request) -> Response:
        pairing, side, headers = request.path_params["pairing"], request.path_params["side"], dict(request.headers)
        if side not in set(SideName) or not is_client(pairing):
            return PlainTextResponse("no such pairing or side\n", status_code=404)
        keys = await run_sync(told.keys, pairing, SideName(side), limiter=threads)
        if not keys:
            return PlainTextResponse("refused: nobody signs for this pairing here\n", status_code=401)
        limits = bounds.setdefault(pairing, Bounds(clock))
        if SIGNATURE.lower() not in headers and limits.wrong.is_empty():
            return PlainTextResponse("too many calls without a signature\n", 429, {"Retry-After": "1"})
        try:
            async with asyncio.timeout(LONGEST_BODY):
                body = await _body(request, MOST_OF_OURS if SIGNATURE.lower() in headers else MOST_BYTES)
        except TimeoutError:
            return PlainTextResponse("too slow\n", status_code=408)
        if body is None:
            return PlainTextResponse("too long\n", status_code=413)
        return await run_sync(
            _answer, told, limits, Call(pairing, SideName(side), keys, headers, body), limiter=threads
        )

    return [Route("/hooks/{pairing}/{side}", hook, methods=["POST"])]


def application(told: Told, more: Iterable[Route] = (), clock: Callable[[], float] = time.monotonic) -> Starlette:
    """Return the web application of the hook listener, with further routes beside it."""
    return Starlette(routes=[*routes(told, clock), *more])


async def _body(request: Request, most: int) -> bytes | None:
    if int(request.headers.get("content-length") or 0) > most:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _answer(told: Told, bounds: Bounds, call: Call) -> Response:
    try:
        hints = _hints(call.keys, f"hooks/{call.pairing}/{call.side}", call.headers, call.body, told.first_time)
    except Unsigned as reason:
        if call.side is SideName.WORDPRESS and call.body.startswith(b"webhook_id="):
            # WooCommerce pings a new webhook without a signature, and does not save one that is not answered.
            return JSONResponse({"noted": 0})
        bounds.wrong.take()
        return PlainTextResponse(f"refused: {reason}\n", status_code=401)
    if hints != [Hint()] and not bounds.named.take():
        # WooCommerce switches off a webhook that is refused a few times: what is too much is only looked for later.
        hints = [Hint()]
    told.hint(call.pairing, call.side, hints)
    return JSONResponse({"noted": len(hints)})


def _hints(
    keys: Mapping[str, SigningKey],
    route: str,
    headers: Mapping[str, str],
    body: bytes,
    first_time: Callable[[str], bool],
) -> list[Hint]:
    """Return what a call means.

    Raises:
        Unsigned: it is not from whom it must be from.
    """
    if SIGNATURE.lower() in headers:
        check(keys, route, body, headers, first_time)
        return [Hint()]
    if given := headers.get(_WOOCOMMERCE):
        _check_body(keys, given, body)
        return _woocommerce(headers, _json(body))
    if given := headers.get(_FRAPPE):
        _check_body(keys, given, body)
        return _frappe(_json(body))
    raise Unsigned("it has no signature")


def _check_body(keys: Mapping[str, SigningKey], given: str, body: bytes) -> None:
    """Make sure a product's own webhook is signed: base64 of HMAC-SHA256 over the body (facts, "Webhooks")."""
    for key in keys.values():
        wanted = base64.b64encode(hmac.new(key.secret.reveal().encode(), body, hashlib.sha256).digest())
        if hmac.compare_digest(wanted, given.encode()):
            return
    raise Unsigned("the signature does not match")


def _woocommerce(headers: Mapping[str, str], payload: Any) -> list[Hint]:
    entity = _WOOCOMMERCE_ENTITIES.get(headers.get("x-wc-webhook-resource", ""))
    if not entity or not isinstance(payload, dict) or not isinstance(payload.get("id"), int):
        return [Hint()]
    id_ = str(payload["id"])
    if entity == "product":
        return [Hint("variation" if payload.get("type") == "variation" else "product", id_)]
    return [Hint(entity, id_), *_beside_order(id_, payload)] if entity == "order" else [Hint(entity, id_)]


def _beside_order(id_: str, order: Mapping[str, Any]) -> Iterable[Hint]:
    """Yield what WooCommerce has no webhook of its own for, and tells with its order: the payment, and refunds."""
    yield Hint("payment", id_)
    refunds = order.get("refunds")
    for one in refunds if isinstance(refunds, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), int):
            yield Hint("refund", str(one["id"]))


def _frappe(payload: Any) -> list[Hint]:
    if isinstance(payload, dict):
        entity, name = _FRAPPE_ENTITIES.get(str(payload.get("doctype"))), payload.get("name")
        if entity == "product" and payload.get("variant_of"):
            entity = "variation"
        if entity and isinstance(name, str) and name:
            return [Hint(entity, name)]
    return [Hint()]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
