"""Which stream a file is, when nobody says: by its name, else by whose rules know its lines."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from itertools import islice

from agencystack.logs import catalogue, evaluate, pipeline
from agencystack.logs.model import Format

LINES = 200
"""So many lines of a file are looked at."""

_ENOUGH = 0.5
"""A format that knows fewer of the entries than this is not the one."""


def stream(component: str, file_name: str, lines: Sequence[str]) -> str | None:
    """Return the one stream of a component that fits, None where none does or several do.

    `lines` are the first of the file. A name decides only between formats that know its lines; of formats that know
    them equally well, the plainest is meant: a container's output takes the forms of several files.
    """
    formats = [catalogue.find(component, name) for name in catalogue.streams(component)]
    known = {log.stream: _known(log, lines) for log in formats}
    fitting = [log for log in formats if known[log.stream] >= _ENOUGH]
    named = [log for log in fitting if any(fnmatch(file_name, pattern) for pattern in log.names)]
    if len(named) == 1:
        return named[0].stream
    best = [log for log in fitting if known[log.stream] == max(known.values())]
    plainest = [log for log in best if len(log.stages) == min(len(each.stages) for each in best)]
    return plainest[0].stream if len(plainest) == 1 else None


def _known(log: Format, lines: Sequence[str]) -> float:
    """Return the share of entries the rules know; of two that know all, the one with the fuller entries wins."""
    entries = list(evaluate.run(pipeline.stages(log, "any"), islice(lines, LINES)))
    parsed = [entry for entry in entries if entry.parsed]
    if not parsed:
        return 0.0
    details = sum(len(entry.metadata) for entry in parsed) / len(parsed)
    return len(parsed) / len(entries) + details / 1000
