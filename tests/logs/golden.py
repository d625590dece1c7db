"""The golden samples: lines as the products wrote them, and beside them the entries they must become.

`samples/<component>/<stream>[-<n>].log` and `...entries.jsonl`, one JSON object an entry. To see what a changed rule
makes of them, write the expectations anew and read the difference before committing it:

    python -m tests.logs.golden [COMPONENT[/STREAM[-N]]...]
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agencystack.logs import catalogue, evaluate, pipeline
from agencystack.logs.model import Format

SAMPLES = Path(__file__).parent / "samples"
CLIENT = "acme"
ZONE = "UTC"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
"""The samples were recorded the day before: layouts without a year get 2026."""


@dataclass(frozen=True)
class Sample:
    """One recorded file and its expectation."""

    component: str
    stream: str
    lines: Path

    @property
    def name(self) -> str:
        return f"{self.component}/{self.lines.stem}"

    @property
    def expectation(self) -> Path:
        return self.lines.with_suffix(".entries.jsonl")

    @property
    def format(self) -> Format:
        return catalogue.find(self.component, self.stream)

    def entries(self) -> list[dict[str, Any]]:
        stages = pipeline.stages(self.format, CLIENT, zone=ZONE)
        with self.lines.open("rb") as file:
            return [entry.as_json() for entry in evaluate.run(stages, map(evaluate.decoded, file), now=NOW)]

    def expected(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.expectation.read_text("utf-8").splitlines()]

    def write(self) -> None:
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in self.entries())
        self.expectation.write_text(text, "utf-8")


def samples() -> Iterator[Sample]:
    for lines in sorted(SAMPLES.glob("*/*.log")):
        yield Sample(lines.parent.name, re.sub(r"-\d+$", "", lines.stem), lines)


if __name__ == "__main__":
    for sample in samples():
        if not sys.argv[1:] or any(sample.name.startswith(wanted) for wanted in sys.argv[1:]):
            sample.write()
            sys.stdout.write(f"{sample.name}: {len(sample.expected())} entries\n")
