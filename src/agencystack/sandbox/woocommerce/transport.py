"""The stand-in behind an httpx client, without a network: what a test asks is answered at once, faults and all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime

import httpx

from agencystack.sandbox.faults import LOGIN_PAGE, Fault
from agencystack.sandbox.woocommerce.shop import Killed, Shop
from agencystack.sandbox.woocommerce.wire import Request

_DEAD = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_CRITICAL = (
    b'{"code":"internal_server_error","message":"<p>There has been a critical error on this website.</p>",'
    b'"data":{"status":500},"additional_errors":[]}'
)


@dataclass(frozen=True)
class Called:
    """One request the stand-in got.

    Args:
        method: HTTP method.
        path: path below the site.
        status: what was answered; 0 for nothing.
        seconds: what the product takes for it.
        sent: bytes of its body.
        answered: bytes of the answer.
    """

    method: str
    path: str
    status: int
    seconds: float = 0.0
    sent: int = 0
    answered: int = 0


class ShopTransport(httpx.BaseTransport):
    """Carries requests to a shop.

    Args:
        shop: the shop.
        sleep: called with the seconds the product takes; nothing waits when absent.
    """

    def __init__(self, shop: Shop, sleep: Callable[[float], None] | None = None) -> None:
        self.shop = shop
        self.calls: list[Called] = []
        self._faults: deque[list[object]] = deque()
        self._sleep = sleep

    def fail(self, *faults: Fault) -> None:
        """Let requests misbehave: the rules of the sandbox's faults, in this order."""
        self._faults.extend([fault, fault.times] for fault in faults)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        fault = self._due(request)
        body = request.read()
        if fault is not None and fault.drop == "before":
            raise httpx.ReadError("connection reset", request=request)
        if fault is not None and (fault.status or fault.html):
            return self._noted(request, body, _instead(fault))
        response = self._answered(request, body)
        if fault is not None and fault.hang:
            raise httpx.ReadTimeout("timed out", request=request)
        if fault is not None and fault.drop == "after":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if fault is not None and fault.after_write:
            response = httpx.Response(500, content=_CRITICAL, headers={"Content-Type": "application/json"})
        return self._noted(request, body, response)

    def _answered(self, request: httpx.Request, body: bytes) -> httpx.Response:
        try:
            answer = self.shop.handle(plain(request, body))
        except Killed:
            return httpx.Response(502, content=_DEAD, headers={"Content-Type": "text/html"})
        if self._sleep:
            self._sleep(answer.seconds)
        date = format_datetime(self.shop.state.now(), usegmt=True)
        headers = {"Content-Type": "application/json; charset=UTF-8", "Date": date, **answer.headers}
        response = httpx.Response(answer.status, content=answer.body, headers=headers)
        response.extensions["seconds"] = answer.seconds
        return response

    def _noted(self, request: httpx.Request, body: bytes, response: httpx.Response) -> httpx.Response:
        seconds = float(response.extensions.get("seconds", 0.0))
        self.calls.append(
            Called(request.method, request.url.path, response.status_code, seconds, len(body), len(response.content))
        )
        return response

    def _due(self, request: httpx.Request) -> Fault | None:
        for rule in self._faults:
            fault, left = rule
            if isinstance(fault, Fault) and fault.matches(request.method, request.url.path):
                if left == 1:
                    self._faults.remove(rule)
                elif isinstance(left, int) and left:
                    rule[1] = left - 1
                return fault
        return None


def plain(request: httpx.Request, body: bytes) -> Request:
    """Return an httpx request as the stand-in takes it; ``rest_route`` is another way to the same address."""
    params = dict(request.url.params.multi_items())
    path = request.url.path
    if "rest_route" in params:
        path = "/wp-json" + params.pop("rest_route")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, path, params, headers, body, secure=request.url.scheme == "https")


def _instead(fault: Fault) -> httpx.Response:
    if fault.html:
        return httpx.Response(200, content=LOGIN_PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    status = fault.status or 500
    if status in {502, 503, 504}:
        return httpx.Response(status, content=_DEAD, headers={"Content-Type": "text/html", **headers})
    return httpx.Response(
        status, json={"code": "asked_to_fail", "message": "asked to fail", "data": None}, headers=headers
    )
