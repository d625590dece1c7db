"""What shows that Uptime Kuma watches: our monitors are up now, an outage is seen, the public page lists them."""

from __future__ import annotations

import secrets as random_source
import time
from collections.abc import Iterable

from agencystack.components.uptime_kuma import Heartbeat, Monitor, Status, UptimeKuma
from agencystack.engine.integration import Evidence, Proof
from agencystack.integrations.monitoring.kuma_checks import Check
from agencystack.integrations.monitoring.kuma_monitors import marked
from agencystack.stack.errors import ComponentError

UP, OUTAGE, PUBLIC = "each monitor is up", "a monitor sees an outage", "the status page is public"
SEEN_WITHIN = 30.0
"""Seconds for a check that was asked for now."""

PROBE = "agencystack-probe-"
"""Begins the name of every test monitor; until when it may stand follows, in seconds since 1970."""

LIFETIME = 600
CLOSED = ("127.0.0.1", 1)
"""Where nothing listens, as Uptime Kuma's own machine or container sees it (port 1 is tcpmux, which nobody runs)."""


class MonitorsAreUp(Proof):
    """Have each monitor check now, and wait for its answer, through its retries where there is time for them.

    Args:
        kuma: where they are.
        checks: which.
    """

    name = UP

    def __init__(self, kuma: UptimeKuma, checks: Iterable[Check]) -> None:
        self._kuma, self._checks = kuma, tuple(checks)

    def run(self) -> Evidence:
        """Ask all of them, then wait for each."""
        rows = self._kuma.monitors()
        found = {check.mark: next(iter(marked(rows, check.mark)), None) for check in self._checks}
        running = {mark: row for mark, row in found.items() if row is not None and row.active}
        for row in running.values():
            self._ask(row)
        end = time.monotonic() + SEEN_WITHIN
        beats = {mark: self._kuma.settled(row.id, end - time.monotonic()) for mark, row in running.items()}
        seen = {mark: _shown(found[mark], beats.get(mark)) for mark in found}
        wrong = [f"{mark}: {seen[mark]}" for mark in found if not _is_up(beats.get(mark))]
        return Evidence(ok=not wrong, seen=seen, reason="; ".join(wrong))

    def _ask(self, row: Monitor) -> None:
        self._kuma.check_now(row.id)
        if row.push_token:
            self._kuma.push(row.push_token, "agencystack verify")


class OutageIsSeen(Proof):
    """Make a monitor of a closed port, without notification, wait until it is down, and delete it.

    Args:
        kuma: where.
    """

    name = OUTAGE

    def __init__(self, kuma: UptimeKuma) -> None:
        self._kuma = kuma

    def run(self) -> Evidence:
        """Do it; a killed run's monitors are swept by the next."""
        sweep(self._kuma)
        name = f"{PROBE}{int(time.time()) + LIFETIME}-{random_source.token_hex(4)}"
        host, port = CLOSED
        settings = {"type": "port", "name": name, "hostname": host, "port": port, "retryInterval": 60}
        started = time.monotonic()
        try:
            id_ = self._kuma.add_monitor(settings)
            beat = self._kuma.heartbeat(id_, Status.DOWN, SEEN_WITHIN)
        finally:
            self._delete(name)
        seconds = round(time.monotonic() - started, 2)
        if beat is None or beat.status is not Status.DOWN:
            why = f"no outage of {host}:{port} was reported within {SEEN_WITHIN:g} s: look into Uptime Kuma's log"
            return Evidence(ok=False, seen={"seconds": seconds}, reason=why)
        return Evidence(ok=True, seen={"status": "down", "message": beat.message, "seconds": seconds})

    def _delete(self, name: str) -> None:
        """Delete by name: the answer that said its id may have been lost."""
        self._kuma.forget()
        for row in self._kuma.monitors():
            if row.name == name:
                self._kuma.delete_monitor(row.id)


class PageIsPublic(Proof):
    """Ask for the status page as anybody, and look for our monitors on it.

    Args:
        kuma: where.
        slug: of the page.
        url: of the page, for people.
        marks: of the monitors it must list.
    """

    name = PUBLIC

    def __init__(self, kuma: UptimeKuma, slug: str, url: str, marks: Iterable[str]) -> None:
        self._kuma, self._slug, self._url, self._marks = kuma, slug, url, tuple(marks)

    def run(self) -> Evidence:
        """Look."""
        groups = self._kuma.pages.public(self._slug)
        if groups is None:
            return Evidence(ok=False, seen={"url": self._url}, reason=f"nobody is shown /status/{self._slug}")
        names = {row.id: row.name for group in groups for row in group.monitors}
        rows = self._kuma.monitors()
        ids = {mark: next((row.id for row in marked(rows, mark)), None) for mark in self._marks}
        missing = [mark for mark, id_ in ids.items() if id_ not in names]
        shown = [names[id_] for id_ in ids.values() if id_ in names]
        reason = f"not on it: {', '.join(missing)}" if missing else ""
        return Evidence(ok=not missing, seen={"url": self._url, "lists": shown}, reason=reason)


def sweep(kuma: UptimeKuma) -> None:
    """Delete test monitors that a killed run left; those of a run that is still going stay."""
    for row in kuma.monitors():
        until = row.name.removeprefix(PROBE).partition("-")[0]
        if row.name.startswith(PROBE) and until.isdigit() and int(until) < time.time():
            try:
                kuma.delete_monitor(row.id)
            except ComponentError:
                # The next run sweeps again; what this one proves is not less true for it.
                return


def _is_up(beat: Heartbeat | None) -> bool:
    return beat is not None and beat.status is Status.UP


def _shown(row: Monitor | None, beat: Heartbeat | None) -> str:
    if row is None:
        return "there is no such monitor"
    if not row.active:
        return "is paused"
    if beat is None:
        return f"was not checked within {SEEN_WITHIN:g} s"
    return f"{beat.status.name.lower()}: {beat.message}"
