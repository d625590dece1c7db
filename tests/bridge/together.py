"""A WordPress, an ERPNext and the real bridge between them in one process: nothing of it is a double but the products.

Both products are the sandbox's stand-ins, reached as the bridge reaches real ones (``bridge.connecting``): through
plugin and app, or by REST alone. Time is a clock that a test moves, so that nothing waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.entities.catalogue import ENTITIES
from agencystack.bridge.record import SideName
from agencystack.bridge.serving.connecting import Ways, connect
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.signing import SigningKey, Unsigned, check
from agencystack.bridge.store import Store
from agencystack.bridge.work.cycle import Progress
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.connector import part
from agencystack.sandbox.erpnext.inside import Inside
from agencystack.sandbox.woocommerce import Access as ShopAccess
from agencystack.sandbox.woocommerce import Request, RestError, Shop
from agencystack.sandbox.woocommerce.contact_forms import entry
from agencystack.sandbox.woocommerce.transport import ShopTransport
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Sharing

W, E = SideName.WORDPRESS, SideName.ERPNEXT
SHOP_URL, ERP_URL = "http://shop.example", "http://erp.localhost"
ALL = ("category", "customer", "product", "variation", "order", "payment", "refund", "submission", "post", "page")
SHIPPING, FEE = "SHIPPING", "FEES"
IDLE, MOST_ROUNDS = 16, 200
"""So many looks that come to nothing are enough: what waits for a record that does not come is shown after twelve."""
PATIENT = timedelta(hours=1)
"""How far ahead something may be due that a test still waits for."""

ACCOUNTING: Mapping[str, Any] = {
    "company": "Lab GmbH",
    "currency": "EUR",
    "price_list": "Standard Selling",
    "sale_price_list": "Sale",
    "warehouses": ["Stores - LG"],
    "taxes": {"*": "Umsatzsteuer 19 % - LG"},
    "payments": {"bacs": {"mode": "Wire Transfer", "account": "Bank - LG"}},
    "shipping_item": SHIPPING,
    "fee_item": FEE,
    "time_zone": "Europe/Berlin",
    "submit": True,
}


class Clock:
    """A clock that goes on by a millisecond each time it is read, and further when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def seconds(self) -> float:
        """Return it as seconds since 1970."""
        return self().timestamp()

    def forward(self, **much: float) -> None:
        """Let time go by."""
        self.now += timedelta(**much)


def sharing_of(**changes: Any) -> Sharing:
    """Return a sharing of everything both ways; ``accounting`` is laid over the usual one."""
    accounting = {**ACCOUNTING, **changes.pop("accounting", {})}
    entities = {name: {"direction": "both"} for name in ALL} | changes.pop("entities", {})
    told = {"entities": entities, "accounting": accounting, "guests": {"policy": "by_email"}, **changes}
    return Sharing.model_validate(told)


@dataclass
class Wrote:
    """A request of the bridge that writes."""

    side: SideName
    method: str
    path: str
    body: bytes


class Together:
    """One pairing.

    Args:
        folder: where its store lies.
        plugin: our plugin and our app are installed.
        sharing: what is shared; everything when absent.
        pairing: its name.
        store: a store of several pairings, instead of one of its own.
        clock: a clock of several pairings.
        options: settings of the shop, by their name without the prefix.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plugin: bool,
        sharing: Sharing | None = None,
        pairing: str = "acme",
        store: Store | None = None,
        clock: Clock | None = None,
        **options: str,
    ) -> None:
        self.clock = clock or Clock()
        self.plugin, self.pairing = plugin, pairing
        self.sharing = sharing or sharing_of()
        if not plugin:
            # WordPress keeps no submissions without our plugin.
            self.sharing.entities.pop("submission", None)
        self.database = folder / "bridge.sqlite"
        self.store = store or Store.open(f"sqlite:///{self.database}")
        self.keys = {side: SigningKey(f"{pairing}-{side}", Secret(secrets.token_hex(32))) for side in SideName}
        self.wrote: list[Wrote] = []
        self._open_shop(options)
        self._open_erpnext()
        self.join()

    def join(self, sharing: Sharing | None = None) -> Bridge:
        """Connect the bridge (anew), as its service does."""
        self.sharing = sharing or self.sharing
        ways = Ways(
            {W: Noting(self.shop_wire, W, self.wrote), E: Noting(self.erp_wire, E, self.wrote)}, self.clock.seconds
        )
        connection = connect(self.pairing, self.accesses(), self.sharing, ways)
        self.bridge = Bridge(
            self.store,
            self.pairing,
            connection.sides,
            ENTITIES,
            self.sharing,
            clock=self.clock,
            worker=f"{self.pairing}-worker",
        )
        return self.bridge

    def accesses(self) -> Mapping[SideName, Access]:
        """Return how the bridge reaches both."""
        if self.plugin:
            return {
                W: Access(SHOP_URL, SHOP_URL, (self.keys[W],)),
                E: Access(ERP_URL, ERP_URL, (self.keys[E],)),
            }
        return {
            W: Access(SHOP_URL, SHOP_URL, user="bridge", password=Secret(self._password)),
            E: Access(ERP_URL, ERP_URL, user=self.erp.bridge_key, password=Secret(self.erp.bridge_secret)),
        }

    # The shop. ----------------------------------------------------------------------------------------------------

    def _open_shop(self, options: Mapping[str, str]) -> None:
        self._password = "abcd efgh ijkl mnop"  # of a shop that is gone when the test ends
        access = ShopAccess(passwords={"bridge": self._password}, local=True)
        self.shop = Shop(SHOP_URL, zone="Europe/Berlin", now=self.clock, access=access)
        settings = {"currency": "EUR", "default_country": "DE", "calc_taxes": "no", **options}
        self.shop.state.data.settings |= {f"woocommerce_{name}": value for name, value in settings.items()}
        self.seen: set[str] = set()
        if self.plugin:
            self.shop.install_plugin(self._checked, f"instance-{self.pairing}")
        self.shop_wire = ShopTransport(self.shop)

    def _checked(self, request: Request, route: str) -> None:
        def first_time(nonce: str) -> bool:
            new = nonce not in self.seen
            self.seen.add(nonce)
            return new

        try:
            check({self.keys[W].id: self.keys[W]}, route, request.body, request.headers, first_time)
        except Unsigned as reason:
            code = "agencystack_replayed" if "before" in str(reason) else "agencystack_unsigned"
            raise RestError(code, str(reason), 401) from reason

    def in_shop(self, method: str, route: str, body: Mapping[str, Any] | None = None, **params: str) -> Any:
        """Do something in the shop as its people do: nobody of the bridge's."""
        self.shop.events.begin()
        answer = self.shop.dispatch(Request(method, f"/wp-json/{route}", params), dict(body or {}))
        return answer.data

    def put(self, route: str, **values: Any) -> str:
        """Make a record in the shop, and return its id."""
        return str(self.in_shop("POST", route, values)["id"])

    def product(self, **values: Any) -> str:
        """Make a product."""
        return self.put("wc/v3/products", **{"name": "Mug", "type": "simple", "regular_price": "10.00", **values})

    def customer(self, email: str = "anna@example.test", **values: Any) -> str:
        """Make a customer."""
        return self.put("wc/v3/customers", **{"email": email, "first_name": "Anna", "last_name": "Muster", **values})

    def order(self, *lines: Mapping[str, Any], **values: Any) -> str:
        """Place an order that is paid by bank."""
        billing = {"first_name": "Gina", "last_name": "Gast", "email": "gina@example.test", "country": "DE"}
        told = {"status": "processing", "payment_method": "bacs", "billing": billing, "line_items": list(lines)}
        return self.put("wc/v3/orders", **{**told, **values})

    def fill_in(self, name: str, email: str, message: str) -> str:
        """Fill in the contact form, and return the submission's id."""
        self.shop.events.begin()
        given = {"your-name": name, "your-email": email, "your-subject": "A question", "your-message": message}
        return str(entry(self.shop, given)["id"])

    def shown(self, route: str) -> Any:
        """Return a record as the shop shows it."""
        return self.in_shop("GET", route, context="edit")

    # ERPNext. -----------------------------------------------------------------------------------------------------

    def _open_erpnext(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        self.erp = ErpNextStandIn(
            None,
            site_url=ERP_URL,
            company="Lab GmbH",
            connector_app=self.plugin,
            clock=lambda: self.clock().astimezone(zone),
        )
        self.erp_wire = Inside(self.erp)
        self._settle_books()
        for doctype, fields in part("bridge.fields").wanted().items() if not self.plugin else ():
            for field in fields:
                self.make("Custom Field", {"dt": doctype, **field})
        if self.plugin:
            work = self.erp.work()
            keys = [{"id": self.keys[E].id, "secret": self.keys[E].secret.reveal()}]
            given = {"pairing": self.pairing, "hook_url": "", "keys": keys, "entities": dict.fromkeys(ALL, "both")}
            assert self.erp._bridge is not None
            self.erp._bridge.configure(work, given)
            work.transaction.commit()

    def _settle_books(self) -> None:
        for code in (SHIPPING, FEE):
            self.make("Item", {"item_code": code, "item_group": "Services", "is_stock_item": 0})
        self.make("Price List", {"price_list_name": "Sale", "currency": "EUR", "selling": 1, "enabled": 1})
        work = self.erp.work()
        stock = work.transaction.get("Stock Settings", "Stock Settings") or {}
        work.transaction.put({**stock, "auto_insert_price_list_rate_if_missing": 0})
        work.transaction.commit()

    def make(self, doctype: str, values: Mapping[str, Any]) -> str:
        """Make a document as a person of the office does."""
        work = self.erp.work()
        name = str(self.erp.documents.insert(work, doctype, values)["name"])
        work.transaction.commit()
        return name

    def change(self, doctype: str, name: str, **values: Any) -> None:
        """Change a document."""
        work = self.erp.work()
        self.erp.documents.update(work, doctype, name, values)
        work.transaction.commit()

    def delete(self, doctype: str, name: str) -> None:
        """Delete a document."""
        work = self.erp.work()
        self.erp.documents.delete(work, doctype, name)
        work.transaction.commit()

    def docs(self, doctype: str, **values: object) -> list[dict[str, Any]]:
        """Return the documents with these values."""
        scanned = self.erp.work().transaction.scan(doctype)
        return [one for one in scanned if all(one.get(name) == value for name, value in values.items())]

    def doc(self, doctype: str, **values: object) -> dict[str, Any]:
        """Return the only document with these values."""
        found = self.docs(doctype, **values)
        assert len(found) == 1, f"{len(found)} documents of {doctype} with {values}"
        return found[0]

    def receive(self, item: str, quantity: float, rate: float = 1.0) -> None:
        """Put pieces of an Item into the warehouse."""
        row = {"item_code": item, "qty": quantity, "t_warehouse": "Stores - LG", "basic_rate": rate}
        name = self.make("Stock Entry", {"stock_entry_type": "Material Receipt", "items": [row]})
        self.change("Stock Entry", name, docstatus=1)

    # The bridge. --------------------------------------------------------------------------------------------------

    def run(self) -> Progress:
        """Let the bridge work until nothing is due, or looking again has long come to nothing."""
        total, idle, rounds = Progress(), 0, 0
        while idle < IDLE:
            rounds += 1
            assert rounds < MOST_ROUNDS, f"the bridge does not come to rest: {total}, {self.refused()}"
            progress = self.bridge.run()
            total += progress
            due = self.bridge.next_due()
            if due is None or due > self.clock.now + PATIENT:
                return total
            idle = 0 if progress.written or progress.conflicts or progress.refused else idle + 1
            # What nothing came of is looked at together with what is due a little later.
            self.clock.now = max(self.clock.now + timedelta(minutes=10 if idle > 1 else 0), due)
        return total

    def run_later(self) -> Progress:
        """Let the bridge work when what is walked by the hour is due."""
        self.clock.forward(seconds=3700)
        return self.run()

    def quiet(self) -> list[Wrote]:
        """Have every record looked at again, and return what that writes."""
        before = len(self.wrote)
        self.clock.forward(seconds=3700)
        for entity in self.bridge.context.entities:
            for side in SideName:
                self.bridge.backfill(entity, side)
        self.run()
        return self.wrote[before:]

    def refused(self) -> list[str]:
        """Return what a person is told about records that did not go through, each with what to do."""
        return [f"{one.entity} ({one.side}): {one.message} -> {one.remedy}" for one in self.bridge.dead_letters()]

    def asked(self) -> list[str]:
        """Return what a person is asked."""
        return [f"{one.entity} {one.kind} {one.field}" for one in self.bridge.conflicts()]


class Noting(httpx.BaseTransport):
    """Carries requests on, and notes those that write."""

    def __init__(self, to: httpx.BaseTransport, side: SideName, wrote: list[Wrote]) -> None:
        self._to, self._side, self._wrote = to, side, wrote
        self.before: Callable[[httpx.Request], None] = lambda _request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.before(request)
        if writes(request):
            self._wrote.append(Wrote(self._side, request.method, request.url.path, request.read()))
        return self._to.handle_request(request)


def writes(request: httpx.Request) -> bool:
    """Tell whether a request changes something."""
    path = request.url.path
    if request.method in {"GET", "HEAD"}:
        return False
    if "agencystack_connector.bridge." in path or "agencystack/v1/bridge/" in path:
        return path.endswith("apply")
    return "frappe.client.get" not in path and "reportview" not in path
