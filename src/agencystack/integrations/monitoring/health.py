"""Whether an application is well: the address to ask, the token for details, and what makes it answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agencystack.components.erpnext.health import HEALTH as ERPNEXT_HEALTH
from agencystack.components.erpnext.health import PING as ERPNEXT_PING
from agencystack.components.health import SIGNATURE
from agencystack.components.wordpress import Carrier
from agencystack.components.wordpress.health import HEALTH as WORDPRESS_HEALTH
from agencystack.components.wordpress.health import ROOT as WORDPRESS_ROOT
from agencystack.engine.integration import Site
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring.health_token import (
    AppsHealthToken,
    HealthToken,
    has_health,
    keeper_of,
    sealed_token,
)
from agencystack.integrations.wordpress_plugin import WordPressPlugin
from agencystack.stack.products import Keycloak

ALL_WELL = '"status":"ok"'


@dataclass(frozen=True)
class HealthTarget:
    """What to ask to see whether an application works.

    Args:
        url: answers 2xx while it works, 503 while it does not.
        keyword: stands in the answer of the application itself, and not on the page of a proxy or a parked domain;
            empty where the answer has no text.
        all_well: stands in the answer only while nothing at all is wrong (background work runs, mail leaves, ...): for
            a check that tells people before customers notice, and that is on no public page; empty where the product
            does not tell.
    """

    url: str
    keyword: str = ""
    all_well: str = ""


def health_url(site: Site) -> HealthTarget:
    """Return what to ask about a site's application.

    Public addresses, as customers reach it; of Loki, Alloy and Prometheus, which customers do not reach, the address
    of components. Asks ERPNext, once a run, whether it has our app: not to be called before a plan is read.

    Raises:
        Unavailable, AuthenticationFailed, BadAnswer: ERPNext does not tell.
    """
    ask = _TARGETS.get(site.application.ref.name, _address)
    return ask(site)


def health_resources(site: Site) -> Iterator[Resource]:
    """Yield what makes the application tell its health: our plugin in WordPress, and the token for details."""
    name = site.application.ref.name
    if name == "wordpress" and site.application.settings.exec is not None:
        yield WordPressPlugin(products.wordpress(site.application, site.context), Carrier.CONNECTOR)
        yield HealthToken(keeper_of(site), sealed_token(site))
    elif name == "erpnext":
        yield AppsHealthToken(site)


def _below(path: str, keyword: str = "", *, inside: bool = False) -> Callable[[Site], HealthTarget]:
    """Return what makes the target of a product that tells its health at a path of its own."""

    def target(site: Site) -> HealthTarget:
        settings = site.application.settings
        address = settings.reached_by_components() if inside else settings.url
        return HealthTarget(address.rstrip("/") + path, keyword)

    return target


def _address(site: Site) -> HealthTarget:
    """Return the address itself: all that is known of a product of one's own."""
    return HealthTarget(site.application.settings.url)


def _keycloak(site: Site) -> HealthTarget:
    """Return the realm's own description, which is made from the database; its health port is off by default."""
    settings = products.settings_of(site.application, Keycloak)
    return _below(f"/realms/{settings.admin_realm}/.well-known/openid-configuration", '"issuer"')(site)


def _wordpress(site: Site) -> HealthTarget:
    """Return our plugin's answer, which there is wherever we can install it; else the start of the REST interface."""
    base = site.application.settings.url.rstrip("/")
    if site.application.settings.exec is None:
        return HealthTarget(base + WORDPRESS_ROOT, '"namespaces"')
    return HealthTarget(base + WORDPRESS_HEALTH, SIGNATURE, ALL_WELL)


def _erpnext(site: Site) -> HealthTarget:
    """Return our app's answer where the site has it; else Frappe's own ping, which asks neither database nor queue."""
    base = site.application.settings.url.rstrip("/")
    if not has_health(site):
        return HealthTarget(base + ERPNEXT_PING, "pong")
    return HealthTarget(base + ERPNEXT_HEALTH, SIGNATURE, ALL_WELL)


_TARGETS: Mapping[str, Callable[[Site], HealthTarget]] = {
    "wordpress": _wordpress,
    "erpnext": _erpnext,
    "mailu": _below("/health"),
    # /api/health asks for a login (recordings/listmonk/auth.json); this one is public.
    "listmonk": _below("/health", '"data":true'),
    "grafana": _below("/api/health", '"ok"'),
    "chatwoot": _below("/api", '"version"'),
    "keycloak": _keycloak,
    "loki": _below("/ready", inside=True),
    "alloy": _below("/-/ready", inside=True),
    "promtail": _below("/ready", inside=True),
    "prometheus": _below("/-/ready", inside=True),
    "uptime-kuma": _below("/api/entry-page", '"type"'),
}
