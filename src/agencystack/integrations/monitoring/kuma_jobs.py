"""The push monitor of a client: it goes down when ``agencystack verify`` was not run in time."""

from __future__ import annotations

import secrets as random_source
import string
from collections.abc import Mapping
from typing import Any

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.engine.integration import SealedValue, Site
from agencystack.engine.resource import Change, Image, Reading
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations.monitoring.kuma_checks import Check
from agencystack.integrations.monitoring.kuma_monitors import KumaMonitor, marked
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret

VERIFY_WITHIN = 26 * 3600
"""Seconds: a daily run, and two hours for one that is late."""

TOKEN_LENGTH = 32


class JobMonitor(KumaMonitor):
    """Waits to be told; the server makes no token, so that one is ours to make (``push without pushToken``)."""

    def __init__(self, kuma: UptimeKuma, check: Check, token: SealedValue) -> None:
        super().__init__(kuma, check)
        self._token = token

    def wanted(self) -> Fields:
        """Want it with its token; one that was lost here is read back from there."""
        row = self._row()
        live = Secret(row.push_token) if row is not None and row.push_token else None
        return {**super().wanted(), "push token": self._token.get() or live or Marker.PENDING}

    def write(self, change: Change) -> None:
        """Make token and monitor, or change what differs."""
        token = change.target.get("push token")
        if token is Marker.PENDING:
            self._token.put(_new_token())
        elif isinstance(token, Secret):
            self._token.put(token)
        super().write(change)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it; its token opens nothing any more."""
        left = super().remove(live, before)
        self._token.delete()
        return left

    def _extra(self) -> Mapping[str, Any]:
        token = self._token.get()
        return {"pushToken": token.reveal()} if token else {}

    def _fields(self, row: Any, rows: Any) -> Fields:
        token: Value = Secret(row.push_token) if row.push_token else None
        return {**super()._fields(row, rows), "push token": token}

    def _wire(self, fields: Fields) -> dict[str, Any]:
        token = self._token.get()
        ours = {"pushToken": token.reveal()} if "push token" in fields and token else {}
        return super()._wire(fields) | ours


def job_check(site: Site) -> Check:
    """Return the check that hears of runs of ``agencystack verify`` for a client."""
    habits: Fields = {"interval": int(site.setting("verify_within", VERIFY_WITHIN)), "retries": 0}
    mark = f"{site.client}/agencystack/verify"
    return Check(mark, f"{site.client} agencystack verify", lambda: {"type": "push"}, habits, site.client, public=False)


def job_monitor(site: Site, kuma: UptimeKuma) -> JobMonitor:
    """Return the push monitor of a site's client."""
    return JobMonitor(kuma, job_check(site), push_token(site))


def push_token(site: Site) -> SealedValue:
    """Return where the token of a client's push monitor is kept."""
    return SealedValue(site.context, f"{site.client}/monitoring/uptime-kuma-push-token")


def report_run(site: Site, kuma: UptimeKuma, message: str) -> bool:
    """Tell a client's push monitor that a run went well; say whether there is one that takes it.

    Args:
        site: any of the client's.
        kuma: where the monitor is; a login is needed only where the token is not kept here.
        message: shown beside it, without secrets.
    """
    token = push_token(site).get()
    if token is None:
        ours = marked(kuma.monitors(), job_check(site).mark)
        token = Secret(ours[0].push_token) if ours and ours[0].push_token else None
    if token is None:
        return False
    try:
        kuma.push(token.reveal(), message)
    except Refused:
        # It is paused, or a person deleted it: a plan shows that.
        return False
    return True


def _new_token() -> Secret:
    letters = string.ascii_letters + string.digits
    return Secret("".join(random_source.choice(letters) for _ in range(TOKEN_LENGTH)))
