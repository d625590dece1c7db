"""Mailu is watched: deliveries, rejections, logins, and its ports as other mail servers see them."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "mailu", version=1)
class MailuMonitoring(Watched):
    """Watch a mail server."""
