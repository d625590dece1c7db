"""Which orders may hold pieces that ERPNext does not count: the last few of a million, and never one too few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from agencystack.bridge.record import Observed
from agencystack.bridge.side import Page
from agencystack.bridge.sides.wordpress.zone import ShopZone, zone_of
from agencystack.bridge.store import Store
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.sql import millis
from agencystack.bridge.work.uncounted import KEPT, NONE, OrdersSince
from agencystack.components.woocommerce import RestApi
from agencystack.stack.errors import ComponentRef
from tests.bridge.fakes import Clock, E, W
from tests.bridge.form_doubles import FakeDocuments


class Books(FakeDocuments):
    """Sales Orders that are walked in the order they were made."""

    walks = 0

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        self.walks += 1
        rows = self.select(doctype, filters, ["name", "creation"])
        return Page(tuple(str(one["name"]) for one in sorted(rows, key=lambda one: str(one["creation"])))[:limit])


class Shop:
    """A store that knows orders, and the books."""

    def __init__(self, folder: Path) -> None:
        self.store, self.books, self.clock = Store.open(f"sqlite:///{folder / 'b.db'}"), Books(), Clock()
        self.seconds = 0.0

    def since(self, *, marked: bool = True) -> OrdersSince:
        return OrdersSince(
            self.store, "acme", self.books, marked=marked, seconds=lambda: self.seconds, now=lambda: self.clock.now
        )

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.clock.wait(seconds)

    def order(self, name: str, docstatus: int, **more: object) -> None:
        self.books.put("Sales Order", {"name": name, "docstatus": docstatus, **more})

    @property
    def now(self) -> int:
        return millis(self.clock.now)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.store.close()


def test_where_nothing_is_on_its_way_no_order_holds_anything(shop: Shop) -> None:
    shop.order("WC-acme-7", 1)
    assert shop.since()() == str(NONE)


def test_without_the_plugin_orders_after_the_newest_known_one_count(shop: Shop) -> None:
    with shop.store.writing("acme") as transaction:
        seen = [Observed(str(id_), {}, position=str(id_).zfill(20)) for id_ in (9, 10, 1200)]
        transaction.observations.save(W, "order", seen, 1)
    assert shop.since(marked=False)() == "1201"


def test_the_oldest_draft_of_this_shop_counts(shop: Shop) -> None:
    for name, docstatus in (("WC-acme-9", 1), ("WC-acme-12-1", 0), ("WC-acme-11", 0), ("WC-other-2", 0), ("SAL-1", 0)):
        shop.order(name, docstatus)
    assert shop.since()() == "11"
    shop.order("SAL-2", 0, po_no="WC-acme-5 (A-17)")
    assert shop.since()() == "5"


@pytest.mark.parametrize("reason", ["changed", "backfill"])
def test_an_order_that_is_to_be_looked_at_counts_and_history_does_not(shop: Shop, reason: str) -> None:
    with shop.store.writing("acme") as transaction:
        transaction.inbox.add(W, [("order", "100"), ("order", "99"), ("product", "1")], reason, 1)
        transaction.inbox.add(E, [("order", "3")], "changed", 1)
    assert shop.since()() == (str(NONE) if reason == "backfill" else "99")


def test_an_order_that_was_refused_or_waits_for_a_person_counts(shop: Shop) -> None:
    since = shop.since()
    with shop.store.writing("acme") as transaction:
        transaction.dead.record([DeadLetter("order", "x", E, "40", "", (), "no", "do")], 1)
    assert since() == "40"
    with shop.store.writing("acme") as transaction:
        waits = Conflict("order", "y", "", ConflictKind.AMBIGUOUS, wordpress_id="8", candidates=("a", "b"))
        transaction.conflicts.record([waits], 1)
    assert since() == "8"


def test_an_order_made_since_erpnext_was_asked_counts_though_nobody_told_of_its_draft(shop: Shop) -> None:
    since = shop.since()
    assert since() == str(NONE)
    shop.pass_by(30)
    with shop.store.writing("acme") as transaction:
        transaction.links.add([Link("l", "order", "77", "WC-acme-77")], shop.now)
        transaction.audits.add([Event("order", E, "WC-acme-77", "create", "l")], shop.now)
    shop.order("WC-acme-77", 0)
    shop.pass_by(KEPT - 31)
    assert since() == "77"
    assert shop.books.walks == 2
    shop.pass_by(2)
    assert since() == "77"
    assert shop.books.walks == 4
    shop.books.tables["Sales Order"]["WC-acme-77"]["docstatus"] = 1
    shop.pass_by(3 * KEPT)
    assert since() == str(NONE)


# The zone. --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "hours"),
    [
        ({"timezone_string": "Europe/Zurich", "gmt_offset": 2}, 1),
        ({"timezone_string": "", "gmt_offset": "-3.5"}, -3.5),
        ({"timezone_string": "Nowhere/Land"}, 0),
        ([], 0),
    ],
)
def test_a_shop_has_its_zone_by_name_or_as_hours(index: object, hours: float) -> None:
    assert datetime(2026, 11, 22, tzinfo=zone_of(index)).utcoffset() == timedelta(hours=hours)


def test_the_zone_is_asked_once_an_hour_and_days_are_utcs_until_it_is_known() -> None:
    asked, closed = [], [True]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        if closed:
            return httpx.Response(401, json={"code": "rest_not_logged_in", "message": "no", "data": {"status": 401}})
        return httpx.Response(200, json={"timezone_string": "Europe/Zurich", "gmt_offset": 1})

    seconds = [0.0]
    api = RestApi(ComponentRef("acme", "wordpress"), "https://shop.example", transport=httpx.MockTransport(answer))
    zone = ShopZone(api, clock=lambda: seconds[0])
    assert zone() is zone() is UTC
    closed.clear()
    seconds[0] += 61
    assert zone() == zone() == ZoneInfo("Europe/Zurich")
    assert len(asked) == 2
