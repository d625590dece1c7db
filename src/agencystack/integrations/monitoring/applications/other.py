"""Every other component is watched: Loki, Alloy, Uptime Kuma, Prometheus, and products of one's own."""

from __future__ import annotations

from typing import Any

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "other", version=1)
class OtherMonitoring(Watched):
    """Watch a component that has no integration of its own."""

    def serves(self, name: str, settings: Any) -> bool:
        """Say yes: whatever is installed is worth watching."""
        return True
