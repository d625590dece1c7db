"""The checker is checked: each of these bugs, put into the bridge or its sides, is found by the machine.

Most are bugs of connectors people use today. A bug that is not found within :data:`MOST` histories fails its test: then
the machine, not the bridge, has to become better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agencystack.bridge import merge, plan
from agencystack.bridge.record import Observed, Presence, SideName
from agencystack.bridge.side import Changes, Mark, Result
from agencystack.bridge.store.inbox import Inbox
from agencystack.bridge.work import ending, planning
from agencystack.bridge.work.batch import Again

from .world.entities import ENTITIES
from .world.history import Setup, history
from .world.running import silently, violation
from .world.sides import BooksForm, ShopForm, WorldForm, WorldSide

MOST = 600

Patch = pytest.MonkeyPatch
Bug = Callable[[Patch], None]
BUGS: dict[str, tuple[Bug, Setup | None, tuple[str, ...]]] = {}


def planted(*more: str, setup: Setup | None = None) -> Callable[[Bug], Bug]:
    """Plant a bug; it is looked for in histories with more of some events, which is where one would look."""

    def keep(bug: Bug) -> Bug:
        BUGS[bug.__name__] = (bug, setup, more)
        return bug

    return keep


# Capture. ---------------------------------------------------------------------------------------------------------


@planted("begin", "commit")
def a_cursor_over_a_sequence(patch: Patch) -> None:
    """The outbox is read from after the highest number seen: what is committed later with a lower one is lost."""

    def changes(self: WorldSide, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        if not self.home.outbox:
            return self._modified_since(cursor)
        marks = self.home.visible_marks()
        new = [one for one in marks if _number(one[0]) > int(cursor or 0)]
        highest = max([_number(one[0]) for one in new], default=int(cursor or 0))
        return Changes(tuple(Mark("", *one[1:]) for one in new[:limit]), self._identity(), cursor=str(highest))

    patch.setattr(WorldSide, "changes", changes)


def _number(mark: str) -> int:
    return int(mark.partition("-")[0])


@planted("poll", "crash", setup=Setup())
def acknowledged_before_it_is_stored(patch: Patch) -> None:
    """The side forgets changes when it tells them: a crash before the commit loses them."""
    told = WorldSide.changes

    def changes(self: WorldSide, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        answer = told(self, cursor, acknowledged, limit)
        self.home.acknowledge(tuple(mark.id for mark in answer.marks))
        return answer

    patch.setattr(WorldSide, "changes", changes)


@planted("begin", "commit", setup=Setup(plugin=False, app=False))
def the_watermark_is_now_and_does_not_overlap(patch: Patch) -> None:
    """Changes since the last look, without an overlap and without a full walk."""
    patch.setattr("tests.bridge.world.sides.OVERLAP", timedelta(0))
    patch.setattr("agencystack.bridge.bridge.Bridge.reconcile", lambda *_args, **_options: None)


@planted("meddle", "step", setup=Setup())
def a_hint_that_came_meanwhile_is_forgotten_too(patch: Patch) -> None:
    """Following a hint forgets the record's hints, those that came while it was followed too."""
    forget = Inbox.forget

    def forget_all(self: Inbox, hints: Sequence[Any]) -> None:
        now = [again for one in hints for again in self.of_records(one.side, one.entity, [one.record])]
        forget(self, now)

    patch.setattr(Inbox, "forget", forget_all)


@planted("fault")
def a_hint_is_dropped_when_a_side_puts_it_off(patch: Patch) -> None:
    """An overloaded product is not asked again."""
    outcome = ending.Ends._outcome

    def dropping(self: Any, key: Any, effect: Any, answer: Any) -> Again | None:
        again = outcome(self, key, effect, answer)
        return None if answer.result is Result.LATER else again

    patch.setattr(ending.Ends, "_outcome", dropping)


# Merging. ---------------------------------------------------------------------------------------------------------


@planted()
def an_echo_is_not_recognised(patch: Patch) -> None:
    """What differs from the other side counts as changed, whatever was agreed."""
    changed = merge._changed
    patch.setattr(merge, "_changed", lambda _before, now: changed(None, now))


@planted()
def the_base_does_not_advance(patch: Patch) -> None:
    """What was agreed on once stays so."""
    patch.setattr(ending, "advanced", lambda base, _seen, _done, _planned: dict(base))


@planted("edit")
def the_base_is_what_was_sent(patch: Patch) -> None:
    """Not what was read back: a value that a product rewrites counts as an edit made there."""

    shown = plan._form

    def sent(name: str, side: SideName, seen: Any, done: Mapping[SideName, Any]) -> object:
        told = [one.fields[name] for one in (done.get(side), done.get(side.other)) if one and name in one.fields]
        return told[0] if told else shown(name, side, seen, done)

    patch.setattr(plan, "_form", sent)


@planted("fault", "edit")
def the_base_advances_whatever_came_of_the_write(patch: Patch) -> None:
    """Too early: a write that did not happen counts as agreed."""
    advance = plan.advanced

    def early(base: Any, seen: Any, _done: Any, planned: Any) -> Any:
        return advance(base, seen, {one.side: one for one in planned.intents}, planned)

    patch.setattr(ending, "advanced", early)


@planted("edit")
def the_later_record_wins_whole(patch: Patch) -> None:
    """Record-level last-write-wins, as in the connectors people use."""
    whole = merge.merge

    def later(entity: Any, base: Any, wordpress: Observed, erpnext: Observed, decided: Any = None) -> Any:
        result = whole(entity, base, wordpress, erpnext, decided)
        if not (result.to_wordpress or result.to_erpnext) or wordpress.modified is None or erpnext.modified is None:
            return result
        names = [one.name for one in entity.fields if one.join is None and str(one.direction) == "both"]
        newer, older = (wordpress, erpnext) if wordpress.modified > erpnext.modified else (erpnext, wordpress)
        told = {name: newer.fields[name] for name in names if newer.fields.get(name) != older.fields.get(name)}
        to_erpnext = newer is wordpress
        return replace(
            result,
            to_erpnext=told if to_erpnext else {},
            to_wordpress={} if to_erpnext else told,
            conflicts=(),
        )

    patch.setattr(plan, "merge", later)


@planted("order", "advance", "create")
def a_stale_status_is_pushed_back(patch: Patch) -> None:
    """Status is a field like any other: the owner's, however old."""
    order = ENTITIES["order"]
    fields = tuple(replace(one, join=None) if one.name == "status" else one for one in order.fields)
    patch.setitem(ENTITIES, "order", replace(order, fields=fields))


@planted("delete")
def what_was_deleted_is_made_again(patch: Patch) -> None:
    """A record that is gone counts as one that was never there."""
    planned = planning.plan

    def again(situation: Any) -> Any:
        there = {side: seen for side, seen in situation.seen.items() if seen.presence is not Presence.GONE}
        if len(there) == 1 and len(situation.seen) == 2:
            intents = (plan._whole(replace(situation, seen=there), _missing(there), plan.Action.CREATE),)
            return plan.Plan(intents)
        return planned(situation)

    patch.setattr(planning, "plan", again)


def _missing(there: Mapping[SideName, Observed]) -> SideName:
    return next(side for side in SideName if side not in there)


@planted("delete", "edit")
def a_deletion_wins_over_an_edit(patch: Patch) -> None:
    """What somebody just edited is thrown away because somebody else deleted it."""
    patch.setattr(merge, "_edited", lambda *_: False)


# Writing. ---------------------------------------------------------------------------------------------------------


@planted("fault", "create", setup=Setup(plugin=False, app=False))
def a_creation_is_not_looked_up_after_a_timeout(patch: Patch) -> None:
    """No answer, so it is made again."""
    patch.setattr(WorldForm, "find", lambda _self, _tokens: {})


@planted("meddle", "edit")
def writes_have_no_condition(patch: Patch) -> None:
    """Whatever was edited between the look and the write is overwritten."""
    patch.setattr(BooksForm, "unchanged", lambda _self, row, _operation: row is not None)
    patch.setattr(ShopForm, "unchanged", lambda _self, row, _operation: row is not None)


# Entities. --------------------------------------------------------------------------------------------------------


@planted("order", "receive", "create")
def stock_is_pushed_as_it_is(patch: Patch) -> None:
    """ERPNext's quantity overwrites what the shop has sold meanwhile."""
    patch.setattr(ShopForm, "pushed_stock", lambda _self, _there, operation: int(operation.fields["stock"]))


@planted("half", "receive", "create")
def half_an_order_is_imported(patch: Patch) -> None:
    """An order that is still being written counts as whole."""
    seen = ShopForm.observed

    def whole(self: ShopForm, id_: str) -> Observed:
        observed = seen(self, id_)
        row = self.home.row(self.entity, id_)
        if observed.presence is not Presence.HALF or row is None:
            return observed
        return replace(observed, presence=Presence.PRESENT, fields=self.fields(row))

    patch.setattr(ShopForm, "observed", whole)


@planted("twin", "create")
def existing_records_are_not_matched(patch: Patch) -> None:
    """What is on both sides already is made again on both."""
    patch.setattr(WorldForm, "candidates", lambda _self, _fields: ())
    patch.setattr("tests.bridge.world.installation.Installation.unique", frozenset())
    patch.setattr("tests.bridge.world.shop.Shop.unique", frozenset())
    patch.setattr("tests.bridge.world.books.Books.unique", frozenset())


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: Patch) -> None:
    plant, setup, more = BUGS[bug]
    plant(monkeypatch)
    with silently():
        broken = next((found for seed in range(MOST) if (found := violation(history(seed, setup, more)))), "")
    assert broken, f"not found in {MOST} histories: {plant.__doc__}"


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 10
