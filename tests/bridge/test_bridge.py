"""What people and commands ask of the bridge: reconcile, preview, backfill, history, forget, status, the brake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from agencystack.bridge.entity import Direction
from agencystack.bridge.record import Ref, SideName
from agencystack.bridge.settings import EntitySharing, Sharing
from agencystack.bridge.side import Action, Changes, Identity, Outcome, Result
from agencystack.bridge.store.brakes import Brake
from agencystack.bridge.store.links import LinkState
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.tables import metadata
from agencystack.bridge.work.brake import FEW, WINDOW, braked
from agencystack.bridge.work.mailing import mails, may_mail
from agencystack.bridge.work.pairing import remembered, suspicion
from agencystack.bridge.work.reconciling import LEAF, parts
from agencystack.stack.errors import Unavailable, UsageError
from tests.bridge.fakes import E, Killed, W
from tests.bridge.test_cycle import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def many(world: World, count: int) -> list[str]:
    ids = [world.wc.make(**world.customer(name=f"N{at}", email=f"{at}@example.com")) for at in range(count)]
    world.settle()
    return ids


# Reconcile. -------------------------------------------------------------------------------------------------------


def test_equal_sides_are_compared_by_one_question_each(world: World) -> None:
    many(world, 300)
    found = world.bridge.reconcile("customer", repair=True)
    assert [(one.known, one.differing, one.requests) for one in found.sides.values()] == [(300, (), 1)] * 2
    assert found.hinted == 0


@pytest.mark.parametrize("summing", [True, False], ids=["by sums", "by walking"])
def test_a_change_nobody_told_is_found_and_mended(world: World, summing: bool) -> None:
    ids = many(world, 200)
    world.wc.summing = summing
    world.wc.edit(ids[77], silently=True, name="silent")
    found = world.bridge.reconcile("customer", repair=True)
    assert found.sides[W].differing == (ids[77],)
    world.settle()
    assert "silent" in [row["name"] for row in world.ec.here().values()]
    assert world.bridge.reconcile("customer").sides[W].differing == ()


@pytest.mark.parametrize("summing", [True, False], ids=["by sums", "by walking"])
def test_records_that_came_or_went_without_a_word_are_found(world: World, summing: bool) -> None:
    ids = many(world, 10)
    world.wc.summing = summing
    del world.wc.rows_[ids[3]]
    new = world.wc.make(**world.customer(name="new"))
    world.w.outbox.clear()
    assert set(world.bridge.reconcile("customer", repair=True).sides[W].differing) == {ids[3], new}
    world.settle()
    names = {row["name"] for row in world.ec.here().values()}
    assert "new" in names
    assert "N3" not in names


def test_reconciling_without_repair_only_tells(world: World) -> None:
    ids = many(world, 3)
    world.wc.edit(ids[0], silently=True, name="silent")
    assert world.bridge.reconcile("customer").hinted == 0
    assert world.bridge.next_due() is None


def test_one_difference_among_many_takes_few_questions(world: World) -> None:
    ids = many(world, 1200)
    world.wc.edit(ids[600], silently=True, name="silent")
    assert world.bridge.reconcile("customer").sides[W].requests <= 4


def test_rows_of_one_position_stay_in_one_part() -> None:
    rows = [(f"{at // (LEAF + 6):03d}", str(at), f"{at:016x}") for at in range(3 * LEAF)]
    found = parts(iter(rows))
    assert sum(one.summary.count for one in found) == 3 * LEAF
    assert [one.start for one in found] == ["", "001", "002"]


# Preview. ---------------------------------------------------------------------------------------------------------


def test_a_preview_counts_what_a_run_then_does_and_writes_nothing(world: World) -> None:
    for at in range(3):
        world.wc.make(**world.customer(name=f"W{at}", email=f"w{at}@example.com"))
    world.wc.make(**world.customer(name="Ada", email="ada@example.com", note="W"))
    world.ec.make(**world.customer(name="Ada L.", email="ada@example.com", note="E"))
    world.ec.make(**world.customer(name="Bea", email="bea@example.com"))
    preview = world.bridge.preview("customer")
    assert (preview.created, preview.updated, preview.matched) == ({W: 1, E: 3}, {W: 1, E: 0}, 1)
    assert (preview.conflicts, preview.ambiguous, preview.records) == (1, 0, {W: 4, E: 2})
    assert {one.what for one in preview.samples} == {"create", "update", "conflict"}
    assert world.w.writes == world.e.writes == []
    with world.store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM link")).scalar() == 0
    world.settle()
    assert (len(world.w.writes), len(world.e.writes), len(world.bridge.conflicts())) == (2, 3, 1)


def test_a_preview_names_other_records_as_people_do(world: World) -> None:
    known = world.wc.make(**world.customer(email="known@example.com"))
    world.settle()
    (there,) = world.ec.here()
    new = world.wc.make(**world.customer(email="new@example.com"))
    changed = world.wo.make(customer=Ref("customer", known), total="10.00")
    world.wo.make(customer=Ref("customer", new), total="20.00")
    told = {str(one.fields["customer"]) for one in world.bridge.preview("order").samples if one.what == "create"}
    assert told == {f"customer {there}", f"customer {new} of wordpress"}
    world.settle()
    world.wo.edit(changed, customer=Ref("customer", new))
    (update,) = world.bridge.preview("order").samples
    (other,) = world.ec.here().keys() - {there}
    assert (update.what, update.fields) == ("update", {"customer": f"customer {other}"})


def test_a_preview_of_what_is_in_step_is_empty(world: World) -> None:
    many(world, 5)
    preview = world.bridge.preview("customer")
    assert sum(preview.created.values()) + sum(preview.updated.values()) + preview.conflicts == 0
    assert preview.samples == ()


@pytest.mark.parametrize(("plugin", "notify", "mails"), [(True, False, 0), (False, False, 2), (True, True, 2)])
def test_a_preview_counts_the_mails_that_nothing_keeps_in(world: World, plugin: bool, notify: bool, mails: int) -> None:
    world.ec.make(**world.customer(name="Bea", email="bea@example.com"))
    world.ec.make(**world.customer(name="Eva", email="eva@example.com"))
    world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.w.instance = world.w.instance if plugin else ""
    world.sharing.entities["customer"] = EntitySharing(direction=Direction.BOTH, notify=notify)
    bridge = world.worker("one")
    assert bridge.preview("customer").mails == {W: mails, E: 0}
    assert may_mail(bridge.context, "customer") is bool(mails)
    assert may_mail(bridge.context, "order") is False


@pytest.mark.parametrize(
    ("action", "fields", "mailed"),
    [
        (Action.CREATE, {"status": "processing"}, True),
        (Action.UPDATE, {"status": "completed"}, True),
        (Action.UPDATE, {"status": "pending"}, False),
        (Action.UPDATE, {"note": "x"}, False),
    ],
)
def test_which_orders_are_mailed_about(action: Action, fields: dict[str, str], mailed: bool) -> None:
    assert mails("order", W, action, fields) is mailed
    assert mails("order", E, action, fields) is False


def test_a_preview_sees_records_whose_references_are_not_linked_yet(world: World) -> None:
    customer = world.wc.make(**world.customer(name="Ada"))
    world.wo.make(customer=Ref("customer", customer), total="10.00")
    assert world.bridge.preview("order").created == {W: 0, E: 1}


def test_a_preview_counts_ambiguous_records(world: World) -> None:
    world.wc.make(**world.customer(email="ada@example.com"))
    for name in ("A", "B"):
        world.ec.make(**world.customer(name=name, email="ada@example.com"))
    preview = world.bridge.preview("customer")
    assert preview.ambiguous == 1
    assert [len(one.candidates) for one in preview.samples if one.what == "ambiguous"] == [2]


def test_lanes_work_at_the_same_time_and_nothing_is_doubled(world: World) -> None:
    for at in range(120):
        world.wc.make(**world.customer(name=f"N{at}", email=f"{at}@example.com"))
    world.bridge.poll()
    while world.bridge.step(20, lanes=3).looked_at:
        pass
    world.settle()
    assert sorted(str(row["name"]) for row in world.ec.here().values()) == sorted(f"N{at}" for at in range(120))


# Backfill. --------------------------------------------------------------------------------------------------------


def test_a_backfill_brings_what_nobody_ever_told(world: World) -> None:
    for at in range(250):
        world.wc.make(**world.customer(name=f"N{at}"))
    world.w.outbox.clear()
    told: list[int] = []
    progress = world.bridge.backfill("customer", W, lambda walked, _progress: told.append(walked))
    assert (progress.created, told) == (250, [100, 200, 250])
    assert len(world.ec.here()) == 250


def test_a_backfill_that_died_goes_on_where_it_was(world: World) -> None:
    for at in range(250):
        world.wc.make(**world.customer(name=f"N{at}"))
    world.w.outbox.clear()
    world.w.errors["walk"] = [None, Killed()]
    with pytest.raises(Killed):
        world.bridge.backfill("customer", W)
    walked: list[int] = []
    world.bridge.backfill("customer", W, lambda count, _progress: walked.append(count))
    world.settle()
    assert walked == [100, 150]
    assert len(world.ec.here()) == 250


# Telling. ---------------------------------------------------------------------------------------------------------


def test_the_history_of_a_record_names_fields_and_never_values(world: World) -> None:
    w = world.wc.make(**world.customer(name="Ada", email="ada@example.com"))
    world.settle()
    world.wc.edit(w, email="secret@example.com")
    world.settle()
    story = world.bridge.history(W, w)
    assert [(one.event, one.side, one.fields) for one in story.events] == [
        ("create", E, ("email", "name")),
        ("update", E, ("email",)),
    ]
    (link,) = story.links
    assert world.bridge.history(E, link.erpnext).events == story.events
    assert "example.com" not in repr(story.events)


def test_the_status_tells_backlog_links_and_what_waits(world: World) -> None:
    many(world, 3)
    world.e.faults["create", "customer"] = Outcome("", Result.REFUSED, message="no", remedy="do")
    world.wc.make(**world.customer(name="refused"))
    world.settle()
    world.wc.make(**world.customer(name="due"))
    world.bridge.poll()
    world.clock.wait(7)
    status = world.bridge.status()
    assert (status.due, status.lag, status.dead, status.written) == (1, 7.0, 1, 3)
    assert status.links[("customer", LinkState.LINKED)] == 3


def test_a_side_that_is_not_well_is_told(world: World) -> None:
    world.w.errors["changes"] = [Unavailable("connection refused")]
    world.bridge.run()
    (breaker,) = world.bridge.status().breakers
    assert (breaker.side, "connection refused" in breaker.message) == (W, True)


# Forgetting. ------------------------------------------------------------------------------------------------------


def test_forgetting_a_person_leaves_no_value_in_any_table(world: World) -> None:
    w = world.wc.make(**world.customer(name="Unforgettable", email="unforgettable@example.com", note="unforgettable"))
    world.settle()
    (e,) = world.ec.here()
    world.wc.edit(w, note="unforgettable W")
    world.ec.edit(e, note="unforgettable E")
    world.e.faults["update", "customer"] = Outcome("", Result.REFUSED, message="unforgettable", remedy="do")
    world.wc.edit(w, phone="unforgettable")
    world.settle()
    assert "unforgettable" in dump(world).lower()
    assert world.bridge.forget(W, "customer", [w], "ann") == 1
    assert "unforgettable" not in dump(world).lower()
    assert world.bridge.history(W, w).events[-1].event == "forgotten"


def dump(world: World) -> str:
    with world.store.engine.connect() as connection:
        return "\n".join(
            repr(row) for table in metadata.sorted_tables for row in connection.execute(table.select()).all()
        )


# Deciding. --------------------------------------------------------------------------------------------------------


def test_a_choice_that_is_none_is_refused_with_what_could_be_chosen(world: World) -> None:
    w = world.wc.make(**world.customer(email="ada@example.com"))
    found = [world.ec.make(**world.customer(name=name, email="ada@example.com")) for name in ("A", "B")]
    world.e.outbox.clear()
    world.bridge.hint(W, "customer", [w], "test")
    world.settle()
    (conflict,) = world.bridge.conflicts()
    with pytest.raises(UsageError, match=found[0]):
        world.bridge.resolve(conflict.id, "wordpress", by="ann")
    with pytest.raises(UsageError, match="no conflict"):
        world.bridge.resolve(999, "wordpress", by="ann")


def test_of_several_candidates_none_may_be_right(world: World) -> None:
    world.wc.make(**world.customer(name="C", email="ada@example.com"))
    for name in ("A", "B"):
        world.ec.make(**world.customer(name=name, email="ada@example.com"))
        world.e.outbox.clear()
    world.settle()
    (conflict,) = world.bridge.conflicts()
    world.bridge.resolve(conflict.id, "new", by="ann")
    world.settle()
    assert sorted(str(row["name"]) for row in world.ec.here().values()) == ["A", "B", "C"]


def test_a_paused_pairing_writes_nothing_and_goes_on_when_told(world: World) -> None:
    world.wc.make(**world.customer(name="Ada"))
    world.bridge.pause("moving house", "ann")
    world.bridge.run()
    assert (world.e.writes, world.bridge.next_due()) == ([], None)
    assert world.bridge.pairing().reason == "moving house (ann)"
    world.bridge.resume("ann")
    world.settle()
    assert len(world.ec.here()) == 1


def test_a_restored_backup_is_accepted_by_a_person(world: World) -> None:
    many(world, 2)
    world.w.epoch = 0
    world.w.outbox.clear()
    world.bridge.run()
    new = world.wc.make(**world.customer(name="after"))
    world.bridge.run()
    assert len(world.ec.here()) == 2
    world.bridge.resume("ann", accept=True)
    world.settle()
    assert new
    assert len(world.ec.here()) == 3


def test_what_a_restored_backup_holds_is_looked_at_when_it_is_accepted(world: World) -> None:
    ids = many(world, 3)
    world.w.epoch = 0
    world.wc.rows_[ids[1]].fields["name"] = "of the backup"
    del world.wc.rows_[ids[2]]
    world.bridge.run()
    assert world.bridge.pairing().state is PairingState.PAUSED
    assert world.bridge.resume("ann", accept=True) == 2
    world.settle()
    assert sorted(str(row["name"]) for row in world.ec.here().values()) == ["N0", "of the backup"]


def test_a_side_that_is_not_well_lets_nothing_be_resumed(world: World) -> None:
    many(world, 1)
    world.bridge.pause("restored", "ann")
    world.w.errors["summaries"] = [Unavailable("down")]
    with pytest.raises(Unavailable):
        world.bridge.resume("ann", accept=True)
    assert world.bridge.pairing().state is PairingState.PAUSED


def test_what_happened_long_ago_is_forgotten(world: World) -> None:
    (old,) = many(world, 1)
    world.clock.wait(401 * 24 * 3600)
    world.wc.edit(old, name="lately")
    world.settle()
    assert world.bridge.prune() == 1
    assert [one.event for one in world.bridge.history(W, old).events] == ["update"]


def test_an_answer_that_comes_late_is_no_restored_backup(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    many(world, 1)
    answers = world.w.changes

    def slowly(cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        early = answers(cursor, acknowledged, limit)
        monkeypatch.setattr(world.w, "changes", answers)
        world.wc.make(**world.customer(name="meanwhile"))
        world.worker("two").poll()
        return early

    monkeypatch.setattr(world.w, "changes", slowly)
    world.bridge.poll()
    assert world.bridge.pairing().state is PairingState.ACTIVE


def test_a_record_that_breaks_the_bridge_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from agencystack.bridge.work import planning

    plan = planning.plan

    def breaks(situation: object) -> object:
        if any(one.fields.get("name") == "poison" for one in situation.seen.values()):  # type: ignore[attr-defined]
            raise ZeroDivisionError
        return plan(situation)  # type: ignore[arg-type]

    monkeypatch.setattr(planning, "plan", breaks)
    world.wc.make(**world.customer(name="poison"))
    for at in range(5):
        world.wc.make(**world.customer(name=f"N{at}"))
    for _ in range(5):
        world.settle()
    assert len(world.ec.here()) == 5
    (letter,) = world.bridge.dead_letters()
    assert "ZeroDivisionError" in letter.message


# Brake and pairing, alone. ----------------------------------------------------------------------------------------

LIMITS = Sharing(brake_percent=5, brake_records=50)


@pytest.mark.parametrize(
    ("before", "removals", "links", "state"),
    [
        (0, 1, 1, "open"),
        (0, FEW, FEW, "open"),
        (0, FEW + 1, 10, "held"),
        (0, 50, 100_000, "open"),
        (0, 51, 100_000, "held"),
        (30, 30, 100_000, "held"),
        (0, 6, 120, "open"),
        (0, 7, 120, "held"),
    ],
)
def test_the_brake_holds_what_is_too_much(before: int, removals: int, links: int, state: str) -> None:
    assert braked(Brake("x", window=1, count=before), removals, links, LIMITS, 2).state == state


def test_the_brake_counts_a_run_and_not_a_year() -> None:
    assert braked(Brake("x", window=0, count=50), 50, 100_000, LIMITS, WINDOW + 1).state == "open"


def test_a_confirmation_ends() -> None:
    confirmed = Brake("x", "confirmed", 0, 0, until=100)
    assert braked(confirmed, 1000, 1000, LIMITS, 99).state == "confirmed"
    assert braked(confirmed, 1000, 1000, LIMITS, 100).state == "held"


KNOWN = Identity("https://a.example/", "i", 7)


@pytest.mark.parametrize(
    ("now", "suspicious"),
    [
        (Identity("http://A.example", "i", 8), False),
        (Identity("https://a.example", "", None), False),
        (Identity("https://b.example", "i", 8), True),
        (Identity("https://a.example", "j", 8), True),
        (Identity("https://a.example", "i", 6), True),
    ],
)
def test_who_answers_is_compared_with_who_was_paired(now: Identity, suspicious: bool) -> None:
    assert bool(suspicion(SideName.WORDPRESS, KNOWN, now)) is suspicious
    assert suspicion(SideName.WORDPRESS, None, now) == ""


def test_what_a_plugin_said_is_remembered_while_it_is_away() -> None:
    assert remembered(KNOWN, Identity("https://a.example", "", None)) == Identity("https://a.example", "i", 7)
