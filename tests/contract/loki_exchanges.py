"""What was asked of a real Loki, and what it answered, in ``recordings/loki``; and how the same is asked again.

Times differ each time: in a recording `<now>`, `<now-8d>` stand for nanoseconds, `<time>` for a written time. To
record anew, with the sandbox's Loki:

    python -m tests.contract.loki_exchanges
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

RECORDING = Path(__file__).parent / "recordings" / "loki" / "interface.json"
NANO = 1_000_000_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PLACE = re.compile(r"<now(?:([+-]\d+)([smhd]))?>")
WRITTEN_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 UTC)")
LONG = "<300000 x>"


def recorded() -> list[dict[str, Any]]:
    """Return the recorded exchanges in their order, which matters: queries find what was written before."""
    exchanges: list[dict[str, Any]] = json.loads(RECORDING.read_text())["exchanges"]
    return exchanges


def ask(url: str, request: dict[str, Any], now: int) -> dict[str, Any]:
    """Send a recorded request and return the answer as recordings have it.

    Args:
        url: of the Loki.
        request: as recorded.
        now: what `<now>` stands for, in nanoseconds.
    """
    sent = json.loads(
        PLACE.sub(lambda place: str(_moment(place, now)), json.dumps(request)).replace(LONG, "x" * 300_000)
    )
    answer = httpx.request(
        sent["method"],
        url + sent["path"],
        params=sent.get("params"),
        json=sent.get("body"),
        headers=sent.get("headers"),
        timeout=30,
    )
    told: dict[str, Any] = {"status": answer.status_code}
    if answer.headers.get("content-type", "").startswith("application/json"):
        told["json"] = _without_statistics(_masked(answer.json(), now))
    else:
        told["text"] = _masked(answer.text, now)
    return told


def _moment(place: re.Match[str], now: int) -> int:
    return now + int(place[1] or 0) * UNITS[place[2] or "s"] * NANO


def _masked(answer: Any, now: int) -> Any:
    if isinstance(answer, dict):
        return {name: _masked(value, now) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_masked(value, now) for value in answer]
    if isinstance(answer, str):
        return WRITTEN_TIME.sub("<time>", answer.replace(str(now), "<now>"))
    is_time = isinstance(answer, int | float) and abs(answer - now / NANO) <= 2 * UNITS["m"]
    return "<about now>" if is_time else answer


def _without_statistics(answer: Any) -> Any:
    """Leave out how long it took and how much was read, and what Loki was built with."""
    if isinstance(answer, dict) and isinstance(answer.get("data"), dict):
        answer["data"].pop("stats", None)
    if isinstance(answer, dict) and "goVersion" in answer:
        return {"version": answer["version"]}
    return answer


def _exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    def push(name: str, *values: Any, labels: dict[str, str] | None = None) -> tuple[str, dict[str, Any]]:
        stream = {"client": "acme", "component": "wordpress"} if labels is None else labels
        body = {"streams": [{"stream": stream, "values": list(values)}]}
        return name, {"method": "POST", "path": "/loki/api/v1/push", "body": body}

    def get(name: str, path: str, **params: str) -> tuple[str, dict[str, Any]]:
        apart = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        return name, {"method": "GET", "path": path, "params": params, "headers": apart}

    span = {"start": "<now-1h>", "end": "<now+1h>"}
    yield get("ready", "/ready")
    yield get("build", "/loki/api/v1/status/buildinfo")
    yield get("labels of nothing", "/loki/api/v1/labels", **span)
    yield push("write", ["<now>", "an entry", {"status": "200"}])
    yield push("write the same again", ["<now>", "an entry", {"status": "200"}])
    yield push("write two with one too old", ["<now-8d>", "old"], ["<now>", "beside it"])
    yield push("write what is ahead", ["<now+1h>", "ahead"])
    yield push("write what is long", ["<now>", LONG])
    yield push("write a label that is none", ["<now>", "x"], labels={"a b": "1"})
    yield push("write nothing to write to", ["<now>", "x"], labels={})
    acme = '{client="acme"}'
    yield get("entries", "/loki/api/v1/query_range", query=acme, limit="10", direction="forward", **span)
    yield get("no entries", "/loki/api/v1/query_range", query='{client="nobody"}', **span)
    yield get("half a query", "/loki/api/v1/query_range", query="{client=", **span)
    yield get("a query for everything", "/loki/api/v1/query_range", query="{}", **span)
    yield get("too many entries", "/loki/api/v1/query_range", query=acme, limit="5001", **span)
    count, minute = f"sum by (client) (count_over_time({acme}[5m]))", {"start": "<now-1m>", "end": "<now+1m>"}
    yield get("numbers over time", "/loki/api/v1/query_range", query=count, step="60", **minute)
    yield get("a number", "/loki/api/v1/query", query=count, time="<now+1s>")
    yield get("labels", "/loki/api/v1/labels", **span)
    yield get("values of a label", "/loki/api/v1/label/client/values", **span)
    yield get("values of no label", "/loki/api/v1/label/nothing/values", **span)
    yield get("series", "/loki/api/v1/series", **{"match[]": acme}, **span)


def main() -> None:
    """Record."""
    from tests.logs.collectors import running_loki

    now = time.time_ns() // NANO * NANO
    with tempfile.TemporaryDirectory() as folder, running_loki(Path(folder)) as service:
        exchanges = [
            {"name": name, "request": request, "response": ask(service.url, request, now)}
            for name, request in _exchanges()
        ]
    told = {
        "source": "Loki 3.7.8, built from its Go module, settings as it comes, over loopback",
        "exchanges": exchanges,
    }
    RECORDING.parent.mkdir(parents=True, exist_ok=True)
    RECORDING.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
