"""A stand-in for Grafana: single sign-on settings, users, sessions and the OAuth login.

Source: Grafana's own code and documentation, as told in ``tests/contract/recordings/grafana``. The running
product could not be had, so what this one claims is not verified against it.
"""

from agencystack.sandbox.grafana.app import GrafanaStandIn
from agencystack.sandbox.grafana.people import ADMIN

__all__ = ["ADMIN", "GrafanaStandIn"]
