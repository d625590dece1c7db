"""Grafana: single sign-on settings, users, health; data sources, dashboards, alert rules and contact points."""

from agencystack.components.grafana.alerting import Alerting, ContactPoint, RuleGroup, RuleState, TestResult
from agencystack.components.grafana.boards import Boards, Dashboard, Folder, Saved
from agencystack.components.grafana.client import Grafana
from agencystack.components.grafana.mailing import SmtpSettings
from agencystack.components.grafana.people import Membership, Organisation, User
from agencystack.components.grafana.sources import Answer, DataSource, DataSources
from agencystack.components.grafana.sso import ROLES, OAuthSettings, ends_provider_session, role_path, variable

__all__ = [
    "ROLES",
    "Alerting",
    "Answer",
    "Boards",
    "ContactPoint",
    "Dashboard",
    "DataSource",
    "DataSources",
    "Folder",
    "Grafana",
    "Membership",
    "OAuthSettings",
    "Organisation",
    "RuleGroup",
    "RuleState",
    "Saved",
    "SmtpSettings",
    "TestResult",
    "User",
    "ends_provider_session",
    "role_path",
    "variable",
]
