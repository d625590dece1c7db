"""Carry out a plan: write, read back, prove, record; what is killed half-way is continued by the next run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from agencystack import __version__
from agencystack.engine.context import now
from agencystack.engine.integration import Blocked
from agencystack.engine.planning import (
    IntegrationPlan,
    Key,
    Plan,
    Status,
    Step,
    compare,
    decide,
    decide_former,
    describe,
    fingerprint_of,
    read_step,
    status_of,
)
from agencystack.engine.proving import prove
from agencystack.engine.records import Record
from agencystack.engine.resource import Change, Permission
from agencystack.engine.taking_back import take_back
from agencystack.engine.undoing import give_back
from agencystack.engine.values import fingerprint, shown
from agencystack.engine.workshop import Result, Workshop
from agencystack.stack.errors import AgencyStackError, ExitCode
from agencystack.stack.model import SHARED
from agencystack.stack.secrets import redact

# Integrations at work at the same time; products are slower than we are.
WORKERS = 16


class ChangedSincePlan(AgencyStackError):
    """Somebody changed a resource after the plan was shown."""

    code = "changed-since-plan"


class NotTaken(AgencyStackError):
    """A product accepted a write, and shows something else when asked again."""

    code = "not-taken"


def apply(
    plan: Plan,
    shop: Workshop,
    granted: dict[Key, Permission] | None = None,
    *,
    reprove: bool = False,
    keep: bool = False,
) -> list[Result]:
    """Carry out ``plan``: type by type, integrations of one type at the same time, the resources of one in their order.

    A later type is proven with what an earlier one connected: an alert by mail needs the mail.

    Args:
        plan: made by :func:`agencystack.engine.planning.make_plan` in this run.
        shop: connections, records, locks, log.
        granted: permissions a person gave after seeing the plan.
        reprove: run the proofs even where nothing changes and a passing proof is on record.
        keep: take nothing back where a proof fails.

    Ctrl-C lets each integration finish the write it is in, starts nothing more, and is raised again.
    """
    if not plan.integrations:
        return []
    crew = _Crew(shop, granted or {}, reprove=reprove)
    with ThreadPoolExecutor(min(WORKERS, len(plan.integrations)), thread_name_prefix="apply") as pool:
        done: dict[str, Result] = {}
        try:
            for of_type in _by_type(plan.integrations):
                futures = {item.name: pool.submit(crew.integrate, item) for item in of_type}
                done |= {name: future.result() for name, future in futures.items()}
        except KeyboardInterrupt:
            crew.stopping.set()
            shop.log.info("interrupted")
            raise
    results = [done[item.name] for item in plan.integrations]
    failed = [result for result in results if result.to_take_back]
    if not keep:
        take_back(failed, shop)
    for result in failed:
        result.reason += "; what was changed is kept" if keep else ""
        shop.observer.done(result.plan, result)
    return results


def _by_type(plans: Sequence[IntegrationPlan]) -> list[list[IntegrationPlan]]:
    """Return the integrations of each type, in the order they stand in the plan."""
    groups: dict[str, list[IntegrationPlan]] = {}
    for plan in plans:
        groups.setdefault(plan.integration.declaration.type, []).append(plan)
    return list(groups.values())


class Interrupted(AgencyStackError):
    """A person stopped the run; the next one continues it."""

    code = "interrupted"


class _Crew:
    """The workers of one apply, and the resources they share."""

    def __init__(self, shop: Workshop, granted: dict[Key, Permission], *, reprove: bool) -> None:
        self._shop = shop
        self._granted = granted
        self._reprove = reprove
        self._outcomes: dict[Key, Change | AgencyStackError | None] = {}
        self._doors: dict[Key, threading.Lock] = {}
        self._doors_lock = threading.Lock()
        self.stopping = threading.Event()

    def integrate(self, plan: IntegrationPlan) -> Result:
        """Bring one integration to what it wants, prove it, record it."""
        if plan.problem is not None:
            return self._finish(plan, self._refused(plan))
        result = Result(plan, Status.PENDING)
        try:
            if plan.integration.all_or_nothing and plan.changes:
                self._shop.unproven.begin(plan.name, self._shop.context.run, plan.record)
            self._change(plan, result, [step for step in plan.steps if not step.resource.after_proof])
            self._record(plan)
            if result.changes or self._reprove or not self._up_to_date(plan):
                self._prove_and_close(plan, result)
            else:
                result.status, result.reason = plan.status, plan.reason
            if plan.unattended:
                result.status, result.reason = Status.BLOCKED, str(plan.by_hand)
                result.exit_code = ExitCode.FAILED
        except AgencyStackError as error:
            self._failed(plan, result, error)
        except Exception as error:  # noqa: BLE001 - one integration's defect must not stop the others
            wrapped = AgencyStackError(
                f"failed: {redact(repr(error))}",
                component=plan.site.application.ref,
                remedy=f"run again: what was begun is continued; the traceback is in {self._shop.log.path}",
            )
            wrapped.__cause__ = error
            self._failed(plan, result, wrapped)
        return self._finish(plan, result)

    def _finish(self, plan: IntegrationPlan, result: Result) -> Result:
        if not result.to_take_back:
            self._shop.observer.done(plan, result)
        return result

    def _refused(self, plan: IntegrationPlan) -> Result:
        return Result(plan, plan.status, plan.reason, error=plan.problem, exit_code=plan.exit_code)

    def _failed(self, plan: IntegrationPlan, result: Result, error: AgencyStackError) -> None:
        self._shop.log.error("integration failed", error, integration=plan.name)
        result.error = error
        result.status = Status.DRIFTED if plan.status is Status.DRIFTED else Status.PENDING
        result.reason = f"failed: {error}"
        if isinstance(error, Blocked):
            result.status, result.reason = Status.BLOCKED, str(error)
        result.exit_code = error.exit_code or ExitCode.FAILED
        result.to_take_back = not isinstance(error, Interrupted) and self._is_unproven(plan)

    def _is_unproven(self, plan: IntegrationPlan) -> bool:
        return plan.integration.all_or_nothing and self._shop.unproven.since(plan.name) is not None

    def _change(self, plan: IntegrationPlan, result: Result, steps: Sequence[Step]) -> None:
        """Write what differs, in order; a later resource may depend on an earlier one."""
        if any(step.change for step in steps):
            for ref in {step.key[0] for step in steps if step.change}:
                self._shop.context.forget(ref)
        touched = {step.key[0] for step, _ in result.changes}
        for step in steps:
            if self.stopping.is_set():
                raise Interrupted("stopped before everything was written", remedy="run the same command again")
            change = self._once(plan, step, as_planned=step.key[0] not in touched)
            if change is not None:
                result.changes.append((step, change))
                touched.add(step.key[0])

    def _once(self, plan: IntegrationPlan, step: Step, *, as_planned: bool) -> Change | None:
        """Carry out a step that several integrations may share: the first does it, the others take its outcome."""
        with self._doors_lock:
            door = self._doors.setdefault(step.key, threading.Lock())
        with door:
            if step.key not in self._outcomes:
                try:
                    self._outcomes[step.key] = self._carry_out(plan, step, as_planned=as_planned)
                except AgencyStackError as error:
                    self._outcomes[step.key] = error
                    raise
            outcome = self._outcomes[step.key]
        if isinstance(outcome, AgencyStackError):
            raise outcome
        if not step.former and plan.name not in self._shop.ledger.entry(*step.key).users:
            with self._guard(step):
                self._shop.ledger.add_user(*step.key, plan.name)
        return outcome

    def _guard(self, step: Step) -> AbstractContextManager[None]:
        """Hold the shared lock for as long as something of all clients, or its record, is changed."""
        shared = step.key[0].client == SHARED
        return self._shop.locks.shared(self._shop.command) if shared else nullcontext()

    def _carry_out(self, plan: IntegrationPlan, step: Step, *, as_planned: bool) -> Change | None:
        """Read again, compare again, and write only what the plan said.

        ``as_planned`` is off once this run itself changed the component: a plugin that was just activated may well
        have set its defaults. What is not ours is still not touched.
        """
        if step.change is None and not step.resource.after_proof and not step.former:
            if step.reading is not None:
                self._shop.ledger.settle(step.resource, step.reading)
            return None
        with self._shop.context.turn(step.key[0]), self._guard(step):
            planned = step.change
            self._look_again(plan, step)
            if step.former:
                return self._give_back(plan, step)
            if step.change is None:
                if step.reading is not None:
                    self._shop.ledger.settle(step.resource, step.reading)
                return None
            if as_planned and planned is not None and not _still_the_same(planned, step.change):
                raise ChangedSincePlan(
                    f"{step.resource.key} was changed after the plan was made: {_moved(planned, step.change)}",
                    component=step.key[0],
                    remedy="look at what was changed, then run again",
                )
            return self._write(plan, step, step.change)

    def _look_again(self, plan: IntegrationPlan, step: Step) -> None:
        step.problem = None
        read_step(step)
        if step.former:
            decide_former(step, self._shop.ledger)
        if step.problem is not None:
            raise step.problem
        if step.former:
            return
        entry = self._shop.ledger.entry(*step.key)
        permissions = {p for p in Permission if plan.site.setting(p.value, False)}
        if step.key in self._granted:
            permissions.add(self._granted[step.key])
        decide(step, entry, self._shop.context.sealed.fingerprint, frozenset(permissions))
        if step.problem is not None:
            raise step.problem

    def _give_back(self, plan: IntegrationPlan, step: Step) -> Change | None:
        """Put back what the integration wants no more, and know nothing of it any longer."""
        self._shop.observer.step(plan, f"give back {step.resource.key}")
        change = step.change
        for other in step.users:
            if other != plan.name:  # the others want it no more either
                self._shop.ledger.drop_user(*step.key, other)
        notes = give_back(step.resource, self._shop.ledger, plan.name)
        self._shop.log.info("given back", integration=plan.name, component=str(step.resource.component),
                            resource=step.resource.key, notes=notes)  # fmt: skip
        return change

    def _write(self, plan: IntegrationPlan, step: Step, change: Change) -> Change:
        """Before-image, write, read back, record; killed anywhere in between, the next run finds its way."""
        shop, resource = self._shop, step.resource
        shop.observer.step(plan, describe(change, resource))
        details = {c.name: {"before": shown(c.before), "after": shown(c.after)} for c in change.fields}
        shop.log.info("write", integration=plan.name, component=str(resource.component), resource=resource.key,
                      action=change.action, fields=details)  # fmt: skip
        shop.ledger.begin(resource, change, shop.context.run, shop.context.by, plan.name)
        resource.write(change)
        read_step(step)
        if step.problem is not None:
            raise step.problem
        if step.reading is None:
            raise NotTaken(f"{resource.key} cannot be read back", component=resource.component)
        shop.ledger.finish(resource, step.reading)
        entry = shop.ledger.entry(*step.key)
        left = compare(step.wanted, step.reading, entry, shop.context.sealed.fingerprint)
        if left:
            names = ", ".join(f"{c.name} is {shown(c.before)!r} instead of {shown(c.after)!r}" for c in left)
            raise NotTaken(
                f"{resource.key} was accepted, but afterwards {names}",
                component=resource.component,
                remedy="something in the product puts it back or refuses it silently: look there, then run again",
            )
        return change

    def _up_to_date(self, plan: IntegrationPlan) -> bool:
        waits = plan.by_hand is not None and not plan.changes
        return plan.status is Status.APPLIED or (waits and plan.proven)

    def _record(self, plan: IntegrationPlan) -> None:
        """Record what is applied now; a record that says so already stays as it is."""
        of_secret = self._shop.context.sealed.fingerprint
        declaration, old = plan.integration.declaration, plan.record
        plan.fingerprint = fingerprint_of(plan, of_secret)
        if old is not None and old.fingerprint == plan.fingerprint and not plan.changes:
            return
        plan.record = Record(
            client=plan.site.client,
            type=declaration.type,
            application=plan.site.application.ref.name,
            version=declaration.version,
            agencystack_version=__version__,
            component_version=plan.integration.component_version(plan.site),
            fingerprint=plan.fingerprint,
            applied_at=now(),
            applied_by=self._shop.context.by,
            run=self._shop.context.run,
            resources={
                f"{step.key[0]}: {step.key[1]}": _hash(step, of_secret) for step in plan.steps if not step.former
            },
            proofs=[],
        )
        self._shop.records.put(plan.record)

    def _prove_and_close(self, plan: IntegrationPlan, result: Result) -> None:
        """Prove, then do what may only be done once it is proven."""
        result.proofs = prove(plan, self._shop)
        bad = [proof for proof in result.proofs if not proof.ok]
        if bad:
            result.status, result.reason = Status.UNVERIFIED, f"proof failed: {bad[0].name}: {bad[0].reason}"
            result.exit_code = ExitCode.FAILED
            result.to_take_back = self._is_unproven(plan)
            return
        self._change(plan, result, [step for step in plan.steps if step.resource.after_proof])
        result.status = Status.APPLIED if result.proofs else Status.UNVERIFIED
        result.reason = "" if result.proofs else "this integration has no proof"
        if plan.by_hand is not None:
            result.status, result.reason = status_of(plan.by_hand), str(plan.by_hand)
        if plan.integration.all_or_nothing:
            self._shop.unproven.settle(plan.name)


def _hash(step: Step, of_secret: Callable[..., str]) -> str:
    return fingerprint(step.wanted, of_secret)


def _still_the_same(planned: Change, found: Change) -> bool:
    """Say whether live is what the plan saw; the wanted side may have become known meanwhile."""
    return planned.action is found.action and _live(planned) == _live(found)


def _live(change: Change) -> dict[str, object] | None:
    return None if change.live.fields is None else {name: change.live.fields[name] for name in change.live.fields}


def _moved(planned: Change, found: Change) -> str:
    if found.live.absent != planned.live.absent:
        return "it is gone" if found.live.absent else "somebody made it"
    before, after = _live(planned) or {}, _live(found) or {}
    return ", ".join(name for name in after if before.get(name) != after[name]) or "it is in other hands"
