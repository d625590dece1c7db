"""Listmonk is watched: its log, and whether it answers."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "listmonk", version=1)
class ListmonkMonitoring(Watched):
    """Watch a newsletter server."""
