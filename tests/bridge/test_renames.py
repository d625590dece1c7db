"""A record that is renamed is neither gone nor new: its link moves, whichever name is heard of first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agencystack.bridge.entities.catalogue import ErpNextPlace, forms_for_erpnext
from agencystack.bridge.settings import Sharing
from agencystack.bridge.sides.erpnext.form import ErpNextForm
from tests.bridge.fakes import E, W
from tests.bridge.form_doubles import ACCOUNTING, FakeDocuments
from tests.bridge.test_cycle import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def born(world: World, where: str) -> tuple[str, str]:
    """Return the ids of a pair whose first record was made on one side."""
    form = world.wc if where == "wordpress" else world.ec
    form.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    return next(iter(world.wc.here())), next(iter(world.ec.here()))


MARKS = ["both", "the old", "the new", "the new first", "none"]


@pytest.mark.parametrize("where", ["wordpress", "erpnext"])
@pytest.mark.parametrize("heard", MARKS)
def test_a_renamed_record_keeps_its_pair(world: World, where: str, heard: str) -> None:
    w, e = born(world, where)
    writes = len(world.w.writes) + len(world.e.writes)
    world.ec.rename(e, "2000")
    marks = list(world.e.outbox.items())[-2:]
    for mark, _ in marks:
        del world.e.outbox[mark]
    told = {"both": marks, "the old": marks[:1], "the new": marks[1:], "the new first": marks[::-1], "none": []}
    for _, (entity, record) in told[heard]:
        world.bridge.hint(E, entity, [record], "changed")
        if heard == "the new first":
            world.bridge.step(1)
    if heard == "none":
        world.bridge.reconcile("customer", repair=True)
    world.settle()
    assert (list(world.wc.here()), list(world.ec.here())) == ([w], ["2000"])
    assert len(world.w.writes) + len(world.e.writes) == writes
    (link,) = world.bridge.history(E, "2000").links
    assert (link.wordpress, world.bridge.history(E, e).links) == (w, ())
    assert "renamed" in [event.event for event in world.bridge.history(W, w).events]
    assert (world.bridge.conflicts(), world.bridge.dead_letters()) == ([], [])
    assert world.bridge.reconcile("customer").sides[E].differing == ()


def test_both_sides_stay_in_step_after_a_rename(world: World) -> None:
    w, e = born(world, "erpnext")
    world.ec.rename(e, "2000")
    world.ec.edit("2000", name="Ada L.")
    world.wc.edit(w, phone="5")
    world.settle()
    assert world.wc.here()[w]["name"] == "Ada L."
    assert world.ec.here()["2000"]["phone"] == "5"


def test_what_is_gone_and_was_not_renamed_goes_on_the_other_side_too(world: World) -> None:
    w, e = born(world, "erpnext")
    other = world.ec.make(**world.customer(name="Bea", email="bea@example.com"))
    world.ec.rows_[other].created = world.ec.rows_[e].created
    del world.ec.rows_[e]
    world.e.mark("customer", e)
    world.settle()
    assert [row["name"] for row in world.wc.here().values()] == ["Bea"]
    assert w not in world.wc.here()


def item(name: str, creation: str) -> Mapping[str, object]:
    return {"name": name, "item_code": name, "creation": creation, "variant_of": None}


def test_erpnext_tells_renamed_documents_by_their_creation() -> None:
    documents = FakeDocuments()
    for name, creation in (("NEW", "2026-11-22 10:00:00.000001"), ("B", "2026-11-22 10:00:00.000002")):
        documents.put("Item", item(name, creation))
    sharing = Sharing.model_validate({"accounting": ACCOUNTING.model_dump()})
    form = forms_for_erpnext(documents, sharing, ErpNextPlace("acme"))["product"]
    assert isinstance(form, ErpNextForm)
    made = {
        "OLD": "2026-11-22 10:00:00.000001",
        "b": "2026-11-22 10:00:00.000002",
        "GONE": "2026-11-22 10:00:00.000003",
    }
    assert form.renamed(made) == {"OLD": ["NEW"], "GONE": []}
