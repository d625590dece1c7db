"""Return both sides of an integration to what they were when its proof fails."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.engine.integration import as_failure
from agencystack.engine.undoing import UndoPlan, carry_out, plan_undo
from agencystack.engine.unproven import Mark
from agencystack.engine.workshop import Result, Workshop


def take_back(results: Sequence[Result], shop: Workshop) -> None:
    """Undo what was changed since each integration was last proven, and say so in its result.

    Args:
        results: integrations whose proof failed, or that failed half-way; all others of the run are at their end, as
            what several of them share goes with the last.
        shop: what was changed, and where it is recorded.
    """
    marks = {result.plan.name: shop.unproven.since(result.plan.name) for result in results}
    new = [result for result in results if (mark := marks[result.plan.name]) and mark.before is None]
    _undo(new, None, marks, shop)
    for result in results:
        mark = marks[result.plan.name]
        if mark is not None and mark.before is not None:
            _undo([result], mark.run, marks, shop)


def _undo(results: Sequence[Result], run: str | None, marks: dict[str, Mark | None], shop: Workshop) -> None:
    """Undo integrations together: those never proven before from the first deed on, others from one run on."""
    sites = [(result.plan.integration, result.plan.site) for result in reversed(results)]
    plans = {plan.name: plan for plan in plan_undo(sites, shop.context, shop.ledger, run=run, force=False)}
    for result in reversed(results):
        _carry_out(result, plans[result.plan.name], marks[result.plan.name], shop)


def _carry_out(result: Result, plan: UndoPlan, mark: Mark | None, shop: Workshop) -> None:
    shop.observer.step(result.plan, "take back what was changed")
    try:
        with shop.locks.shared(shop.command):
            carry_out(plan, shop.ledger, shop.context)
        _put_record_back(result, mark, shop)
        shop.unproven.settle(plan.name)
    except Exception as error:  # noqa: BLE001 - one integration's defect must not stop the others
        failure = as_failure(error, f"taking back {plan.name}", plan.site.application.ref)
        shop.log.error("taking back failed", error, integration=plan.name)
        result.reason += f"; what was changed could not be taken back: {failure}"
        return
    left = [note for step in plan.steps for note in step.left]
    shop.log.info("taken back", integration=plan.name, left=left)
    result.reason += "; what was changed is taken back" + (f", except: {'; '.join(left)}" if left else "")
    result.changes.clear()


def _put_record_back(result: Result, mark: Mark | None, shop: Workshop) -> None:
    if mark is not None and mark.before is not None:
        shop.records.put(mark.before)
        return
    site = result.plan.site
    shop.records.delete(site.client, result.plan.integration.declaration.type, site.application.ref.name)
