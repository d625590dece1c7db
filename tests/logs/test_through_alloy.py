"""Every recorded file, tailed by a real Alloy with our rules into a real Loki, is there as the entries beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agencystack.components.loki import Entry, Loki
from agencystack.logs import alloy
from agencystack.logs.model import Timestamp, When
from tests.logs.collectors import (
    WHERE,
    entries_of,
    running_alloy,
    running_loki,
    tailed,
    until,
    written_to,
)
from tests.logs.golden import ZONE, Sample, samples

SAMPLES = list(samples())
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Collected:
    """A Loki that an Alloy has been told to fill from all samples.

    Args:
        client: of the Loki.
        began: when.
        refused: samples whose rules Alloy does not load, with its reason.
    """

    client: Loki
    began: datetime
    refused: dict[str, str]

    def of(self, sample: Sample, count: int) -> list[Entry]:
        """Return what came of a sample; waits for as many entries as are expected."""
        since = min([*_times(sample), self.began]) - DAY
        return until(lambda: entries_of(self.client, owner(sample), since), lambda found: len(found) >= count)


def owner(sample: Sample) -> str:
    """Return the client a sample is collected for: each has its own, so that no stream is fed by two files."""
    return f"golden-{sample.component}-{sample.lines.stem}"


def _times(sample: Sample) -> list[datetime]:
    return [datetime.fromisoformat(entry["time"]) for entry in sample.expected() if entry["time"]]


def _fragment(sample: Sample) -> str:
    label = alloy.identifier(owner(sample))
    sent_to = "loki.write.test.receiver"
    rules = alloy.process(label, sample.component, sample.stream, owner(sample), forward_to=sent_to, zone=ZONE)
    return tailed(label, sample.lines, rules)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    root, began, refused = tmp_path_factory.mktemp("collected"), datetime.now(UTC), {}
    with (
        running_loki(root, old_entries=True) as store,
        running_alloy(root, {"write.alloy": written_to(store.url)}) as collector,
    ):
        for sample in SAMPLES:
            if reason := collector.refuses(f"{owner(sample)}.alloy", _fragment(sample)):
                refused[sample.name] = reason
        client = Loki(WHERE, store.url)
        yield Collected(client, began, refused)
        client.close()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_ends_with_a_line_break(sample: Sample) -> None:
    """Alloy leaves a last line that has none unread: it may still be being written."""
    assert sample.lines.read_bytes().endswith(b"\n")


@pytest.mark.real
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_arrives_in_loki_is_what_stands_beside_the_sample(sample: Sample, collected: Collected) -> None:
    assert collected.refused.get(sample.name) is None
    wanted = _distinct(_told(sample, entry) for entry in sample.expected())
    found = [_seen(sample, entry, collected.began) for entry in collected.of(sample, len(wanted))]
    assert sorted(found, key=_order) == sorted(wanted, key=_order)


def _told(sample: Sample, entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(entry["metadata"]) | ({} if entry["parsed"] else {"parsed": "false"})
    labels = {name: owner(sample) if name == "client" else value for name, value in entry["labels"].items()}
    return {"time": _comparable(sample, entry["time"]), "labels": labels, "metadata": metadata, "line": entry["line"]}


def _seen(sample: Sample, entry: Entry, began: datetime) -> dict[str, Any]:
    """Return an entry as :func:`_told` has it; one that has the time it was read has none of its own."""
    read_just_now = entry.time >= began
    time = None if read_just_now else f"{entry.time:%Y-%m-%dT%H:%M:%S}.{entry.nanoseconds % 10**9:09d}Z"
    return {
        "time": _comparable(sample, time),
        "labels": dict(entry.labels),
        "metadata": dict(entry.metadata),
        "line": entry.line,
    }


def _comparable(sample: Sample, time: str | None) -> str | None:
    """Leave out the year of a format that has none: Alloy takes today's, and the samples are from 2026."""
    return time[5:] if time and _has_no_year(sample) else time


def _has_no_year(sample: Sample) -> bool:
    def stages(inner: Any) -> Iterator[Any]:
        for stage in inner:
            yield from stages(stage.stages) if isinstance(stage, When) else (stage,)

    return any("06" not in stage.layout for stage in stages(sample.format.stages) if isinstance(stage, Timestamp))


def _distinct(entries: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries once each: Loki keeps one of those that are the same in time, labels and text."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        if entry["time"] is None or entry not in found:
            found.append(entry)
    return found


def _order(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True)
