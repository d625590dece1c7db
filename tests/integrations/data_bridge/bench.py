"""A client's WordPress with a shop and its ERPNext, both stand-ins behind proxies, and a bridge between them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse

from agencystack.bridge.serving.place import Place
from agencystack.bridge.serving.service import milliseconds
from agencystack.bridge.store.shifts import Shifts
from agencystack.components.bridge_settings import BridgeKey, BridgeSettings
from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.books import PRICES_BY_ORDERS
from agencystack.components.wordpress import BRIDGE, REST_USER, WordPress
from agencystack.engine.integration import Integration
from agencystack.integrations.data_bridge.without_plugin import rights_for
from agencystack.integrations.data_bridge.wordpress import WordPressWithErpNext
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.birth import INTEGRATION_USER
from agencystack.sandbox.layout import books_of
from agencystack.sandbox.wordpress_bridge import INSTANCE_OPTION, OPTION
from agencystack.sandbox.wordpress_rest_user import LOGIN
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.executors import executor_for
from agencystack.stack.files import private_folder
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from tests.serving import free_port

HOOKS = "http://bridge.example:8080"
SHARED: Mapping[str, Any] = {
    **{name: {"direction": "both"} for name in ("customer", "product", "post", "page")},
    "submission": {"direction": "to_erpnext"},
}
DAY = 86_400_000
KEEPS_BOOKS = ("Accounts User", "Item Manager", "Sales Master Manager", "Stock Manager", "Stock User")
"""Roles the key of stack.yaml needs beside System Manager where our app is not there to ask for it."""


class Proxy:
    """What stands before a product: it may be down, and it may refuse what is signed."""

    def __init__(self) -> None:
        self.app: Any = None
        self.up, self.takes_signed, self.takes_records, self.calls = True, True, True, 0
        self.keys: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        key = next((value.decode() for name, value in scope["headers"] if name == b"x-agencystack-key"), "")
        if key:
            self.keys.append(key)
        writes_record = scope["method"] != "GET" and "/webhooks" not in scope["path"]
        if not self.up or (key and not self.takes_signed) or (writes_record and not self.takes_records):
            await PlainTextResponse("down", status_code=503)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class BridgeBench(Bench):
    """The integration, and its two products.

    Args:
        folder: an empty folder that WordPress's own user can enter.
        proxies: what stands before WordPress and before ERPNext, and its address.
        home: the folder of the installation the test makes.
        connector_app: ERPNext has our app.
        plugins_writable: our plugin can be put into WordPress.
        inside: stack.yaml leads to WordPress's PHP; else it names a user of its REST interface.
        shares: what is shared, by entity.
    """

    def __init__(
        self,
        folder: Path,
        proxies: Mapping[str, tuple[Proxy, str]],
        home: Path,
        *,
        connector_app: bool = True,
        plugins_writable: bool = True,
        inside: bool = True,
        shares: Mapping[str, Any] = SHARED,
        books: bool = True,
    ) -> None:
        self.integration: Integration = WordPressWithErpNext()
        (self.shop, shop_url), (self.erp, erp_url) = proxies["wordpress"], proxies["erpnext"]
        password = Secret("abcd EFGH ijkl MNOP qrst UVWX")
        made = WordPressStandIn(
            folder / "acme",
            shop_url,
            name="Acme",
            admin_email="a@acme.example",
            shop_password=password,
            plugins_writable=plugins_writable,
        )
        made.up()
        self.shop.app, self.path = made.app, made.path
        self.erpnext = ErpNextStandIn(folder / "site", site_url=erp_url, company="Acme", connector_app=connector_app)
        self.erp.app = self.erpnext.app
        if not connector_app:
            self.give_roles(INTEGRATION_USER, *KEEPS_BOOKS)
        self.credentials = {"KEY": Secret(self.erpnext.api_key), "SECRET": Secret(self.erpnext.api_secret)}
        self.credentials["PASSWORD"] = password
        self.secrets = (self.credentials["KEY"], self.credentials["SECRET"])
        sharing: dict[str, Any] = {"entities": dict(shares)}
        if books:
            sharing["accounting"] = books_of("acme")
        reached: dict[str, Any] = {"exec": {"local": True, "path": str(made.path)}}
        if not inside:
            reached = {"api_user": "admin", "api_password": "env:PASSWORD"}
        acme: dict[str, Any] = {
            "domain": "acme.example",
            "components": {
                "wordpress": {"url": shop_url, **reached, "sandbox": True},
                "erpnext": {"url": erp_url, "api_key": "env:KEY", "api_secret": "env:SECRET", "sandbox": True},
            },
            "data_bridge": sharing,
        }
        if not connector_app:
            acme["integrations"] = {"data-bridge": {"wordpress": {"settings": {"erpnext_app": False}}}}
        listening = {"url": HOOKS, "listen": f"127.0.0.1:{free_port()}"}
        self.described: dict[str, Any] = {"version": 1, "bridge": listening, "clients": {"acme": acme}}
        self.describe()
        self.place = Place(Home(home / "home", home / "log", home / "key"))
        self.live_worker()
        where = ComponentRef("acme", "wordpress")
        run = executor_for(where, Exec(local=True, path=str(made.path)))
        self.wordpress_hand = WordPress(where, run, str(made.path))
        self.erpnext_hand = ErpNext(ComponentRef("acme", "erpnext"), erp_url, *self.secrets)

    def give_roles(self, user: str, *roles: str) -> None:
        """Give a user of ERPNext roles, as a person does."""
        work = self.erpnext.work()
        live = work.transaction.get("User", user) or {}
        rows = [{"role": role} for role in (*(row["role"] for row in live["roles"]), *roles)]
        self.erpnext.documents.update(work, "User", user, {"roles": rows})
        work.transaction.commit()

    def describe(self) -> None:
        """Take over what was changed in the description."""
        self.stack = Stack.model_validate_json(json.dumps(self.described))

    def live_worker(self) -> None:
        """Have a worker heard of that will be heard of for the whole test."""
        private_folder(self.place.home.bridge_dir)
        with self.place.opened() as store:
            Shifts(store, lambda: milliseconds() + DAY).beat("bench")

    def resolve(self, reference: Any) -> Secret:
        return self.credentials[reference.name]

    def store(self) -> dict[str, Any]:
        """What the stand-in WordPress keeps."""
        found: dict[str, Any] = json.loads((self.path.parent / "store.json").read_text())
        return found

    def state(self) -> object:
        kept = self.store()
        return kept["options"], kept["plugins"], self._of_erpnext()

    def _of_erpnext(self) -> object:
        """ERPNext's side: the app's settings, users, roles, fields, webhooks, and what its books were told."""
        held = self.erpnext.work().transaction
        settings = held.get("Stock Settings", "Stock Settings") or {}
        told = {name: bool(settings.get(name)) for name in PRICES_BY_ORDERS}
        joined = held.get("__AgencyStack Bridge", "__AgencyStack Bridge") or {}
        made = {
            doctype: sorted(str(one["name"]) for one in held.scan(doctype))
            for doctype in ("User", "Role", "Custom Field", "Webhook")
            if self.erpnext.work().known(doctype) is not None
        }
        return (
            {name: joined.get(name) or "" for name in ("pairing", "hook_url")},
            len(joined.get("keys") or ()),
            made,
            told,
        )

    def calls(self) -> int:
        return self.shop.calls + self.erp.calls

    def joined(self) -> dict[str, Any]:
        """How the stand-in WordPress is joined."""
        return dict(self.store()["options"].get(OPTION) or {})

    def edit(self) -> Edit:
        theirs = "http://elsewhere.example:8080/hooks/acme/wordpress"
        now = self.joined()
        kept = tuple((key["id"], Secret(key["secret"])) for key in now["keys"])
        keys = tuple(BridgeKey(id_, secret) for id_, secret in kept)
        self.wordpress_hand.write_bridge(BridgeSettings("acme", theirs, keys, now["entities"]))

        def present() -> bool:
            self.wordpress_hand.forget()
            state = self.wordpress_hand.answer(BRIDGE)
            return state is not None and state.hook_url == theirs

        return Edit("bridge", "hook_url", present)

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        self.shop.up = False
        away = self.path.rename(self.path.with_name("away"))
        try:
            yield
        finally:
            away.rename(self.path)
            self.shop.up = True

    @contextlib.contextmanager
    def failing_proof(self) -> Iterator[None]:
        self.shop.takes_signed = False
        try:
            yield
        finally:
            self.shop.takes_signed = True


class BenchWithoutPlugin(BridgeBench):
    """The same where our plugin cannot be put into WordPress, and somebody said that it shall stay so."""

    def __init__(self, folder: Path, proxies: Mapping[str, tuple[Proxy, str]], home: Path) -> None:
        super().__init__(folder, proxies, home, plugins_writable=False)
        stays = {"data-bridge": {"wordpress": {"settings": {"wordpress_plugin": False}}}}
        self.described["clients"]["acme"]["integrations"] = stays
        self.describe()

    def state(self) -> object:
        # The stand-in's shop notes down its plugin's id as soon as it is asked anything, with a plugin or without.
        kept, users = self.store(), [user["login"] for user in self.store()["users"]]
        options = {name: value for name, value in kept["options"].items() if name != INSTANCE_OPTION}
        return options, kept["plugins"], users, self._webhooks(), self._of_erpnext()

    def _webhooks(self) -> list[str]:
        file = self.path.parent / "shop.json"
        held = json.loads(file.read_text())["webhooks"] if file.exists() else {}
        return sorted(one["name"] for one in held.values())

    def edit(self) -> Edit:
        self.wordpress_hand.write_rest_user("administrator", rights_for({"customer": "both"})[1], "keep")

        def present() -> bool:
            self.wordpress_hand.forget()
            user = self.wordpress_hand.answer(REST_USER)
            return user is not None and user.roles == ("administrator",)

        return Edit(f"user {LOGIN}", "roles", present)

    @contextlib.contextmanager
    def failing_proof(self) -> Iterator[None]:
        self.shop.takes_records = False
        try:
            yield
        finally:
            self.shop.takes_records = True
