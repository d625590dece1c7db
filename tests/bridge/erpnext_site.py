"""An ERPNext for tests of the bridge's side: the sandbox's stand-in, asked within the test's own thread."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agencystack.bridge.sides.erpnext.app import AppCalls, AppDocuments
from agencystack.bridge.sides.erpnext.exchange import Exchange, with_key
from agencystack.bridge.sides.erpnext.rest import RestDocuments
from agencystack.bridge.signing import SigningKey
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.inside import Inside
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret

WHERE = ComponentRef("acme", "erpnext")
URL = "http://erp.localhost"
TOKENED = ("Customer", "Contact", "Item", "Item Price", "Sales Order", "Sales Invoice", "Payment Entry")
ENTITIES = ("customer", "product", "variation", "order", "payment", "refund", "category")


class Clock:
    """A clock that goes on by a millisecond each time it is read, and further when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 19, 30, tzinfo=ZoneInfo("Europe/Berlin"))

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass
class Site:
    """The stand-in and ways to it."""

    app: bool = False
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.stand_in = ErpNextStandIn(None, site_url=URL, company="Lab GmbH", connector_app=self.app, clock=self.clock)
        self.inside = Inside(self.stand_in)
        self.key = SigningKey("k1", Secret(secrets.token_hex(32)))
        for doctype in TOKENED:
            self.make("Custom Field", {"dt": doctype, "label": "Token", **TOKEN})
        self.make("Item", {"item_code": "SKU-1", "item_group": "Products", "is_stock_item": 1, "standard_rate": 10})
        if self.app:
            work = self.stand_in.work()
            keys = [{"id": self.key.id, "secret": self.key.secret.reveal()}]
            given = {"pairing": "p", "hook_url": "", "keys": keys, "entities": dict.fromkeys(ENTITIES, "both")}
            assert self.stand_in._bridge is not None
            self.stand_in._bridge.configure(work, given)
            work.transaction.commit()

    def make(self, doctype: str, values: Mapping[str, Any]) -> str:
        """Make a document behind the bridge's back."""
        work = self.stand_in.work()
        name = str(self.stand_in.documents.insert(work, doctype, values)["name"])
        work.transaction.commit()
        return name

    def change(self, doctype: str, name: str, values: Mapping[str, Any]) -> None:
        """Change a document behind the bridge's back."""
        work = self.stand_in.work()
        self.stand_in.documents.update(work, doctype, name, values)
        work.transaction.commit()

    def delete(self, doctype: str, name: str) -> None:
        """Delete a document behind the bridge's back."""
        work = self.stand_in.work()
        self.stand_in.documents.delete(work, doctype, name)
        work.transaction.commit()

    def held(self, doctype: str, **fields: object) -> list[dict[str, Any]]:
        """Return the documents with these values."""
        scanned = self.stand_in.work().transaction.scan(doctype)
        return [one for one in scanned if all(one.get(name) == value for name, value in fields.items())]

    def rest(self) -> RestDocuments:
        """Return the way by REST alone."""
        stand_in = self.stand_in
        credential = with_key(Secret(stand_in.bridge_key), Secret(stand_in.bridge_secret))
        return RestDocuments(Exchange(WHERE, URL, credential, transport=self.inside), parallel=1)

    def calls(self, key: SigningKey | None = None) -> AppCalls:
        """Return the app's signed calls."""
        return AppCalls(Exchange(WHERE, URL, transport=self.inside), key or self.key)

    def documents(self) -> RestDocuments | AppDocuments:
        """Return the best way there is."""
        return AppDocuments(self.calls(), parallel=1) if self.app else self.rest()

    def misbehaving(self, how: Callable[[str, str], Any]) -> None:
        """Let requests go wrong from now on."""
        self.inside.misbehaves = how


TOKEN = {"fieldname": "agencystack_token", "fieldtype": "Data", "unique": 1, "no_copy": 1, "read_only": 1}


def cursor_of(text: str) -> dict[str, Any]:
    """Return a polling cursor."""
    return dict(json.loads(text))
