"""A stand-in for Grafana: single sign-on, users, data sources, dashboards, alert rules, contact points.

Source: Grafana's own code, as told in ``tests/contract/recordings/grafana``. What is watched was recorded from a real
Grafana 10.0; single sign-on settings came later, and are not verified against the product.
"""

from agencystack.sandbox.grafana.app import GrafanaStandIn
from agencystack.sandbox.grafana.people import ADMIN

__all__ = ["ADMIN", "GrafanaStandIn"]
