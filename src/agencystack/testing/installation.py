"""One AgencyStack installation in a folder of the test's own; every method is one command with nothing in memory."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agencystack.engine.context import Context
from agencystack.engine.integration import Evidence, Proof
from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.records import ProofRecord
from agencystack.engine.registry import Found, Registry
from agencystack.engine.resource import Change, Resource
from agencystack.engine.session import Selection, Session, Wish
from agencystack.engine.undoing import UndoPlan
from agencystack.engine.values import Marker
from agencystack.engine.workshop import Result
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.testing.bench import Bench


class Installation:
    """Runs an integration as the command line does.

    Args:
        bench: the integration and its product.
        folder: an empty folder.

    Attributes:
        said: all that was shown in any form, before any redaction: a secret in it is a defect of the integration.
        secrets: every secret that was seen on its way.
    """

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.home = Home(folder / "home", folder / "log", folder / "key")
        self.said: list[str] = []
        self.secrets: set[Secret] = set(bench.secrets)

    def plan(self) -> IntegrationPlan:
        """Plan, and return the one integration of the plan."""
        with self._session() as opened:
            [item] = opened.plan(self._selection(opened)).integrations
            self._hear_plan(item)
            return item

    def integrate(self) -> Result:
        """Plan and apply."""
        with self._session() as opened, opened.locked([self.bench.client]):
            [result] = opened.integrate(opened.plan(self._selection(opened)))
            self._hear_plan(result.plan)
            self._hear_changes([change for _, change in result.changes])
            self.said += [result.reason, *_texts_of(result.error)]
            self._hear_proofs(result.proofs)
            return result

    def verify(self) -> list[ProofRecord]:
        """Run the proofs."""
        with self._session() as opened:
            [(_, proofs)] = opened.verify(opened.plan(self._selection(opened)))
            self._hear_proofs(proofs)
            return proofs

    def prove(self) -> list[Evidence]:
        """Run the proofs themselves, and hear what they say before anything is masked."""
        with self._session() as opened:
            [(integration, site)] = self._selection(opened).sites
            seen = [proof.run() for proof in integration.proofs(site)]
        self.said += [f"{evidence.reason} {dict(evidence.seen)}" for evidence in seen]
        return seen

    def undo(self, *, purge: bool = False) -> tuple[list[UndoPlan], dict[str, AgencyStackError]]:
        """Undo everything; return what was planned, and what failed by integration.

        Args:
            purge: forget for good what undo keeps.
        """
        with self._session() as opened, opened.locked([self.bench.client]):
            selection = self._selection(opened)
            if purge:
                opened.forget_for_good(selection)
            plans = opened.plan_undo(selection, run=None, force=False)
            errors = opened.undo(plans, run=None)
            steps = [step for plan in plans for step in plan.steps]
            self._hear_changes([step.change for step in steps if step.change])
            self.said += [note for step in steps for note in step.left]
            self.said += [text for error in errors.values() for text in _texts_of(error)]
            return plans, errors

    def rotate(self) -> Result:
        """Replace what was generated."""
        with self._session() as opened, opened.locked([self.bench.client]):
            [result] = opened.rotate(self._selection(opened))
            self._hear_changes([change for _, change in result.changes])
            self.said += [result.reason, *_texts_of(result.error)]
            self._hear_proofs(result.proofs)
            return result

    def declared(self) -> tuple[list[Resource], list[Proof]]:
        """Return what the integration declares, having asked it as a plan does."""
        with self._session() as opened:
            [(integration, site)] = self._selection(opened).sites
            return list(integration.resources(site)), list(integration.proofs(site))

    def texts(self) -> dict[str, str]:
        """Return all that was shown or written, by where it stands; sealed values are as they are on the disk."""
        files = [path for path in self.home.root.parent.rglob("*") if path.is_file() and path != self.home.key_file]
        written = {path.name: path.read_bytes().decode(errors="replace") for path in files}
        return {"what was shown": "\n".join(self.said), **written}

    @contextmanager
    def _session(self) -> Iterator[Session]:
        sealed = SealedStore(self.home.secrets_dir, self.home.key_file)
        context = Context(self.home, sealed, self.bench.resolve)
        found = Found(self.bench.integration, Path(__file__))
        opened = Session(self.bench.stack, Registry([found]), context, "conformance", _Unwatched())
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield opened
        finally:
            opened.close()
            self.said += [out.getvalue(), err.getvalue()]
            self.secrets |= {value for name in sealed.names() if (value := sealed.get(name)) is not None}

    def _selection(self, opened: Session) -> Selection:
        selection = opened.select(Wish(clients=(self.bench.client,)))
        if len(selection.sites) != 1:
            raise AssertionError(f"the bench's stack has no use for its integration: {selection.skipped}")
        return selection

    def _hear_plan(self, item: IntegrationPlan) -> None:
        self.said += [item.reason, *item.warnings, *_texts_of(item.problem)]
        self.said += [step.resource.key for step in item.steps]
        self._hear_changes([step.change for step in item.steps if step.change])
        for step in item.steps:
            self.said += _texts_of(step.problem)
            if step.reading is not None and step.reading.foreign is not None:
                self.said.append(step.reading.foreign.what)

    def _hear_changes(self, changes: list[Change]) -> None:
        for value in [v for c in changes for field in c.fields for v in (field.before, field.after)]:
            if isinstance(value, Secret):
                self.secrets.add(value)
            elif not isinstance(value, Marker):
                self.said.append(str(value))

    def _hear_proofs(self, proofs: list[ProofRecord]) -> None:
        self.said += [f"{proof.name} {proof.reason} {proof.evidence}" for proof in proofs]


class _Unwatched:
    def step(self, plan: IntegrationPlan, what: str) -> None:
        """Show nothing."""

    def done(self, plan: IntegrationPlan, result: Result) -> None:
        """Show nothing."""


def _texts_of(error: BaseException | None) -> list[str]:
    return [] if error is None else ["".join(traceback.format_exception(error)), str(error)]
