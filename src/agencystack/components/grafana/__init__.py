"""Grafana: single sign-on settings, users, organisations, health."""

from agencystack.components.grafana.client import Grafana
from agencystack.components.grafana.people import Membership, Organisation, User
from agencystack.components.grafana.sso import ROLES, OAuthSettings, ends_provider_session, role_path, variable

__all__ = [
    "ROLES",
    "Grafana",
    "Membership",
    "OAuthSettings",
    "Organisation",
    "User",
    "ends_provider_session",
    "role_path",
    "variable",
]
