"""An application that all parts watch: what every built-in integration of this type is."""

from __future__ import annotations

from typing import ClassVar

from agencystack.integrations.monitoring.collection import LogCollection
from agencystack.integrations.monitoring.grafana import GrafanaBoards
from agencystack.integrations.monitoring.monitored import Monitored
from agencystack.integrations.monitoring.part import Part
from agencystack.integrations.monitoring.uptime_kuma import Checks


class Watched(Monitored):
    """Collect what it logs, show it in Grafana, check it from outside."""

    parts: ClassVar[tuple[type[Part], ...]] = (LogCollection, GrafanaBoards, Checks)
