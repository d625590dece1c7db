"""The time zone of a WordPress: days of sales begin and end in it. Its REST index tells anybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agencystack.components.woocommerce import RestApi
from agencystack.stack.errors import ComponentError

_FIELDS = {"_fields": "timezone_string,gmt_offset"}
_KEPT, _TRIED = 3600.0, 60.0


class ShopZone:
    """Asks for the zone when it is needed, once an hour.

    Where the index is closed to strangers, and before it ever answered, days are UTC's.

    Args:
        api: of the site.
        clock: seconds.
    """

    def __init__(self, api: RestApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._zone: tzinfo = UTC
        self._until = -1.0

    def __call__(self) -> tzinfo:
        """Return the zone."""
        now = self._clock()
        if now >= self._until:
            try:
                self._zone, self._until = zone_of(self._api.get("", _FIELDS)), now + _KEPT
            except ComponentError:
                self._until = now + _TRIED
        return self._zone


def zone_of(index: Any) -> tzinfo:
    """Return the zone an index tells: by name, or as hours from UTC (Settings > General takes either)."""
    said: Mapping[str, Any] = index if isinstance(index, Mapping) else {}
    try:
        return ZoneInfo(str(said["timezone_string"]))
    except (KeyError, ValueError, ZoneInfoNotFoundError, OSError):
        pass
    try:
        return timezone(timedelta(hours=float(said.get("gmt_offset") or 0)))
    except (TypeError, ValueError):
        return UTC
