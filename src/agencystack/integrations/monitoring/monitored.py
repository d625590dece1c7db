"""What monitoring does for every application: whichever of the log collector, Grafana and Uptime Kuma there are."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import ClassVar

from agencystack.engine.integration import Capability, Integration, Proof, Site
from agencystack.engine.resource import Resource
from agencystack.integrations.monitoring.part import Part


class Monitored(Integration):
    """Watch one application.

    Attributes:
        parts: the kinds of parts, in the order they are set up.
        more: what this application alone can, and any other cannot.
    """

    parts: ClassVar[tuple[type[Part], ...]] = ()
    more: ClassVar[tuple[Capability, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Let what the parts can be what it can."""
        super().__init_subclass__()
        of_parts = tuple(capability for part in cls.parts for capability in part.capabilities)
        cls.capabilities = (*of_parts, *cls.more)

    def lacks(self, components: Container[str]) -> str:
        """Say that nothing to watch with is in the stack."""
        wanted = dict.fromkeys(name for part in self.parts for name in part.products)
        if any(name in components for name in wanted):
            return ""
        return f"there is none of {', '.join(wanted)} for this client in stack.yaml"

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield what each part sets up."""
        for part in self._present(site):
            yield from part.resources()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Yield what shows that each part works."""
        for part in self._present(site):
            yield from part.proofs()

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what each part has to say, and which part has nothing to work with."""
        for kind in self.parts:
            if kind.available(site):
                yield from kind(site).warnings()
            else:
                yield f"{kind.purpose} is left out: there is no {' or '.join(kind.products)} in stack.yaml"

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the resource a part once set up under ``key``."""
        found = (kind(site).former(key) for kind in self.parts)
        return next((resource for resource in found if resource is not None), None)

    def _present(self, site: Site) -> Iterator[Part]:
        return (kind(site) for kind in self.parts if kind.available(site))
