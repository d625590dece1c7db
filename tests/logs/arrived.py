"""Whether what a collector made of the recorded files, and wrote into a Loki, is what stands beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agencystack.components.loki import Entry, Loki
from agencystack.logs.model import Timestamp, When
from tests.logs.collectors import entries_of, until
from tests.logs.golden import Sample

DAY = timedelta(days=1)


def owner(sample: Sample) -> str:
    """Return the client a sample is collected for: each has its own, so that no stream is fed by two files."""
    return f"golden-{sample.component}-{sample.lines.stem}"


@dataclass(frozen=True)
class Arrived:
    """A Loki that a collector fills from samples.

    Args:
        client: of the Loki.
        began: when; entries of later times have that at which they were read.
        refused: samples whose rules the collector does not load, with its reason.
    """

    client: Loki
    began: datetime
    refused: Mapping[str, str]

    def check(self, sample: Sample) -> None:
        """Compare what arrived of a sample with what stands beside it."""
        assert self.refused.get(sample.name) is None
        wanted = _distinct(_told(sample, entry) for entry in sample.expected())
        found = [self._seen(sample, entry) for entry in self._of(sample, len(wanted))]
        assert sorted(found, key=_order) == sorted(wanted, key=_order)

    def _of(self, sample: Sample, count: int) -> list[Entry]:
        """Return what came of a sample; waits for as many entries as are expected."""
        times = [datetime.fromisoformat(entry["time"]) for entry in sample.expected() if entry["time"]]
        since = min([*times, self.began, datetime.now(UTC)]) - DAY
        return until(lambda: entries_of(self.client, owner(sample), since), lambda found: len(found) >= count)

    def _seen(self, sample: Sample, entry: Entry) -> dict[str, Any]:
        """Return an entry as :func:`_told` has it; one that has the time it was read has none of its own."""
        read_just_now = entry.time >= self.began
        time = None if read_just_now else f"{entry.time:%Y-%m-%dT%H:%M:%S}.{entry.nanoseconds % 10**9:09d}Z"
        return {
            "time": _comparable(sample, time),
            "labels": dict(entry.labels),
            "metadata": dict(entry.metadata),
            "line": entry.line,
        }


def _told(sample: Sample, entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(entry["metadata"]) | ({} if entry["parsed"] else {"parsed": "false"})
    labels = {name: owner(sample) if name == "client" else value for name, value in entry["labels"].items()}
    return {"time": _comparable(sample, entry["time"]), "labels": labels, "metadata": metadata, "line": entry["line"]}


def _comparable(sample: Sample, time: str | None) -> str | None:
    """Leave out the year of a format that has none: a collector takes today's, and the samples are from 2026."""
    return time[5:] if time and _has_no_year(sample) else time


def _has_no_year(sample: Sample) -> bool:
    def stages(inner: Iterable[Any]) -> Iterator[Any]:
        for stage in inner:
            yield from stages(stage.stages) if isinstance(stage, When) else (stage,)

    return any("06" not in stage.layout for stage in stages(sample.format.stages) if isinstance(stage, Timestamp))


def _distinct(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries once each: Loki keeps one of those that are the same in time, labels and text."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        if entry["time"] is None or entry not in found:
            found.append(entry)
    return found


def _order(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True)
