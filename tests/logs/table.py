"""The table of docs/log-formats.md, made from the formats and their samples: `python -m tests.logs.table` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

from agencystack.logs import catalogue
from agencystack.logs.model import LEVELS, Format
from tests.logs.golden import Sample, samples

PAGE = Path(__file__).parents[2] / "docs" / "log-formats.md"
BEGIN, END = "<!-- made by tests/logs/table.py: begin -->\n", "<!-- end -->\n"
HEAD = (
    "| format | what it is | lines | entries | unparsed | levels | metadata | masked, besides what all are |\n"
    "|---|---|---:|---:|---:|---|---|---|\n"
)


def table() -> str:
    """Return the table: one row a format; a format without a sample has no counts."""
    found = list(samples())
    rows = (_row(log, [each for each in found if _is_of(each, log)]) for log in catalogue.all_formats().values())
    return HEAD + "".join(sorted(rows))


def _is_of(sample: Sample, log: Format) -> bool:
    return (sample.component, sample.stream) == (log.component, log.stream)


def _row(log: Format, of_it: list[Sample]) -> str:
    entries = [entry for sample in of_it for entry in sample.entries()]
    lines = sum(len(sample.lines.read_bytes().splitlines()) for sample in of_it)
    unparsed = sum(not entry["parsed"] for entry in entries)
    counts = (str(lines), str(len(entries)), str(unparsed)) if of_it else ("-", "-", "-")
    levels = [level for level in LEVELS if any(entry["labels"]["level"] == level for entry in entries)]
    names = ", ".join(f"`{name}`" for name in log.metadata)
    cells = (f"`{log.component}/{log.stream}`", log.about, *counts, ", ".join(levels), names, log.masked or "")
    return "| " + " | ".join(cells) + " |\n"


def page() -> str:
    """Return the page with the table as it should be."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE.name}: {table().count(chr(10)) - 2} formats\n")
