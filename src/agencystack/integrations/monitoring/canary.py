"""Have an application log something that never stood in a log before, and find it in Loki."""

from __future__ import annotations

import secrets as random_source
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from agencystack.components.http import HttpApi
from agencystack.components.loki import Entry, Loki
from agencystack.engine.context import Component
from agencystack.engine.integration import Evidence, Proof, Site
from agencystack.integrations import products
from agencystack.logs.model import LABELS, LEVELS
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, Unavailable
from agencystack.stack.products import Keycloak as KeycloakSettings

FOUND = "a unique event is found in the log store"
WORD = "agencystack-canary-"
"""Begins what is to be found. It stands in a path: values of queries are masked."""

ARRIVAL_SECONDS = 30.0
POLL_SECONDS = 0.5
SKEW = timedelta(hours=15)
"""How far off a time may be to be found at all: further than any time zone."""

TOLERANCE = timedelta(seconds=5)
"""How far an entry's time may be from that of the event: the clocks of two machines, and formats of whole seconds."""


@dataclass(frozen=True)
class Canary(ABC):
    """Something an application can be made to log.

    Args:
        stream: in which of its logs it is to be found.
    """

    stream: str

    @abstractmethod
    def sing(self, nonce: str) -> Mapping[str, Any]:
        """Make the application log ``nonce``; return what was done, for the evidence."""


@dataclass(frozen=True)
class Request(Canary):
    """Asks an application for something there is none of: that is logged with its name.

    Args:
        component: who is asked.
        path: what for; ``{nonce}`` in it is what is to be found.
    """

    component: Component
    path: str = "/{nonce}"

    def sing(self, nonce: str) -> Mapping[str, Any]:
        """Ask; whatever is answered, it is logged."""
        settings = self.component.settings
        api = HttpApi(self.component.ref, settings.reached_by_us(), ca_file=products.ca_file(settings))
        path = self.path.format(nonce=nonce)
        try:
            answered = api.send("GET", path, redirects=True).status_code
        except AuthenticationFailed:
            answered = 401
        finally:
            api.close()
        return {"event": f"GET {path}", "answered": answered}


def canary_of(site: Site, streams: Collection[str]) -> Canary | None:
    """Return what an application can be made to log in one of the streams that are collected of it; None for nothing.

    Args:
        site: the application.
        streams: which of its logs are collected.
    """
    application = site.application
    known = _STREAMS.get(application.ref.name, ("access",))
    stream = next((stream for stream in known if stream in streams), None)
    if stream is None:
        return None
    if application.ref.name == "keycloak":
        realm = products.settings_of(application, KeycloakSettings).realm.replace("{client}", site.client)
        return Request(stream, application, f"/realms/{quote(realm)}{_NO_CLIENT}")
    return Request(stream, application)


_STREAMS = {
    "wordpress": ("access", "server"),
    "erpnext": ("access", "server"),
    "mailu": ("front",),
    "grafana": ("server",),
    "chatwoot": ("server",),
    "keycloak": ("server",),
}
"""The streams in which requests can be found."""

# A login through a client there is none of is an event of its own, with the name; nobody is locked out by it.
_NO_CLIENT = "/protocol/openid-connect/auth?response_type=code&client_id={nonce}"


class CanaryIsFound(Proof):
    """The event is in Loki within 30 s, with our labels, parsed, at the time it happened.

    Args:
        ref: the application.
        canary: what it is made to log; None where nothing can be thought of.
        loki: where it is to be found.
        look: says, where it is not found, what the collector sees.
    """

    name = FOUND

    def __init__(self, ref: ComponentRef, canary: Canary | None, loki: Loki, look: Callable[[], str]) -> None:
        self._ref, self._canary, self._loki, self._look = ref, canary, loki, look

    def run(self) -> Evidence:
        """Make it log, wait, judge."""
        if self._canary is None:
            return Evidence(
                ok=False,
                reason=f"{self._ref} cannot be made to log anything we would know again in the logs that are "
                "collected; add the log of its requests to its logs in stack.yaml (stream: access)",
            )
        nonce = f"{WORD}{random_source.token_hex(8)}"
        labels = {"client": self._ref.client, "component": self._ref.name, "stream": self._canary.stream}
        selector = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        query = f'{{{selector}}} |= "{nonce}"'
        began = datetime.now(UTC)
        seen: dict[str, Any] = {"query": query, **self._canary.sing(nonce)}
        ended = datetime.now(UTC)
        found = self._wait(query, began)
        if not found:
            reason = f"not in Loki after {ARRIVAL_SECONDS:g} s"
            return Evidence(ok=False, seen=seen, reason="; ".join(filter(None, (reason, self._look()))))
        entry = found[0]
        seen |= {
            "seconds": round((datetime.now(UTC) - ended).total_seconds(), 1),
            "entries": len(found),
            "labels": {name: entry.labels[name] for name in LABELS if name in entry.labels},
            "time": entry.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        wrong = [*wrong_with(entry, began, ended), *self.wrong_with(found)]
        return Evidence(ok=not wrong, seen=seen, reason="; ".join(wrong))

    def wrong_with(self, entries: list[Entry]) -> list[str]:
        """Return what else is wrong with the entries that hold the event; here nothing."""
        return []

    def _wait(self, query: str, began: datetime) -> list[Entry]:
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while True:
            try:
                found = self._loki.query_range(query, began - SKEW, began + SKEW, limit=10)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                found = []
            if found or time.monotonic() > deadline:
                return found
            time.sleep(POLL_SECONDS)


def wrong_with(entry: Entry, began: datetime, ended: datetime) -> list[str]:
    """Return what is wrong with the entry of an event; nothing where all is well.

    Args:
        entry: as Loki has it.
        began: before the event.
        ended: after it.
    """
    wrong = []
    if entry.labels.get("level") not in LEVELS:
        wrong.append(f"its level is {entry.labels.get('level', 'missing')}")
    if entry.metadata.get("parsed") == "false":
        wrong.append("its form was not understood: see docs/log-formats.md for the streams there are")
    off = min((entry.time - began, entry.time - ended), key=abs)
    if not began - TOLERANCE <= entry.time <= ended + TOLERANCE:
        wrong.append(
            f"its time is {off.total_seconds():+.0f} s off: set zone beside it in logs, or the machine's clock"
        )
    return wrong
