"""Keycloak is watched: logins, its realms, and what it counts."""

from __future__ import annotations

from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.watched import Watched


@integration("monitoring", "keycloak", version=1)
class KeycloakMonitoring(Watched):
    """Watch an identity provider."""
