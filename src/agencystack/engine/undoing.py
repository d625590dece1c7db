"""Go back to before our first write, or before one run, without taking from a person what they changed since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agencystack.engine.context import Context
from agencystack.engine.integration import Integration, Site, as_failure
from agencystack.engine.ledger import Deed, Entry, Ledger
from agencystack.engine.resource import Action, Change, FieldChange, Image, Reading, Resource
from agencystack.engine.values import Marker, Value, equal
from agencystack.stack.errors import AgencyStackError, ComponentRef, ConfigurationError
from agencystack.stack.secrets import Secret


@dataclass
class UndoStep:
    """What undo does to one resource.

    Args:
        change: what is put back or deleted; None when nothing is to be done to the product.
        left: what stays as it is and why, for the person who asked.
        deeds: what the ledger keeps afterwards; empty when the resource is as it was before us.
        whole: back to before our first write, so that the integration no longer uses it.
        touched_by_person: something here was changed since, and stays.
    """

    resource: Resource
    entry: Entry
    change: Change | None = None
    before: Image = field(default_factory=lambda: Image(None))
    applied: Image = field(default_factory=lambda: Image(None))
    left: list[str] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    whole: bool = True
    touched_by_person: bool = False
    problem: AgencyStackError | None = None


@dataclass
class UndoPlan:
    """What undo does to one integration, in the reverse order of applying."""

    integration: Integration
    site: Site
    steps: list[UndoStep] = field(default_factory=list)
    problem: AgencyStackError | None = None
    purged: str = ""

    @property
    def name(self) -> str:
        """``acme/email/wordpress``."""
        return self.site.name


def plan_undo(
    sites: Iterable[tuple[Integration, Site]], context: Context, ledger: Ledger, *, run: str | None, force: bool
) -> list[UndoPlan]:
    """Read what is live and say what can be put back.

    Args:
        sites: the integrations to undo.
        context: connections of this run.
        ledger: what we did.
        run: go back to before this run; None for before our first.
        force: put back also what a person changed since.
    """
    leaving = [(integration, site) for integration, site in sites]
    gone: dict[str, set[str]] = {}
    plans = []
    for integration, site in leaving:
        plan = UndoPlan(integration, site)
        try:
            for resource, entry in _touched(integration, site, ledger):
                done = gone.setdefault(f"{entry.component} {entry.key}", set())
                done.add(site.name)
                others = [user for user in entry.users if user not in done]
                plan.steps.append(_undo_step(resource, entry, ledger, others, run=run, force=force))
        except AgencyStackError as error:
            plan.problem = error
        _keep_what_it_stands_on(plan)
        plans.append(plan)
    return plans


def _keep_what_it_stands_on(plan: UndoPlan) -> None:
    """Keep what we made in a component where a person's change is left: it may be what their value lives in."""
    theirs: set[ComponentRef] = set()
    for step in plan.steps:
        component = step.resource.component
        if step.touched_by_person:
            theirs.add(component)
        elif component in theirs and step.change is not None and step.change.action is Action.DELETE:
            step.change = None
            step.left.append(f"{step.resource.key}: kept, because of what was changed by somebody in {component}")


def carry_out(plan: UndoPlan, ledger: Ledger, context: Context) -> None:
    """Put back what the plan says; a step that fails stops this integration, and the next undo continues."""
    if plan.problem is not None:
        raise plan.problem
    for step in plan.steps:
        if step.problem is not None:
            raise step.problem
        with context.turn(step.resource.component):
            _put_back(step, ledger, plan.name)


def give_back(resource: Resource, ledger: Ledger, user: str) -> list[str]:
    """Undo one resource that its only user no longer wants; return what was left and why."""
    entry = ledger.entry(resource.component, resource.key)
    step = _undo_step(resource, entry, ledger, [], run=None, force=False)
    if step.problem is not None:
        raise step.problem
    _put_back(step, ledger, user)
    return step.left


def way_back(resource: Resource, entry: Entry, ledger: Ledger, live: Reading) -> UndoStep:
    """Return what :func:`give_back` would do to a resource that was just read; changes nothing."""
    step = UndoStep(resource, entry)
    if resource.stays is not None:
        step.left += [f"{resource.key}: {resource.stays}"] if resource.stays else []
    elif entry.deeds:
        before, after = ledger.before(entry, entry.deeds[0]), ledger.after(entry, entry.deeds[-1])
        _compare(step, before, after, entry.deeds, live, force=False)
    return step


def _touched(integration: Integration, site: Site, ledger: Ledger) -> list[tuple[Resource, Entry]]:
    """Return what the integration uses and we have a record of, last written first."""
    current = {(str(r.component), r.key): r for r in integration.resources(site)}
    found: list[tuple[Resource, Entry]] = []
    unknown: list[str] = []
    entries = {
        (entry.component, entry.key): entry
        for client in dict.fromkeys((site.client, "shared"))
        for entry in ledger.of_client(client)
        if site.name in entry.users
    }
    for (component, key), entry in entries.items():
        if (component, key) in current:
            continue
        former = integration.former(site, key)
        if former is None:
            unknown.append(f"{component}: {key}")
        else:
            found.append((former, entry))
    if unknown:
        raise ConfigurationError(
            f"{site.name}: there is no longer a way to undo {', '.join(unknown)}",
            remedy="put back the integration that made it (scripts/integration), then undo again",
        )
    ordered = [(resource, entries[key]) for key, resource in current.items() if key in entries]
    return found + ordered[::-1]


def _undo_step(
    resource: Resource,
    entry: Entry,
    ledger: Ledger,
    others: list[str],
    *,
    run: str | None,
    force: bool,
) -> UndoStep:
    step = UndoStep(resource, entry, deeds=list(entry.deeds), whole=run is None)
    cut = _cut(entry.deeds, run)
    if others:
        # They rely on what is there now, whichever run made it.
        return step
    if cut == len(entry.deeds):
        return step
    undone = entry.deeds[cut:]
    step.deeds = entry.deeds[:cut]
    if resource.stays is not None:
        step.left += [f"{resource.key}: {resource.stays}"] if resource.stays else []
        return step
    try:
        live = resource.read()
        _compare(step, ledger.before(entry, undone[0]), ledger.after(entry, undone[-1]), undone, live, force=force)
    except Exception as error:  # noqa: BLE001 - what one resource's code raises is said of that resource
        step.problem = as_failure(error, f"reading {resource.key}", resource.component)
    return step


def _cut(deeds: list[Deed], run: str | None) -> int:
    """Return the index of the first deed to undo; run ids sort by time."""
    if run is None:
        return 0
    return next((index for index, deed in enumerate(deeds) if deed.run >= run), len(deeds))


def _compare(step: UndoStep, before: Image, after: Image, undone: list[Deed], live: Reading, *, force: bool) -> None:
    """Decide what of ``before`` is put back: per field, only where live still is what we wrote."""
    step.before, step.applied = before, after
    key = step.resource.key
    if live.absent:
        if before.fields is not None:
            step.left.append(f"{key}: somebody removed it since; it is not made again")
        return
    if before.fields is None:
        _remove(step, after, undone, live, force=force)
        return
    touched = dict.fromkeys(name for deed in undone for name in deed.fields)
    target: dict[str, Value] = dict(live.fields or {})
    changes = []
    for name in touched:
        now_is, was = (live.fields or {}).get(name), before.fields.get(name)
        if equal(now_is, was):
            continue
        ours = (after.fields or {}).get(name)
        if not _is_ours(now_is, ours) and not force:
            step.left.append(f"{key}: {name} was changed by somebody since; it is left as it is")
            step.touched_by_person = True
            continue
        changes.append(FieldChange(name, now_is, was))
        target[name] = was
    if changes:
        step.change = Change(Action.UPDATE, tuple(changes), target, live)


def _is_ours(live: Value, written: Value) -> bool:
    """Say whether we wrote ``live``; a write that was killed never saw how the product shows a secret."""
    return equal(live, written) or (live is Marker.UNREADABLE and isinstance(written, Secret))


def _remove(step: UndoStep, after: Image, undone: list[Deed], live: Reading, *, force: bool) -> None:
    key = step.resource.key
    state = undone[-1].state
    foreign = [n for n, v in (after.fields or {}).items() if not equal((live.fields or {}).get(n), v)]
    if live.foreign is not None and state != "removing" and not force:
        step.left.append(f"{key}: {live.foreign.what}; it is left as it is")
        step.touched_by_person = True
    elif foreign and state == "applied" and not force:
        step.left.append(f"{key}: {', '.join(foreign)} changed by somebody since; it is left as it is")
        step.touched_by_person = True
    else:
        fields = tuple(FieldChange(name, value, None) for name, value in (live.fields or {}).items())
        step.change = Change(Action.DELETE, fields, {}, live)


def _put_back(step: UndoStep, ledger: Ledger, user: str) -> None:
    component, key = step.resource.component, step.resource.key
    if step.whole and set(ledger.entry(component, key).users) - {user}:
        # Somebody else still relies on it (or the undo of that one failed): it goes with its last user.
        ledger.drop_user(component, key, user)
        return
    if step.change is not None:
        if step.change.action is Action.DELETE:
            ledger.removing(component, key)
            note = step.resource.remove(step.change.live, step.before)
            if note:
                step.left.append(f"{key}: {note}")
        else:
            step.resource.restore(step.change, step.before, step.applied)
    if step.deeds:
        ledger.cut(component, key, step.deeds)
    else:
        ledger.forget(component, key)
