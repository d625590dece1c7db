"""Grafana itself is watched: logins, its log, and whether it answers."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "grafana", version=1)
class GrafanaMonitoring(Watched):
    """Watch what watches."""
