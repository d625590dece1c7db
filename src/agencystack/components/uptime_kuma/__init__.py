"""Uptime Kuma 2: monitors, tags, heartbeats, notifications, status pages, keys for its metrics."""

from agencystack.components.uptime_kuma.client import UptimeKuma
from agencystack.components.uptime_kuma.models import (
    ApiKey,
    Heartbeat,
    Listed,
    Monitor,
    Notification,
    PageGroup,
    Status,
    StatusPage,
    Tag,
)

__all__ = [
    "ApiKey",
    "Heartbeat",
    "Listed",
    "Monitor",
    "Notification",
    "PageGroup",
    "Status",
    "StatusPage",
    "Tag",
    "UptimeKuma",
]
