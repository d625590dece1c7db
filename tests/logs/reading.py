"""Lines of a test, read by the rules as those of a file would be."""

from __future__ import annotations

from datetime import UTC, datetime

from agencystack.logs import catalogue, evaluate, pipeline
from agencystack.logs.evaluate import Entry

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


def read(component: str, stream: str, *lines: str | bytes, now: datetime = NOW, zone: str = "UTC") -> list[Entry]:
    """Return what becomes of these lines of one file, read at `now` from a host in `zone`."""
    stages = pipeline.stages(catalogue.find(component, stream), "acme", zone=zone)
    raw = (line if isinstance(line, bytes) else line.encode() for line in lines)
    return list(evaluate.run(stages, map(evaluate.decoded, raw), now=now))


def read_one(component: str, stream: str, *lines: str | bytes, now: datetime = NOW, zone: str = "UTC") -> Entry:
    """Return the one entry these lines become."""
    (entry,) = read(component, stream, *lines, now=now, zone=zone)
    return entry
