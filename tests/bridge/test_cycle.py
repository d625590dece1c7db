"""Batches against small sides in memory: what comes across, what waits, what a crash leaves, what a person is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.entity import Deletion, Direction, Field
from agencystack.bridge.record import Presence, Ref, SideName
from agencystack.bridge.settings import EntitySharing
from agencystack.bridge.side import Operation, Outcome, Result
from agencystack.bridge.store import Store
from agencystack.bridge.store.links import LinkState
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.sql import millis
from agencystack.stack.errors import Unavailable
from tests.bridge.fakes import ENTITIES, Chance, Clock, E, FakeSide, Killed, W, everything


class World:
    """Two sides and a bridge."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.clock, self.chance = Clock(), Chance()
        self.w = FakeSide(W, self.clock, list(ENTITIES.values()))
        self.e = FakeSide(E, self.clock, list(ENTITIES.values()))
        self.store = Store.open(f"sqlite:///{folder / 'bridge.db'}")
        self.sharing = everything(**settings)
        self.bridge = self.worker("one")
        self.wc, self.ec = self.w.form("customer"), self.e.form("customer")
        self.wo, self.eo = self.w.form("order"), self.e.form("order")

    def worker(self, name: str) -> Bridge:
        return Bridge(
            self.store,
            "acme",
            {W: self.w, E: self.e},
            ENTITIES,
            self.sharing,
            clock=self.clock,
            randomness=self.chance,
            worker=name,
        )

    def settle(self) -> None:
        """Work until nothing waits any more."""
        for _ in range(60):
            self.bridge.run()
            due = self.bridge.next_due()
            if due is None:
                return
            self.clock.wait(max((due - self.clock.now).total_seconds(), 0) + 0.001)

    def customer(self, **fields: object) -> dict[str, object]:
        return {"name": None, "email": None, "note": None, "phone": None, "rank": None} | fields


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_record_comes_across_and_then_nothing_is_written(world: World) -> None:
    world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    assert list(world.ec.here().values()) == [world.customer(name="Ada", email="ada@example.com")]
    writes = len(world.w.writes) + len(world.e.writes)
    world.settle()
    assert (len(world.w.writes) + len(world.e.writes), writes) == (1, 1)


def test_edits_of_different_fields_on_both_sides_survive(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    e = next(iter(world.ec.here()))
    world.wc.edit(w, email="new@example.com")
    world.ec.edit(e, name="Ada L.")
    world.settle()
    assert world.wc.here()[w] == world.ec.here()[e] == world.customer(name="Ada L.", email="new@example.com")


def test_both_edit_one_field_and_the_owner_wins(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    e = next(iter(world.ec.here()))
    world.wc.edit(w, name="from WordPress")
    world.ec.edit(e, name="from ERPNext")
    world.settle()
    assert world.wc.here()[w]["name"] == world.ec.here()[e]["name"] == "from ERPNext"


def test_the_newer_wins_where_the_policy_says_so(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", phone="1"))
    world.settle()
    e = next(iter(world.ec.here()))
    world.ec.edit(e, phone="2")
    world.clock.wait(5)
    world.wc.edit(w, phone="3")
    world.settle()
    assert world.ec.here()[e]["phone"] == world.wc.here()[w]["phone"] == "3"


def test_a_conflict_waits_for_a_person_and_is_carried_out(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", note="old"))
    world.settle()
    e = next(iter(world.ec.here()))
    world.wc.edit(w, note="W", name="Ada L.")
    world.ec.edit(e, note="E")
    world.settle()
    assert (world.wc.here()[w]["note"], world.ec.here()[e]["note"], world.ec.here()[e]["name"]) == ("W", "E", "Ada L.")
    (conflict,) = world.bridge.conflicts()
    assert (conflict.field, conflict.wordpress, conflict.erpnext) == ("note", "W", "E")
    world.bridge.resolve(conflict.id, "erpnext", by="ann")
    world.settle()
    assert (world.wc.here()[w]["note"], world.ec.here()[e]["note"], world.bridge.conflicts()) == ("E", "E", [])


def test_a_conflict_of_references_is_told_as_people_read_it(world: World) -> None:
    ids = [world.wc.make(**world.customer(name=name)) for name in ("Ada", "Bob", "Cyd")]
    world.settle()
    in_books = {row["name"]: id_ for id_, row in world.ec.here().items()}
    world.wc.edit(ids[0], note=Ref("customer", ids[1]))
    world.ec.edit(in_books["Ada"], note=Ref("customer", in_books["Cyd"]))
    world.settle()
    (conflict,) = world.bridge.conflicts()
    assert (conflict.wordpress, conflict.erpnext) == (f"customer {ids[1]}", f"customer {in_books['Cyd']}")
    assert world.bridge.history(W, ids[0]).conflicts == (conflict,)
    world.bridge.resolve(conflict.id, "erpnext", by="ann")
    world.settle()
    assert world.wc.here()[ids[0]]["note"] == Ref("customer", ids[2])


def test_a_decision_on_other_values_than_there_are_now_is_asked_again(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", note="old"))
    world.settle()
    e = next(iter(world.ec.here()))
    world.wc.edit(w, note="W")
    world.ec.edit(e, note="E")
    world.settle()
    (conflict,) = world.bridge.conflicts()
    world.wc.edit(w, note="W2")
    world.bridge.resolve(conflict.id, "erpnext", by="ann")
    world.settle()
    assert [one.wordpress for one in world.bridge.conflicts()] == ["W2"]


def test_records_on_both_sides_are_matched_by_identity(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com", phone="1"))
    e = world.ec.make(**world.customer(name="Ada Lovelace", email="ada@example.com"))
    world.settle()
    assert len(world.wc.here()) == len(world.ec.here()) == 1
    assert (
        world.wc.here()[w]
        == world.ec.here()[e]
        == world.customer(name="Ada Lovelace", email="ada@example.com", phone="1")
    )


def test_records_are_matched_under_the_other_sides_names_of_what_they_name(world: World) -> None:
    ours, theirs = world.w.form("category"), world.e.form("category")
    tools, toys = (ours.make(name=name, parent=None) for name in ("Tools", "Toys"))
    children = {tools: ours.make(name="Small", parent=Ref("category", tools))}
    children[toys] = ours.make(name="Small", parent=Ref("category", toys))
    there = theirs.make(name="Toys", parent=None)
    small = theirs.make(name="Small", parent=Ref("category", there))
    world.settle()
    assert len(theirs.here()) == len(ours.here()) == 4
    assert world.bridge.history(W, children[toys]).links[0].erpnext == small
    assert not world.bridge.dead_letters()


def test_several_candidates_wait_for_a_person(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    first = world.ec.make(**world.customer(name="A", email="ada@example.com"))
    world.e.outbox.clear()
    second = world.ec.make(**world.customer(name="B", email="ada@example.com"))
    world.e.outbox.clear()
    world.settle()
    (conflict,) = world.bridge.conflicts()
    assert conflict.candidates == (first, second)
    world.bridge.resolve(conflict.id, second, by="ann")
    world.settle()
    assert world.wc.here()[w]["name"] == "B"
    assert world.bridge.conflicts() == []


def test_an_order_waits_for_its_customer(world: World) -> None:
    customer = world.wc.make(**world.customer(name="Ada"))
    order = world.wo.make(customer=Ref("customer", customer), total="10.00")
    world.w.outbox = {"2": ("order", order)}  # the customer's own mark is lost
    world.settle()
    (e,) = world.ec.here()
    assert [row["customer"] for row in world.eo.here().values()] == [Ref("customer", e)]


def test_what_is_not_wanted_is_made_when_it_is_and_stays_in_step_then(world: World) -> None:
    customer = world.wc.make(**world.customer(name="Ada"))
    order = world.wo.make(customer=Ref("customer", customer), total="0.00")
    world.settle()
    assert (world.eo.here(), world.bridge.status().links.get(("order", LinkState.PROVISIONAL), 0)) == ({}, 0)
    world.wo.edit(order, total="10.00")
    world.settle()
    assert [row["total"] for row in world.eo.here().values()] == ["10.00"]
    world.wo.edit(order, total="0.00")
    world.settle()
    assert [row["total"] for row in world.eo.here().values()] == ["0.00"]


def test_what_is_not_wanted_any_more_before_it_was_made_is_not_made(world: World) -> None:
    world.e.faults["create", "order"] = Outcome("", Result.REFUSED, message="no", remedy="do")
    customer = world.wc.make(**world.customer(name="Ada"))
    order = world.wo.make(customer=Ref("customer", customer), total="10.00")
    world.settle()
    world.wo.edit(order, total="0.00")
    world.settle()
    assert (world.eo.here(), world.bridge.dead_letters()) == ({}, [])


def test_an_order_of_a_deleted_customer_is_shown_to_a_person(world: World) -> None:
    world.wo.make(customer=Ref("customer", "77"), total="10.00")
    world.settle()
    (letter,) = world.bridge.dead_letters()
    assert "customer 77" in letter.message
    assert letter.remedy


def test_a_refusal_is_a_dead_letter_until_the_record_changes(world: World) -> None:
    world.e.faults["create", "customer"] = Outcome("", Result.REFUSED, message="no name", remedy="give it a name")
    w = world.wc.make(**world.customer(email="ada@example.com"))
    world.settle()
    (letter,) = world.bridge.dead_letters()
    assert (letter.message, letter.remedy, letter.wordpress_id) == ("no name", "give it a name", w)
    world.bridge.hint(W, "customer", [w], "again")
    world.settle()
    assert world.e.writes == []
    world.wc.edit(w, name="Ada")
    world.settle()
    assert len(world.ec.here()) == 1
    assert world.bridge.dead_letters() == []


def test_a_refusal_is_tried_again_when_a_person_says_so(world: World) -> None:
    world.e.faults["create", "customer"] = Outcome("", Result.REFUSED, message="no", remedy="do")
    world.wc.make(**world.customer(email="ada@example.com"))
    world.settle()
    assert world.bridge.retry([one.id for one in world.bridge.dead_letters()]) == 1
    world.settle()
    assert (len(world.ec.here()), world.bridge.dead_letters()) == (1, [])


def test_what_was_refused_and_then_made_by_people_is_matched(world: World) -> None:
    world.e.faults["create", "customer"] = Outcome("", Result.REFUSED, message="a name is missing", remedy="do")
    w = world.wc.make(**world.customer(email="ada@example.com"))
    world.settle()
    assert len(world.bridge.dead_letters()) == 1
    e = world.ec.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    assert list(world.ec.here()) == [e]
    assert world.wc.here()[w]["name"] == "Ada"
    assert (world.bridge.dead_letters(), world.bridge.conflicts()) == ([], [])


@pytest.mark.parametrize("result", [Result.LATER, Result.UNKNOWN])
def test_what_was_not_made_in_time_and_then_made_by_people_is_matched(world: World, result: Result) -> None:
    world.e.faults["create", "customer"] = Outcome("", result, message="did not")
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.bridge.run()
    assert world.ec.here() == {}
    e = world.ec.make(**world.customer(phone="5", email="ada@example.com"))
    world.e.outbox.clear()
    world.settle()
    assert (list(world.ec.here()), world.wc.here()[w]["phone"]) == ([e], "5")
    assert (world.bridge.status().unknown, world.bridge.conflicts()) == (0, [])


def test_one_creation_that_made_two_records_is_shown_to_a_person(world: World) -> None:
    world.wc.make(**world.customer(name="Ada"))
    world.settle()
    ((first, row),) = world.ec.rows_.items()
    second = world.ec.make(**world.customer(name="Ada"))
    world.ec.rows_[second].token = row.token
    world.settle()
    (conflict,) = world.bridge.conflicts()
    assert (conflict.erpnext_id, conflict.candidates, len(world.wc.here())) == (second, (first,), 1)
    world.bridge.resolve(conflict.id, "new", by="ann")
    world.settle()
    assert (len(world.wc.here()), world.bridge.conflicts()) == (2, [])


@pytest.mark.parametrize("happened", ["happened", "did not"])
def test_an_unknown_creation_happens_once(world: World, happened: str) -> None:
    world.e.faults["create", "customer"] = Outcome("", Result.UNKNOWN, message=happened)
    world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    assert [row["name"] for row in world.ec.here().values()] == ["Ada"]


def test_an_unknown_creation_and_an_edit_meanwhile(world: World) -> None:
    world.e.faults["create", "customer"] = Outcome("", Result.UNKNOWN, message="happened")
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.bridge.run()
    (e,) = world.ec.here()
    world.wc.edit(w, name="Ada L.")
    world.settle()
    assert world.ec.here()[e]["name"] == world.wc.here()[w]["name"] == "Ada L."


def test_an_unknown_update_is_no_edit_of_the_other_side(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.e.faults["update", "customer"] = Outcome("", Result.UNKNOWN, message="happened")
    world.wc.edit(w, name="first")
    world.bridge.run()
    world.wc.edit(w, name="second")
    world.settle()
    assert world.ec.here()[e]["name"] == world.wc.here()[w]["name"] == "second"


def test_an_edit_made_after_an_unknown_update_is_an_edit(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", phone="1"))
    world.settle()
    (e,) = world.ec.here()
    world.w.faults["update", "customer"] = Outcome("", Result.UNKNOWN, message="happened")
    world.ec.edit(e, name="of ERPNext, its owner", phone="2")
    world.bridge.run()
    assert world.wc.here()[w]["name"] == "of ERPNext, its owner"
    world.wc.edit(w, name="since then")
    world.settle()
    assert world.ec.here()[e]["name"] == world.wc.here()[w]["name"] == "since then"


def test_a_stale_record_is_looked_at_again_at_once(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.e.faults["update", "customer"] = Outcome("", Result.STALE)
    world.wc.edit(w, email="a@example.com")
    world.bridge.run()
    assert world.ec.here()[e]["email"] == "a@example.com"


def test_a_side_that_is_down_is_left_alone_and_nothing_is_lost(world: World) -> None:
    world.wc.make(**world.customer(name="Ada"))
    world.e.errors["apply"] = [Unavailable("down")] * 3
    world.bridge.run()
    calls = len(world.e.calls)
    world.bridge.run()
    assert len(world.e.calls) == calls
    world.settle()
    assert len(world.ec.here()) == 1


def test_a_half_written_record_is_never_taken_for_a_whole_one(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.wc.rows_[w].presence = Presence.HALF
    world.bridge.run()
    assert world.ec.here() == {}
    world.wc.rows_[w].presence = Presence.PRESENT
    world.settle()
    assert len(world.ec.here()) == 1


def test_a_deletion_archives_the_other(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    world.wc.bin(w)
    world.settle()
    assert world.ec.here() == {}
    assert world.bridge.conflicts() == []


def test_a_new_record_may_have_the_name_of_one_that_is_gone_on_both_sides(world: World) -> None:
    """ERPNext calls a customer by its name: the next Ada gets the name of the Ada who was deleted."""
    world.sharing.entities["customer"] = EntitySharing(direction=Direction.BOTH, deletion=Deletion.DELETE)
    world.bridge = world.worker("one")
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (gone,) = world.ec.here()
    world.wc.bin(w)
    world.settle()
    world.e.new_id = lambda: gone  # type: ignore[method-assign]
    again = world.wc.make(**world.customer(name="Ada", phone="7"))
    world.settle()
    assert world.ec.here() == {gone: world.customer(name="Ada", phone="7")}
    assert world.bridge.dead_letters() == []
    world.wc.edit(again, phone="8")
    world.settle()
    assert world.ec.here()[gone]["phone"] == "8"


def test_gone_here_and_edited_there_is_a_conflict(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.wc.bin(w)
    world.ec.edit(e, name="Ada L.")
    world.settle()
    (conflict,) = world.bridge.conflicts()
    world.bridge.resolve(conflict.id, "erpnext", by="ann")
    world.settle()
    assert world.wc.here()[w]["name"] == "Ada L."
    assert world.bridge.conflicts() == []


def test_what_cannot_be_brought_back_is_made_anew_wherever_the_deletion_was_seen(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.wc.bin(w)
    world.ec.edit(e, silently=True, name="Ada L.")
    world.settle()
    (conflict,) = world.bridge.conflicts()
    world.w.faults["update", "customer"] = Outcome("", Result.REFUSED, message="it is gone for good")
    world.bridge.resolve(conflict.id, "erpnext", by="ann")
    world.settle()
    assert [row["name"] for row in world.wc.here().values()] == ["Ada L."]
    assert world.bridge.conflicts() == []


class Late:
    """A creation in ERPNext that stood still before it was sent, while another worker looked for it in vain."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.e.faults["create", "customer"] = Outcome("", Result.UNKNOWN, message="did not happen")
        self._sent = world.ec.apply
        world.ec.apply = self._kept  # type: ignore[method-assign]

    def _kept(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        (self._operation,) = operations
        self._world.ec.apply = self._sent  # type: ignore[method-assign]
        return self._sent(operations)

    def arrives(self) -> None:
        """Let it be sent now."""
        self._world.ec.apply([self._operation])


def test_what_was_asked_for_in_vain_is_forgotten_after_a_month(world: World) -> None:
    Late(world)
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.bridge.run()
    world.wc.bin(w)
    world.settle()
    kept = []
    for days in (0, 29, 2):
        world.clock.wait(days * 24 * 3600)
        world.bridge.prune()
        kept.append(world.bridge.status().unknown)
    assert kept == [1, 1, 0]


@pytest.mark.parametrize("then", [Result.UNKNOWN, Result.REFUSED, Result.LATER])
def test_what_a_late_request_made_is_no_edit_of_what_a_later_one_says(world: World, then: Result) -> None:
    late = Late(world)
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.bridge.run()
    world.clock.wait(60)
    world.wc.edit(w, name="Ada L.")
    world.e.faults["create", "customer"] = Outcome("", then, message="did not happen")
    world.bridge.run()
    late.arrives()
    world.settle()
    assert [row["name"] for row in (*world.wc.here().values(), *world.ec.here().values())] == ["Ada L.", "Ada L."]


def test_what_a_late_request_made_of_a_record_that_is_gone_is_no_new_record(world: World) -> None:
    late = Late(world)
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.bridge.run()
    world.wc.bin(w)
    world.settle()
    late.arrives()
    world.settle()
    assert (world.wc.here(), world.ec.here()) == ({}, {})


BACK = ["at once", "puts it off", "does not say", "was gone for good"]


@pytest.mark.parametrize("how", BACK)
@pytest.mark.parametrize("side", [W, E])
def test_a_record_taken_out_of_the_bin_comes_back_on_the_other_side(world: World, side: SideName, how: str) -> None:
    here, there = (world.wc, world.ec) if side is W else (world.ec, world.wc)
    one = here.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    here.bin(one)
    world.settle()
    assert there.here() == {}
    faults = {"puts it off": Result.LATER, "does not say": Result.UNKNOWN}
    if how in faults:
        there.side.faults["update", "customer"] = Outcome("", faults[how])
    if how == "was gone for good":
        there.rows_.clear()
    here.rows_[one].fields["phone"] = "5"
    here.unbin(one)
    world.settle()
    assert [row["phone"] for row in there.here().values()] == ["5"]
    assert (world.bridge.conflicts(), world.bridge.dead_letters()) == ([], [])
    assert len(world.bridge.history(side, one).links) == 1
    here.edit(one, name="Ada L.")
    world.settle()
    assert [row["name"] for row in there.here().values()] == ["Ada L."]


def test_what_the_bridge_archived_and_people_brought_back_comes_back_where_it_was_deleted(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.wc.bin(w)
    world.settle()
    world.ec.unbin(e)
    world.settle()
    assert world.wc.here()[w]["name"] == "Ada"
    assert world.bridge.conflicts() == []


def test_what_is_back_and_may_not_go_across_stays_where_it_is(world: World) -> None:
    world.sharing.entities["customer"] = EntitySharing(direction=Direction.TO_ERPNEXT)
    world.bridge = world.worker("one")
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    world.wc.bin(w)
    world.settle()
    world.ec.unbin(e)
    world.settle()
    assert (list(world.wc.here()), list(world.ec.here()), world.bridge.conflicts()) == ([], [e], [])
    world.wc.unbin(w)
    world.settle()
    world.wc.edit(w, name="Ada L.")
    world.settle()
    assert world.ec.here()[e]["name"] == "Ada L."


def test_mass_deletion_is_asked_about(tmp_path: Path) -> None:
    world = World(tmp_path, brake_percent=50)
    ids = [world.wc.make(**world.customer(name=f"N{at}")) for at in range(10)]
    world.settle()
    for id_ in ids:
        world.wc.bin(id_)
    world.bridge.run()
    assert len(world.ec.here()) == 10
    world.bridge.confirm_removals("customer", "ann")
    world.settle()
    assert world.ec.here() == {}


@pytest.mark.parametrize(("before", "after", "held"), [("5", "0", True), ("5", "-2", True), ("0", "-2", False)])
def test_shelves_that_are_emptied_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, held: bool
) -> None:
    stocked = replace(ENTITIES["customer"], fields=(*ENTITIES["customer"].fields, Field("stock", E)))
    monkeypatch.setitem(ENTITIES, "customer", stocked)
    world = World(tmp_path)
    ids = [world.ec.make(**world.customer(name=f"N{at}"), stock=before) for at in range(30)]
    world.settle()
    for id_ in ids:
        world.ec.edit(id_, stock=after)
    world.bridge.run()
    assert {row["stock"] for row in world.wc.here().values()} == ({before} if held else {after})
    assert len(world.bridge.status().brakes) == held


def test_no_more_is_written_than_a_client_says(tmp_path: Path) -> None:
    world = World(tmp_path, writes_per_minute=60)
    for number in range(25):
        world.wc.make(**world.customer(name=f"C{number}"))
    began, made = world.clock.now, []
    for _ in range(3):
        world.bridge.run()
        due = world.bridge.next_due()
        made.append((len(world.ec.here()), round((world.clock.now - began).total_seconds())))
        world.clock.wait((due - world.clock.now).total_seconds() if due else 0)
    assert made == [(10, 0), (20, 10), (25, 20)]


def test_what_another_worker_has_taken_counts_as_written(tmp_path: Path) -> None:
    world = World(tmp_path, writes_per_minute=60)
    for number in range(25):
        world.wc.make(**world.customer(name=f"C{number}"))
    world.bridge.poll()
    with world.store.writing("acme") as transaction:
        assert len(transaction.inbox.claim("two", ["customer"], millis(world.clock()), 1 << 50, 7)) == 7
    assert [world.bridge.step().looked_at for _ in range(2)] == [3, 0]


def test_a_value_that_a_side_rewrites_does_not_flap(world: World) -> None:
    world.e.rewrite["name"] = lambda value: str(value).upper()
    w = world.wc.make(**world.customer(name="Ada"))
    world.settle()
    (e,) = world.ec.here()
    assert (world.wc.here()[w]["name"], world.ec.here()[e]["name"]) == ("Ada", "ADA")
    world.wc.edit(w, name="Bea")
    world.settle()
    assert (world.wc.here()[w]["name"], world.ec.here()[e]["name"]) == ("Bea", "BEA")
    assert len(world.e.writes) == 2
    assert world.w.writes == []


def test_a_value_that_may_not_change_here_is_put_back(world: World) -> None:
    world.ec.make(**world.customer(name="Ada", rank="1"))
    world.settle()
    (w,) = world.wc.here()
    world.wc.edit(w, rank="9")
    world.settle()
    assert world.wc.here()[w]["rank"] == "1"


@pytest.mark.parametrize("fault", [("url", "https://clone.example"), ("instance", "another"), ("epoch", 0)])
def test_clones_and_restored_backups_pause_the_pairing(world: World, fault: tuple[str, object]) -> None:
    world.wc.make(**world.customer(name="Ada"))
    world.settle()
    setattr(world.w, *fault)
    world.ec.edit(next(iter(world.ec.here())), name="Ada L.")
    world.bridge.run()
    assert world.bridge.pairing().state is PairingState.PAUSED
    assert "wordpress" in world.bridge.pairing().reason
    assert world.w.writes == []


def test_another_record_under_a_linked_id_pauses_the_pairing(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    world.wc.edit(w, name="Zoe", email="zoe@example.com")
    world.wc.rows_[w].created = "later"
    world.bridge.run()
    assert world.bridge.pairing().state is PairingState.PAUSED
    assert [row["name"] for row in world.ec.here().values()] == ["Ada"]


def test_marks_are_acknowledged_when_they_are_safe(world: World) -> None:
    world.wc.make(**world.customer(name="Ada"))
    world.bridge.poll()
    assert len(world.w.outbox) == 1
    world.bridge.poll()
    assert world.w.outbox == {}


BOUNDARIES = [(side, call) for side in (W, E) for call in ("changes", "read", "find", "candidates", "apply", "applied")]


@pytest.mark.parametrize(("side", "call"), BOUNDARIES)
@pytest.mark.parametrize("skip", range(4))
def test_killed_at_a_call_nothing_is_lost_or_doubled(world: World, side: object, call: str, skip: int) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    e = world.ec.make(**world.customer(name="Bea", email="bea@example.com"))
    world.wo.make(customer=Ref("customer", w), total="10.00")
    fake = world.w if side is W else world.e
    fake.errors[call] = [None] * skip + [Killed()]
    try:
        world.bridge.run()
        world.wc.edit(w, name="Ada L.")
        world.ec.edit(e, phone="5")
        world.bridge.run()
    except Killed:
        world.bridge = world.worker("two")
    fake.errors.clear()
    world.settle()
    assert sorted(str(row["email"]) for row in world.wc.here().values()) == ["ada@example.com", "bea@example.com"]
    assert sorted(map(str, world.wc.here().values())) == sorted(map(str, world.ec.here().values()))
    assert len(world.eo.here()) == 1
    assert (world.bridge.conflicts(), world.bridge.dead_letters()) == ([], [])
