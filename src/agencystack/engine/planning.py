"""Make a plan from live reads: what each integration wants, what is there, and what that means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from agencystack.engine.context import Context
from agencystack.engine.integration import Blocked, Integration, Manual, Site, Unattended, Unsupported, as_failure
from agencystack.engine.ledger import Entry, Ledger
from agencystack.engine.records import Record, Records
from agencystack.engine.resource import Action, Change, FieldChange, Permission, Reading, Resource
from agencystack.engine.undoing import way_back
from agencystack.engine.values import Fields, Fingerprinter, digest, equal, fingerprint, same
from agencystack.stack.errors import AgencyStackError, AuthenticationFailed, ComponentRef, ExitCode, Unavailable

# Reading waits for products, not for us: more threads than cores.
READERS = 16

Key = tuple[ComponentRef, str]


class Status(StrEnum):
    """What is true of an integration, from a live read; each is explained in docs/status.md."""

    APPLIED = "applied"
    UNVERIFIED = "unverified"
    PENDING = "pending"
    DRIFTED = "drifted"
    BLOCKED = "blocked"
    MANUAL = "manual"
    UNSUPPORTED = "unsupported"


@dataclass
class Step:
    """One resource in a plan.

    Args:
        resource: what is wanted.
        users: names of the integrations of this plan that want it.
        former: it was wanted once and is to be given back.
        twins: the same resource as the other integrations of this plan declare it.
    """

    resource: Resource
    users: list[str]
    former: bool = False
    twins: list[Resource] = field(default_factory=list)
    reading: Reading | None = None
    wanted: Fields = field(default_factory=dict)
    change: Change | None = None
    left: list[str] = field(default_factory=list)
    problem: AgencyStackError | None = None

    @property
    def key(self) -> Key:
        """The identity of the resource in the whole stack."""
        return self.resource.component, self.resource.key


@dataclass
class IntegrationPlan:
    """One integration of one client in a plan."""

    integration: Integration
    site: Site
    steps: list[Step] = field(default_factory=list)
    status: Status = Status.PENDING
    reason: str = ""
    problem: AgencyStackError | None = None
    warnings: list[str] = field(default_factory=list)
    record: Record | None = None
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """``acme/email/wordpress``."""
        return self.site.name

    @property
    def changes(self) -> list[Step]:
        """The steps that change something."""
        return [step for step in self.steps if step.change is not None]

    @property
    def by_hand(self) -> Manual | None:
        """What a person must do beside what is carried out; the rest need not wait for that."""
        found = [step.problem for step in self.steps if isinstance(step.problem, Manual)]
        return next((one for one in found if isinstance(one, Unattended)), found[0] if found else None)

    @property
    def unattended(self) -> bool:
        """Say that nobody does the work: that is why whatever is to be proven fails."""
        return isinstance(self.by_hand, Unattended)

    @property
    def exit_code(self) -> ExitCode:
        """What a plan with this problem ends a command with; what a person or nobody can do is no failure of ours."""
        if self.problem is None or self.status in {Status.MANUAL, Status.UNSUPPORTED}:
            return ExitCode.DONE
        return self.problem.exit_code

    @property
    def proven(self) -> bool:
        """Say that every proof of the last run passed, for what is wanted now."""
        return self.record is not None and bool(self.record.verified_at) and self.record.fingerprint == self.fingerprint


@dataclass
class Plan:
    """All integrations a command is about."""

    integrations: list[IntegrationPlan]
    skipped: list[str] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many resources are to change; one that several integrations use counts once."""
        return len({step.key for plan in self.integrations for step in plan.changes})

    @property
    def foreign(self) -> list[Step]:
        """The steps that stop only because something is not ours."""
        return [s for p in self.integrations for s in p.steps if isinstance(s.problem, ForeignHands)]


class ForeignHands(Blocked):
    """Something works there that is not ours, and nobody said that we may change it."""

    code = "foreign"


class Conflict(AgencyStackError):
    """Two integrations want different values of one resource."""

    code = "conflict"


def make_plan(
    sites: Iterable[tuple[Integration, Site]],
    context: Context,
    ledger: Ledger,
    records: Records,
    granted: Mapping[Key, Permission] | None = None,
) -> Plan:
    """Read everything the integrations want and compare; changes nothing.

    Args:
        sites: the integrations and where they apply.
        context: connections of this run.
        ledger: what we did before, for secrets that cannot be read back and for what is no longer wanted.
        records: what was applied and proven before.
        granted: permissions given by a person during this command, beside those of ``stack.yaml``.
    """
    plans = [IntegrationPlan(integration, site) for integration, site in sites]
    clients = {plan.site.client for plan in plans} | {"shared"}
    known = {(_ref(e.component), e.key): e for c in sorted(clients) for e in ledger.of_client(c)}
    steps: dict[Key, Step] = {}
    left: dict[Key, list[tuple[IntegrationPlan, Resource]]] = {}
    for plan in plans:
        type_ = plan.integration.declaration.type
        plan.record = records.get(plan.site.client, type_, plan.site.application.ref.name)
        leaving = _declare(plan, steps, known)
        for key, former in leaving.items():
            left.setdefault(key, []).append((plan, former))
    for key, leavers in left.items():
        _give_back(key, known[key], leavers, steps)
    _read_all(list(steps.values()))
    permissions = _permissions(plans, granted or {})
    for step in steps.values():
        if step.former:
            decide_former(step, ledger)
        else:
            decide(step, known.get(step.key), context.sealed.fingerprint, permissions.get(step.key, frozenset()))
    # At the same time too: a version that no reading told is asked for here.
    with ThreadPoolExecutor(READERS, thread_name_prefix="conclude") as pool:
        list(pool.map(lambda plan: _conclude(plan, context.sealed.fingerprint), plans))
    return Plan(plans)


def compare(wanted: Fields, reading: Reading, entry: Entry | None, of_secret: Fingerprinter) -> tuple[FieldChange, ...]:
    """Return the declared fields whose live value is not the wanted one; a pure function."""
    live = reading.fields or {}
    hashes = entry.secrets if entry else {}
    return tuple(
        FieldChange(name, live.get(name), value)
        for name, value in wanted.items()
        if reading.absent or not same(value, live.get(name), hashes.get(name), of_secret)
    )


def decide(step: Step, entry: Entry | None, of_secret: Fingerprinter, permissions: frozenset[Permission]) -> None:
    """Turn what was read into a change, a problem, or nothing."""
    step.change = None
    if step.problem is not None and not isinstance(step.problem, ForeignHands):
        return
    step.problem = None
    if step.reading is None:
        return
    differences = compare(step.wanted, step.reading, entry, of_secret)
    if not differences:
        return
    foreign = step.reading.foreign
    if foreign is not None and foreign.permission not in permissions:
        step.problem = ForeignHands(
            foreign.what,
            component=step.resource.component,
            remedy=f"to let us change it, write `{foreign.permission}: true` for this application in stack.yaml",
        )
        return
    step.change = Change(_action(step.reading), differences, step.wanted, step.reading)


def decide_former(step: Step, ledger: Ledger) -> None:
    """Turn what was read of a resource nobody wants any more into the change that gives it back."""
    step.change, step.left = None, []
    if step.problem is not None or step.reading is None:
        return
    back = way_back(step.resource, ledger.entry(*step.key), ledger, step.reading)
    step.change, step.left = back.change, back.left


def _action(reading: Reading) -> Action:
    if reading.absent:
        return Action.CREATE
    if reading.foreign is not None and reading.foreign.permission is Permission.ADOPT:
        return Action.ADOPT
    return Action.UPDATE


def _declare(plan: IntegrationPlan, steps: dict[Key, Step], known: Mapping[Key, Entry]) -> dict[Key, Resource]:
    """Collect the resources of one integration; return those it once wanted and wants no more."""
    try:
        resources = list(plan.integration.resources(plan.site))
        plan.warnings = list(plan.integration.warnings(plan.site))
        unwanted = _unwanted(plan, {(resource.component, resource.key) for resource in resources}, known)
    except Exception as error:  # noqa: BLE001 - an integration of somebody else must not take the whole plan down
        plan.problem = as_failure(error, f"planning {plan.name}", plan.site.application.ref)
        return {}
    for resource in resources:
        key = (resource.component, resource.key)
        step = steps.setdefault(key, Step(resource, []))
        if step.users:
            step.twins.append(resource)
        step.users.append(plan.name)
        plan.steps.append(step)
    for entry, former in unwanted.values():
        if former is None:
            plan.warnings.append(f"{entry.component}: {entry.key} is no longer wanted and is left as it is")
    return {key: former for key, (_, former) in unwanted.items() if former is not None}


def _give_back(
    key: Key, entry: Entry, leavers: Sequence[tuple[IntegrationPlan, Resource]], steps: dict[Key, Step]
) -> None:
    """Plan to give back what all who used it want no more; while one of them still does, or was not asked, it stays."""
    names = [plan.name for plan, _ in leavers]
    if key in steps or not set(entry.users) <= set(names):
        return
    steps[key] = Step(leavers[0][1], names, former=True)
    for plan, _ in leavers:
        plan.steps.append(steps[key])


def _unwanted(
    plan: IntegrationPlan, wanted: Container[Key], known: Mapping[Key, Entry]
) -> dict[Key, tuple[Entry, Resource | None]]:
    """Return what the integration used and wants no more, with the resource that can give it back, if one can."""
    return {
        key: (entry, plan.integration.former(plan.site, entry.key))
        for key, entry in known.items()
        if plan.name in entry.users and key not in wanted
    }


def _read_all(steps: Sequence[Step]) -> None:
    """Read every resource: components at the same time, the resources of one component one after the other."""
    by_component: dict[ComponentRef, list[Step]] = defaultdict(list)
    for step in steps:
        by_component[step.resource.component].append(step)
    if not by_component:
        return
    with ThreadPoolExecutor(min(READERS, len(by_component)), thread_name_prefix="read") as pool:
        list(pool.map(_read_component, by_component.values()))


def _read_component(steps: Sequence[Step]) -> None:
    broken: AgencyStackError | None = None
    for step in steps:
        if broken is not None:
            # One answer is enough: a component that is down is not asked, and waited for, once per resource.
            step.problem = broken
            continue
        read_step(step)
        if isinstance(step.problem, Unavailable | AuthenticationFailed) and step.problem.component == step.key[0]:
            broken = step.problem


def read_step(step: Step) -> None:
    """Read one resource and what is wanted of it; whatever fails becomes the step's problem."""
    try:
        step.reading = step.resource.read()
        if step.former:
            return
        step.wanted = step.resource.wanted()
        _agree(step)
    except Exception as error:  # noqa: BLE001 - an integration of somebody else must not take the whole plan down
        step.problem = as_failure(error, f"reading {step.resource.key}", step.resource.component)


def _agree(step: Step) -> None:
    """Refuse a resource of which two integrations want different values: each run would undo the other's."""
    for user, twin in zip(step.users[1:], step.twins, strict=True):
        theirs = twin.wanted()
        names = [name for name in {**step.wanted, **theirs} if not equal(theirs.get(name), step.wanted.get(name))]
        if names:
            raise Conflict(
                f"{step.users[0]} and {user} want {step.resource.key} differently: {', '.join(names)}",
                component=step.resource.component,
                remedy="give both the same settings in stack.yaml, or leave one of them out",
            )


def _permissions(
    plans: Sequence[IntegrationPlan], granted: Mapping[Key, Permission]
) -> dict[Key, frozenset[Permission]]:
    found: dict[Key, set[Permission]] = defaultdict(set)
    for plan in plans:
        allowed = {p for p in Permission if plan.site.setting(p.value, False)}
        for step in plan.steps:
            found[step.key] |= allowed
    for key, permission in granted.items():
        found[key].add(permission)
    return {key: frozenset(permissions) for key, permissions in found.items()}


def _conclude(plan: IntegrationPlan, of_secret: Fingerprinter) -> None:
    """Say what is true of the integration."""
    declaration = plan.integration.declaration
    for step in plan.steps:
        plan.warnings += [f"{note} (no longer wanted)" for note in step.left]
        plan.warnings += step.reading.warnings if step.reading is not None else ()
        if plan.problem is None and step.problem is not None and not isinstance(step.problem, Manual):
            plan.problem = step.problem
    plan.fingerprint = fingerprint_of(plan, of_secret)
    if plan.problem is not None:
        plan.status, plan.reason = status_of(plan.problem), str(plan.problem)
    elif plan.changes:
        plan.status, plan.reason = _difference(plan)
    else:
        plan.status, plan.reason = _verdict(plan, declaration.version)
        if plan.by_hand is not None and (plan.unattended or not plan.reason.startswith("proof failed")):
            plan.status, plan.reason = status_of(plan.by_hand), str(plan.by_hand)


def fingerprint_of(plan: IntegrationPlan, of_secret: Fingerprinter) -> str:
    """Return the hash of what is wanted, in this version of the integration."""
    parts = [f"version {plan.integration.declaration.version}"]
    parts += [f"{s.key[0]} {s.key[1]} {fingerprint(s.wanted, of_secret)}" for s in plan.steps if not s.former]
    return digest(parts)


def status_of(problem: AgencyStackError) -> Status:
    """Return the status of an integration that has a problem, or waits for a person."""
    if isinstance(problem, Unsupported):
        return Status.UNSUPPORTED
    if isinstance(problem, Manual) and not isinstance(problem, Unattended):
        return Status.MANUAL
    return Status.BLOCKED


def _difference(plan: IntegrationPlan) -> tuple[Status, str]:
    what = "; ".join(describe(step.change, step.resource) for step in plan.changes if step.change)
    if plan.record is None:
        return Status.PENDING, f"not applied yet: {what}"
    if plan.record.fingerprint != plan.fingerprint:
        return Status.PENDING, f"wanted something else when last applied: {what}"
    return Status.DRIFTED, f"changed since it was applied: {what}"


def describe(change: Change, resource: Resource) -> str:
    """Name a change in a few words, without values."""
    names = ", ".join(field_change.name for field_change in change.fields)
    return f"{change.action} {resource.key}" + (f" ({names})" if change.action in {"update", "adopt"} else "")


def _verdict(plan: IntegrationPlan, version: int) -> tuple[Status, str]:
    record = plan.record
    if record is None:
        return Status.UNVERIFIED, "everything is as wanted, but nothing was applied or proven by us"
    failed = [proof for proof in record.proofs if not proof.ok and proof.fingerprint == plan.fingerprint]
    if failed:
        return Status.UNVERIFIED, f"proof failed: {failed[0].name}: {failed[0].reason}"
    if record.fingerprint != plan.fingerprint or not record.verified_at:
        return Status.UNVERIFIED, "live is as wanted, but no proof has passed since"
    try:
        live_version = plan.integration.component_version(plan.site)
    except Exception as error:  # noqa: BLE001 - an integration of somebody else must not take the whole plan down
        failure = as_failure(error, "asking for the version", plan.site.application.ref)
        return Status.UNVERIFIED, f"live is as wanted, but the version proven cannot be compared: {failure}"
    if live_version is not None and record.component_version not in {None, live_version}:
        return Status.UNVERIFIED, (
            f"{plan.site.application.ref.name} went from {record.component_version} to {live_version} "
            "since the last proof"
        )
    return Status.APPLIED, ""


def _ref(text: str) -> ComponentRef:
    client, _, name = text.partition("/")
    return ComponentRef(client, name)
