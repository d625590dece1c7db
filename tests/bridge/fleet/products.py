"""A WordPress with a shop and an ERPNext over HTTP, with plugin and app; both call the bridge."""

from __future__ import annotations

import secrets
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.signing import SigningKey, Unsigned, check
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.inside import Inside
from agencystack.sandbox.woocommerce import Access as ShopAccess
from agencystack.sandbox.woocommerce import Request, RestError, Shop
from agencystack.stack.secrets import Secret
from tests.serving import served

ENTITIES = ("category", "customer", "product", "order", "payment")
COMPANY, ABBR = "Fleet GmbH", "FG"
SHARING: Mapping[str, Any] = {
    "entities": {name: {"direction": "both"} for name in ENTITIES},
    "accounting": {
        "company": COMPANY,
        "currency": "EUR",
        "price_list": "Standard Selling",
        "warehouses": [f"Stores - {ABBR}"],
        "taxes": {"*": f"Umsatzsteuer 19 % - {ABBR}"},
        "payments": {"*": {"mode": "Wire Transfer", "account": f"Bank - {ABBR}"}},
        "shipping_item": "SHIPPING",
        "fee_item": "FEE",
        "time_zone": "Europe/Berlin",
        "submit": True,
    },
}
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
_OF_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class Hinter:
    """Calls the bridge: at once, never twice at a time, and once more for what came meanwhile.

    Args:
        pairing: whose products these are.
        side: which of the two.
        key: the calls are signed with.
        bridge: address of the bridge's listener; empty while there is none.
    """

    def __init__(self, pairing: str, side: SideName, key: SigningKey, bridge: Callable[[], str]) -> None:
        self._route, self._key, self._bridge = f"hooks/{pairing}/{side}", key, bridge
        self._more, self._calling = threading.Event(), threading.Lock()
        self.lost = 0

    def hint(self) -> None:
        """Tell the bridge to look again; nobody waits for it."""
        self._more.set()
        if not self._calling.locked():
            threading.Thread(target=self._call, daemon=True).start()

    def _call(self) -> None:
        with self._calling:
            while self._more.is_set() and self._bridge():
                self._more.clear()
                url, body = f"{self._bridge()}/{self._route}", b'{"epoch": 1}'
                headers = {**self._key.headers(self._route, body), "Content-Type": "application/json"}
                try:
                    urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5).close()
                except OSError:
                    self.lost += 1  # the bridge is down: it asks by itself when it is up


class Products:
    """The two products of one client.

    Args:
        pairing: the client.
        bridge: returns the address of the bridge's listener; empty while there is none.
    """

    def __init__(self, pairing: str, bridge: Callable[[], str] = lambda: "") -> None:
        self.pairing = pairing
        self.keys = {side: SigningKey(f"{pairing}-{side}", Secret(secrets.token_hex(32))) for side in SideName}
        self.hinters = {side: Hinter(pairing, side, self.keys[side], bridge) for side in SideName}
        self.urls: dict[SideName, str] = {}
        self.up = dict.fromkeys(SideName, True)
        self.applied: list[tuple[SideName, float]] = []
        self._shop_at_once = threading.RLock()
        self._nonces: set[str] = set()
        self.shop = Shop(
            "http://shop.example", zone="Europe/Berlin", access=ShopAccess(passwords={"p": "p"}, local=True)
        )
        settings = {"currency": "EUR", "default_country": "DE", "calc_taxes": "no"}
        self.shop.state.data.settings |= {f"woocommerce_{name}": value for name, value in settings.items()}
        self.shop.install_plugin(self._checked, f"instance-{pairing}")
        self.erpnext = ErpNextStandIn(None, site_url="http://erp.localhost", company=COMPANY)
        key = self.keys[SideName.ERPNEXT]
        told = {"pairing": pairing, "hook_url": "", "keys": [{"id": key.id, "secret": key.secret.reveal()}]}
        told["entities"] = dict.fromkeys(ENTITIES, "both")
        self._configure(told)
        for code in ("SHIPPING", "FEE"):
            self.make("Item", {"item_code": code, "item_group": "Services", "is_stock_item": 0})

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve both on loopback."""
        with served(_app(self._of_shop)) as shop, served(_app(self._of_erpnext)) as erpnext:
            self.urls = {SideName.WORDPRESS: shop, SideName.ERPNEXT: erpnext}
            self.shop.state.url = shop
            yield

    def accesses(self) -> Mapping[SideName, Access]:
        """Return how the bridge reaches both."""
        public = {SideName.WORDPRESS: self.urls[SideName.WORDPRESS], SideName.ERPNEXT: "http://erp.localhost"}
        return {side: Access(self.urls[side], public[side], (self.keys[side],)) for side in SideName}

    # What people do. ----------------------------------------------------------------------------------------------

    def in_shop(self, method: str, route: str, body: Mapping[str, Any] | None = None, **params: str) -> Any:
        """Do something in the shop as its people do."""
        with self._shop_at_once:
            before = self._shop_epoch()
            self.shop.events.begin()
            answer = self.shop.dispatch(Request(method, f"/wp-json/wc/v3/{route}", params), dict(body or {}))
            changed = self._shop_epoch() != before
        if changed:
            self.hinters[SideName.WORDPRESS].hint()
        return answer.data

    def make(self, doctype: str, values: Mapping[str, Any]) -> str:
        """Make a document as the people of the office do, and return its name."""
        with self._in_office() as work:
            return str(self.erpnext.documents.insert(work, doctype, values)["name"])

    def change(self, doctype: str, name: str, **values: Any) -> None:
        """Change a document."""
        with self._in_office() as work:
            self.erpnext.documents.update(work, doctype, name, values)

    @contextmanager
    def _in_office(self) -> Iterator[Any]:
        # As the requests that come over HTTP: writers wait for one another.
        with self.erpnext._writing:
            work = self.erpnext.work()
            yield work
            work.transaction.commit()
        self.hinters[SideName.ERPNEXT].hint()

    def _configure(self, told: Mapping[str, Any]) -> None:
        token = f"token {self.erpnext.api_key}:{self.erpnext.api_secret}"
        with httpx.Client(transport=Inside(self.erpnext), base_url="http://erp.localhost") as client:
            call = "/api/method/agencystack_connector.bridge.configure"
            client.post(call, json=dict(told), headers={"Authorization": token}).raise_for_status()

    def documents(self, doctype: str) -> list[dict[str, Any]]:
        """Return every document of a doctype."""
        return [dict(one) for one in self.erpnext.work().transaction.scan(doctype)]

    def untold(self) -> int:
        """Return how many changes the products still have to tell."""
        return len(self.shop.state.data.marks) + len(self.documents("__AgencyStack Mark"))

    # How they answer. ---------------------------------------------------------------------------------------------

    def _shop_epoch(self) -> int:
        return int(self.shop.state.data.numbers.get("mark", 0))

    def _checked(self, request: Request, route: str) -> None:
        key = self.keys[SideName.WORDPRESS]

        def first_time(nonce: str) -> bool:
            new = nonce not in self._nonces
            self._nonces.add(nonce)
            return new

        try:
            check({key.id: key}, route, request.body, request.headers, first_time)
        except Unsigned as reason:
            raise RestError("agencystack_unsigned", str(reason), 401) from reason

    async def _of_shop(self, asked: Asked) -> Response:
        if not self.up[SideName.WORDPRESS]:
            return PlainTextResponse("down", 503)
        body, headers = await asked.body(), {name.lower(): value for name, value in asked.headers.items()}
        params = {name: value for name, value in asked.query_params.multi_items() if name != "rest_route"}
        path = asked.url.path
        if "rest_route" in asked.query_params:
            path = f"/wp-json/{asked.query_params['rest_route'].lstrip('/')}"

        def answered() -> Response:
            with self._shop_at_once:
                answer = self.shop.handle(Request(asked.method, path, params, headers, body))
                if path.endswith("/apply"):
                    self.applied.append((SideName.WORDPRESS, time.monotonic()))
            return Response(answer.body, answer.status, dict(answer.headers), media_type="application/json")

        return await run_in_threadpool(answered)

    async def _of_erpnext(self, asked: Asked) -> Response:
        if not self.up[SideName.ERPNEXT]:
            return PlainTextResponse("down", 503)
        body = await asked.body()
        path = asked.scope["raw_path"].decode() + (f"?{asked.url.query}" if asked.url.query else "")
        headers = {name: value for name, value in asked.headers.items() if name not in _OF_CONNECTION}
        answer = await run_in_threadpool(self.erpnext.handle, asked.method, path, headers, body)
        if path.endswith(".apply"):
            self.applied.append((SideName.ERPNEXT, time.monotonic()))
        return answer


def _app(answer: Callable[[Asked], Any]) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])
