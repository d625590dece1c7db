"""One of the products that watch an application, and what is set up there for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from agencystack.engine.integration import Capability, Proof, Site
from agencystack.engine.resource import Resource


class Part(ABC):
    """What one product (the log collector, Grafana, Uptime Kuma) does for a monitored application.

    Args:
        site: the application.

    Attributes:
        capabilities: what it can do for any application, and cannot.
        products: the components of which one at least must be in the stack for this part to be used.
        purpose: what is left out without them, as the beginning of a sentence.
    """

    capabilities: ClassVar[tuple[Capability, ...]] = ()
    products: ClassVar[tuple[str, ...]]
    purpose: ClassVar[str]

    def __init__(self, site: Site) -> None:
        self.site = site

    @classmethod
    def available(cls, site: Site) -> bool:
        """Say whether the stack has what this part works with."""
        return any(site.companion(name) for name in cls.products)

    @abstractmethod
    def resources(self) -> Iterator[Resource]:
        """Yield what shall be, as :meth:`agencystack.engine.integration.Integration.resources`."""

    @abstractmethod
    def proofs(self) -> Iterator[Proof]:
        """Yield what shows that it works."""

    def warnings(self) -> Iterator[str]:
        """Yield what the plan should say beforehand."""
        return iter(())

    def former(self, key: str) -> Resource | None:
        """Return the resource that once had ``key``; None where it is none of this part's."""
        return None
