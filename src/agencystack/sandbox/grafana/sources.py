"""Data sources, and queries passed on to the Loki or Prometheus behind them (``pkg/api/datasources.go``)."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from agencystack.sandbox.grafana.answers import Declined
from agencystack.sandbox.grafana.kept import Kept

TIMEOUT = 30.0
_SHOWN = ("url", "user", "database", "basicAuthUser")


class Sources:
    """The data sources.

    Args:
        path: where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, "sources")

    def all(self) -> list[dict[str, Any]]:
        """Return them as the list shows them."""
        return [{k: v for k, v in _shown(row).items() if k != "secureJsonFields"} for row in self._rows.values()]

    def get(self, uid: str) -> dict[str, Any]:
        """Return one as it is shown; declines where there is none."""
        return _shown(self._row(uid))

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make one."""
        uid = str(body.get("uid") or f"ds{len(self._rows) + 1}")
        if any(row["name"] == body.get("name") for row in self._rows.values()):
            raise Declined(409, "data source with the same name already exists")
        if uid in self._rows:
            raise Declined(409, "data source with the same uid already exists")
        number = max((row["id"] for row in self._rows.values()), default=0) + 1
        self._rows[uid] = {"id": number, "uid": uid, "version": 0, "secrets": {}, "readOnly": False}
        return self._store(uid, body, "Datasource added")

    def save(self, uid: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change one."""
        if self._row(uid)["readOnly"]:
            raise Declined(403, "Cannot update read-only data source")
        return self._store(uid, body, "Datasource updated")

    def delete(self, uid: str) -> dict[str, Any]:
        """Delete one."""
        row = self._row(uid)
        if row["readOnly"]:
            raise Declined(403, "Cannot delete read-only data source")
        del self._rows[uid]
        self._kept.save()
        return {"id": row["id"], "message": "Data source deleted"}

    def provision(self, body: Mapping[str, Any]) -> None:
        """Make one as a provisioning file would: read-only from then on."""
        self.create(body)
        self._rows[str(body["uid"])]["readOnly"] = True
        self._kept.save()

    async def query(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Run the queries of a panel; return the status Grafana answers with, and what it answers."""
        seconds = _seconds(str(body.get("from", "now-1h")))
        queries = body.get("queries") or ()
        unknown = [query for query in queries if (query.get("datasource") or {}).get("uid") not in self._rows]
        if unknown or not queries:
            raise Declined(404, "Data source not found") if unknown else Declined(400, "No queries found")
        results = {str(query["refId"]): await self.ask(query, seconds) for query in queries}
        return (400 if any("error" in result for result in results.values()) else 200), {"results": results}

    async def ask(self, query: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Run one query, and return its result as Grafana frames it."""
        row = self._row(str(query["datasource"]["uid"]))
        instant = query.get("queryType") == "instant" or bool(query.get("instant"))
        path, params = _request(row["type"], query, seconds, instant=instant)
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
                answer = await client.get(row["url"].rstrip("/") + path, params=params, headers=_headers(row))
        except httpx.HTTPError as error:
            return {"error": f'Get "{row["url"]}{path}": {error}', "status": 502}
        if answer.status_code != 200:
            return {"error": answer.text.strip(), "status": 500}
        return {"status": 200, "frames": _frames(str(query["refId"]), answer.json()["data"])}

    @property
    def _rows(self) -> dict[str, Any]:
        return self._kept["sources"]

    def _row(self, uid: str) -> dict[str, Any]:
        if uid not in self._rows:
            raise Declined(404, "Data source not found")
        row: dict[str, Any] = self._rows[uid]
        return row

    def _store(self, uid: str, body: Mapping[str, Any], message: str) -> dict[str, Any]:
        row = self._rows[uid]
        given = {name: value for name, value in body.items() if name not in {"id", "uid", "secureJsonData", "version"}}
        secrets = {**row["secrets"], **(body.get("secureJsonData") or {})}
        row.update({**given, "version": row["version"] + 1, "secrets": secrets})
        self._kept.save()
        return {"datasource": _shown(row), "id": row["id"], "message": message, "name": row["name"]}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: row.get(name) or "" for name in _SHOWN}
    return {
        "id": row["id"],
        "uid": row["uid"],
        "orgId": 1,
        "name": row["name"],
        "type": row["type"],
        "access": row.get("access", "proxy"),
        **shown,
        "basicAuth": bool(row.get("basicAuth")),
        "isDefault": bool(row.get("isDefault")),
        "jsonData": row.get("jsonData") or {},
        "secureJsonFields": {name: True for name, value in row["secrets"].items() if value},
        "version": row["version"],
        "readOnly": row["readOnly"],
    }


def _headers(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what the data source adds to each request: HTTP Basic, and headers of its own."""
    data, secrets = row.get("jsonData") or {}, row["secrets"]
    headers = {}
    if row.get("basicAuth"):
        both = f"{row.get('basicAuthUser', '')}:{secrets.get('basicAuthPassword', '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
    if data.get("httpHeaderName1"):
        headers[str(data["httpHeaderName1"])] = str(secrets.get("httpHeaderValue1", ""))
    return headers


def _request(kind: str, query: Mapping[str, Any], seconds: float, *, instant: bool) -> tuple[str, dict[str, str]]:
    step = max(int(query.get("intervalMs") or 1000), 1000) // 1000
    expr = str(query["expr"]).replace("$__interval", f"{step}s").replace("$__range", f"{int(seconds)}s")
    end = time.time()
    root = "/loki/api/v1" if kind == "loki" else "/api/v1"
    if instant:
        return f"{root}/query", {"query": expr, "time": f"{end:.3f}"}
    params = {"query": expr, "start": f"{end - seconds:.3f}", "end": f"{end:.3f}", "step": str(step)}
    return f"{root}/query_range", params | ({"limit": str(query.get("maxLines") or 1000)} if kind == "loki" else {})


def _frames(ref: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    if data["resultType"] == "streams":
        entries = [(stream["stream"], *value[:2]) for stream in data["result"] for value in stream["values"]]
        columns = [
            [labels for labels, _, _ in entries],
            [int(at) // 1_000_000 for _, at, _ in entries],
            [line for _, _, line in entries],
        ]
        return [_frame(ref, ("labels", "Time", "Line"), columns, {})] if entries else []
    if data["resultType"] == "scalar":
        return [_frame(ref, ("Time", "Value"), [[data["result"][0] * 1000], [float(data["result"][1])]], {})]
    made = []
    for series in data["result"]:
        points = series.get("values") or [series["value"]]
        columns = [[at * 1000 for at, _ in points], [float(value) for _, value in points]]
        made.append(_frame(ref, ("Time", "Value"), columns, series["metric"]))
    return made


def _frame(ref: str, names: tuple[str, ...], columns: list[list[Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    fields = [{"name": name, **({"labels": dict(labels)} if name == "Value" else {})} for name in names]
    return {"schema": {"refId": ref, "fields": fields}, "data": {"values": columns}}


def _seconds(start: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if start.startswith("now-") and start[-1] in units:
        return float(start[4:-1]) * units[start[-1]]
    raise Declined(400, f"failed to parse time range: {quote(start)}")
