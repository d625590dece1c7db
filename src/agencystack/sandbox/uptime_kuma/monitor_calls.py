"""The stand-in's calls about monitors and tags: whole objects in, next to nothing checked."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agencystack.sandbox.uptime_kuma.answers import Declined, done, sql_error
from agencystack.sandbox.uptime_kuma.monitor_settings import UNSET
from agencystack.sandbox.uptime_kuma.runner import Runner
from agencystack.sandbox.uptime_kuma.state import State

Emit = Callable[..., Awaitable[None]]
Call = Callable[..., Awaitable[dict[str, Any]]]

NAMED = ("name", "type", "url", "active", "notificationIDList")
FRONTEND_ONLY = ("humanReadableInterval", "globalpingdnsresolvetypeoptions", "responsecheck")
NO_EVERY = "Cannot read properties of undefined (reading 'every')"
NO_CONDITIONS = "SQLITE_CONSTRAINT: NOT NULL constraint failed: monitor.conditions"


class MonitorCalls:
    """Answers these calls.

    Args:
        state: where monitors are kept.
        runner: runs them.
        emit: pushes an event to who is logged in.
    """

    def __init__(self, state: State, runner: Runner, emit: Emit) -> None:
        self._state, self._runner, self._emit = state, runner, emit

    def calls(self) -> Mapping[str, Call]:
        """Return what answers each call."""
        return {
            "add": self.add,
            "editMonitor": self.edit,
            "getMonitorList": self.list_all,
            "getMonitor": self.get,
            "getMonitorBeats": self.beats,
            "resumeMonitor": self.resume,
            "pauseMonitor": self.pause,
            "deleteMonitor": self.delete,
            "getTags": self.tags,
            "addTag": self.add_tag,
            "editTag": self.edit_tag,
            "deleteTag": self.delete_tag,
            "addMonitorTag": self.attach,
            "deleteMonitorTag": self.detach,
        }

    async def add(self, monitor: dict[str, Any]) -> dict[str, Any]:
        """Add a monitor; a name, a type or an address that is there already is no reason not to."""
        _status_codes(monitor)
        given = {name: value for name, value in monitor.items() if name not in FRONTEND_ONLY}
        columns = {_column(name) for name in given if name != "notificationIDList"}
        unknown = sorted(set(given) - set(UNSET) - set(NAMED))
        if unknown:
            complaint = f"SQLITE_ERROR: table monitor has no column named {_column(unknown[0])}"
            raise sql_error("monitor", columns, {_column(name): value for name, value in given.items()}, complaint)
        if given.get("conditions") is None:
            values = {_column(name): value for name, value in given.items()}
            raise sql_error("monitor", columns | {"conditions"}, values, NO_CONDITIONS)
        _intervals(given)
        id_ = self._state.next_id("monitors")
        row = {"id": id_, "name": None, "type": None, "url": None, "active": True, **UNSET, **given}
        row["notificationIDList"] = _chosen(given.get("notificationIDList"))
        self._state.monitors[id_] = row
        self._state.save()
        await self._pushed(id_)
        if row["active"] is not False:
            self._runner.start(id_)
        return done("successAdded", monitorID=id_)

    async def edit(self, monitor: dict[str, Any]) -> dict[str, Any]:
        """Replace a monitor by the whole object that is given."""
        row = self._state.monitors.get(monitor.get("id", 0))
        if row is None:
            raise Declined("Cannot read properties of null (reading 'user_id')")
        _status_codes(monitor)
        _intervals(monitor)
        row |= {name: monitor.get(name) for name in (*UNSET, "name", "type", "url")}
        row["notificationIDList"] = _chosen(monitor.get("notificationIDList"))
        self._state.save()
        if row["active"]:
            self._runner.start(row["id"])
        await self._pushed(row["id"])
        return done("Saved.", monitorID=row["id"])

    async def list_all(self) -> dict[str, Any]:
        """Push the list, then acknowledge."""
        await self._emit("monitorList", self.all_shown())
        return done()

    def all_shown(self) -> dict[str, Any]:
        """Return all monitors by id."""
        return {str(id_): self._state.shown(id_) for id_ in self._state.monitors}

    async def get(self, monitor_id: int) -> dict[str, Any]:
        """Return a monitor."""
        if monitor_id not in self._state.monitors:
            raise Declined("Cannot read properties of null (reading 'id')")
        return done(monitor=self._state.shown(monitor_id))

    async def beats(self, monitor_id: int, period: float | None) -> dict[str, Any]:
        """Return stored heartbeats, the newest last."""
        if period is None:
            raise Declined("Invalid period.")
        rows = self._state.heartbeats.get(monitor_id, [])
        return done(data=[{**beat, "monitor_id": monitor_id, "important": int(beat["important"])} for beat in rows])

    async def resume(self, monitor_id: int) -> dict[str, Any]:
        """Let a monitor check, now and from now on."""
        self._owned(monitor_id)["active"] = True
        self._state.save()
        self._runner.start(monitor_id)
        await self._pushed(monitor_id)
        return done("successResumed")

    async def pause(self, monitor_id: int) -> dict[str, Any]:
        """Let a monitor check no more."""
        self._owned(monitor_id)["active"] = False
        self._state.save()
        self._runner.stop(monitor_id)
        await self._pushed(monitor_id)
        return done("successPaused")

    async def delete(self, monitor_id: Any, with_children: bool = False) -> dict[str, Any]:
        """Delete a monitor; what a group holds is moved out of it unless it is to go as well."""
        if monitor_id in self._state.monitors:
            for child in self._state.children(monitor_id):
                if with_children:
                    await self.delete(child["id"], True)
                else:
                    child["parent"] = None
                    await self._pushed(child["id"])
            self._runner.stop(monitor_id)
        self._state.delete_monitor(monitor_id)
        await self._emit("deleteMonitorFromList", monitor_id)
        return done("successDeleted")

    async def tags(self) -> dict[str, Any]:
        """Return all tags."""
        return done(tags=list(self._state.tags.values()))

    async def add_tag(self, tag: dict[str, Any]) -> dict[str, Any]:
        """Make a tag, be there one of that name or not."""
        id_ = self._state.next_id("tags")
        self._state.tags[id_] = {"id": id_, "name": tag["name"], "color": tag["color"]}
        self._state.save()
        return done(tag=self._state.tags[id_])

    async def edit_tag(self, tag: dict[str, Any]) -> dict[str, Any]:
        """Rename or recolour a tag; nobody is told."""
        if tag["id"] not in self._state.tags:
            raise Declined("tagNotFound", i18n=True)
        self._state.tags[tag["id"]] = {"id": tag["id"], "name": tag["name"], "color": tag["color"]}
        self._state.save()
        return done("Saved.", tag=self._state.tags[tag["id"]])

    async def delete_tag(self, tag_id: int) -> dict[str, Any]:
        """Delete a tag; nobody is told."""
        self._state.tags.pop(tag_id, None)
        self._state.monitor_tags = [row for row in self._state.monitor_tags if row["tag_id"] != tag_id]
        self._state.save()
        return done("successDeleted")

    async def attach(self, tag_id: int, monitor_id: int, value: str) -> dict[str, Any]:
        """Put a tag on a monitor, once more where it is there."""
        if tag_id not in self._state.tags or monitor_id not in self._state.monitors:
            values = {"tag_id": tag_id, "monitor_id": monitor_id, "value": value}
            raise sql_error("monitor_tag", values, values, "SQLITE_CONSTRAINT: FOREIGN KEY constraint failed")
        self._state.monitor_tags.append({"tag_id": tag_id, "monitor_id": monitor_id, "value": value})
        self._state.save()
        await self._pushed(monitor_id)
        return done("successAdded")

    async def detach(self, tag_id: int, monitor_id: int, value: str) -> dict[str, Any]:
        """Take a tag off, as often as it is there."""
        gone = {"tag_id": tag_id, "monitor_id": monitor_id, "value": value}
        self._state.monitor_tags = [row for row in self._state.monitor_tags if row != gone]
        self._state.save()
        await self._pushed(monitor_id)
        return done("successDeleted")

    def _owned(self, monitor_id: int) -> dict[str, Any]:
        row: dict[str, Any] | None = self._state.monitors.get(monitor_id)
        if row is None:
            raise Declined("You do not own this monitor.")
        return row

    async def _pushed(self, monitor_id: int) -> None:
        if monitor_id in self._state.monitors:
            await self._emit("updateMonitorIntoList", {str(monitor_id): self._state.shown(monitor_id)})


def _status_codes(monitor: Mapping[str, Any]) -> None:
    if monitor.get("accepted_statuscodes") is None:
        raise Declined(NO_EVERY)
    if not all(isinstance(code, str) for code in monitor["accepted_statuscodes"]):
        raise Declined("Accepted status codes are not all strings")


def _intervals(monitor: Mapping[str, Any]) -> None:
    for name, words in (("interval", "Interval"), ("retryInterval", "Retry interval")):
        if (monitor.get(name) or 1) < 1:
            raise Declined(f"{words} cannot be less than 1 seconds")


def _chosen(given: Mapping[str, bool] | None) -> list[int]:
    return [int(id_) for id_, on in (given or {}).items() if on]


def _column(name: str) -> str:
    return re.sub("(?<!^)([A-Z]+)", r"_\1", name).lower()
