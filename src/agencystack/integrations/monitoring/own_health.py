"""An application's own account of its health: made to be given, and shown to be given to the right people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from agencystack.components.erpnext.health import health as erpnext_health
from agencystack.components.health import TOKEN_HEADER, Endpoint, Health, Word
from agencystack.components.wordpress.health import health as wordpress_health
from agencystack.engine.integration import Capability, Evidence, Proof, Site, Support
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring.health import health_resources
from agencystack.integrations.monitoring.health_token import sealed_token
from agencystack.integrations.monitoring.part import Part
from agencystack.stack.secrets import Secret

TOLD = "it tells how it is, and numbers only to us"
_WAYS: Mapping[str, Callable[[Endpoint, Secret | None], Health]] = {
    "wordpress": wordpress_health,
    "erpnext": erpnext_health,
}


class OwnHealth(Part):
    """A WordPress tells how it is, through our plugin; whoever watches from outside, or nobody yet, may ask."""

    products = ("uptime-kuma", "grafana", "alloy", "promtail")
    purpose = "its own account of its health"
    capabilities = (Capability("its own account of its health", Support.SUPPORTED, proof=TOLD),)

    def resources(self) -> Iterator[Resource]:
        """Yield what makes it tell."""
        return health_resources(self.site)

    def proofs(self) -> Iterator[Proof]:
        """Ask."""
        yield HealthIsTold(self.site, _WAYS[self.site.application.ref.name])

    def former(self, key: str) -> Resource | None:
        """Return the plugin or the token, which once were wanted."""
        return next((resource for resource in self.resources() if resource.key == key), None)


class AppsHealth(OwnHealth):
    """The same of an ERPNext, whose app a person installs."""

    capabilities = (
        Capability(
            "its own account of its health",
            Support.PARTIAL,
            proof=TOLD,
            reason="only with our app agencystack_connector in ERPNext; else it is only seen to answer",
            alternative="install the app: docs/monitoring.md",
        ),
    )


class HealthIsTold(Proof):
    """Asks as a monitor does, with and without the token."""

    name = TOLD

    def __init__(self, site: Site, ask: Callable[[Endpoint, Secret | None], Health]) -> None:
        self._site, self._ask = site, ask

    def run(self) -> Evidence:
        """See that it works, that strangers get words alone, and that the token gets the rest."""
        settings, token = self._site.application.settings, sealed_token(self._site).get()
        endpoint = Endpoint(self._site.application.ref, settings.reached_by_us(), ca_file=products.ca_file(settings))
        with closing(endpoint):
            stranger = self._ask(endpoint, None)
            told = self._ask(endpoint, token) if token else stranger
        seen = {
            "status": told.status.value,
            "by": told.by,
            "checks": {name: how.value for name, how in sorted(told.checks.items())},
            "look at": list(told.troubles),
        }
        reason = self._fault(stranger, told)
        return Evidence(not reason, seen, reason)

    def _fault(self, stranger: Health, told: Health) -> str:
        if told.status is Word.DOWN:
            return f"says that it is down: {'; '.join(told.troubles)}"
        if stranger.detail:
            return "shows numbers and versions to people without the token; integrate again, its plugin was changed"
        if told.is_ours and not told.detail:
            return (
                "does not know the token: integrate again, or let the proxy before it pass the header "
                f"{TOKEN_HEADER} on"
            )
        return ""
