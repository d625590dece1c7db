"""Our monitors and groups in Uptime Kuma: found by their mark whatever was lost, never made twice, edited as a whole.

The mark is the value of a tag. A tag can only be put on a monitor that is there, so a new one carries its mark in its
description as well: a run that was killed in between finds it by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agencystack.components.uptime_kuma import Monitor, UptimeKuma
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.integrations.monitoring.kuma_checks import Check

TAG, COLOR = "agencystack", "#2f855a"
MADE = "Made by AgencyStack: "
CHECK, GROUP = "check ", "group "
"""How the keys begin; the mark follows."""

WIRE: Mapping[str, str] = {
    "name": "name",
    "type": "type",
    "url": "url",
    "keyword": "keyword",
    "hostname": "hostname",
    "port": "port",
    "security": "smtpSecurity",
    "interval": "interval",
    "retry interval": "retryInterval",
    "retries": "maxretries",
    "certificate expiry": "expiryNotification",
}
"""Uptime Kuma's own name of each setting we manage."""


class KumaMonitor(Resource):
    """One monitor, or a group.

    Args:
        kuma: where it is.
        check: what it shall be.
    """

    def __init__(self, kuma: UptimeKuma, check: Check) -> None:
        self.component = kuma.where
        self.key = (CHECK if check.group else GROUP) + check.mark
        self._kuma, self._check = kuma, check

    def read(self) -> Reading:
        """Return our monitor; else one of a person for the same address, which is theirs; else nothing."""
        rows = self._kuma.monitors()
        ours = marked(rows, self._check.mark)
        if ours:
            copies = tuple(_as_copy(row, self._check.mark) for row in ours[1:])
            return Reading(self._fields(ours[0], rows), {"id": ours[0].id}, warnings=copies)
        theirs = self._theirs(rows)
        if theirs is None:
            return ABSENT
        # A monitor with a tag that is newer than the server's start is in none of its metrics (prometheus.js).
        what = (
            f"the monitor {theirs.id} “{theirs.name}” looks at the same address and is not ours; with our tag on it, "
            "Uptime Kuma's /metrics leave it out until Uptime Kuma is restarted once"
        )
        return Reading(self._fields(theirs, rows), {"id": theirs.id}, Foreign(what, Permission.ADOPT))

    def wanted(self) -> Fields:
        """Want it marked and running; of one a person made, only what it looks at is ours to say."""
        row = self._row()
        fields: dict[str, Value] = {**self._target(), "active": True, "marked": True}
        if row is None or _made_by_us(row):
            fields |= {"name": self._check.name, **self._check.habits}
            if self._check.group:
                fields["group"] = self._check.group
        return fields

    def write(self, change: Change) -> None:
        """Make it with its mark, or change the settings that differ and no other."""
        row = self._row()
        if row is None:
            self._mark(self._made(change.target))
            return
        changes = self._wire({name: change.target[name] for name in change.names})
        if changes:
            self._kuma.change_monitor(row.id, changes)
        if "active" in change.names:
            self._kuma.set_active(row.id, active=bool(change.target["active"]))
        if "marked" in change.names:
            self._mark(row.id) if change.target["marked"] else self._unmark(row.id)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it; the tag goes with its last monitor."""
        ours = marked(self._kuma.monitors(), self._check.mark)
        if not ours:
            return ""
        inside = [row for row in self._kuma.monitors() if row.parent == ours[0].id]
        self._kuma.delete_monitor(ours[0].id)
        if not any(row.values_of(TAG) for row in self._kuma.monitors()):
            for tag in self._kuma.tags():
                if tag.name == TAG:
                    self._kuma.delete_tag(tag.id)
        return f"the monitors people put into it are kept, outside of it: {_names(inside)}" if inside else ""

    def _target(self) -> Fields:
        return self._check.target()

    def _extra(self) -> Mapping[str, Any]:
        """Return what a new monitor has besides what is managed."""
        return {}

    def _row(self) -> Monitor | None:
        rows = self._kuma.monitors()
        ours = marked(rows, self._check.mark)
        return ours[0] if ours else self._theirs(rows)

    def _theirs(self, rows: Iterable[Monitor]) -> Monitor | None:
        """Return the first monitor of a person that looks at what ours would look at."""
        if not self._check.group:
            return None
        address = _address(self._target())
        free = (row for row in rows if not row.values_of(TAG) and not _made_by_us(row))
        return next((row for row in free if address and _address(_looks_at(row)) == address), None)

    def _fields(self, row: Monitor, rows: Iterable[Monitor]) -> Fields:
        return {
            **_looks_at(row),
            "name": row.name,
            "interval": row.interval,
            "retry interval": row.retry_interval,
            "retries": row.max_retries,
            "certificate expiry": row.expiry_notification,
            "active": row.active,
            "group": _group_mark(row, rows),
            "marked": self._check.mark in row.values_of(TAG),
        }

    def _made(self, target: Fields) -> int:
        settings = {"description": MADE + self._check.mark, **self._extra(), **self._wire(target)}
        return self._kuma.add_monitor(settings)

    def _wire(self, fields: Fields) -> dict[str, Any]:
        """Return settings in Uptime Kuma's own names."""
        changes: dict[str, Any] = {WIRE[name]: value for name, value in fields.items() if name in WIRE}
        if "group" in fields:
            group = marked(self._kuma.monitors(), str(fields["group"])) if fields["group"] else ()
            changes["parent"] = group[0].id if group else None
        return changes

    def _mark(self, monitor_id: int) -> None:
        tags = [tag for tag in self._kuma.tags() if tag.name == TAG]
        tag = tags[0] if tags else self._kuma.add_tag(TAG, COLOR)
        self._kuma.attach_tag(tag.id, monitor_id, self._check.mark)

    def _unmark(self, monitor_id: int) -> None:
        for tag in self._kuma.tags():
            if tag.name == TAG:
                self._kuma.detach_tag(tag.id, monitor_id, self._check.mark)


def marked(rows: Iterable[Monitor], mark: str) -> tuple[Monitor, ...]:
    """Return the monitors with a mark, ours first: Uptime Kuma's Clone copies a mark to a newer monitor.

    One that was made by a run which died before it could tag it has its mark in its description alone.
    """
    rows = sorted(rows, key=lambda row: row.id)
    tagged = tuple(row for row in rows if mark in row.values_of(TAG))
    if tagged:
        return tagged
    return tuple(row for row in rows if row.description == MADE + mark and not row.values_of(TAG))


def _made_by_us(row: Monitor) -> bool:
    return (row.description or "").startswith(MADE)


def _looks_at(row: Monitor) -> dict[str, Value]:
    return {
        "type": row.type,
        "url": row.url,
        "keyword": row.keyword,
        "hostname": row.hostname,
        "port": row.port,
        "security": row.smtp_security,
    }


def _address(fields: Fields) -> tuple[str, ...]:
    """Return what tells whether two monitors look at the same thing; empty for those that look at nothing."""
    kind = fields.get("type")
    if kind in {"http", "keyword", "json-query"}:
        return (str(fields.get("url")).rstrip("/"),)
    if kind in {"port", "smtp"}:
        return (str(fields.get("hostname")), str(fields.get("port")))
    return ()


def _group_mark(row: Monitor, rows: Iterable[Monitor]) -> str:
    """Return the mark of the group a monitor is in, else the group's name; empty for none."""
    parent = next((found for found in rows if found.id == row.parent), None)
    if parent is None:
        return ""
    return next(iter(parent.values_of(TAG)), (parent.description or "").removeprefix(MADE) or parent.name)


def _as_copy(row: Monitor, mark: str) -> str:
    return f"the monitor {row.id} “{row.name}” is marked {mark} as well, as a clone of ours is; it is left alone"


def _names(rows: Iterable[Monitor]) -> str:
    return ", ".join(f"“{row.name}”" for row in rows)
