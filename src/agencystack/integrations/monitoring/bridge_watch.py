"""Who hears how a client's data bridge is: Prometheus, where Alloy reaches its numbers, else Loki, by its log."""

from __future__ import annotations

from collections.abc import Iterator

from agencystack.engine.context import Component
from agencystack.engine.integration import Site
from agencystack.integrations.monitoring.dashboards.model import Source as Store
from agencystack.integrations.monitoring.sources import Kind, Source, machine
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import SHARED, Bridge
from agencystack.stack.paths import Home

APPLICATION = "wordpress"
"""The application whose monitoring has the bridge with it: each pairing has one."""

NUMBERS = ComponentRef(SHARED, "agencystack-bridge")
"""What the file that scrapes the bridge is named after; one for all clients."""

STREAM = "bridge"
_EVERYWHERE, _HERE = ("0.0.0.0", "[::]"), ("127.0.0.1", "[::1]", "localhost")  # noqa: S104 - recognised, not listened at


def is_watched(site: Site) -> bool:
    """Say whether there is a bridge that keeps the client's own products in step."""
    return site.bridge is not None and site.shares is not None and site.owner == site.client


def address(bridge: Bridge, asking: Component) -> str | None:
    """Return the bridge's address as a component reaches it; None where that is not known.

    What the products reach is no help: only ``/hooks/`` is meant to be public.

    Args:
        bridge: what ``stack.yaml`` says of it.
        asking: who asks; one whose machine is not known, or that runs in a container, is not on the bridge's.
    """
    if bridge.internal_url is not None:
        return bridge.internal_url.rstrip("/")
    host, _, port = bridge.listen.rpartition(":")
    where = asking.settings.exec
    if machine(where) == "" and not where.docker:
        return f"http://{_HERE[0] if host in _EVERYWHERE else host}:{port}"
    return None if host in (*_EVERYWHERE, *_HERE) else f"http://{bridge.listen}"


def numbers_url(site: Site) -> str | None:
    """Return where the stack's Alloy gets the bridge's numbers for the stack's Prometheus; None where it does not."""
    alloy = _shared(site, "alloy")
    if not is_watched(site) or site.bridge is None or alloy is None or _shared(site, "prometheus") is None:
        return None
    found = address(site.bridge, alloy)
    return f"{found}/metrics" if found else None


def told_by(site: Site) -> Store | None:
    """Return which store is asked how the client's bridge is; None where neither hears of it.

    A client's own stores hear nothing: numbers and log are of all clients.
    """
    if numbers_url(site) is not None:
        return Store.PROMETHEUS
    collector = site.companion("alloy") or site.companion("promtail")
    if not is_watched(site) or collector is None or _shared(site, "loki") is None:
        return None
    return Store.LOKI if collects_ours(collector) else None


def collects_ours(collector: Component) -> bool:
    """Say whether a collector reads our own logs: that of all clients, on this machine."""
    return collector.ref.client == SHARED and machine(collector.settings.exec) == ""


def log_of(home: Home) -> Source:
    """Return where the bridge's log is."""
    return Source(STREAM, Kind.FILE, str(home.log_dir / STREAM / "*.jsonl"))


def advice(site: Site) -> Iterator[str]:
    """Yield what a person can do for the bridge to be watched, or watched better."""
    if not is_watched(site) or site.application.ref.name != APPLICATION:
        return
    told = told_by(site)
    if told is None:
        yield (
            "nobody is told when the data bridge falls behind: its log is collected by an Alloy of all clients on this "
            "machine, its numbers by one that reaches `bridge: {internal_url: http://HOST:8095}`"
        )
    elif told is Store.LOKI and _shared(site, "prometheus") and _shared(site, "alloy"):
        yield (
            "how Alloy reaches the data bridge is not known, so its log is asked and not Prometheus: "
            "write `bridge: {internal_url: http://HOST:8095}` in stack.yaml"
        )


def _shared(site: Site, name: str) -> Component | None:
    found = site.companion(name)
    return found if found is not None and found.ref.client == SHARED else None
