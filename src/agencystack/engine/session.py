"""One command from selection to result: what the CLI, and later the console, call."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from agencystack.engine.applying import apply
from agencystack.engine.context import Component, Context, now
from agencystack.engine.integration import Integration, Site, address_of, as_failure
from agencystack.engine.ledger import Ledger
from agencystack.engine.locks import Locks
from agencystack.engine.planning import IntegrationPlan, Key, Plan, make_plan
from agencystack.engine.proving import prove
from agencystack.engine.records import ProofRecord, Records
from agencystack.engine.registry import TYPES, Found, Registry
from agencystack.engine.resource import Permission
from agencystack.engine.runlog import RunLog
from agencystack.engine.undoing import UndoPlan, carry_out, plan_undo
from agencystack.engine.unproven import Unproven
from agencystack.engine.workshop import Observer, Result, Workshop
from agencystack.stack.errors import AgencyStackError, ExitCode, UsageError
from agencystack.stack.model import SHARED, Stack


@dataclass(frozen=True)
class Wish:
    """What a command line asks for; empty means all.

    Args:
        types: email, sso, ...
        clients: ids of clients.
        applications: names given with --component.
    """

    types: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()


@dataclass
class Selection:
    """The integrations a command is about, and what was left out and why."""

    sites: list[tuple[Integration, Site]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def clients(self) -> list[str]:
        """The clients concerned."""
        return sorted({site.client for _, site in self.sites})


class Session:
    """One run over one stack.

    Args:
        stack: what is installed.
        registry: the known integrations.
        context: connections, secrets and id of this run.
        command: the command line, for locks and history; holds no secret.
        observer: told about progress.
    """

    def __init__(self, stack: Stack, registry: Registry, context: Context, command: str, observer: Observer) -> None:
        self.stack = stack
        self.registry = registry
        self.context = context
        self.command = command
        state = context.home.state_dir
        self.ledger = Ledger(state, context.sealed)
        self.records = Records(state)
        self.unproven = Unproven(state)
        self.locks = Locks(state)
        self._observer = observer
        self._log: RunLog | None = None
        self._log_lock = threading.Lock()

    @property
    def log(self) -> RunLog:
        """The log of this run, begun at the first use: commands that only read leave none."""
        with self._log_lock:
            if self._log is None:
                self._log = RunLog(self.context.home.log_dir, self.context.run)
                self._log.info("run", command=self.command, by=self.context.by)
            return self._log

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` about progress from now on."""
        self._observer = observer

    def close(self) -> None:
        """Close connections and log."""
        self.context.close()
        if self._log is not None:
            self._log.close()

    def select(self, wish: Wish) -> Selection:
        """Return the integrations ``wish`` means.

        Raises:
            UsageError: an unknown client, type or component, or a component the client does not have.
        """
        self._refuse_unknown(wish)
        selection = Selection()
        clients = wish.clients or tuple(self.stack.clients)
        for client in clients:
            for found in self.registry.all:
                if _of_type(found, wish):
                    for application in self._served(client, found):
                        if not wish.applications or application in wish.applications:
                            self._add(selection, client, found, application)
        self._refuse_absent(wish, clients)
        known = {found.integration.declaration.type for found in self.registry.all}
        if not wish.clients:
            selection.skipped += self._left_behind()
        selection.skipped += [
            f"{t}: this version has no integration of this type" for t in wish.types or TYPES if t not in known
        ]
        return selection

    def plan(self, selection: Selection, granted: dict[Key, Permission] | None = None) -> Plan:
        """Read everything and compare; changes nothing."""
        plan = make_plan(selection.sites, self.context, self.ledger, self.records, granted)
        plan.skipped = selection.skipped
        for item in plan.integrations:
            source = selection.replaced.get(item.name)
            if source:
                item.warnings.append(f"the built-in integration is replaced by {source}")
        return plan

    def integrate(
        self, plan: Plan, granted: dict[Key, Permission] | None = None, *, reprove: bool = False, keep: bool = False
    ) -> list[Result]:
        """Carry out a plan, prove, record, and add to the history what happened. The caller holds :meth:`locked`.

        Args:
            plan: made in this session.
            granted: permissions a person gave after seeing the plan.
            reprove: prove also what is proven.
            keep: leave what was changed although its proof fails, for a person who wants to look at it.
        """
        results = apply(plan, self._workshop(), granted, reprove=reprove, keep=keep)
        for result in results:
            if result.changes or result.error or result.proofs:
                self._remember("integrate", result.plan.site, result.plan.integration, result.status,
                               len(result.changes), result.reason)  # fmt: skip
        return results

    def verify(self, plan: Plan) -> list[tuple[IntegrationPlan, list[ProofRecord]]]:
        """Run the proofs of everything that was applied; what cannot be proven is a failed proof with the reason."""
        shop = self._workshop()
        seen = []
        for item in plan.integrations:
            if item.problem is not None:
                seen.append((item, [_unprovable(item, item.reason)]))
            elif item.record is None:
                seen.append((item, [_unprovable(item, "it was not applied: run agencystack integrate")]))
            elif item.unattended:
                seen.append((item, [_unprovable(item, f"blocked: {item.by_hand}")]))
            else:
                seen.append((item, prove(item, shop, as_wanted=not item.changes)))
        return seen

    def forget_for_good(self, selection: Selection) -> None:
        """Have the undo of this session purge, too.

        Raises:
            UsageError: something is selected that keeps nothing to be purged.
        """
        without = sorted({i.declaration.type for i, _ in selection.sites if not i.purges})
        if without:
            raise UsageError(
                f"--purge forgets what an undo keeps, and {', '.join(without)} keeps nothing",
                remedy="give --purge with a type that does: agencystack undo data-bridge --purge",
            )
        self.context.purge = True

    def plan_undo(self, selection: Selection, *, run: str | None, force: bool) -> list[UndoPlan]:
        """Say what undo would do; changes nothing."""
        sites = [
            (integration, site)
            for integration, site in reversed(selection.sites)
            if self._applied(site) or (self.context.purge and integration.purges)
        ]
        return plan_undo(sites, self.context, self.ledger, run=run, force=force)

    def undo(self, plans: Sequence[UndoPlan], *, run: str | None) -> dict[str, AgencyStackError]:
        """Carry out undo; return what failed by integration. The caller holds :meth:`locked`."""
        errors: dict[str, AgencyStackError] = {}
        for plan in plans:
            try:
                with self.locks.shared(self.command):
                    carry_out(plan, self.ledger, self.context)
                declaration = plan.integration.declaration
                if run is None or not self._touched(plan.site):
                    self.records.delete(plan.site.client, declaration.type, plan.site.application.ref.name)
                    self.unproven.settle(plan.name)
                if self.context.purge and plan.integration.purges:
                    plan.purged = plan.integration.purge(plan.site)
                changes = sum(step.change is not None for step in plan.steps)
                notes = "; ".join(note for step in plan.steps for note in step.left)
                self._remember("undo", plan.site, plan.integration, "undone", changes, notes)
            except Exception as error:  # noqa: BLE001 - one integration's defect must not stop the others
                failure = as_failure(error, f"undoing {plan.name}", plan.site.application.ref)
                self.log.error("undo failed", error, integration=plan.name)
                errors[plan.name] = failure
                self._remember("undo", plan.site, plan.integration, "failed", 0, str(failure))
        return errors

    def rotate(self, selection: Selection) -> list[Result]:
        """Replace generated secrets: new, apply, prove, revoke old; back to the old one where the proof fails."""
        takebacks: dict[str, Callable[[], None]] = {}
        rotated = Selection(skipped=selection.skipped)
        for integration, site in selection.sites:
            takeback = integration.rotate(site) if self._applied(site) else None
            if takeback is not None:
                takebacks[site.name] = takeback
                rotated.sites.append((integration, site))
        results = self.integrate(self.plan(rotated), reprove=True)
        failed = [result for result in results if result.exit_code is not ExitCode.DONE]
        for result in failed:
            takebacks[result.plan.name]()
            self.log.info("rotation taken back", integration=result.plan.name, reason=result.reason)
        if failed:
            again = Selection(sites=[(r.plan.integration, r.plan.site) for r in failed])
            for result in self.integrate(self.plan(again)):
                self.log.info("after taking back", integration=result.plan.name, status=result.status)
        return results

    def locked(self, clients: Sequence[str]) -> AbstractContextManager[None]:
        """Hold the locks of ``clients`` for a change."""
        return self.locks.clients(clients, self.command)

    def _workshop(self) -> Workshop:
        return Workshop(
            self.context, self.ledger, self.records, self.unproven, self.locks, self.log, self.command, self._observer
        )

    def _applied(self, site: Site) -> bool:
        """Say whether anything of this integration is on record, complete or not."""
        client, type_, application = site.name.split("/", 2)
        if self.records.get(client, type_, application) is not None:
            return True
        return self._touched(site)

    def _touched(self, site: Site) -> bool:
        """Say whether the ledger knows anything this integration uses."""
        return any(site.name in entry.users for part in (site.client, SHARED) for entry in self.ledger.of_client(part))

    def _served(self, client: str, found: Found) -> list[str]:
        """Return the names of a client's components that an integration is for, and no more special one is."""
        declared = found.integration.declaration
        return [
            name
            for name, (_, settings) in self.stack.components(client).items()
            if found.integration.serves(name, settings)
            and (name == declared.application or self.registry.get(declared.type, name) is None)
        ]

    def _add(self, selection: Selection, client: str, found: Found, application: str) -> None:
        declaration = found.integration.declaration
        components = self.stack.components(client)
        name = address_of(client, declaration, application)
        lacking = found.integration.lacks(components)
        if lacking:
            selection.skipped.append(f"{name}: {lacking}")
            return
        provider = components.get(declaration.provider) if declaration.provider else None
        site = Site(
            client=client,
            domain=self.stack.clients[client].domain,
            application=Component(*components[application]),
            provider=Component(*provider) if provider else None,
            settings=self.stack.application(client, declaration.type, application),
            context=self.context,
            name=name,
            groups=self.stack.clients[client].roles_in(application),
            companions={companion: Component(*of) for companion, of in components.items()},
            alerts_to=self.stack.alerts_to(client),
            owner_alerts_to=self.stack.alerts_to(components[application][0].client),
            bridge=self.stack.bridge,
            shares=self.stack.clients[client].data_bridge,
        )
        selection.sites.append((found.integration, site))
        if found.replaces:
            selection.replaced[name] = str(found.source)

    def _left_behind(self) -> list[str]:
        """Say which clients were taken out of stack.yaml while something of them is applied."""
        applied = Counter(record.client for record in self.records.all() if record.client not in self.stack.clients)
        return [
            f"{client}: is not in stack.yaml any more, but {count} of its integrations are applied: put it back there, "
            f"then run agencystack client remove {client}"
            for client, count in sorted(applied.items())
        ]

    def _refuse_unknown(self, wish: Wish) -> None:
        for client in wish.clients:
            if client not in self.stack.clients:
                known = ", ".join(self.stack.clients) or "none"
                raise UsageError(f"there is no client {client!r} in stack.yaml", remedy=f"the clients there: {known}")
        for type_ in wish.types:
            if type_ not in self.registry.types:
                raise UsageError(
                    f"there is no type {type_!r}", remedy=f"the types: {', '.join(self.registry.types)}, all"
                )
        of_type = [found for found in self.registry.all if _of_type(found, wish)]
        known_names = {found.integration.declaration.application for found in of_type}
        known_names |= {
            name for found in of_type for client in self.stack.clients for name in self._served(client, found)
        }
        for name in wish.applications:
            if name not in known_names:
                raise UsageError(
                    f"no integration {' or '.join(wish.types) or 'of any type'} exists for component {name!r}",
                    remedy=f"the components: {', '.join(sorted(known_names)) or 'none'}",
                )

    def _refuse_absent(self, wish: Wish, clients: Sequence[str]) -> None:
        for name in wish.applications:
            if not any(name in self.stack.components(client) for client in clients):
                raise UsageError(
                    f"{', '.join(clients) or 'no client'} has no component {name!r} in stack.yaml",
                    remedy="add it there, or leave --component out",
                )

    def _remember(
        self, command: str, site: Site, integration: Integration, status: str, changes: int, reason: str
    ) -> None:
        declaration = integration.declaration
        self.records.history(
            {
                "run": self.context.run,
                "by": self.context.by,
                "command": command,
                "client": site.client,
                "type": declaration.type,
                "component": site.application.ref.name,
                "version": declaration.version,
                "status": str(status),
                "changes": changes,
                "reason": reason,
            }
        )


def _of_type(found: Found, wish: Wish) -> bool:
    return not wish.types or found.integration.declaration.type in wish.types


def _unprovable(item: IntegrationPlan, reason: str) -> ProofRecord:
    return ProofRecord(
        name="can be proven", ok=False, reason=reason, seconds=0.0, at=now(), fingerprint=item.fingerprint
    )
