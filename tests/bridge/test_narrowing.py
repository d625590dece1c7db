"""The products' own screens narrow what is shared, and never widen it; what is opened again is looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.bridge.entity import Direction
from agencystack.bridge.side import Narrowed
from tests.bridge.fakes import E, FakeSide, W
from tests.bridge.test_cycle import World

OFF, TO_E, TO_W, BOTH = Direction.OFF, Direction.TO_ERPNEXT, Direction.TO_WORDPRESS, Direction.BOTH


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def narrow(side: FakeSide, **entities: Direction) -> None:
    side.narrowed = Narrowed(side.narrowed.revision + 1 if side.narrowed else 1, entities)


def test_what_one_side_narrows_goes_that_way_alone(world: World) -> None:
    narrow(world.w, customer=TO_E)
    world.bridge.run()
    w = world.wc.make(**world.customer(name="Ada"))
    world.ec.make(**world.customer(name="Bea"))
    world.settle()
    assert [row["name"] for row in world.wc.here().values()] == ["Ada"]
    e = next(id_ for id_, row in world.ec.here().items() if row["name"] == "Ada")
    world.ec.edit(e, note="of ERPNext")
    world.settle()
    assert world.wc.here()[w]["note"] is None
    assert world.bridge.status().narrowed == {W: Narrowed(1, {"customer": TO_E})}


@pytest.mark.parametrize("before", [OFF, TO_E])
@pytest.mark.parametrize("another", [True, False], ids=["by a new worker", "by the same"])
def test_what_is_opened_again_is_looked_at(world: World, before: Direction, another: bool) -> None:
    ids = [world.wc.make(**world.customer(name=f"N{at}", email=f"{at}@example.com")) for at in range(3)]
    world.settle()
    narrow(world.w, customer=before)
    world.bridge.run()
    for at in range(120):
        world.ec.make(**world.customer(name=f"E{at}"))
    edited, deleted = list(world.ec.here())[:2]
    world.ec.edit(edited, name="edited")
    world.ec.rows_.pop(deleted)
    world.settle()
    world.e.outbox.clear()
    assert len(world.wc.here()) == 3
    narrow(world.w, customer=BOTH)
    world.bridge = world.worker("two") if another else world.bridge
    world.settle()
    assert sorted(str(row["name"]) for row in world.wc.here().values()) == sorted(
        [*(f"E{at}" for at in range(120)), "N2", "edited"]
    )
    assert ids
    assert world.bridge.poll() == 0


def test_both_sides_narrow_and_neither_widens(world: World) -> None:
    narrow(world.w, order=BOTH, customer=TO_E)
    narrow(world.e, customer=TO_W)
    world.bridge.run()
    world.wc.make(**world.customer(name="Ada"))
    world.ec.make(**world.customer(name="Bea"))
    world.settle()
    assert (len(world.wc.here()), len(world.ec.here())) == (1, 1)
    assert world.bridge.context.entities["order"].direction is TO_E


def test_changes_of_what_is_off_wait_and_hold_up_nothing(world: World) -> None:
    narrow(world.w, order=OFF)
    world.bridge.run()
    customer = world.wc.make(**world.customer(name="Ada"))
    world.wo.make(customer=None, total="5.00")
    world.settle()
    assert (len(world.ec.here()), len(world.eo.here()), world.bridge.next_due()) == (1, 0, None)
    narrow(world.w)
    world.settle()
    assert len(world.eo.here()) == 1
    assert customer


def test_an_older_answer_that_comes_late_narrows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = world.w.changes
    narrow(world.w, customer=OFF)

    def slowly(cursor: str, acknowledged: object, limit: int) -> object:
        early = answers(cursor, acknowledged, limit)  # type: ignore[arg-type]
        monkeypatch.setattr(world.w, "changes", answers)
        narrow(world.w, customer=BOTH)
        world.worker("two").poll()
        return early

    monkeypatch.setattr(world.w, "changes", slowly)
    world.bridge.poll()
    assert world.bridge.status().narrowed == {W: Narrowed(2, {"customer": BOTH})}


def test_a_word_that_is_not_known_allows_nothing() -> None:
    said = {"revision": 4, "entities": {"product": "to_erpnext", "page": "sideways"}}
    assert Narrowed.told(said) == Narrowed(4, {"product": TO_E, "page": OFF})
    assert Narrowed.told({"revision": 0, "entities": []}) == Narrowed()
    assert Narrowed.told(None) is None


def test_a_reinstalled_plugin_begins_anew(world: World) -> None:
    narrow(world.e, customer=OFF)
    narrow(world.e, customer=OFF, order=OFF)
    world.bridge.run()
    world.e.narrowed = Narrowed(0, {})
    world.bridge.run()
    assert world.bridge.status().narrowed == {E: Narrowed(0, {})}
    assert set(world.bridge.context.entities) >= {"customer", "order"}
