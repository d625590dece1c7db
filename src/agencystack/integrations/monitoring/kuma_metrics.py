"""A key for Uptime Kuma's ``/metrics``, for who scrapes them into the stack's Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.engine.context import Component
from agencystack.engine.integration import SealedValue, Site
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations import products
from agencystack.stack.secrets import Secret

KEY = "key for metrics"
NAME = "AgencyStack"
"""What our key is called in Uptime Kuma's settings."""

NO_PASSWORDS = (
    "a key for Uptime Kuma's /metrics is made for the stack's Prometheus; from then on /metrics refuses user and "
    "password, so whatever else scrapes it with these needs a key of its own (Settings, API Keys)"
)
RESTART = (
    "Uptime Kuma leaves monitors with the new tag `agencystack` out of /metrics until it is restarted once: it fixes "
    "the labels of its metrics when it starts"
)


class MetricsKey(Resource):
    """The key. Its value is shown once, so it is kept sealed; one whose value was lost is replaced."""

    def __init__(self, kuma: UptimeKuma, kept: SealedValue) -> None:
        self.component, self.key = kuma.where, KEY
        self._kuma, self._kept = kuma, kept

    def read(self) -> Reading:
        """Return whether our key is there, and known here."""
        if not self._ours():
            return ABSENT
        return Reading({"known": self._kept.get() is not None})

    def wanted(self) -> Fields:
        """Want one that is known."""
        return {"known": True}

    def write(self, change: Change) -> None:
        """Make one, and keep it before anything else; older ones of ours go."""
        old = self._ours()
        self._kept.put(self._kuma.add_api_key(NAME))
        for id_ in old:
            self._kuma.delete_api_key(id_)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it."""
        for id_ in self._ours():
            self._kuma.delete_api_key(id_)
        self._kept.delete()
        return "Uptime Kuma's /metrics goes on refusing user and password, as it does once there was a key"

    def _ours(self) -> list[int]:
        return [key.id for key in self._kuma.api_keys() if key.name == NAME and key.active]


def metrics_key(site: Site) -> Iterator[Resource]:
    """Yield the key where somebody scrapes, that is where there is a Prometheus; to be yielded before it is used."""
    kuma = _scraped(site)
    if kuma is not None:
        yield MetricsKey(products.uptime_kuma(kuma, site.context), _kept(site, kuma))


def metrics_access(site: Site) -> tuple[str, Secret] | None:
    """Return where Uptime Kuma's metrics are, as other components reach them, and the key to them.

    The key is the password of HTTP Basic, with an empty user; as a bearer token it is refused.

    Returns:
        None where nothing scrapes, or the key was not made yet.
    """
    kuma = _scraped(site)
    key = _kept(site, kuma).get() if kuma else None
    if kuma is None or key is None:
        return None
    return f"{kuma.settings.reached_by_components().rstrip('/')}/metrics", key


def metrics_warnings(site: Site) -> Iterator[str]:
    """Yield what the key means for others."""
    if _scraped(site) is not None:
        yield NO_PASSWORDS
        yield RESTART


def _scraped(site: Site) -> Component | None:
    return site.companion("uptime-kuma") if site.companion("prometheus") else None


def _kept(site: Site, kuma: Component) -> SealedValue:
    return SealedValue(site.context, f"{kuma.ref.client}/monitoring/uptime-kuma-metrics-key")
