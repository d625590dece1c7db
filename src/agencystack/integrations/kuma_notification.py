"""How our notifications in Uptime Kuma are called: what e-mail makes there, monitoring puts on monitors."""

from __future__ import annotations

from collections.abc import Iterable

from agencystack.components.uptime_kuma import Notification
from agencystack.stack.model import SHARED

PREFIX = "AgencyStack "
"""Begins the name of each notification of ours; the owner follows."""


def notification_name(owner: str) -> str:
    """Return what the notification that tells of an owner's trouble is called."""
    return PREFIX + owner


def notification_for(notifications: Iterable[Notification], owner: str) -> Notification | None:
    """Return the notification of ours that tells of an owner's trouble; of what is shared, the first there is."""
    ours = [one for one in notifications if one.name.startswith(PREFIX)]
    of_owner = [one for one in ours if one.name == notification_name(owner)]
    return next(iter(of_owner or (ours if owner == SHARED else ())), None)
