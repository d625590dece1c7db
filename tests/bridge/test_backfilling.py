"""A backfill works on several batches at a time where an entity bears that, and asks no side for more than is good."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from agencystack.bridge.entities.catalogue import ENTITIES
from agencystack.bridge.side import Operation, Outcome
from agencystack.bridge.sides.erpnext.documents import Group, Step
from agencystack.bridge.sides.erpnext.exchange import Exchange
from agencystack.bridge.sides.erpnext.rest import RestDocuments
from agencystack.bridge.sides.wordpress.calls import PluginCalls
from agencystack.bridge.sides.wordpress.plugin import AT_ONCE, PluginRecords
from agencystack.bridge.sides.wordpress.records import Kind, Write
from agencystack.bridge.signing import SigningKey
from agencystack.bridge.work import backfilling
from agencystack.components.woocommerce import RestApi
from agencystack.stack.errors import ComponentRef, Unavailable
from agencystack.stack.secrets import Secret
from tests.bridge.fakes import Killed, W
from tests.bridge.test_cycle import World

PATIENCE = 30.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def filled(world: World, count: int, *, side_by_side: bool = True) -> None:
    """Make customers nobody told of, and let batches of customers bear one another."""
    for at in range(count):
        world.wc.make(**world.customer(name=f"N{at}"))
    world.w.outbox.clear()
    context = world.bridge.context
    entities = {
        name: replace(one, side_by_side=side_by_side and name == "customer") for name, one in context.entities.items()
    }
    world.bridge.context = replace(context, entities=entities)


def test_batches_are_worked_on_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(world, 400)
    # Broken unless two are within at the same time; as many batches as lanes meet in pairs.
    meeting, ask = threading.Barrier(2, timeout=PATIENCE), world.ec.apply

    def apply(operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        meeting.wait()
        return ask(operations)

    monkeypatch.setattr(world.ec, "apply", apply)
    progress = world.bridge.backfill("customer", W)
    assert (progress.created, len(world.ec.here())) == (400, 400)


def test_more_pages_than_are_walked_ahead_all_come_across(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "AHEAD", 2)
    filled(world, 501)
    told: list[int] = []
    progress = world.bridge.backfill("customer", W, lambda walked, _progress: told.append(walked))
    assert (progress.created, told) == (501, [200, 400, 501])


@pytest.mark.parametrize("side_by_side", [True, False])
def test_a_backfill_takes_the_time_a_client_says(
    tmp_path: Path, side_by_side: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, writes_per_minute=300)
    filled(world, 120, side_by_side=side_by_side)
    began, lock, slept = world.clock.now, threading.Lock(), [0.0]

    def sleep(seconds: float) -> None:
        with lock:  # lanes wait beside each other: the time passes once
            until = world.clock.now + timedelta(seconds=seconds)
        with lock:
            slept[0] += seconds
            world.clock.now = max(world.clock.now, until)

    monkeypatch.setattr(backfilling.time, "sleep", sleep)
    assert world.bridge.backfill("customer", W).created == 120
    assert 20 <= (world.clock.now - began).total_seconds() < 40
    assert slept[0] >= 20


@pytest.mark.parametrize("side_by_side", [True, False])
def test_a_walk_that_fails_ends_the_backfill_and_is_gone_on_with(world: World, side_by_side: bool) -> None:
    filled(world, 250, side_by_side=side_by_side)
    world.w.errors["walk"] = [None, Unavailable("away")]
    with pytest.raises(Unavailable):
        world.bridge.backfill("customer", W)
    assert len(world.ec.here()) == 100
    assert world.bridge.backfill("customer", W).created == 150


def test_a_death_while_walking_loses_nothing(world: World) -> None:
    filled(world, 250)
    world.w.errors["walk"] = [None, Killed()]
    with pytest.raises(Killed):
        world.bridge.backfill("customer", W)
    world.bridge.backfill("customer", W)
    world.settle()
    assert len(world.ec.here()) == 250


def test_orders_are_worked_on_one_batch_at_a_time() -> None:
    """Two orders of one guest make one customer: batches beside one another would make two."""
    together = {name for name, one in ENTITIES.items() if one.side_by_side}
    assert together == {"customer", "product"}


class Counting(httpx.BaseTransport):
    """Takes a while for each request, and notes how many were within at the same time."""

    def __init__(self, answer: object) -> None:
        self.most, self._now, self._answer, self._lock = 0, 0, answer, threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        return httpx.Response(200, json=self._answer)


def test_a_shop_is_not_written_to_more_often_at_a_time_than_it_is_good_for() -> None:
    transport = Counting({"written": {}})
    api = RestApi(ComponentRef("acme", "wordpress"), "http://shop.example", transport=transport)
    records = PluginRecords(PluginCalls(api, SigningKey("k", Secret("a secret of 32 letters and digits"))))
    writes = [Write(f"{at:032x}", Kind.PRODUCT, "create", values={"name": str(at)}) for at in range(8)]
    threads = [threading.Thread(target=records.write, args=([one],)) for one in writes]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE)
    assert transport.most == AT_ONCE


def test_who_reads_does_not_wait_for_anothers_writes() -> None:
    """Hundreds of writes of one batch wait for their turn; another batch is read meanwhile."""
    release, reading = threading.Event(), ComponentRef("acme", "erpnext")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/resource/Item") and request.method == "POST":
            assert release.wait(PATIENCE)
        if request.method == "GET":
            return httpx.Response(404, json={"exc_type": "DoesNotExistError"})
        return httpx.Response(
            200, json={"message": []} if "/api/method/" in request.url.path else {"data": {"name": "X"}}
        )

    documents = RestDocuments(Exchange(reading, "http://erp.localhost", transport=httpx.MockTransport(answer)))
    groups = [Group(f"{at:032x}", (Step("insert", "Item", values={"item_code": str(at)}),)) for at in range(20)]
    writer = threading.Thread(target=documents.save, args=(groups,))
    writer.start()
    try:
        read = threading.Thread(target=documents.fetch, args=("Item", ["A", "B"]))
        read.start()
        read.join(PATIENCE)
        assert not read.is_alive()
    finally:
        release.set()
        writer.join(PATIENCE)
        documents.close()
