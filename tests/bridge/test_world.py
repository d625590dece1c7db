"""The worlds behave as the products were recorded to: what the proof of the bridge stands on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agencystack.bridge.record import Presence
from agencystack.bridge.side import Action, Operation, Result
from agencystack.stack.errors import Unavailable

from .world.entities import ERP, WP
from .world.history import Event, Setup
from .world.machine import Machine
from .world.running import tables
from .world.sides import WorldSide
from .world.wire import Crash, Process


@pytest.fixture
def machine() -> Machine:
    return Machine(Setup(), tables())


def sides(machine: Machine) -> tuple[WorldSide, WorldSide]:
    both = machine.sides(Process("test"))
    return both[WP], both[ERP]


def page(token: str = "t" * 32, **fields: str) -> Operation:
    return Operation(token, "page", Action.CREATE, fields={"title": "A & b", "slug": "Camel", **fields})


def test_the_shop_escapes_and_lowers_and_shows_text_as_people_see_it(machine: Machine) -> None:
    shop, _ = sides(machine)
    seen = shop.form("page").apply([page()])["t" * 32].observed
    assert seen is not None
    assert (seen.fields["title"], seen.fields["slug"]) == ("A & b", "camel")
    assert machine.shop.rows("page")[seen.id].values["title"] == "A &amp; b"


@pytest.mark.parametrize(("plugin", "records"), [(True, 1), (False, 2)])
def test_a_token_counts_once_only_where_the_plugin_is(plugin: bool, records: int) -> None:
    machine = Machine(Setup(plugin=plugin), tables())
    form = sides(machine)[0].form("page")
    form.apply([page()])
    form.apply([page()])
    assert len(machine.shop.rows("page")) == records


def test_a_stale_write_writes_nothing(machine: Machine) -> None:
    form = sides(machine)[1].form("page")
    seen = form.apply([page()])["t" * 32].observed
    assert seen is not None
    machine.do(Event("edit", 1, 0, 0))
    stale = Operation("u" * 32, "page", Action.UPDATE, seen.id, {"body": "new"}, seen)
    assert form.apply([stale])["u" * 32].result is Result.STALE
    fresh = replace(stale, expected=form.read([seen.id])[seen.id])
    assert form.apply([fresh])["u" * 32].result is Result.DONE


def test_an_answer_that_is_lost_may_have_had_its_effect(machine: Machine) -> None:
    form = sides(machine)[0].form("page")
    machine.wire.faults = {1: "lost", 2: "happened"}
    with pytest.raises(Unavailable):
        form.apply([page()])
    assert not machine.shop.rows("page")
    with pytest.raises(Unavailable):
        form.apply([page()])
    assert len(machine.shop.rows("page")) == 1
    assert form.find(["t" * 32]) == {"t" * 32: "1"}


def test_a_request_given_up_arrives_before_much_time_passes(machine: Machine) -> None:
    form = sides(machine)[0].form("page")
    machine.wire.faults = {1: "delayed"}
    assert form.apply([page()])["t" * 32].result is Result.UNKNOWN
    assert form.find(["t" * 32]) == {}
    machine.clock.advance(10)
    assert form.find(["t" * 32]) == {"t" * 32: "1"}


def test_a_mark_shows_when_its_transaction_is_committed_though_later_ones_showed_before(machine: Machine) -> None:
    _, books = sides(machine)
    machine.do(Event("begin"))
    machine.do(Event("create", 1, 0))
    first = books.changes("", (), 10)
    assert [mark.record for mark in first.marks] == ["PAG-2"]
    machine.do(Event("commit"))
    second = books.changes("", [mark.id for mark in first.marks], 10)
    assert [mark.record for mark in second.marks] == ["PAG-1"]
    assert int(second.marks[0].id.split("-")[0]) < int(first.marks[0].id.split("-")[0])


def test_a_record_that_changes_after_its_mark_was_told_gets_another_one(machine: Machine) -> None:
    shop, _ = sides(machine)
    machine.do(Event("create", 0, 0))
    told = shop.changes("", (), 10).marks
    machine.do(Event("edit", 0, 0, 0))
    machine.do(Event("edit", 0, 0, 1))
    again = shop.changes("", [mark.id for mark in told], 10).marks
    assert len(told) == len(again) == 1
    assert told[0].record == again[0].record
    assert told[0].id != again[0].id


def test_without_a_plugin_changes_are_found_by_time_with_an_overlap() -> None:
    machine = Machine(Setup(plugin=False, app=False), tables())
    _, books = sides(machine)
    machine.do(Event("begin"))
    cursor = books.changes("", (), 10).cursor
    machine.do(Event("commit"))
    assert [mark.record for mark in books.changes(cursor, (), 10).marks] == ["PAG-1"]
    machine.clock.advance(100)
    assert books.changes(books.changes(cursor, (), 10).cursor, (), 10).marks == ()


def test_an_order_is_half_until_its_request_ends_and_then_takes_stock(machine: Machine) -> None:
    shop, _ = sides(machine)
    for event in (Event("create", 0, 1), Event("create", 0, 2)):
        machine.do(event)
    product = next(iter(machine.shop.rows("product").values()))
    product.values["stock"] = 5
    machine.do(Event("half", 0, 0, 1))
    order = next(iter(machine.shop.rows("order")))
    assert shop.form("order").read([order])[order].presence is Presence.HALF
    machine.do(Event("finish"))
    assert shop.form("order").read([order])[order].presence is Presence.PRESENT
    assert product.values["stock"] == 3
    assert shop.form("product").read([product.id])[product.id].fields["stock"] == "5"


def test_goods_are_reserved_when_an_order_is_submitted(machine: Machine) -> None:
    _, books = sides(machine)
    for event in (Event("create", 1, 1), Event("create", 1, 2), Event("order", 0, 0, 1)):
        machine.do(event)
    product = next(iter(machine.books.rows("product")))
    assert books.form("product").read([product])[product].fields["stock"] == "6"
    machine.do(Event("advance", 1, 0, 1))
    assert books.form("product").read([product])[product].fields["stock"] == "8"


def test_a_dead_process_does_nothing_more(machine: Machine) -> None:
    process = Process("doomed")
    shop = machine.sides(process)[WP]
    machine.wire.crash_at = 2
    with pytest.raises(Crash):
        shop.form("page").apply([page()])
    with pytest.raises(Crash):
        shop.identity()
    assert len(machine.shop.rows("page")) == 1


def test_a_restored_backup_forgets_and_its_epoch_goes_back(machine: Machine) -> None:
    shop, _ = sides(machine)
    machine.do(Event("create", 0, 0))
    backup = machine.shop.backup()
    before = shop.identity().epoch
    machine.do(Event("create", 0, 0))
    assert (shop.identity().epoch or 0) > (before or 0)
    machine.shop.restore(backup)
    assert shop.identity().epoch == before
    assert len(machine.shop.rows("page")) == 1


def test_reading_may_touch_what_is_read() -> None:
    machine = Machine(Setup(writes_on_read=True), tables())
    shop, _ = sides(machine)
    machine.do(Event("create", 0, 0))
    told = shop.changes("", (), 10).marks
    assert shop.changes("", [mark.id for mark in told], 10).marks == ()
    shop.form("page").read(["1"])
    assert len(shop.changes("", (), 10).marks) == 1
