"""Stand-ins of WooCommerce and ERPNext that take as long as the real products, as a process of their own.

A product works on so many requests at a time as it has processes; the others wait. What a request takes is what the
real product took (PERFORMANCE.md); the work of the stand-in itself is part of it and not on top.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agencystack.bridge.signing import SigningKey
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.inside import Inside
from agencystack.sandbox.erpnext.latency import inside, latency
from agencystack.sandbox.woocommerce import Access, Shop, ShopTransport
from agencystack.sandbox.woocommerce import Request as Asked
from agencystack.sandbox.woocommerce.plugin import inside as php
from agencystack.stack.secrets import Secret

PROCESSES = 2
"""Requests a product works on at a time; two processes reach about twice one on the machine that was measured."""

COMPANY, PRICES, WAREHOUSE = "Bench GmbH", "Standard Selling", "Stores - BG"
PASSWORD = "bench"
ENTITIES = ("category", "customer", "product")
_TOKENED = ("Customer", "Contact", "Address", "Item", "Item Price", "Item Group")
_TOKEN = {"fieldname": "agencystack_token", "label": "Token", "fieldtype": "Data", "unique": 1, "read_only": 1}
_OF_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


@dataclass(frozen=True)
class Place:
    """Where the two products of a pairing are.

    Args:
        shop: address of WordPress.
        erpnext: address of ERPNext.
        api_key: of the bridge's user of ERPNext.
        api_secret: its secret.
    """

    shop: str
    erpnext: str
    api_key: str
    api_secret: str


@dataclass
class Product:
    """One product behind HTTP.

    Args:
        transport: the stand-in.
        takes: seconds of a request, by method, path, body and answer.
        loop: seconds the same takes in a loop inside the product; 0 for what writes nothing.
        epoch: number of its newest mark.
        hook: tells the bridge to look again; nobody does when absent.
    """

    transport: httpx.BaseTransport
    takes: Callable[[httpx.Request, httpx.Response], float]
    loop: Callable[[httpx.Request], float]
    epoch: Callable[[], int]
    hook: Callable[[int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    written: list[tuple[str, str, str]] = field(default_factory=list)
    journal: list[tuple[float, float, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._processes = asyncio.Semaphore(PROCESSES)
        self._one = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Count from here."""
        self.counts.clear()
        self.written.clear()
        self.journal.clear()
        self.seconds.clear()

    def told(self) -> dict[str, Any]:
        """Return what was asked since."""
        told = {"counts": dict(self.counts), "written": self.written, "seconds": self.seconds}
        return {**told, "journal": self.journal, "epoch": self.epoch()}

    async def answer(self, asked: Request) -> Response:
        """Answer a request as fast as the product would, and no faster."""
        body = await asked.body()
        headers = {name: value for name, value in asked.headers.items() if name not in _OF_CONNECTION}
        request = httpx.Request(asked.method, str(asked.url), headers=headers, content=body)
        async with self._processes:
            began = time.monotonic()
            before = self.epoch()
            response = await run_in_threadpool(self._done, request)
            left = self.takes(request, response) - (time.monotonic() - began)
            if left > 0:
                await asyncio.sleep(left)
        self._note(request, response, began)
        if self.hook and self.epoch() != before:
            threading.Thread(target=self.hook, args=(self.epoch(),), daemon=True).start()
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _OF_CONNECTION}
        return Response(response.content, response.status_code, kept)

    def _done(self, request: httpx.Request) -> httpx.Response:
        with self._one:
            response = self.transport.handle_request(request)
            response.read()
            return response

    def _note(self, request: httpx.Request, response: httpx.Response, began: float) -> None:
        ended = time.monotonic()
        self.counts["requests"] += 1
        self.counts["bytes"] += len(request.content) + len(response.content)
        self.counts["wrong"] += response.status_code >= 400
        self.seconds["loop"] = self.seconds.get("loop", 0.0) + self.loop(request)
        if _writes(request):
            self.written.append((request.method, request.url.raw_path.decode(), request.content.decode()))
        if _writes(request) or request.url.path.endswith("apply"):
            self.journal.append((ended, ended - began, request.content.decode()))


def _writes(request: httpx.Request) -> bool:
    writing = ("/api/resource/", "/wc/v3/", "client.insert_many")
    return request.method != "GET" and any(part in request.url.path for part in writing)


class Pair:
    """The two products of a pairing.

    Args:
        plugins: our plugin and app are there, with this key.
        name: of the pairing.
        hooks: address of the bridge's listener; empty for none.
    """

    def __init__(self, plugins: SigningKey | None, name: str, hooks: str) -> None:
        self.shop = Shop("http://shop.example", access=Access(passwords={"admin": PASSWORD}, local=True))
        self.shop.state.data.settings["woocommerce_currency"] = "EUR"
        self.site = ErpNextStandIn(company=COMPANY, connector_app=plugins is not None)
        if plugins:
            self.shop.install_plugin()
            self._configure(plugins, name)
        for doctype in () if plugins else _TOKENED:
            self.document("Custom Field", {"dt": doctype, **_TOKEN})
        told = {side: _hook(plugins, hooks, name, side) for side in ("wordpress", "erpnext")}
        self.products = {
            "shop": Product(
                ShopTransport(self.shop),
                lambda _, response: float(response.extensions["seconds"]),
                _loop_of_shop,
                lambda: int(self.shop.state.data.numbers.get("mark", 0)),
                told["wordpress"],
            ),
            "erpnext": Product(
                Inside(self.site),
                lambda request, _: latency(request.method, request.url.raw_path.decode(), request.content),
                lambda request: inside(request.content) if request.url.path.endswith(".bridge.apply") else 0.0,
                lambda: int(
                    (self.site.work().transaction.peek("__AgencyStack Epoch", "__AgencyStack Epoch") or {}).get(
                        "number", 0
                    )
                ),
                told["erpnext"],
            ),
        }

    def _configure(self, key: SigningKey, name: str) -> None:
        keys = [{"id": key.id, "secret": key.secret.reveal()}]
        given = {"pairing": name, "hook_url": "", "keys": keys, "entities": dict.fromkeys(ENTITIES, "both")}
        token = f"token {self.site.api_key}:{self.site.api_secret}"
        with httpx.Client(transport=Inside(self.site), base_url="http://erp.localhost") as client:
            call = "/api/method/agencystack_connector.bridge.configure"
            client.post(call, json=given, headers={"Authorization": token}).raise_for_status()

    def document(self, doctype: str, values: Mapping[str, Any]) -> None:
        """Make a document of ERPNext."""
        work = self.site.work()
        self.site.documents.insert(work, doctype, dict(values))
        work.transaction.commit()

    def fill(self, side: str, entity: str, count: int, first: int = 0) -> None:
        """Make records on one side, as people would have made them."""
        makes: dict[tuple[str, str], Callable[[int], None]] = {
            ("erpnext", "product"): self._item,
            ("shop", "product"): self._product,
            ("shop", "customer"): self._customer,
        }
        for number in range(first, first + count):
            makes[side, entity](number)

    def _item(self, number: int) -> None:
        code = f"BENCH-{number:06d}"
        values = {"item_name": f"Bench {number}", "item_group": "Products", "stock_uom": "Nos", "is_stock_item": 1}
        self.document("Item", {"item_code": code, "description": f"<p>Number {number}</p>", **values})
        self.document("Item Price", {"item_code": code, "price_list": PRICES, "price_list_rate": 10 + number % 90})

    def _product(self, number: int) -> None:
        values = {"sku": f"BENCH-{number:06d}", "name": f"Bench {number}", "regular_price": f"{10 + number % 90}.00"}
        self._post("/wc/v3/products", {**values, "description": f"<p>Number {number}</p>", "type": "simple"})

    def _customer(self, number: int) -> None:
        name = {"first_name": "Bea", "last_name": f"Bench{number}"}
        place = {"address_1": f"Road {number}", "city": "Bern", "postcode": "3000", "country": "CH", "phone": "031"}
        values = {"email": f"bench{number}@example.test", **name, "billing": {**name, **place}}
        self._post("/wc/v3/customers", {**values, "username": f"bench{number}"})

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self.shop.dispatch(Asked("POST", f"/wp-json{path}"), dict(body))


def _loop_of_shop(request: httpx.Request) -> float:
    if not request.url.path.endswith("/bridge/apply"):
        return 0.0
    writes = json.loads(request.content)["writes"]
    return sum(php(one["kind"], one["action"]) for one in writes)


def _hook(key: SigningKey | None, hooks: str, name: str, side: str) -> Callable[[int], None] | None:
    if key is None or not hooks:
        return None
    route = f"hooks/{name}/{side}"

    def call(epoch: int) -> None:
        body = json.dumps({"epoch": epoch}).encode()
        headers = {**key.headers(route, body), "Content-Type": "application/json"}
        try:
            urllib.request.urlopen(urllib.request.Request(f"{hooks}/{route}", body, headers), timeout=5).close()
        except OSError:
            return  # the bridge is down: it asks by itself when it is up

    return call


class Host:
    """All products of a benchmark, and how they are told what to hold.

    Args:
        told: ``places``, ``plugins``, ``hooks``, ``key``; see ``bridge_ground``.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        key = SigningKey("bench", Secret(told["key"])) if told["plugins"] else None
        self.pairs = [Pair(key, f"bench{number}", told["hooks"]) for number in range(told["places"])]

    async def serve(self) -> None:
        """Answer until the process is ended; prints where, as JSON, when it does."""
        control = [
            Route("/fill", self._fill, methods=["POST"]),
            Route("/told", self._told),
            Route("/forget", self._forget),
        ]
        apps = [Starlette(routes=control)]
        for pair in self.pairs:
            apps += [_app(pair.products["shop"]), _app(pair.products["erpnext"])]
        sockets = [_listening() for _ in apps]
        urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for number, pair in enumerate(self.pairs):
            pair.shop.state.url = urls[1 + 2 * number]
        print(json.dumps({"control": urls[0], "places": [self._place(at, urls) for at in range(len(self.pairs))]}))
        sys.stdout.flush()
        servers = [_Server(uvicorn.Config(app, log_level="error", access_log=False)) for app in apps]
        await asyncio.gather(*(one.serve([at]) for one, at in zip(servers, sockets, strict=True)))

    def _place(self, at: int, urls: list[str]) -> list[str]:
        site = self.pairs[at].site
        return [urls[1 + 2 * at], urls[2 + 2 * at], site.bridge_key, site.bridge_secret]

    async def _fill(self, asked: Request) -> Response:
        told = await asked.json()
        pair = self.pairs[told.pop("place")]
        await run_in_threadpool(lambda: pair.fill(**told))
        return JSONResponse({})

    async def _told(self, asked: Request) -> Response:
        pair = self.pairs[int(asked.query_params["place"])]
        return JSONResponse({name: one.told() for name, one in pair.products.items()})

    async def _forget(self, _asked: Request) -> Response:
        for pair in self.pairs:
            for one in pair.products.values():
                one.forget()
        return JSONResponse({})


def _listening() -> socket.socket:
    # Told to be TCP: else asyncio leaves Nagle's algorithm on, and each answer waits 40 ms for an acknowledgement.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen(256)
    return made


class _Server(uvicorn.Server):
    """One of several servers of a process; it is ended with the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _app(product: Product) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", product.answer, methods=_METHODS)])


if __name__ == "__main__":
    asyncio.run(Host(json.loads(sys.stdin.readline())).serve())
