"""Run a pipeline as Alloy would: the same regular expressions (RE2), the same order, the same quirks.

Source: Alloy 1.10.0, internal/component/loki/process/stages. Where Alloy and convenience differ, Alloy wins: what this
says of a line is what Loki will hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agencystack.logs import flow, passing
from agencystack.logs.model import Stage
from agencystack.logs.passing import Passing


@dataclass(frozen=True)
class Entry:
    """What arrives in Loki. `time` is RFC 3339 in UTC with nanoseconds, None where the text said none."""

    time: str | None
    labels: dict[str, str]
    metadata: dict[str, str]
    line: str

    @property
    def parsed(self) -> bool:
        """Whether a rule knew the line."""
        return self.metadata.get("parsed") != "false"

    def as_json(self) -> dict[str, object]:
        """Return the entry as `logs parse` and the golden files write it."""
        return {
            "time": self.time,
            "labels": dict(sorted(self.labels.items())),
            "metadata": {name: value for name, value in sorted(self.metadata.items()) if name != "parsed"},
            "line": self.line,
            "parsed": self.parsed,
        }


def run(
    stages: Iterable[Stage],
    lines: Iterable[str],
    *,
    now: datetime | None = None,
    source_labels: dict[str, str] | None = None,
) -> Iterator[Entry]:
    """Yield what becomes of the lines of one file; reads on only as entries are taken, and holds one entry at a time.

    `lines` come without their ends, as `decoded` gives them. `now` (default: the clock) gives lacking years.
    `source_labels` are those the collector's source sets (`filename`, `job`): they are extracted values from the
    start, and no label of the result.
    """
    labels = source_labels or {}
    entries = (Passing(line, dict(labels), dict(labels)) for line in lines)
    for each in flow.through(entries, flow.steps(stages), now or datetime.now(UTC)):
        yield _entry(each)


def decoded(line: bytes) -> str:
    """Return a line as text without its end, with a stand-in for each byte that is no UTF-8."""
    return passing.decoded(line.removesuffix(b"\n"))


def _entry(each: Passing) -> Entry:
    """Drop what has no value: Loki keeps neither labels nor structured metadata of empty text."""
    return Entry(
        time=None if each.time is None else _rfc3339(each.time),
        labels={name: value for name, value in each.labels.items() if value},
        metadata={name: value for name, value in each.metadata.items() if value},
        line=each.line.replace(passing.LOST_BYTE, passing.REPLACEMENT),
    )


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
