"""An ERPNext site is watched: requests, errors, background jobs, and its own account of its health."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.own_health import AppsHealth
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "erpnext", version=1)
class ErpNextMonitoring(Watched):
    """Watch an ERPNext site."""

    parts = (AppsHealth, *Watched.parts)
