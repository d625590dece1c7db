"""ERPNext's times are naive and in the site's zone; here they become UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agencystack.bridge.sides.erpnext.documents import MODIFIED_UTC, Document
from agencystack.stack.errors import BadAnswer, ComponentRef

ASK = "/api/method/frappe.client.get_time_zone"
"""Tells anybody the site's zone (frappe/client.py); System Settings may be read by a System Manager alone."""


def zone_of(told: object, where: ComponentRef) -> ZoneInfo:
    """Return the zone ERPNext answered.

    Raises:
        BadAnswer: it is none.
    """
    name = told.get("time_zone") if isinstance(told, Mapping) else told
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadAnswer(
            f"has the time zone {name!r}, which this machine does not know",
            component=where,
            remedy="set a time zone in ERPNext's System Settings, and install tzdata here",
        ) from error


def to_utc(told: object, zone: ZoneInfo) -> str:
    """Return one of ERPNext's times as UTC text; empty where it is none."""
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def dated(document: Mapping[str, Any], zone: ZoneInfo) -> Document:
    """Return a document with its ``modified`` in UTC beside it."""
    return {**document, MODIFIED_UTC: to_utc(document.get("modified"), zone)}
