"""The stages over the stream of entries: what joins, drops, branches, or remembers the entry before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from agencystack.logs import changes, golayout
from agencystack.logs.expressions import compiled
from agencystack.logs.model import (
    Cri,
    Docker,
    Drop,
    Json,
    Labels,
    Multiline,
    OnFailure,
    Output,
    Regex,
    Stage,
    Timestamp,
    When,
    WhenLabel,
)
from agencystack.logs.passing import Passing

Step = Callable[[Iterator[Passing], datetime], Iterator[Passing]]
"""Takes entries and the present moment, gives entries."""


def steps(stages: Iterable[Stage]) -> list[Step]:
    """Return what the stages do, in order. A step remembers what passed: make new ones for each file."""
    return [_step(stage) for each in stages for stage in _expanded(each)]


def through(entries: Iterator[Passing], along: Iterable[Step], now: datetime) -> Iterator[Passing]:
    """Return the entries as they come out of the last step; nothing is read before it is asked for."""
    for step in along:
        entries = step(entries, now)
    return entries


def _expanded(stage: Stage) -> tuple[Stage, ...]:
    """Return the stages Alloy itself makes of a predefined one (`extensions.go`)."""
    match stage:
        case Docker():
            fields = (("output", "log"), ("stream", "stream"), ("timestamp", "time"))
            return Json(fields), Labels(("stream",)), Timestamp("timestamp", "RFC3339Nano"), Output("output")
        case Cri():
            expression = r"^(?s)(?P<time>\S+?) (?P<stream>stdout|stderr) (?P<flags>\S+?) (?P<content>.*)$"
            unwrapped = (Regex(expression), Labels(("stream",)), Timestamp("time", "RFC3339Nano"), Output("content"))
            return *unwrapped, stage
        case _:
            return (stage,)


def _step(stage: Stage) -> Step:
    match stage:
        case Multiline():
            return _Joining(stage)
        case Cri():
            return lambda entries, _now: _joined_parts(entries)
        case When():
            pattern = compiled(stage.pattern)
            return _Branch(lambda each: bool(pattern.search(each.line)), stage.stages)
        case WhenLabel():
            return _Branch(lambda each: each.labels.get(stage.name, "") == stage.value, stage.stages)
        case Drop():
            expression = compiled(stage.expression)
            return lambda entries, _now: (each for each in entries if not expression.search(each.line))
        case Timestamp():
            return _Clock(stage)
        case _:
            change = changes.change(stage)
            return lambda entries, _now: _changed(entries, change)


def _changed(entries: Iterator[Passing], change: changes.Change) -> Iterator[Passing]:
    for each in entries:
        change(each)
        yield each


class _Clock:
    """The timestamp stage: remembers the last time of each set of labels, for lines that have none."""

    def __init__(self, stage: Timestamp) -> None:
        self._stage = stage
        self._parsers = [golayout.parser(layout, stage.zone) for layout in (stage.layout, *stage.fallbacks)]
        self._last: dict[frozenset[tuple[str, str]], int] = {}

    def __call__(self, entries: Iterator[Passing], now: datetime) -> Iterator[Passing]:
        for each in entries:
            self._tell(each, now)
            yield each

    def _tell(self, each: Passing, now: datetime) -> None:
        text = each.text(self._stage.source)
        times = (parse(text, now) for parse in self._parsers) if text is not None else iter(())
        time = next((time for time in times if time is not None), None)
        if time is None and self._stage.on_failure is OnFailure.FUDGE and each.stream in self._last:
            time = self._last[each.stream] + 1
        if time is not None:
            each.time = self._last[each.stream] = time


class _Branch:
    """The match stage: a pipeline of its own for the entries that fit, here in their order."""

    def __init__(self, fits: Callable[[Passing], bool], stages: Iterable[Stage]) -> None:
        self._fits = fits
        self._steps = steps(stages)

    def __call__(self, entries: Iterator[Passing], now: datetime) -> Iterator[Passing]:
        for each in entries:
            if self._fits(each):
                each.extracted.update(each.labels)
                yield from through(iter((each,)), self._steps, now)
            else:
                yield each


class _Joining:
    """The multiline stage, for the lines of one file read to its end: nothing waits here, so nothing times out."""

    def __init__(self, stage: Multiline) -> None:
        self._max_lines = stage.max_lines
        self._firstline = compiled(stage.firstline)

    def __call__(self, entries: Iterator[Passing], _now: datetime) -> Iterator[Passing]:
        blocks: dict[frozenset[tuple[str, str]], _Block] = {}
        for each in entries:
            first = bool(self._firstline.search(each.line))
            if not first and each.stream not in blocks:
                yield each
                continue
            block = blocks.setdefault(each.stream, _Block(each))
            if first:
                yield from block.flushed()
                block.start = each
            block.append(each.line)
            if block.count == self._max_lines:
                yield from block.flushed()
        for block in blocks.values():
            yield from block.flushed()


@dataclass
class _Block:
    """The lines of one entry so far, and the entry of the first of them, whose labels and time they get."""

    start: Passing
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def append(self, line: str) -> None:
        """Add a line; empty ones before the first text leave no trace, but are counted."""
        self.count += 1
        if line or self.lines:
            self.lines.append(line)

    def flushed(self) -> Iterator[Passing]:
        """Yield the lines as one entry and begin anew; without text there is none, and the count goes on."""
        if self.lines:
            start = self.start
            yield Passing("\n".join(self.lines), dict(start.labels), dict(start.extracted), time=start.time)
            self.lines, self.count = [], 0


def _joined_parts(entries: Iterator[Passing]) -> Iterator[Passing]:
    """The rest of the CRI stage: parts (flag P) wait for the full line (F) of the same labels."""
    parts: dict[frozenset[tuple[str, str]], str] = {}
    for each in entries:
        each.line = parts.pop(each.stream, "") + each.line
        if each.extracted.get("flags") == "P":
            parts[each.stream] = each.line
        else:
            yield each
