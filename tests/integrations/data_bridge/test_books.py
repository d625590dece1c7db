"""What stack.yaml says of ERPNext's books is compared with ERPNext, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.engine.planning import Status
from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

WAYS = pytest.mark.parametrize("connector_app", [True, False], ids=["with the app", "without the app"])


def installed(bench: BridgeBench) -> Installation:
    return Installation(bench, bench.place.home.root.parent)


def told(bench: BridgeBench) -> tuple[Status, str, str]:
    """Return what a plan comes to, why, and what to do."""
    plan = installed(bench).plan()
    return plan.status, plan.reason, plan.problem.remedy if plan.problem else ""


@WAYS
def test_the_companys_currency_is_the_one_of_stack_yaml(make: Made, connector_app: bool) -> None:
    bench = make(connector_app=connector_app, shares={"product": {"direction": "both"}})
    bench.described["clients"]["acme"]["data_bridge"]["accounting"]["currency"] = "USD"
    bench.describe()

    status, said, remedy = told(bench)

    assert status is Status.BLOCKED
    assert "keeps its books in EUR, and stack.yaml says USD" in said
    assert "write currency: EUR" in remedy


@WAYS
def test_submissions_need_the_doctype_lead(make: Made, connector_app: bool, monkeypatch: Any) -> None:
    bench = make(connector_app=connector_app, shares={"submission": {"direction": "to_erpnext"}}, books=False)
    assert told(bench)[0] is Status.PENDING
    without = {name: one for name, one in DOCTYPES.items() if name != "Lead"}
    monkeypatch.setattr("agencystack.sandbox.erpnext.work.DOCTYPES", without)

    status, said, remedy = told(bench)

    assert status is Status.BLOCKED
    assert "has no doctype Lead" in said
    assert "direction: off" in remedy
