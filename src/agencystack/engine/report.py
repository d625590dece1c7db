"""What commands print with --json: one model a command, from which the shipped schemas are made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agencystack.engine.planning import IntegrationPlan, Plan, Step
from agencystack.engine.records import ProofRecord
from agencystack.engine.resource import Change
from agencystack.engine.undoing import UndoPlan
from agencystack.engine.values import masked, shown
from agencystack.engine.workshop import Result
from agencystack.stack.errors import AgencyStackError


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldValues(_Output):
    """One field of a change; secrets are masked."""

    before: Any
    after: Any


class ChangeOutput(_Output):
    """One resource that changes."""

    resource: str = Field(description="component and resource: shared/mailu: user shop@acme.example")
    action: str = Field(pattern="^(create|update|adopt|delete)$")
    fields: list[str]
    values: dict[str, FieldValues]


class ResultOutput(_Output):
    """One integration in a plan or a run; ``component`` is the application."""

    client: str
    type: str
    component: str
    status: str
    reason: str
    changes: list[ChangeOutput]
    warnings: list[str] = []


class RunOutput(_Output):
    """What plan, integrate, undo and rotate print."""

    run: str
    changes: int
    results: list[ResultOutput]
    skipped: list[str] = []


class ProofOutput(_Output):
    """What one proof saw."""

    client: str
    type: str
    component: str
    name: str
    ok: bool
    evidence: dict[str, Any]
    seconds: float
    reason: str = ""


class VerifyOutput(_Output):
    """What verify prints."""

    proofs: list[ProofOutput]


class StatusLine(_Output):
    """One integration as it is now."""

    client: str
    type: str
    component: str
    status: str
    reason: str
    version: int
    component_version: str | None
    applied_at: str | None
    verified_at: str | None


class StatusOutput(_Output):
    """What status prints."""

    integrations: list[StatusLine]
    skipped: list[str] = []


class ErrorBody(_Output):
    """Why a command could not do what it was asked."""

    code: str
    message: str
    component: str | None = None
    client: str | None = None
    remedy: str = ""
    missing: list[str] = []


class ErrorOutput(_Output):
    """What any command prints when it fails as a whole."""

    error: ErrorBody


OUTPUTS: dict[str, type[BaseModel]] = {
    "run": RunOutput,
    "verify": VerifyOutput,
    "status": StatusOutput,
    "error": ErrorOutput,
}
"""The models by the name of the schema file they are shipped as."""


def of_error(error: AgencyStackError) -> ErrorOutput:
    """Return an error as it is printed."""
    ref = error.component
    return ErrorOutput(
        error=ErrorBody(
            code=error.code,
            message=error.message,
            component=ref.name if ref else None,
            client=ref.client if ref else None,
            remedy=error.remedy,
            missing=list(error.missing),
        )
    )


def of_plan(plan: Plan, run: str) -> RunOutput:
    """Return a plan as it is printed."""
    results = [_planned(item) for item in plan.integrations]
    return RunOutput(run=run, changes=plan.changes, results=results, skipped=plan.skipped)


def _planned(plan: IntegrationPlan) -> ResultOutput:
    """Return one plan; beside what is carried out it says what a person must do."""
    result = _result(plan, plan.status, plan.reason, [(s, s.change) for s in plan.changes if s.change])
    if plan.by_hand is None or not plan.changes:
        return result
    return result.model_copy(update={"warnings": [*result.warnings, f"by hand: {plan.by_hand}"]})


def of_results(results: list[Result], run: str, skipped: list[str]) -> RunOutput:
    """Return what a run did as it is printed; a resource that several integrations use counts once."""
    changed = {step.key for result in results for step, _ in result.changes}
    lines = [_result(result.plan, result.status, result.reason, result.changes) for result in results]
    return RunOutput(run=run, changes=len(changed), results=lines, skipped=skipped)


def of_undo(plans: list[UndoPlan], run: str, status: str, errors: dict[str, AgencyStackError]) -> RunOutput:
    """Return what undo does or did as it is printed."""
    lines = []
    for plan in plans:
        error = errors.get(plan.name) or plan.problem
        left = [note for step in plan.steps for note in step.left]
        left += [plan.purged] if plan.purged else []
        lines.append(
            ResultOutput(
                client=plan.site.client,
                type=plan.integration.declaration.type,
                component=plan.site.application.ref.name,
                status="blocked" if error else status,
                reason=str(error) if error else "; ".join(left),
                changes=[change_output(step.resource, step.change) for step in plan.steps if step.change],
            )
        )
    return RunOutput(run=run, changes=sum(len(line.changes) for line in lines), results=lines)


def of_proof(plan: IntegrationPlan, proof: ProofRecord) -> ProofOutput:
    """Return what a proof saw as it is printed."""
    return ProofOutput(
        client=plan.site.client,
        type=plan.integration.declaration.type,
        component=plan.site.application.ref.name,
        name=proof.name,
        ok=proof.ok,
        evidence=proof.evidence,
        seconds=proof.seconds,
        reason=proof.reason,
    )


def of_status(plan: Plan) -> StatusOutput:
    """Return what is true of each integration as it is printed."""
    return StatusOutput(integrations=[_status_line(item) for item in plan.integrations], skipped=plan.skipped)


def change_output(resource: object, change: Change) -> ChangeOutput:
    """Return one change, secrets masked."""
    component, key = getattr(resource, "component", ""), getattr(resource, "key", "")
    return ChangeOutput(
        resource=f"{component}: {key}",
        action=change.action,
        fields=[field.name for field in change.fields],
        values={
            f.name: FieldValues(before=masked(shown(f.before)), after=masked(shown(f.after))) for f in change.fields
        },
    )


def _result(plan: IntegrationPlan, status: str, reason: str, changes: list[tuple[Step, Change]]) -> ResultOutput:
    return ResultOutput(
        client=plan.site.client,
        type=plan.integration.declaration.type,
        component=plan.site.application.ref.name,
        status=status,
        reason=reason,
        changes=[change_output(step.resource, change) for step, change in changes],
        warnings=plan.warnings,
    )


def _status_line(item: IntegrationPlan) -> StatusLine:
    record = item.record
    return StatusLine(
        client=item.site.client,
        type=item.integration.declaration.type,
        component=item.site.application.ref.name,
        status=item.status,
        reason=item.reason,
        version=record.version if record else item.integration.declaration.version,
        component_version=record.component_version if record else None,
        applied_at=record.applied_at if record else None,
        verified_at=record.verified_at if record else None,
    )
