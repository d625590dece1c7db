"""The merge, field by field in a table, and over random values: nothing invented, nothing lost, nothing left to do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agencystack.bridge.entities import order_status
from agencystack.bridge.entity import Deletion, Direction, Entity, Field, Policy
from agencystack.bridge.merge import RECORD, Agreed, Merge, initial, merge
from agencystack.bridge.record import Observed, Presence, SideName, Value

W, E = SideName.WORDPRESS, SideName.ERPNEXT
BOTH, TO_E, TO_W, OFF = Direction.BOTH, Direction.TO_ERPNEXT, Direction.TO_WORDPRESS, Direction.OFF
EARLIER, LATER = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)


def entity(*fields: Field, direction: Direction = BOTH, deletion: Deletion = Deletion.ARCHIVE) -> Entity:
    return Entity("thing", "Things", fields, direction=direction, deletion=deletion)


def field(
    owner: SideName = W, direction: Direction = BOTH, policy: Policy = Policy.OWNER, join: object = None
) -> Field:
    return Field("name", owner, direction=direction, policy=policy, join=join)  # type: ignore[arg-type]


def seen(value: Value, modified: datetime | None = None) -> Observed:
    return Observed("1", {"name": value}, modified=modified)


def decided(
    rule: Field,
    base: tuple[Value, Value] | None,
    wordpress: Value,
    erpnext: Value,
    *,
    said: dict[str, Value] | None = None,
    times: tuple[datetime | None, datetime | None] = (None, None),
) -> Merge:
    agreed = {} if base is None else {"name": Agreed(*base)}
    return merge(entity(rule), agreed, seen(wordpress, times[0]), seen(erpnext, times[1]), said)


NOTHING: dict[str, str] = {}
TABLE = [
    # rule, base, WordPress's, ERPNext's, written to WordPress, written to ERPNext, conflict
    ("nothing changed", field(), ("a", "a"), "a", "a", None, None, False),
    ("nothing changed, written differently", field(), ("a ", "a"), "a ", "a", None, None, False),
    ("changed here", field(), ("a", "a"), "b", "a", None, "b", False),
    ("changed there", field(), ("a", "a"), "a", "b", "b", None, False),
    ("changed here against its own form", field(), ("a ", "a"), "b", "a", None, "b", False),
    ("both changed alike", field(), ("a", "a"), "b", "b", None, None, False),
    ("both changed, WordPress owns it", field(W), ("a", "a"), "b", "c", None, "b", False),
    ("both changed, ERPNext owns it", field(E), ("a", "a"), "b", "c", "c", None, False),
    ("both changed, a person is asked", field(policy=Policy.ASK), ("a", "a"), "b", "c", None, None, True),
    ("newer wins without times asks", field(policy=Policy.NEWER), ("a", "a"), "b", "c", None, None, True),
    ("changed where it may not, the owner's is put back", field(E, TO_W), ("a", "a"), "b", "a", "a", None, False),
    ("changed where it may not, and may not be put back", field(W, TO_W), ("a", "a"), "b", "a", None, None, False),
    ("changed where it may", field(E, TO_W), ("a", "a"), "a", "b", "b", None, False),
    ("off is left alone", field(W, OFF), ("a", "a"), "b", "c", None, None, False),
    ("off is not even asked about", field(W, OFF, Policy.ASK), ("a", "a"), "b", "c", None, None, False),
    ("emptied here", field(), ("a", "a"), None, "a", None, "<none>", False),
    ("emptied here, changed there, owned here", field(W), ("a", "a"), None, "b", None, "<none>", False),
    ("never agreed, equal", field(), None, "a", "a", None, None, False),
    ("never agreed, empty there", field(E), None, "a", None, None, "a", False),
    ("never agreed, empty here", field(W), None, None, "b", "b", None, False),
    ("never agreed, both have one", field(E), None, "a", "b", "b", None, False),
    ("never agreed, both have one, asked", field(policy=Policy.ASK), None, "a", "b", None, None, True),
    ("never agreed, nothing is not put over it", field(E, TO_W), None, "a", None, None, None, False),
    ("never agreed, the owner's goes where it may", field(E, TO_W), None, "5", "0", "0", None, False),
]


@pytest.mark.parametrize(("rule", "base", "w", "e", "to_w", "to_e", "conflict"), [row[1:] for row in TABLE],
                         ids=[row[0] for row in TABLE])  # fmt: skip
def test_one_field(
    rule: Field, base: tuple[Value, Value] | None, w: Value, e: Value, to_w: str, to_e: str, conflict: bool
) -> None:
    merged = decided(rule, base, w, e)
    told = {W: to_w, E: to_e}
    for side in SideName:
        expected = {} if told[side] is None else {"name": None if told[side] == "<none>" else told[side]}
        assert merged.to(side) == expected
    assert [one.field for one in merged.conflicts] == (["name"] if conflict else [])


def test_what_both_changed_alike_is_agreed_without_a_write() -> None:
    assert decided(field(), ("a", "a"), "b", "b").agreed == {"name": Agreed("b", "b")}
    assert decided(field(), ("a", "a"), "a", "a").agreed == {}


@pytest.mark.parametrize(("times", "winner"), [((EARLIER, LATER), "c"), ((LATER, EARLIER), "b")])
def test_the_newer_wins_by_both_times(times: tuple[datetime, datetime], winner: str) -> None:
    merged = decided(field(policy=Policy.NEWER), ("a", "a"), "b", "c", times=times)
    assert {**merged.to_wordpress, **merged.to_erpnext} == {"name": winner}


@pytest.mark.parametrize("times", [(LATER, LATER), (LATER, None), (None, EARLIER)])
def test_without_two_different_times_a_person_is_asked(times: tuple[datetime | None, datetime | None]) -> None:
    assert decided(field(policy=Policy.NEWER), ("a", "a"), "b", "c", times=times).conflicts


@pytest.mark.parametrize(
    ("rule", "contested", "asked"),
    [
        (field(E), [W], True),
        (field(E), [W, E], True),
        (field(W), [W], False),  # it wins anyway
        (field(E, TO_W), [W], False),  # it could not go across anyway
        (field(policy=Policy.ASK), [W], True),
    ],
)
def test_no_policy_overwrites_a_contested_edit(rule: Field, contested: list[SideName], asked: bool) -> None:
    base = {"name": Agreed("a", "a")}
    merged = merge(entity(rule), base, seen("b"), seen("c"), contested={"name": contested})
    assert bool(merged.conflicts) == asked
    assert bool(merged.to_wordpress or merged.to_erpnext) != asked


def test_a_contested_field_that_one_side_alone_changed_needs_nobody() -> None:
    base = {"name": Agreed("a", "a")}
    assert merge(entity(field(E)), base, seen("b"), seen("a"), contested={"name": [W]}).to_erpnext == {"name": "b"}


def test_what_a_person_decided_ends_the_contest() -> None:
    base, contested = {"name": Agreed("a", "a")}, {"name": [W, E]}
    assert merge(entity(field(E)), base, seen("b"), seen("c"), {"name": "c"}, contested).to_wordpress == {"name": "c"}


def test_a_field_one_side_does_not_tell_is_left_alone() -> None:
    merged = merge(entity(field()), {"name": Agreed("a", "a")}, seen("b"), Observed("2", {}))
    assert merged == Merge()


def test_a_side_that_writes_the_agreed_value_its_own_way_says_nothing_new() -> None:
    """A Sales Order that is completed stays so; the shop's order was moved back on purpose, and is moved again."""
    forward = field(join=order_status.join)
    merged = decided(forward, ("processing", "completed"), "on-hold", "completed")
    assert (merged.to_wordpress, merged.to_erpnext) == ({}, {"name": "on-hold"})


def test_a_field_with_an_algebra_of_its_own_is_joined() -> None:
    ranks = ["new", "paid", "sent", "done"]
    forward = field(join=lambda _base, w, e: max(w, e, key=lambda one: ranks.index(str(one))))
    assert decided(forward, ("new", "new"), "paid", "sent").to_wordpress == {"name": "sent"}
    assert decided(forward, ("paid", "paid"), "new", "paid").to_wordpress == {"name": "paid"}
    assert decided(forward, ("paid", "paid"), "new", "paid").to_erpnext == {}


def test_a_decision_is_written_where_it_is_not_yet() -> None:
    merged = decided(field(policy=Policy.ASK), ("a", "a"), "b", "c", said={"name": "d"})
    assert (merged.to_wordpress, merged.to_erpnext, merged.conflicts) == ({"name": "d"}, {"name": "d"}, ())
    assert decided(field(policy=Policy.ASK), ("a", "a"), "b", "c", said={"name": "c"}).to_erpnext == {}


def test_a_decision_that_may_not_be_written_waits_until_it_may() -> None:
    merged = decided(field(direction=TO_E, policy=Policy.ASK), ("a", "a"), "b", "c", said={"name": "c"})
    assert merged == Merge()


GONE = Observed("2", presence=Presence.GONE)
BASE = {"name": Agreed("a", "a")}


@pytest.mark.parametrize("deletion", [Deletion.ARCHIVE, Deletion.DELETE])
def test_gone_here_and_unchanged_there_is_retired(deletion: Deletion) -> None:
    assert merge(entity(field(), deletion=deletion), BASE, GONE, seen("a")) == Merge(retire=E)
    assert merge(entity(field(), deletion=deletion), BASE, seen("a"), GONE) == Merge(retire=W)


def test_gone_on_both_sides_is_done_with() -> None:
    assert merge(entity(field()), BASE, GONE, GONE) == Merge(tombstone=True)
    assert merge(entity(field(), deletion=Deletion.KEEP), BASE, GONE, seen("b")) == Merge(tombstone=True)


@pytest.mark.parametrize(
    ("rules", "base", "left"),
    [
        (entity(field()), BASE, "b"),
        (entity(field()), {}, "a"),
        (entity(field(), deletion=Deletion.ASK), BASE, "a"),
        (entity(field(), direction=TO_W), BASE, "a"),
    ],
    ids=["edited", "never agreed", "by rule", "by direction"],
)
def test_gone_here_and_not_to_be_removed_there_is_a_conflict(rules: Entity, base: dict[str, Agreed], left: str) -> None:
    (clash,) = merge(rules, base, GONE, seen(left)).conflicts
    assert (clash.field, clash.wordpress, clash.erpnext) == (RECORD, "gone", "present")


def test_a_person_decides_whether_a_record_stays() -> None:
    assert merge(entity(field()), BASE, GONE, seen("b"), {RECORD: "wordpress"}) == Merge(retire=E)
    assert merge(entity(field()), BASE, GONE, seen("b"), {RECORD: "erpnext"}) == Merge(restore=W)


def test_a_new_record_gets_what_may_go_there() -> None:
    rules = entity(Field("a", W), Field("b", W, direction=TO_W), Field("c", W))
    assert initial(rules, Observed("1", {"a": "1", "b": "2", "c": None}), E) == {"a": "1"}


VALUES = st.sampled_from([None, "a", "b", "c", 1, 0, True])
RULES = st.builds(
    field,
    owner=st.sampled_from(SideName),
    direction=st.sampled_from(Direction),
    policy=st.sampled_from(Policy),
)
BASES = st.none() | st.tuples(VALUES, VALUES)
TIMES = st.tuples(*[st.sampled_from([None, EARLIER, LATER])] * 2)


@given(rule=RULES, base=BASES, w=VALUES, e=VALUES, times=TIMES)
def test_nothing_is_invented_and_directions_hold(
    rule: Field, base: tuple[Value, Value] | None, w: Value, e: Value, times: tuple[datetime | None, datetime | None]
) -> None:
    merged = decided(rule, base, w, e, times=times)
    for side, value in ((W, e), (E, w)):
        for told in merged.to(side).values():
            assert told == value
            assert rule.direction.reaches(side)
    assert not (merged.to_wordpress and merged.to_erpnext)
    assert not (merged.conflicts and (merged.to_wordpress or merged.to_erpnext or merged.agreed))


@given(rule=RULES, base=BASES, w=VALUES, e=VALUES, times=TIMES)
def test_after_a_merge_there_is_nothing_left_to_do(
    rule: Field, base: tuple[Value, Value] | None, w: Value, e: Value, times: tuple[datetime | None, datetime | None]
) -> None:
    merged = decided(rule, base, w, e, times=times)
    w, e = merged.to_wordpress.get("name", w), merged.to_erpnext.get("name", e)
    wrote = merged.to_wordpress or merged.to_erpnext or merged.agreed
    again = decided(rule, (w, e) if wrote else base, w, e, times=times)
    assert (again.to_wordpress, again.to_erpnext, again.agreed) == ({}, {}, {})
    assert again.conflicts == merged.conflicts


@given(base=VALUES, edit=VALUES, side=st.sampled_from(SideName), owner=st.sampled_from(SideName))
def test_a_one_sided_edit_is_never_lost(base: Value, edit: Value, side: SideName, owner: SideName) -> None:
    values = {side: edit, side.other: base}
    merged = decided(field(owner), (base, base), values[W], values[E])
    after = merged.to(side.other).get("name", base)
    assert Agreed(after, after) == Agreed(edit, edit)


@given(rule=RULES, base=BASES, w=VALUES, e=VALUES)
def test_the_sides_are_treated_alike(rule: Field, base: tuple[Value, Value] | None, w: Value, e: Value) -> None:
    turned = {TO_E: TO_W, TO_W: TO_E}.get(rule.direction, rule.direction)
    mirrored = decided(field(rule.owner.other, turned, rule.policy), base and (base[1], base[0]), e, w)
    merged = decided(rule, base, w, e)
    assert (merged.to_wordpress, merged.to_erpnext) == (mirrored.to_erpnext, mirrored.to_wordpress)
    assert bool(merged.conflicts) == bool(mirrored.conflicts)
