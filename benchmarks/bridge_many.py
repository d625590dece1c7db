"""Two products with so many records that none of them is ever made: each answer is worked out from a record's number.

What the bridge knows of them is put into its store by SQL. One pair is made for real first; the others are like it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from operator import xor
from typing import Any

import httpx
from sqlalchemy import text

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.entities.catalogue import (
    ENTITIES,
    ErpNextPlace,
    ShopPlace,
    forms_for_erpnext,
    forms_for_wordpress,
)
from agencystack.bridge.record import SideName
from agencystack.bridge.sides.erpnext.app import AppCalls, AppDocuments
from agencystack.bridge.sides.erpnext.exchange import Exchange
from agencystack.bridge.sides.erpnext.side import ErpNextSide
from agencystack.bridge.sides.outbox import OutboxChanges
from agencystack.bridge.sides.wordpress.calls import PluginCalls
from agencystack.bridge.sides.wordpress.plugin import PluginRecords
from agencystack.bridge.sides.wordpress.records import Kind
from agencystack.bridge.sides.wordpress.side import WordPressSide
from agencystack.bridge.signing import SigningKey
from agencystack.bridge.store import Store
from agencystack.components.woocommerce import RestApi
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret
from benchmarks.bridge_ground import sharing
from benchmarks.bridge_products import Pair

PAIRING = "many"
_KEY = SigningKey("bench", Secret("a key of thirty-two characters!!"))
_ZEROS = "0" * 20
_FIRST_SKU, _FIRST_NAME = "BENCH-000000", "Bench 0"


def row(number: int) -> str:
    """Return the row digest of a record: any that SQL works out as well."""
    return f"{number * 7919 + 13:016d}"


def sku(number: int) -> str:
    """Return a record's SKU, its id in ERPNext."""
    return f"BENCH{number:020d}"


def created(number: int) -> str:
    """Return a record's place in ERPNext's order."""
    return f"2026-01-01 00:{number:020d}"


@dataclass
class Like:
    """One pair that was made for real.

    Args:
        native: of WordPress.
        document: of ERPNext.
        price: its Item Price.
        stored: what the bridge keeps of it, by table.
    """

    native: Mapping[str, Any]
    document: Mapping[str, Any]
    price: Mapping[str, Any]
    stored: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass
class Many(httpx.BaseTransport):
    """One product with many records.

    Args:
        side: which.
        count: how many; their numbers begin at 1.
        like: what each is like.
        names: of those that were renamed, by number.
    """

    side: SideName
    count: int
    like: Like
    names: dict[int, str] = field(default_factory=dict)
    requests: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        digests = (int(row(number), 16) for number in range(1, self.count + 1))
        self._sums = array("Q", accumulate(digests, xor, initial=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a signed call."""
        body = request.read()
        call = request.url.path.rpartition("/")[2].rpartition(".")[2]
        said = getattr(self, f"_{call}")(json.loads(body))
        content = json.dumps(said if self.side is SideName.WORDPRESS else {"message": said}).encode()
        self.requests += 1
        self.bytes += len(body) + len(content)
        return httpx.Response(200, content=content, headers={"Content-Type": "application/json"})

    def forget(self) -> None:
        """Count from here."""
        self.requests = self.bytes = 0

    def _changes(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        url = "http://shop.example" if self.side is SideName.WORDPRESS else "http://erp.localhost"
        return {"url": url, "instance": "many", "epoch": 1, "more": False, "changes": [], "time_zone": "UTC"}

    def _digest(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"summaries": [self._summary(*self._between(*one)) for one in asked["ranges"]]}

    def _rows(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        first, end = self._between(*asked["range"])
        return {"rows": {self._id(number): self._row(number) for number in range(first, end)}}

    def _records(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"records": {str(number): self._native(int(number)) for number in asked["ids"]}}

    def _documents(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"documents": {name: self._document(_number(name)) for name in asked["names"]}}

    def _select(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted: Sequence[str] = next((one[-1] for one in asked["filters"] if one[0] == "item_code"), ())
        if asked["doctype"] != "Item Price":
            return {"rows": []}
        return {"rows": [{**self.like.price, "item_code": name} for name in wanted]}

    def _search(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"records": []}

    def _apply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        saved = {}
        for group in asked["groups"]:
            (step,) = group["steps"]
            self.names[_number(step["name"])] = step["values"]["item_name"]
            saved[group["token"]] = {"result": "done", "name": step["name"]}
        return {"saved": saved}

    def _id(self, number: int) -> str:
        return str(number) if self.side is SideName.WORDPRESS else sku(number)

    def _row(self, number: int) -> str:
        if number not in self.names:
            return row(number)
        return hashlib.md5(f"changed {number}".encode(), usedforsecurity=False).hexdigest()[:16]

    def _summary(self, first: int, end: int) -> list[Any]:
        total = self._sums[end - 1] ^ self._sums[first - 1]
        for number in self.names:
            total ^= (int(row(number), 16) ^ int(self._row(number), 16)) if first <= number < end else 0
        return [end - first, f"{total:016x}"]

    def _between(self, start: str, end: str) -> tuple[int, int]:
        return max(1, _number(start)), (min(_number(end), self.count + 1) if end else self.count + 1)

    def _native(self, number: int) -> dict[str, Any]:
        native = _as(self.like.native, number, self.names.get(number))
        native["id"] = number
        native["agencystack"] |= {"row": self._row(number), "version": self._row(number)}
        return native

    def _document(self, number: int) -> dict[str, Any]:
        document = _as(self.like.document, number, self.names.get(number))
        return {**document, "creation": created(number), "agencystack_row": self._row(number)}


def _number(position: str) -> int:
    digits = position[-20:]
    return int(digits) if digits.isdigit() else 0


def _as(like: Mapping[str, Any], number: int, name: str | None) -> dict[str, Any]:
    said = json.dumps(like).replace(_FIRST_SKU, sku(number))
    return dict(json.loads(said.replace(_FIRST_NAME, name) if name else said))


def made_one() -> Like:
    """Have one product made by the bridge between two stand-ins, and return all there is of it."""
    pair = Pair(_KEY, PAIRING, "")
    pair.fill("erpnext", "product", 1)
    with (
        tempfile.TemporaryDirectory(prefix="agencystack-bench-") as folder,
        _sides(pair.products["shop"].transport, pair.products["erpnext"].transport) as (sides, records, documents),
    ):
        store = Store.open(f"sqlite:///{folder}/one.db")
        Bridge(store, PAIRING, sides, ENTITIES, sharing("product")).backfill("product", SideName.ERPNEXT)
        stored = _stored(store)
        store.close()
        native = records.fetch(Kind.PRODUCT, [str(stored["link"][0]["wordpress_id"])])
        (price,) = documents.select("Item Price", [["item_code", "in", [_FIRST_SKU]]], ["*"])
        return Like(next(iter(native.values())), documents.fetch("Item", [_FIRST_SKU])[_FIRST_SKU], price, stored)


def _stored(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.reading(PAIRING) as reading:
        rows = {
            name: reading.connection.execute(text(f"SELECT * FROM {name}")).mappings().all()
            for name in ("link", "base", "observation")
        }
    return {name: [dict(one) for one in found] for name, found in rows.items()}


@contextmanager
def _sides(
    shop: httpx.BaseTransport, erpnext: httpx.BaseTransport
) -> Iterator[tuple[Any, PluginRecords, AppDocuments]]:
    api = RestApi(ComponentRef(PAIRING, "wordpress"), "http://shop.example", transport=shop)
    exchange = Exchange(ComponentRef(PAIRING, "erpnext"), "http://erp.localhost", transport=erpnext)
    plugin, app = PluginCalls(api, _KEY), AppCalls(exchange, _KEY)
    records, documents, shared = PluginRecords(plugin), AppDocuments(app), sharing("product")
    sides = {
        SideName.WORDPRESS: WordPressSide(
            forms_for_wordpress(records, shared, ShopPlace(PAIRING)), OutboxChanges(plugin)
        ),
        SideName.ERPNEXT: ErpNextSide(
            forms_for_erpnext(documents, shared, ErpNextPlace(PAIRING, "http://erp.localhost")), OutboxChanges(app)
        ),
    }
    try:
        yield sides, records, documents
    finally:
        documents.close()
        api.close()


@dataclass
class Linked:
    """A bridge between two products with many records, all of them linked.

    Args:
        bridge: it.
        products: by side.
    """

    bridge: Bridge
    products: Mapping[SideName, Many]

    def forget(self) -> None:
        """Count requests from here."""
        for one in self.products.values():
            one.forget()


@contextmanager
def linked(count: int, like: Like, store: str) -> Iterator[Linked]:
    """Have so many linked pairs.

    Args:
        count: how many.
        like: what each is like.
        store: address of a store that holds nothing yet.
    """
    products = {side: Many(side, count, like) for side in SideName}
    opened = Store.open(store)
    try:
        fill(opened, count, like)
        with _sides(products[SideName.WORDPRESS], products[SideName.ERPNEXT]) as (sides, _, _):
            yield Linked(Bridge(opened, PAIRING, sides, ENTITIES, sharing("product")), products)
    finally:
        opened.close()


def fill(store: Store, count: int, like: Like) -> None:
    """Put what the bridge knows of so many pairs into its store."""
    link, base = like.stored["link"][0], like.stored["base"][0]
    digits = f"substr('{_ZEROS}' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1)"
    value = "CAST(CAST(i AS BIGINT) * 7919 + 13 AS TEXT)"
    rows = f"substr('{_ZEROS[:16]}' || {value}, length({value}) + 1)"
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    code = f"'BENCH' || {digits}"
    link_id = f"'{'0' * 12}' || {digits}"
    begun, end = (f"'{one}'" for one in base["fields"].split(_FIRST_SKU, 1))
    statements = [
        f"INSERT INTO link (id, pairing, entity, wordpress_id, erpnext_id, wordpress_created, erpnext_created, state,"
        f" changed) {numbers} SELECT {link_id}, '{PAIRING}', 'product', CAST(i AS TEXT), {code},"
        f" '{link['wordpress_created']}', '2026-01-01 00:' || {digits}, 'linked', 0 FROM n",
        f"INSERT INTO base (link, fields) {numbers} SELECT {link_id}, {begun} || {code} || {end} FROM n",
    ]
    for one in like.stored["observation"]:
        is_shop = one["side"] == SideName.WORDPRESS
        record, position = ("CAST(i AS TEXT)", digits) if is_shop else (code, f"'2026-01-01 00:' || {digits}")
        statements.append(
            f"INSERT INTO observation (pairing, side, entity, record, presence, digest, version, created, position,"
            f" \"row\", seen) {numbers} SELECT '{PAIRING}', '{one['side']}', 'product', {record}, 'present',"
            f" '{one['digest']}', '', '{one['created']}', {position}, {rows}, 0 FROM n"
        )
    with store.writing(PAIRING) as writing:
        for statement in statements:
            writing.connection.exec_driver_sql(statement.replace(":count", str(count)))
