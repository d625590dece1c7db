"""Uptime Kuma checks the application from outside, tells people of an outage, and shows customers a status page."""

from __future__ import annotations

from collections.abc import Iterator

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.engine.context import Component
from agencystack.engine.integration import Capability, Proof, Site, Support
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.kuma_notification import KEY as NOTIFICATION
from agencystack.integrations.kuma_notification import ClientNotification, notifications_of
from agencystack.integrations.monitoring.kuma_alarm import KumaAlarm
from agencystack.integrations.monitoring.kuma_checks import Check, checks_of, group_of, slug_of
from agencystack.integrations.monitoring.kuma_jobs import JobMonitor, job_check, job_monitor, push_token
from agencystack.integrations.monitoring.kuma_metrics import KEY, metrics_key, metrics_warnings
from agencystack.integrations.monitoring.kuma_monitors import CHECK, GROUP, KumaMonitor
from agencystack.integrations.monitoring.kuma_proofs import (
    OUTAGE,
    PUBLIC,
    UP,
    MonitorsAreUp,
    OutageIsSeen,
    PageIsPublic,
)
from agencystack.integrations.monitoring.kuma_status_page import PAGE, KumaListing, KumaPage
from agencystack.integrations.monitoring.part import Part
from agencystack.stack.errors import ConfigurationError


class Checks(Part):
    """Monitors in a group of the owner's, a push monitor for our own runs, and the client's status page."""

    products = ("uptime-kuma",)
    purpose = "checking it from outside"
    capabilities = (
        Capability("checked from outside, with certificates", Support.SUPPORTED, proof=UP),
        Capability("an outage is noticed", Support.SUPPORTED, proof=OUTAGE),
        Capability("public status page per client", Support.SUPPORTED, proof=PUBLIC),
        Capability(
            "checks in an Uptime Kuma with two-factor login",
            Support.UNSUPPORTED,
            reason="its one user would have to be asked for a code at every run, and there is no other way in",
            alternative="switch it off and put a gate in front: `agencystack integration snippet sso uptime-kuma`",
        ),
    )

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._slug = slug_of(site.client)
        self._heading = site.application.ref.name

    def resources(self) -> Iterator[Resource]:
        """Yield the group, its monitors, who is told of them, and what the client's page shows of them."""
        kuma, site = self._kuma(), self.site
        yield KumaMonitor(kuma, group_of(site.owner))
        for check in checks_of(site):
            yield KumaMonitor(kuma, check)
        if self._hears_of_runs():
            yield job_monitor(site, kuma)
        for notification in notifications_of(site, kuma):
            yield notification
            yield self._alarm(notification)
        yield KumaPage(kuma, self._slug, site.domain)
        yield KumaListing(kuma, self._slug, self._heading, self._public())

    def proofs(self) -> Iterator[Proof]:
        """Check now, make an outage, look at the page as anybody."""
        kuma = self._kuma()
        yield MonitorsAreUp(kuma, self._all_checks())
        yield OutageIsSeen(kuma)
        url = f"{self._component().settings.url.rstrip('/')}/status/{self._slug}"
        yield PageIsPublic(kuma, self._slug, url, self._public())

    def warnings(self) -> Iterator[str]:
        """Yield what becomes public, what must be trusted, and what goes down when nothing is run."""
        settings = self.site.application.settings
        if self.site.application.ref == self._component().ref:
            yield from metrics_warnings(self.site)
        if settings.ca_file:
            yield (
                f"Uptime Kuma verifies the certificate of {self._heading}: start it with "
                f"NODE_EXTRA_CA_CERTS={settings.ca_file}, as a path where it runs, or the checks say self-signed"
            )
        if not any(notifications_of(self.site, self._kuma())):
            yield "nobody is told when a check fails: write `alerts_to` in stack.yaml, and connect Uptime Kuma to Mailu"
        if self._hears_of_runs():
            hours = round(int(job_check(self.site).habits["interval"] or 0) / 3600, 1)  # type: ignore[arg-type]
            yield f"the monitor {self.site.client} agencystack verify goes down {hours:g} h after the last verify"

    def former(self, key: str) -> Resource | None:
        """Return the monitor, group, page or key that once was wanted."""
        kuma = self._kuma()
        if key == job_monitor(self.site, kuma).key:
            return JobMonitor(kuma, job_check(self.site), push_token(self.site))
        if key.startswith((CHECK, GROUP)):
            return KumaMonitor(kuma, _former_check(key))
        if key.startswith(PAGE):
            slug, listed, heading = key.removeprefix(PAGE).partition(": ")
            if listed:
                return KumaListing(kuma, slug, heading, self._public())
            return KumaPage(kuma, slug, self.site.domain)
        if key.startswith(NOTIFICATION):
            notification = ClientNotification(kuma, self.site.client)
            return notification if key == notification.key else self._alarm(notification)
        if key == KEY:
            return next(iter(metrics_key(self.site)), None)
        return None

    def _kuma(self) -> UptimeKuma:
        return products.uptime_kuma(self._component(), self.site.context)

    def _component(self) -> Component:
        component = self.site.companion("uptime-kuma")
        if component is None:
            raise ConfigurationError("has no Uptime Kuma to be checked by", component=self.site.application.ref)
        return component

    def _all_checks(self) -> tuple[Check, ...]:
        return (*checks_of(self.site), *((job_check(self.site),) if self._hears_of_runs() else ()))

    def _alarm(self, notification: ClientNotification) -> KumaAlarm:
        return KumaAlarm(self._kuma(), notification, self._heading, [check.mark for check in self._all_checks()])

    def _public(self) -> tuple[str, ...]:
        return tuple(check.mark for check in checks_of(self.site) if check.public)

    def _hears_of_runs(self) -> bool:
        """Say whether this application's plan has the client's push monitor: those of the client's own have."""
        return self.site.owner == self.site.client


def _former_check(key: str) -> Check:
    """Return a check of which nothing but its mark is known any more: enough to find and delete it."""
    mark = key.removeprefix(CHECK).removeprefix(GROUP)
    owner = mark.partition("/")[0]
    return Check(mark, mark, dict, group=owner if key.startswith(CHECK) else "")
