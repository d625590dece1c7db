"""Some ten tests that every integration must pass; an author inherits them and supplies a bench.

from agencystack.testing.conformance import ConformanceSuite

class TestGuestbookConforms(ConformanceSuite):
    @pytest.fixture
    def bench(self, tmp_path):
        return GuestbookBench(tmp_path)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.engine.integration import Support
from agencystack.engine.planning import ForeignHands, Status
from agencystack.engine.resource import Action, Change
from agencystack.testing.bench import Bench
from agencystack.testing.installation import Installation


class ConformanceSuite:
    """What holds for every integration, whatever it connects. Override :meth:`bench`."""

    @pytest.fixture
    def bench(self) -> Bench:
        """Return the integration and a product for one test."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `bench`: see agencystack.testing.Bench")

    @pytest.fixture
    def installed(self, bench: Bench, tmp_path: Path) -> Installation:
        """Return an installation that nothing was applied in yet."""
        return Installation(bench, tmp_path / "agencystack")

    def test_resources_makes_no_call(self, installed: Installation) -> None:
        """Declaring is free: plans of a hundred clients are made of it."""
        before = installed.bench.calls()
        resources, _ = installed.declared()
        assert installed.bench.calls() == before, "resources() or proofs() called a product; read() and run() may"
        keys = [(resource.component, resource.key) for resource in resources]
        assert len(keys) == len(set(keys)), "two resources of one component have the same key"

    def test_a_plan_changes_nothing(self, installed: Installation) -> None:
        """Plan first: looking leaves no trace."""
        before = installed.bench.state()
        assert installed.plan().changes, "the bench's product is configured already, so nothing can be shown"
        assert installed.bench.state() == before

    def test_it_is_applied_and_proven(self, installed: Installation) -> None:
        """A first run ends in `applied`: live is as wanted, and every proof passed."""
        result = installed.integrate()
        assert (result.status, result.reason) == (Status.APPLIED, "")
        assert result.proofs
        assert all(proof.ok for proof in result.proofs)

    def test_a_second_run_changes_nothing(self, installed: Installation) -> None:
        """What was written is read back as what is wanted."""
        installed.integrate()
        before = installed.bench.state()
        assert [(step.resource.key, _names(step.change)) for step in installed.plan().changes] == []
        result = installed.integrate()
        assert (result.status, result.changes) == (Status.APPLIED, [])
        assert installed.bench.state() == before

    def test_a_manual_edit_shows_as_that_field_alone(self, installed: Installation) -> None:
        """Drift is found by a live read, named exactly, and put right."""
        installed.integrate()
        edit = installed.bench.edit()
        item = installed.plan()
        assert item.status is Status.DRIFTED
        shown = [(step.resource.key, _names(step.change)) for step in item.changes]
        assert shown == [(edit.resource, {edit.field})]
        assert installed.integrate().status is Status.APPLIED
        assert not edit.present()

    def test_secrets_are_masked_everywhere(self, installed: Installation) -> None:
        """Not in a plan, a result, a log, a record, an error, or on the terminal."""
        installed.plan()
        installed.integrate()
        installed.prove()
        with installed.bench.failing_proof():
            installed.verify()
        with installed.bench.unreachable():
            installed.plan()
            installed.integrate()
        installed.undo()
        leaks = [
            where
            for where, text in installed.texts().items()
            for secret in installed.secrets
            if len(secret.reveal()) > 3 and secret.reveal() in text
        ]
        assert leaks == [], "a secret can be read there"

    def test_undo_leaves_what_was_there(self, installed: Installation) -> None:
        """After undo the product is as before the first run, and the plan is what it was."""
        before = installed.bench.state()
        first = [(step.resource.key, _names(step.change)) for step in installed.plan().changes]
        installed.integrate()
        _, errors = installed.undo()
        assert errors == {}
        assert installed.bench.state() == before
        again = [(step.resource.key, _names(step.change)) for step in installed.plan().changes]
        # What a product keeps (a mail domain) need not be made again.
        assert [change for change in again if change not in first] == []

    def test_undo_leaves_what_a_person_changed(self, installed: Installation) -> None:
        """A value somebody set since is theirs; it is left, and said."""
        installed.integrate()
        edit = installed.bench.edit()
        plans, errors = installed.undo()
        assert errors == {}
        assert edit.present()
        notes = [note for plan in plans for step in plan.steps for note in step.left]
        assert any(edit.resource in note for note in notes)

    def test_unreachable_is_never_read_as_missing(self, installed: Installation) -> None:
        """A product that does not answer holds what it held: nothing is planned, nothing written."""
        with installed.bench.unreachable():
            item = installed.plan()
            assert item.status is Status.BLOCKED
            own = [step for step in item.changes if step.resource.component == item.site.application.ref]
            missing = [step.resource.key for step in own if step.change and step.change.action is Action.CREATE]
            assert missing == [], "something is to be made in a product that nobody could ask"
        installed.integrate()
        before = installed.bench.state()
        with installed.bench.unreachable():
            assert installed.plan().status is Status.BLOCKED
            assert installed.integrate().changes == []
            installed.undo()
        assert installed.integrate().status is Status.APPLIED
        assert installed.bench.state() == before

    def test_a_failing_proof_gives_unverified(self, installed: Installation) -> None:
        """A status never claims more than was seen."""
        with installed.bench.failing_proof():
            result = installed.integrate()
            assert result.status is Status.UNVERIFIED
            assert result.reason.startswith("proof failed:")
            assert int(result.exit_code) == 1
            item = installed.plan()
            assert item.status is not Status.APPLIED
        assert installed.integrate().status is Status.APPLIED

    def test_each_capability_names_a_proof_that_exists(self, installed: Installation) -> None:
        """What the documentation claims is shown by something; what is not claimed has a reason and an alternative."""
        _, proofs = installed.declared()
        names = [proof.name for proof in proofs]
        assert len(names) == len(set(names)), "two proofs have one name"
        capabilities = installed.bench.integration.capabilities
        assert capabilities, "an integration says what it can do"
        for capability in capabilities:
            if capability.support is Support.UNSUPPORTED:
                assert capability.reason, f"{capability.name}: says not why"
                assert capability.alternative, f"{capability.name}: says not what to do instead"
            else:
                assert capability.proof in names, f"{capability.name}: no proof of the name {capability.proof!r}"
            if capability.support is Support.PARTIAL:
                assert capability.reason, f"{capability.name}: says not what is missing"

    def test_foreign_things_are_blocked(self, installed: Installation) -> None:
        """What works and is not ours is not touched until stack.yaml says so."""
        key = installed.bench.foreign()
        if key is None:
            pytest.skip("nothing in this product can be in foreign hands, says its bench")
        before = installed.bench.state()
        item = installed.plan()
        assert item.status is Status.BLOCKED
        assert [step.resource.key for step in item.steps if isinstance(step.problem, ForeignHands)] == [key]
        result = installed.integrate()
        assert (result.status, result.changes) == (Status.BLOCKED, [])
        assert installed.bench.state() == before


def _names(change: Change | None) -> set[str]:
    return set() if change is None else set(change.names)
