"""What carrying out a plan needs besides the plan, who watches, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agencystack.engine.context import Context
from agencystack.engine.ledger import Ledger
from agencystack.engine.locks import Locks
from agencystack.engine.planning import IntegrationPlan, Status, Step
from agencystack.engine.records import ProofRecord, Records
from agencystack.engine.resource import Change
from agencystack.engine.runlog import RunLog
from agencystack.engine.unproven import Unproven
from agencystack.stack.errors import AgencyStackError, ExitCode


class Observer(Protocol):
    """Is told what happens, for a person who watches."""

    def step(self, plan: IntegrationPlan, what: str) -> None:
        """Say that an integration is now doing ``what``."""

    def done(self, plan: IntegrationPlan, result: Result) -> None:
        """Say that an integration is finished."""


@dataclass
class Result:
    """What became of one integration in a run.

    Args:
        status: as a live read would now say.
        reason: why it is not ``applied``.
        changes: the resources that this run changed.
        exit_code: what this integration alone would end the command with.
        to_take_back: both sides are to be what they were before.
    """

    plan: IntegrationPlan
    status: Status
    reason: str = ""
    changes: list[tuple[Step, Change]] = field(default_factory=list)
    proofs: list[ProofRecord] = field(default_factory=list)
    error: AgencyStackError | None = None
    exit_code: ExitCode = ExitCode.DONE
    to_take_back: bool = False


@dataclass
class Workshop:
    """What carrying out a plan needs besides the plan."""

    context: Context
    ledger: Ledger
    records: Records
    unproven: Unproven
    locks: Locks
    log: RunLog
    command: str
    observer: Observer
