"""One WordPress with WooCommerce, in memory: a request goes in, the answer the product would give comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agencystack.sandbox.woocommerce import listing
from agencystack.sandbox.woocommerce.access import Access
from agencystack.sandbox.woocommerce.categories import Categories
from agencystack.sandbox.woocommerce.contact_forms import form_routes
from agencystack.sandbox.woocommerce.content import Content, content_routes
from agencystack.sandbox.woocommerce.coupons import Coupons
from agencystack.sandbox.woocommerce.customers import Customers
from agencystack.sandbox.woocommerce.events import Events
from agencystack.sandbox.woocommerce.order_states import OrderStates
from agencystack.sandbox.woocommerce.orders import Orders
from agencystack.sandbox.woocommerce.plugin import BridgePlugin, Checked
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.refunds import Refunds
from agencystack.sandbox.woocommerce.routes import Route
from agencystack.sandbox.woocommerce.settings import settings_routes
from agencystack.sandbox.woocommerce.shop_routes import shop_routes
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.stock import Stock
from agencystack.sandbox.woocommerce.totals import Totals
from agencystack.sandbox.woocommerce.variations import Variations
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError, no_route

HOME = "http://shop.example"
# What is signed, and what visitors send.
_FOR_ALL = ("/wp-json/agencystack/", "/wp-json/contact-form-7/")


class Killed(Exception):
    """PHP died: no answer is made, what was written stays."""


class Shop:
    """A shop.

    Args:
        url: its address.
        zone: its time zone; WooCommerce shows and reads times in it.
        now: the time; the machine's when absent.
        access: who may ask; without it everybody may.
        admin_email: the address of its administrator, the first user.
    """

    def __init__(
        self,
        url: str = HOME,
        *,
        zone: str = "Europe/Zurich",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        access: Access | None = None,
        admin_email: str = "admin@example.test",
    ) -> None:
        self.state = State(url, zone, now)
        self.access = access
        self.on_stage: Callable[[str, Json], None] = lambda stage, order: None
        self.events = Events(self.state, self._record)
        self.products = Products(self.state)
        self.variations = Variations(self.state, self.products)
        self.categories = Categories(self.state)
        self.customers = Customers(self.state, self.events.tell)
        self.totals = Totals(self.state, self.products)
        self.coupons = Coupons(self.state, self.totals)
        self.stock = Stock(self.state, self.products, self._moved, self.events.tell)
        self.refunds = Refunds(self.state, self.products, self.stock, self.events.tell)
        self.states = OrderStates(self.state, self.stock, self.events.tell, self.refunds.whole, self._stage)
        self.orders = Orders(self.state, self.products, self.totals, self.stock, self.states, self.coupons, self._stage)
        self.customers.add(admin_email, "admin", "administrator")
        self.content = Content(self.state)
        self.plugin: BridgePlugin | None = None
        self._routes: list[Route] = [
            *shop_routes(self),
            *settings_routes(self),
            *content_routes(self),
            *form_routes(self),
        ]

    @property
    def mails(self) -> list[Json]:
        """The mails that went out."""
        return self.state.data.mails

    def handle(self, request: Request) -> Answer:
        """Answer a request.

        Raises:
            Killed: the answer never comes (:attr:`on_stage` ended the making of an order).
        """
        self.events.begin()
        try:
            if self.access is not None and not request.path.startswith(_FOR_ALL):
                self.access.check(request, self.state.url, self.state.now().timestamp())
            return self.dispatch(request, decoded(request))
        except RestError as error:
            return Answer(error.status, error.body)

    def install_plugin(self, checked: Checked | None = None, instance: str = "stand-in") -> BridgePlugin:
        """Install our plugin; ``checked`` refuses a request that is not signed as it must be."""
        self.plugin = BridgePlugin(self, checked, instance)
        self._routes.extend(self.plugin.routes())
        return self.plugin

    def dispatch(self, request: Request, body: Json) -> Answer:
        """Answer a request whose sender was let in.

        Raises:
            RestError: it is refused.
        """
        path = request.path.removeprefix("/wp-json").rstrip("/")
        for route in self._routes:
            match = re.fullmatch(route.path, path)
            if match and request.method in route.methods:
                answer = route.answer(request, body, *match.groups())
                if request.method == "GET" and isinstance(answer.data, dict):
                    return replace(answer, data=listing.trimmed(answer.data, request.params))
                return answer
        raise no_route()

    def listed(self, request: Request, rows: Iterable[Mapping[str, Any]], show: listing.Shown, **how: Any) -> Answer:
        """Return one page of a list of rows."""
        listing.check(request.params)
        by_time, default = how.pop("by_time", True), how.pop("default", "date")
        found = listing.chosen(self.state, rows, request.params, by_time=by_time)
        return listing.page(request, listing.ordered(found, request.params, default=default), show, **how)

    def _stage(self, stage: str, order: Json) -> None:
        self.on_stage(stage, order)

    def _moved(self, kind: str, id_: int) -> None:
        self.events.happened(kind, id_, "updated")

    def _record(self, resource: str, id_: int) -> Json | None:
        shows: Mapping[str, tuple[Mapping[str, Json], Callable[[Json], Json]]] = {
            "order": (self.state.data.orders, self.orders.show),
            "product": ({**self.state.data.products, **self.state.data.variations}, self.products.show),
            "customer": (self.state.data.users, self.customers.show),
            "coupon": (self.state.data.coupons, self.coupons.show),
        }
        table, show = shows[resource]
        return show(table[str(id_)]) if str(id_) in table else None


def decoded(request: Request) -> Json:
    """Return a body as an object.

    Raises:
        RestError: it is no JSON.
    """
    if not request.body or "json" not in request.headers.get("content-type", "json"):
        return {}
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise RestError(
            "rest_invalid_json",
            "Invalid JSON body passed.",
            json_error_code=4,
            json_error_message="Syntax error",
        ) from error
    return body if isinstance(body, dict) else {}
