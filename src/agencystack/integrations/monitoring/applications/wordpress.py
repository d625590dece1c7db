"""A WordPress site is watched: requests, PHP, the shop, and its own account of its health."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.own_health import OwnHealth
from agencystack.integrations.monitoring.php_failure import CAPABILITY
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "wordpress", version=1)
class WordPressMonitoring(Watched):
    """Watch a WordPress site."""

    parts = (OwnHealth, *Watched.parts)
    more = (CAPABILITY,)
