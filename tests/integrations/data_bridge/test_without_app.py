"""ERPNext without our app: a user of its own with the product's roles, and the fields our app would bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agencystack.bridge.record import SideName
from agencystack.components.erpnext.without_app import fields_for, roles_for
from agencystack.engine.integration import Evidence
from agencystack.engine.planning import Status
from agencystack.integrations.data_bridge.proofs import SidesAnswer
from agencystack.sandbox.erpnext.connector import part
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

USER = "agencystack-bridge@acme.example"


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(connector_app=False, shares={"customer": {"direction": "both"}})


@pytest.fixture
def installed(bench: BridgeBench) -> Installation:
    return Installation(bench, bench.place.home.root.parent)


def user(bench: BridgeBench) -> Mapping[str, Any] | None:
    found = bench.erpnext.work().transaction.get("User", USER)
    return dict(found) if found else None


def roles(bench: BridgeBench) -> list[str]:
    return sorted(row["role"] for row in (user(bench) or {})["roles"])


def fields(bench: BridgeBench) -> set[tuple[str, str]]:
    return {(one["dt"], one["fieldname"]) for one in bench.erpnext.work().transaction.scan("Custom Field")}


def test_the_workers_are_a_user_of_their_own(bench: BridgeBench, installed: Installation) -> None:
    assert installed.integrate().status is Status.APPLIED
    made = user(bench)
    assert made is not None
    assert roles(bench) == ["Sales Master Manager", "Sales User"]
    assert made["enabled"]
    assert not made["send_welcome_email"]
    access = bench.place.keyring.needed("acme", SideName.ERPNEXT)
    assert access.user == made["api_key"]
    assert access.user != bench.credentials["KEY"].reveal(), "never the System Manager's key of stack.yaml"
    assert fields(bench) == {
        ("Customer", "agencystack_token"),
        ("Customer", "agencystack_wordpress_url"),
        ("Contact", "agencystack_token"),
        ("Address", "agencystack_token"),
    }
    assert installed.plan().changes == []


def test_a_role_somebody_added_is_drift_and_goes(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    bench.give_roles(USER, "System Manager")
    [step] = installed.plan().changes
    assert step.change is not None
    assert (step.resource.key, set(step.change.names)) == (f"user {USER}", {"roles"})
    assert installed.integrate().status is Status.APPLIED
    assert roles(bench) == ["Sales Master Manager", "Sales User"]


def test_a_key_somebody_else_made_is_replaced_and_reaches_the_workers(
    bench: BridgeBench, installed: Installation
) -> None:
    installed.integrate()
    work = bench.erpnext.work()
    live = work.transaction.get("User", USER) or {}
    work.transaction.put({**live, "api_key": "somebodys"})
    work.transaction.commit()
    assert installed.integrate().status is Status.APPLIED
    assert bench.place.keyring.needed("acme", SideName.ERPNEXT).user == "somebodys"
    assert all(proof.ok for proof in installed.verify())


def test_rotate_gives_the_user_another_key(
    bench: BridgeBench, installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.integrate()
    before = bench.place.keyring.needed("acme", SideName.ERPNEXT)
    assert installed.rotate().status is Status.APPLIED
    after = bench.place.keyring.needed("acme", SideName.ERPNEXT)
    assert after.password != before.password
    assert (user(bench) or {})["api_key"] == after.user
    assert installed.plan().changes == []
    with monkeypatch.context() as patch:
        patch.setattr(SidesAnswer, "run", lambda _: Evidence(False, {}, "one side is silent"))
        assert installed.rotate().status is Status.UNVERIFIED
    assert installed.integrate().status is Status.APPLIED, "the key of before is void, and the new one stays"
    assert (user(bench) or {})["api_key"] == bench.place.keyring.needed("acme", SideName.ERPNEXT).user


def test_more_that_is_shared_takes_more_roles_and_fields(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    bench.described["clients"]["acme"]["data_bridge"]["entities"]["post"] = {"direction": "both"}
    bench.describe()
    assert installed.integrate().status is Status.APPLIED
    assert "Website Manager" in roles(bench)
    assert ("Blog Post", "agencystack_token") in fields(bench)


def test_undo_takes_user_and_fields_away_and_leaves_what_the_fields_hold(
    bench: BridgeBench, installed: Installation
) -> None:
    installed.integrate()
    work = bench.erpnext.work()
    made = bench.erpnext.documents.insert(
        work, "Customer", {"customer_name": "Ada", "agencystack_token": "t" * 26, "customer_type": "Individual"}
    )
    work.transaction.commit()
    _, errors = installed.undo()
    assert errors == {}
    assert (user(bench), fields(bench)) == (None, set())
    held = bench.erpnext.work().transaction.peek("Customer", made["name"])
    assert held is not None
    assert held["agencystack_token"] == "t" * 26


ALL = ("category", "customer", "product", "variation", "order", "payment", "refund", "submission", "post", "page")


@pytest.mark.parametrize("entity", ALL)
def test_each_entity_has_roles_and_none_needs_a_system_manager(entity: str) -> None:
    needed = roles_for({entity: "both"})
    assert needed
    assert "System Manager" not in needed


def test_the_fields_are_those_of_the_app() -> None:
    ours = fields_for(dict.fromkeys(ALL, "both"))
    wanted = part("bridge.fields").wanted()
    assert set(ours) == {(doctype, str(field["fieldname"])) for doctype, fields in wanted.items() for field in fields}
    assert ("Sales Order", "agencystack_shop") in ours
    assert fields_for({"product": "to_wordpress"}) == {}, "what is only read gets no field"
