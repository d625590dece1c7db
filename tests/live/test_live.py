"""Integrate, verify and take back on the stack that AGENCYSTACK_TEST_STACK names: real products, through the real CLI.

Beside the contract suites (``tests/contract``), which read the same variable. What was integrated before stays so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.conftest import Live


@pytest.fixture(scope="module")
def integrated(live: Live) -> Iterator[dict[str, Any]]:
    """What integrate did; an installation that was not integrated before is put back."""
    code, before = live.run("status")
    assert code == 0, before
    fresh = not any(line["applied_at"] for line in before["integrations"])
    code, done = live.run("integrate", "email", "--auto")
    assert code == 0, done
    yield done
    if fresh:
        code, undone = live.run("undo", "email", "--auto")
        assert code == 0, undone


def test_every_component_answers(live: Live):
    code, seen = live.run("components")
    assert code == 0, [item for item in seen["components"] if item["state"] != "reachable"]


def test_everything_that_can_be_integrated_is(integrated: dict[str, Any]):
    assert integrated["results"]
    assert {line["status"] for line in integrated["results"]} <= {"applied", "manual", "unsupported"}


def test_a_second_run_changes_nothing(live: Live, integrated: dict[str, Any]):
    code, done = live.run("integrate", "email", "--auto")
    assert (code, done["changes"]) == (0, 0)


def test_every_proof_passes_with_evidence(live: Live, integrated: dict[str, Any]):
    code, seen = live.run("verify", "email")
    assert code == 0, [proof for proof in seen["proofs"] if not proof["ok"]]
    assert len(seen["proofs"]) >= sum(line["status"] == "applied" for line in integrated["results"])
    assert all(proof["evidence"] for proof in seen["proofs"])


def test_then_the_plan_is_empty(live: Live, integrated: dict[str, Any]):
    code, plan = live.run("plan", "email")
    assert (code, plan["changes"]) == (0, 0)
