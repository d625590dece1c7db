"""What products call when something changed: a signed word that says "look again", and nothing more.

Our plugin and app sign with time and nonce. The products' own webhooks carry an HMAC of the body alone, so a replay of
one is possible and harmless: it is a hint like any other, and hints of one record are one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.bridge.record import SideName
from agencystack.bridge.signing import SIGNATURE, SigningKey, Unsigned, check

MOST_BYTES = 8 * 1024 * 1024
"""A WooCommerce webhook carries the whole record, and descriptions may be long; more is nobody's record."""

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


def routes(told: Told) -> list[Route]:
    """Return the routes of the hook listener.

    Args:
        told: what hints are told to.
    """

    async def hook(request: Request) -> Response:
        side = request.path_params["side"]
        if side not in set(SideName):
            return PlainTextResponse("no such side\n", status_code=404)
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too long\n", status_code=413)
        pairing, headers = request.path_params["pairing"], dict(request.headers)
        return await run_in_threadpool(_answer, told, pairing, SideName(side), headers, body)

    return [Route("/hooks/{pairing}/{side}", hook, methods=["POST"])]


def application(told: Told, more: Iterable[Route] = ()) -> Starlette:
    """Return the web application of the hook listener, with further routes beside it."""
    return Starlette(routes=[*routes(told), *more])


async def _body(request: Request) -> bytes | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return None
    return body


def _answer(told: Told, pairing: str, side: SideName, headers: Mapping[str, str], body: bytes) -> Response:
    keys = told.keys(pairing, side)
    try:
        hints = _hints(keys, f"hooks/{pairing}/{side}", headers, body, told.first_time)
    except Unsigned as reason:
        if side is SideName.WORDPRESS and body.startswith(b"webhook_id="):
            # WooCommerce pings a new webhook without a signature, and does not save one that is not answered.
            return JSONResponse({"noted": 0})
        return PlainTextResponse(f"refused: {reason}\n", status_code=401)
    told.hint(pairing, side, hints)
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
    if entity and isinstance(payload, dict) and isinstance(payload.get("id"), int):
        return [Hint(entity, str(payload["id"]))]
    return [Hint()]


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
