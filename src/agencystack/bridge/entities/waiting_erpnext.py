"""An ERPNext form whose records may wait without keeping others from being written, and are checked once written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agencystack.bridge.entities.remedies import remedy_for
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Observed
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.erpnext.documents import Group, Saved
from agencystack.bridge.sides.erpnext.form import ErpNextForm, Native


class WaitingErpNextForm(ErpNextForm):
    """An ERPNext form whose ``steps`` may raise :class:`Waits`, may be none, and whose documents are checked."""

    def prepare(self, operations: Sequence[Operation], natives: Mapping[str, Native]) -> None:
        """Look up, once for all operations, what their steps must know."""

    def checked(self, operation: Operation, after: Observed | None) -> None:
        """Make sure a written document is what it was meant to be.

        Raises:
            Waits: it is not.
        """

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person when ERPNext refused."""
        message, remedy = super().refusal(saved, operation)
        return message, remedy_for(saved) or remedy

    def take_back(self, operation: Operation, name: str) -> Group | None:
        """Return the steps that undo the creation of a document that is not what it was meant to be."""
        return None

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out, read back what they changed, and check it."""
        natives = self.natives([one.id for one in operations if one.id])
        self.prepare(operations, natives)
        outcomes: dict[str, Outcome] = {}
        groups = []
        for one in operations:
            try:
                steps = tuple(self.steps(one, natives.get(one.id)))
            except Waits as waits:
                outcomes[one.token] = waits.outcome(one.token)
                continue
            if steps:
                groups.append(Group(one.token, steps))
            else:
                outcomes[one.token] = Outcome(
                    one.token, Result.DONE, observed=self.observed(one.id, natives.get(one.id))
                )
        saved = self.documents.save(groups) if groups else {}
        after = self.read([one.name for one in saved.values() if one.result is Result.DONE and one.name])
        for one in operations:
            if one.token in saved:
                outcomes[one.token] = self._verified(one, saved[one.token], after)
        return outcomes

    def _verified(self, operation: Operation, saved: Saved, after: Mapping[str, Observed]) -> Outcome:
        outcome = self._outcome(operation, saved, after)
        if saved.result is not Result.DONE:
            return outcome
        try:
            self.checked(operation, after.get(saved.name))
        except Waits as waits:
            undo = self.take_back(operation, saved.name) if operation.action is Action.CREATE else None
            if undo is not None:
                self.documents.save([undo])
            return waits.outcome(operation.token)
        return outcome
