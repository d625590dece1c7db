"""One bad record: the others of its batch are free of it within seconds, whatever way it is bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agencystack.bridge.plan import Plan, Situation
from agencystack.bridge.side import Operation
from agencystack.bridge.work import planning
from agencystack.bridge.work.settling import IN_FLIGHT
from agencystack.stack.errors import Unavailable
from tests.bridge.fakes import E, W
from tests.bridge.test_cycle import World

MANY, BAD = 100, "bad@example.com"
LOOKS = 3.0
"""Seconds between two looks of a worker: what is put off by less is due together."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def breaks_planning(world: World, patch: pytest.MonkeyPatch) -> None:
    """No plan can be made for the bad one: the bridge breaks."""
    plan: Callable[[Situation], Plan] = vars(planning)["plan"]

    def planned(situation: Situation) -> Plan:
        if any(one.fields.get("email") == BAD for one in situation.seen.values()):
            raise KeyError("a defect")
        return plan(situation)

    patch.setattr(planning, "plan", planned)


def never_read(world: World, patch: pytest.MonkeyPatch) -> None:
    """WordPress does not answer in time when it is asked for the bad one."""
    read = world.wc.read

    def asked(ids: Sequence[str]) -> Any:
        if any(world.wc.rows_[id_].fields["email"] == BAD for id_ in ids):
            raise Unavailable("no answer within 60 s")
        return read(ids)

    patch.setattr(world.wc, "read", asked)


def never_written(world: World, patch: pytest.MonkeyPatch) -> None:
    """ERPNext does not answer in time when it is to write the bad one."""
    apply = world.ec.apply

    def asked(operations: Sequence[Operation]) -> Any:
        if any(one.fields.get("email") == BAD for one in operations):
            raise Unavailable("no answer within 60 s")
        return apply(operations)

    patch.setattr(world.ec, "apply", asked)


@pytest.mark.parametrize(
    ("bad", "within"),
    [(breaks_planning, 20), (never_read, 20), (never_written, 20 + 3 * IN_FLIGHT / 1000)],
    ids=["breaks planning", "never read", "never written"],
)
def test_a_bad_record_delays_its_neighbours_by_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch, bad: Any, within: float
) -> None:
    for at in range(MANY):
        world.wc.make(**world.customer(email=f"{at}@example.com" if at != 37 else BAD))
    bad(world, monkeypatch)
    began = world.clock.now

    while len(world.ec.here()) < MANY - 1:
        world.bridge.run()
        assert world.clock.now - began < timedelta(seconds=within), f"{len(world.ec.here())} are across"
        world.clock.wait(LOOKS)


def test_a_side_that_is_down_makes_no_record_suspect(world: World) -> None:
    for at in range(MANY):
        world.wc.make(**world.customer(email=f"{at}@example.com"))
    for side in (world.w, world.e):
        side.errors["read"] = [Unavailable("connection refused")] * 6
    world.bridge.poll()
    for _ in range(6):
        world.bridge.step()
        world.clock.wait(700)
    with world.store.reading("acme") as transaction:
        hints = transaction.inbox.of_records(W, "customer", list(world.wc.here()))
    assert min(one.company for one in hints) >= MANY // 4
    world.settle()
    assert len(world.ec.here()) == MANY
    with world.store.reading("acme") as transaction:
        assert transaction.inbox.of_records(W, "customer", list(world.wc.here())) == []
        assert transaction.inbox.of_records(E, "customer", list(world.ec.here())) == []
