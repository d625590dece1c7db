"""What a proof says of a product that takes only a part of it, and of what it could not remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from agencystack.bridge.side import Result
from agencystack.bridge.sides.erpnext.app import AppDocuments
from agencystack.bridge.sides.erpnext.documents import Group, Saved
from agencystack.engine.integration import Evidence
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

SAID = "Unknown column 'lead' in 'WHERE'"


def installed(bench: BridgeBench) -> BridgeBench:
    """Return the bench with the integration installed and proven."""
    Installation(bench, bench.place.home.root.parent).integrate()
    return bench


def proven(bench: BridgeBench, proof: str) -> Evidence:
    """Return what a proof of the integration sees."""
    [found] = [one for one in Installation(bench, bench.place.home.root.parent).declared()[1] if one.name == proof]
    return found.run()


def refuse(monkeypatch: pytest.MonkeyPatch, doctype: str, actions: Sequence[str]) -> None:
    """Have ERPNext refuse what is done to documents of a type."""
    saves = AppDocuments.save

    def save(documents: AppDocuments, groups: Sequence[Group]) -> Mapping[str, Saved]:
        barred = {
            one.token: Saved(one.token, Result.REFUSED, message=SAID)
            for one in groups
            if any((step.doctype, step.action) in {(doctype, action) for action in actions} for step in one.steps)
        }
        return {**saves(documents, [one for one in groups if one.token not in barred]), **barred}

    monkeypatch.setattr(AppDocuments, "save", save)


@pytest.fixture
def forms(make: Made) -> BridgeBench:
    return installed(make(shares={"submission": {"direction": "both"}}, books=False))


def test_a_form_becomes_a_lead_and_all_of_it_is_removed(forms: BridgeBench) -> None:
    seen = proven(forms, "a form entry becomes a lead")

    assert (seen.ok, seen.reason) == (True, "")
    assert seen.seen["back"] == "status"
    assert not list(forms.erpnext.work().transaction.scan("Lead"))


def test_a_lead_that_cannot_be_changed_is_no_status_that_was_lost(
    forms: BridgeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "Lead", ["update"])

    seen = proven(forms, "a form entry becomes a lead")

    assert not seen.ok
    assert seen.reason.startswith("could not be changed in ERPNext: Lead ")
    assert SAID in seen.reason
    assert not list(forms.erpnext.work().transaction.scan("Lead"))


@pytest.mark.parametrize(
    ("entity", "proof", "doctype"),
    [
        ("submission", "a form entry becomes a lead", "Lead"),
        ("post", "a post there and back", "Blog Post"),
    ],
)
def test_a_proof_that_failed_names_what_it_leaves(
    make: Made, entity: str, proof: str, doctype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = installed(make(shares={entity: {"direction": "both"}}, books=False))
    refuse(monkeypatch, doctype, ["update", "delete"])

    seen = proven(bench, proof)

    [left] = bench.erpnext.work().transaction.scan(doctype)
    assert not seen.ok
    assert seen.reason.startswith("could not be changed in ERPNext: ")
    removal = seen.reason.partition("could not be removed again: ")[2]
    assert left["name"] in removal
    assert SAID in removal
    assert removal.endswith("delete it by hand")
