"""The stand-in's HTTP side: status pages, push monitors and metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.sandbox.uptime_kuma.checks import DOWN, UP, Seen
from agencystack.sandbox.uptime_kuma.runner import Runner
from agencystack.sandbox.uptime_kuma.state import State

CACHED_SECONDS = 300.0
LABELS = (("name", "name"), ("type", "type"), ("url", "url"), ("hostname", "hostname"), ("port", "port"))


class Public:
    """Answers HTTP.

    Args:
        state: what is shown.
        runner: takes what push monitors are told.
        opens_metrics: says whether an ``Authorization`` header opens the metrics.
    """

    def __init__(self, state: State, runner: Runner, opens_metrics: Callable[[str | None], bool]) -> None:
        self._state, self._runner, self._opens_metrics = state, runner, opens_metrics
        # Fixed when it starts: a monitor with a tag made later is not in the metrics until a restart (prometheus.js).
        self._tag_labels = {_label(tag["name"]) for tag in state.tags.values()}
        self._cached: dict[str, tuple[float, int, Response]] = {}

    def routes(self) -> list[Route]:
        """Return all paths."""
        return [
            Route("/", self._front),
            Route("/dashboard", self._front),
            Route("/status/{slug}", self._page),
            Route("/api/status-page/heartbeat/{slug}", self._beats),
            Route("/api/status-page/{slug}", self._page_data),
            Route("/api/push/{token}", self._push),
            Route("/api/entry-page", self._entry),
            Route("/metrics", self._metrics),
        ]

    async def _front(self, _: Request) -> Response:
        return HTMLResponse("<!DOCTYPE html><title>Uptime Kuma</title>")

    async def _entry(self, _: Request) -> Response:
        return JSONResponse({"type": "entryPage", "entryPage": "dashboard"})

    async def _page(self, request: Request) -> Response:
        found = self._state.page(request.path_params["slug"].lower())
        return HTMLResponse("<!DOCTYPE html><title>Uptime Kuma</title>", status_code=200 if found else 404)

    async def _page_data(self, request: Request) -> Response:
        slug = request.path_params["slug"].lower()
        until, saves, answer = self._cached.get(slug, (0.0, 0, Response()))
        if until < time.monotonic() or saves != self._state.saved_pages:
            answer = self._fresh_page_data(slug)
            self._cached[slug] = (time.monotonic() + CACHED_SECONDS, self._state.saved_pages, answer)
        return answer

    def _fresh_page_data(self, slug: str) -> Response:
        page = self._state.page(slug)
        if page is None:
            return JSONResponse({"status": "fail", "msg": "Status Page Not Found"}, status_code=404)
        hidden = {"id", "domainNameList"}
        config = {name: value for name, value in page["config"].items() if name not in hidden}
        groups = [
            {
                "id": group["id"],
                "name": group["name"],
                "weight": group["weight"],
                "monitorList": [self._listed(row) for row in group["monitors"]],
            }
            for group in page["groups"]
        ]
        return JSONResponse({"config": config, "incidents": [], "publicGroupList": groups, "maintenanceList": []})

    def _listed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        monitor = self._state.monitors[row["id"]]
        sends_url = bool(row.get("sendUrl"))
        shown = {"id": row["id"], "name": monitor["name"], "sendUrl": int(sends_url), "type": monitor["type"]}
        return shown | ({"url": row.get("url") or monitor["url"]} if sends_url else {})

    async def _beats(self, request: Request) -> Response:
        page = self._state.page(request.path_params["slug"].lower())
        rows = [row["id"] for group in (page or {"groups": []})["groups"] for row in group["monitors"]]
        shown = ("status", "time", "ping")
        beats = {
            str(id_): [{name: b[name] for name in shown} | {"msg": ""} for b in self._state.heartbeats.get(id_, [])]
            for id_ in rows
        }
        return JSONResponse({"heartbeatList": beats, "uptimeList": {}})

    async def _push(self, request: Request) -> Response:
        token = request.path_params["token"]
        rows = self._state.monitors.values()
        found = next((row for row in rows if row["pushToken"] == token and row["active"]), None)
        if found is None:
            return JSONResponse({"ok": False, "msg": "Monitor not found or not active."}, status_code=404)
        status = UP if request.query_params.get("status", "up") == "up" else DOWN
        await self._runner.note(found["id"], Seen(status, request.query_params.get("msg") or "OK"))
        self._runner.start(found["id"])
        return JSONResponse({"ok": True})

    async def _metrics(self, request: Request) -> Response:
        if not self._opens_metrics(request.headers.get("authorization")):
            return Response(status_code=401, headers={"WWW-Authenticate": "Basic"}, media_type="text/html")
        head = "# HELP monitor_status Monitor Status (1 = UP, 0= DOWN, 2= PENDING, 3= MAINTENANCE)"
        lines = [head, "# TYPE monitor_status gauge", *self._statuses()]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    def _statuses(self) -> list[str]:
        lines = []
        for id_, row in self._state.monitors.items():
            last = self._state.last_beat(id_)
            if last is None:
                continue
            labels = {_label(tag["name"]): _label(tag["value"]) for tag in self._state.tags_of(id_)}
            if not set(labels) <= self._tag_labels:
                continue
            labels |= {"monitor_id": str(id_)}
            labels |= {f"monitor_{label}": str(row[key] or "null") for label, key in LABELS}
            shown = ",".join(f'{name}="{value}"' for name, value in labels.items())
            lines.append(f"monitor_status{{{shown}}} {last['status']}")
        return lines


def _label(text: str) -> str:
    """Return a tag's name or value as the metrics show it: letters, digits and underscores alone."""
    return re.sub("^[^a-zA-Z_]+", "", re.sub("[^a-zA-Z0-9_]", "", text))
