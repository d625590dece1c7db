"""What is there, in which version, and what is missing for each integration, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pydantic.dataclasses import dataclass

from agencystack.components.dns import Compared, SystemResolver, compare_dns
from agencystack.components.http import HttpApi
from agencystack.components.wordpress import SITE
from agencystack.engine.context import Component, Context
from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.session import Selection, Session
from agencystack.integrations import products
from agencystack.integrations.email.mailbox import MailAccount
from agencystack.stack.errors import AgencyStackError, ComponentRef, ExitCode, Unavailable

INSPECTORS = 16


@dataclass(frozen=True)
class Inspection:
    """One component as it answers now.

    Args:
        client: whose; ``shared`` for what all clients share.
        component: its name in ``stack.yaml``.
        url: its public address.
        state: ``reachable``, ``unreachable``, or ``problem`` where it answers and we cannot work with it.
        version: as it says itself; None where it does not tell, or we have no way to ask.
        detail: why it is not reachable, with the remedy.
    """

    client: str
    component: str
    url: str
    state: str
    version: str | None
    detail: str


@dataclass(frozen=True)
class Finding:
    """One thing ``doctor`` found.

    Args:
        client: whose; empty for the installation itself.
        about: the component or integration.
        level: ``ok``, ``note`` or ``problem``.
        what: what was found.
        remedy: what to do.
    """

    client: str
    about: str
    level: str
    what: str
    remedy: str = ""


def inspect(components: Iterable[Component], context: Context) -> list[Inspection]:
    """Ask every component, all at the same time."""
    with ThreadPoolExecutor(INSPECTORS, thread_name_prefix="inspect") as pool:
        return list(pool.map(lambda component: _inspect(component, context), components))


def examine(session: Session, selection: Selection) -> Iterator[Finding]:
    """Say what is missing for each selected integration."""
    ready = Selection(skipped=selection.skipped)
    for integration, site in selection.sites:
        refs = [component.ref for component in (site.application, site.provider) if component]
        missing = [
            Finding(site.client, site.name, "problem", f"{key} is missing in stack.yaml", "see docs/connect-a-stack.md")
            for key in integration.missing(site)
        ]
        missing += _missing_secrets(session, site.client, site.name, refs)
        yield from missing
        if not missing:
            ready.sites.append((integration, site))
    plan = session.plan(ready)
    for item in plan.integrations:
        yield from _of_plan(item)
    for reason in selection.skipped:
        yield Finding("", reason.partition(":")[0], "note", reason.partition(": ")[2])
    yield from _dns(plan.integrations)


def _inspect(component: Component, context: Context) -> Inspection:
    settings = component.settings
    ref = component.ref
    try:
        version = _VERSIONS.get(ref.name, _answers)(component, context)
        return Inspection(ref.client, ref.name, settings.url, "reachable", version, "")
    except Unavailable as error:
        return Inspection(ref.client, ref.name, settings.url, "unreachable", None, str(error))
    except AgencyStackError as error:
        return Inspection(ref.client, ref.name, settings.url, "problem", None, str(error))


def _mailu(component: Component, context: Context) -> str | None:
    client = products.mailu(component, context)
    client.domains()
    return client.version()


def _erpnext(component: Component, context: Context) -> str | None:
    return products.erpnext(component, context).versions().get("erpnext")


def _listmonk(component: Component, context: Context) -> str | None:
    return products.listmonk(component, context).version()


def _wordpress(component: Component, context: Context) -> str | None:
    return products.wordpress(component, context).answer(SITE).wordpress


def _chatwoot(component: Component, context: Context) -> str | None:
    return products.chatwoot(component, context).version()


def _keycloak(component: Component, context: Context) -> str | None:
    return products.keycloak(component, context).version()


def _grafana(component: Component, context: Context) -> str | None:
    return products.grafana(component, context).version()


def _answers(component: Component, context: Context) -> str | None:
    """Ask for any answer at all: enough for a product this version has no client for."""
    settings = component.settings
    api = HttpApi(component.ref, settings.reached_by_us(), ca_file=products.ca_file(settings))
    try:
        api.send("GET", "/")
    except AgencyStackError as error:
        if isinstance(error, Unavailable):
            raise
    finally:
        api.close()
    return None


_VERSIONS: dict[str, Callable[[Component, Context], str | None]] = {
    "mailu": _mailu,
    "erpnext": _erpnext,
    "listmonk": _listmonk,
    "wordpress": _wordpress,
    "chatwoot": _chatwoot,
    "keycloak": _keycloak,
    "grafana": _grafana,
}


def _missing_secrets(session: Session, client: str, name: str, refs: list[ComponentRef]) -> Iterator[Finding]:
    needed = session.stack.secret_references(refs)
    for place, reference in needed.items():
        try:
            session.context.resolve(reference)
        except AgencyStackError as error:
            yield Finding(client, name, "problem", f"{place}: {error.message}", error.remedy)


def _of_plan(item: IntegrationPlan) -> Iterator[Finding]:
    client, name = item.site.client, item.name
    if item.problem is not None:
        where = f"{item.problem.component}: " if item.problem.component else ""
        # What nobody can do here, or a person alone, is nothing wrong with the installation.
        level = "note" if item.exit_code is ExitCode.DONE else "problem"
        yield Finding(client, name, level, where + item.problem.message, item.problem.remedy)
        return
    yield Finding(client, name, "ok", f"{item.status}" + (f": {item.reason}" if item.reason else ""))
    for warning in item.warnings:
        yield Finding(client, name, "note", warning)


def _dns(plans: Iterable[IntegrationPlan]) -> Iterator[Finding]:
    """Compare what Mailu expects in DNS with what is there, once a mail domain."""
    seen: set[str] = set()
    resolver = SystemResolver(lifetime=3.0)
    for item in plans:
        if item.problem is not None or item.integration.declaration.type != "email":
            continue
        account = MailAccount(item.site)
        domain = account.mailu.domain(item.site.domain)
        if domain is None or domain.name in seen:
            continue
        seen.add(domain.name)
        for record in compare_dns(domain.expected_dns, resolver):
            if record.kind != "other":
                yield _dns_finding(item.site.client, record)


def _dns_finding(client: str, record: Compared) -> Finding:
    about = f"DNS {record.kind} {record.name}"
    if record.state == "ok":
        return Finding(client, about, "ok", record.expected)
    if record.state == "unknown":
        return Finding(client, about, "note", "could not be asked", f"it should say: {record.expected}")
    live = "; ".join(record.live) or "nothing"
    return Finding(client, about, "problem", f"live: {live}", f"it should say: {record.expected}")
