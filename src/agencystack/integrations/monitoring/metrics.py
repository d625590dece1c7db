"""What components tell of themselves in numbers: scraped by Alloy, written to the stack's Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from agencystack.engine.integration import Site
from agencystack.integrations.monitoring.collected import identifier
from agencystack.integrations.monitoring.stores import Login, basic_auth
from agencystack.logs.alloy import string as quoted
from agencystack.stack.errors import ComponentRef, ConfigurationError

ALWAYS = ("grafana", "loki")
"""Products that answer ``/metrics`` without being told to, and without asking who wants to know."""

KUMA = "uptime-kuma"
SETTING = "metrics_url"
"""What an application's settings of this type are told in ``stack.yaml``: where it tells its numbers."""

JOB = "agencystack"
MINUTE = "60s"


@dataclass(frozen=True)
class Target:
    """One address that tells numbers.

    Args:
        ref: whose they are.
        url: as Alloy reaches it, with its path.
        login: who asks, where it wants to know.
        of_clients: each number says itself which client it is of.
    """

    ref: ComponentRef
    url: str
    login: Login | None = None
    of_clients: bool = False


def metrics_targets(site: Site, folder: str) -> Iterator[Target]:
    """Yield what a site's application exports; further products are added here, with the login they want.

    Args:
        site: the application.
        folder: expression of Alloy's syntax for the folder its files are in.
    """
    ref, address = site.application.ref, site.application.settings.reached_by_components().rstrip("/")
    told = site.setting(SETTING, None)
    if told is not None:
        yield Target(ref, _checked(site, told))
    elif ref.name in ALWAYS:
        yield Target(ref, f"{address}/metrics")
    elif ref.name == KUMA:
        # The user is empty, the password its key (kuma_metrics.metrics_access).
        yield Target(ref, f"{address}/metrics", Login("", f'{folder} + "/{password_file(ref)}"'))


def advice(site: Site) -> Iterator[str]:
    """Yield what a person can do for the numbers of a product that tells none unless it is told to."""
    if site.application.ref.name == "keycloak" and site.setting(SETTING, None) is None:
        yield (
            "Keycloak tells numbers only when started with --metrics-enabled=true, since 25 on port 9000: then write "
            f"in stack.yaml, at integrations.monitoring.keycloak of the client: `settings: {{{SETTING}: "
            "http://keycloak:9000/metrics}`"
        )


def _checked(site: Site, url: object) -> str:
    address = urlsplit(str(url))
    if address.scheme in {"http", "https"} and address.netloc and not address.username:
        return str(url)
    raise ConfigurationError(
        f"{SETTING} is no address of numbers",
        component=site.application.ref,
        remedy="write http://HOST:PORT/metrics, as Alloy reaches it, without user and password",
    )


def password_file(ref: ComponentRef) -> str:
    """Return the name of the file with the password to a component's numbers."""
    return f"agencystack-{ref.client}-{ref.name}.password"


def scraping(targets: Iterable[Target], receiver: str) -> Iterator[str]:
    """Yield the blocks that fetch the numbers of ``targets``.

    Args:
        targets: where they are.
        receiver: what takes them: ``prometheus.remote_write.agencystack.receiver``.
    """
    for number, target in enumerate(targets, 1):
        again = (str(number),) if number > 1 else ()
        address = urlsplit(target.url)
        honest = "\n\thonor_labels    = true" if target.of_clients else ""
        yield f"""prometheus.scrape {quoted(identifier(target.ref.client, target.ref.name, *again))} {{
\ttargets = [{{
\t\t"__address__" = {quoted(address.netloc)},
\t\t"client"      = {quoted(target.ref.client)},
\t\t"component"   = {quoted(target.ref.name)},
\t}}]
\tforward_to      = [{receiver}]
\tjob_name        = {quoted(JOB)}
\tscheme          = {quoted(address.scheme)}
\tmetrics_path    = {quoted(address.path or "/metrics")}
\tscrape_interval = {quoted(MINUTE)}{honest}{basic_auth(target.login, 1)}
}}
"""


def of_alloy(ref: ComponentRef, receiver: str) -> Iterator[str]:
    """Yield the blocks by which Alloy tells its own numbers."""
    name = identifier(ref.client, ref.name)
    yield f"""prometheus.exporter.self {quoted(name)} {{ }}
"""
    # The exporter names itself "integrations/self", which nobody would look for.
    labels = {"client": ref.client, "component": ref.name, "job": JOB}
    rules = "\n".join(
        f"""
\trule {{
\t\ttarget_label = {quoted(label)}
\t\treplacement  = {quoted(value)}
\t}}"""
        for label, value in labels.items()
    )
    yield f"""discovery.relabel {quoted(name)} {{
\ttargets = prometheus.exporter.self.{name}.targets
{rules}
}}
"""
    yield f"""prometheus.scrape {quoted(name)} {{
\ttargets         = discovery.relabel.{name}.output
\tforward_to      = [{receiver}]
\tjob_name        = {quoted(JOB)}
\tscrape_interval = {quoted(MINUTE)}
}}
"""
