"""A stand-in for Uptime Kuma 2, as recorded in ``tests/contract/recordings/uptime-kuma``: its checks are real."""

from agencystack.sandbox.uptime_kuma.app import ADMIN, VERSION, UptimeKumaStandIn

__all__ = ["ADMIN", "VERSION", "UptimeKumaStandIn"]
