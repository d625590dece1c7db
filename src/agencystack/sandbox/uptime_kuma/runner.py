"""When the stand-in's monitors check: at once and then at their interval, each a task, with retries and groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from agencystack.sandbox.uptime_kuma.checks import DOWN, PENDING, UP, Checker, Seen
from agencystack.sandbox.uptime_kuma.state import State

Tell = Callable[[dict[str, Any]], Awaitable[None]]
Alarm = Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]]


class Runner:
    """Runs the monitors.

    Args:
        state: where they are kept.
        checker: does one check.
        tell: hands each heartbeat to who is logged in.
        alarm: is told when a monitor went down, or up again.
    """

    def __init__(self, state: State, checker: Checker, tell: Tell, alarm: Alarm) -> None:
        self._state, self._checker, self._tell, self._alarm = state, checker, tell, alarm
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._started = False

    def start_all(self) -> None:
        """Start every active monitor, once."""
        if self._started:
            return
        self._started = True
        for monitor_id, row in self._state.monitors.items():
            if row["active"]:
                self.start(monitor_id)

    def start(self, monitor_id: int) -> None:
        """Start a monitor, or start it anew."""
        self.stop(monitor_id)
        self._tasks[monitor_id] = asyncio.get_running_loop().create_task(self._run(monitor_id))

    def stop(self, monitor_id: int) -> None:
        """Let a monitor check no more."""
        task = self._tasks.pop(monitor_id, None)
        if task is not None:
            task.cancel()

    async def note(self, monitor_id: int, seen: Seen) -> None:
        """Keep and tell what was seen of a monitor."""
        row = self._state.monitors[monitor_id]
        last = self._state.last_beat(monitor_id)
        retries = (last["retries"] if last else 0) + 1 if seen.status == DOWN else 0
        status = PENDING if seen.status == DOWN and retries <= row["maxretries"] else seen.status
        important = last is None or (last["status"] != status and status != PENDING)
        beat = {
            "monitorID": monitor_id,
            "status": status,
            "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "msg": seen.message,
            "ping": seen.ping,
            "important": important,
            "retries": retries,
        }
        # People are told before the heartbeat is pushed (server/model/monitor.js).
        if important and (status == DOWN or (last is not None and status == UP)):
            await self._alarm(row, beat)
        if important:
            self._state.show_pages_anew()
        self._state.beat(monitor_id, beat)
        await self._tell(beat)

    async def _run(self, monitor_id: int) -> None:
        row = self._state.monitors[monitor_id]
        if row["type"] == "push":
            await asyncio.sleep(row["interval"])
        while True:
            row = self._state.monitors[monitor_id]
            await self.note(monitor_id, await self._seen(row))
            last = self._state.last_beat(monitor_id)
            pending = last is not None and last["status"] == PENDING
            await asyncio.sleep(row["retryInterval"] if pending and row["retryInterval"] else row["interval"])

    async def _seen(self, row: dict[str, Any]) -> Seen:
        if row["type"] == "group":
            return self._of_group(row)
        if row["type"] == "push":
            return Seen(DOWN, "No heartbeat in the time window")
        return await self._checker.check(row)

    def _of_group(self, row: dict[str, Any]) -> Seen:
        """Judge a group by its active children (``server/monitor-types/group.js``)."""
        children = self._state.children(row["id"])
        if not children:
            return Seen(PENDING, "Group empty")
        beats = {child["name"]: self._state.last_beat(child["id"]) for child in children if child["active"]}
        down = [name for name, beat in beats.items() if beat and beat["status"] == DOWN]
        pending = [name for name, beat in beats.items() if beat is None or beat["status"] == PENDING]
        if down:
            return Seen(DOWN, f"Child monitors down: {', '.join(down)}")
        if pending:
            return Seen(PENDING, f"Pending child monitors: {', '.join(pending)}")
        return Seen(UP, "All children up and running")
