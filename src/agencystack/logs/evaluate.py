"""Run a pipeline as Alloy would: the same regular expressions (RE2), the same order, the same quirks.

Source: Alloy 1.10.0, internal/component/loki/process/stages. Where Alloy and convenience differ, Alloy wins: what this
says of a line is what Loki will hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import re2  # type: ignore[import-untyped]

from agencystack.logs import golayout, logfmt
from agencystack.logs.model import (
    Choose,
    Cri,
    Cut,
    Docker,
    Drop,
    DropLabels,
    Json,
    KeepLabels,
    Labels,
    Logfmt,
    Metadata,
    Multiline,
    OnFailure,
    Output,
    Put,
    PutUnlessAny,
    Regex,
    Replace,
    Stage,
    StaticLabels,
    Timestamp,
    When,
)

_SECOND = 1_000_000_000
_LOST_BYTE = "\ufffd"

Value = str | float | bool | None


@dataclass
class Passing:
    """An entry on its way: what Alloy's stages hand to one another. `time` is in nanoseconds, None as it was read."""

    line: str
    labels: dict[str, str] = field(default_factory=dict)
    extracted: dict[str, Value] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    time: int | None = None

    def text(self, name: str) -> str | None:
        """Return an extracted value as text, None where there is none (or null)."""
        value = self.extracted.get(name)
        return value if isinstance(value, str) else _text(value)


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


def run(stages: Iterable[Stage], lines: Iterable[str], *, now: datetime | None = None) -> Iterator[Entry]:
    """Yield what becomes of the lines of one file. Reads on only as entries are taken, and holds one entry at a time.

    `lines` come without their ends, as `decoded` gives them. `now` (default: the clock) gives lacking years.
    """
    steps = _steps(stages)
    moment = now or datetime.now(UTC)
    entries: Iterator[Passing] = (Passing(line) for line in lines)
    for step in steps:
        entries = step(entries, moment)
    for each in entries:
        yield _entry(each)


def decoded(line: bytes) -> str:
    """Return a line as text without its end, one U+FFFD for each byte that is no UTF-8, as Go reads them."""
    text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
    return text if text.isascii() else "".join(_LOST_BYTE if "\udc80" <= each <= "\udcff" else each for each in text)


def _entry(passing: Passing) -> Entry:
    """Drop what has no value: Loki keeps neither labels nor structured metadata of empty text."""
    return Entry(
        time=None if passing.time is None else _rfc3339(passing.time),
        labels={name: value for name, value in passing.labels.items() if value},
        metadata={name: value for name, value in passing.metadata.items() if value},
        line=passing.line,
    )


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


Step = Callable[[Iterator[Passing], datetime], Iterator[Passing]]


def _steps(stages: Iterable[Stage]) -> list[Step]:
    return [_step(stage) for each in stages for stage in _expanded(each)]


def _expanded(stage: Stage) -> tuple[Stage, ...]:
    """Return the stages Alloy itself makes of a predefined one."""
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
            return _Branch(stage)
        case Drop():
            expression = compiled(stage.expression)
            return lambda entries, _now: (each for each in entries if not expression.search(each.line))
        case Timestamp():
            return _Clock(stage)
        case _:
            change = _change(stage)
            return lambda entries, _now: _changed(entries, change)


def _changed(entries: Iterator[Passing], change: Callable[[Passing], None]) -> Iterator[Passing]:
    for each in entries:
        change(each)
        yield each


def _change(stage: Stage) -> Callable[[Passing], None]:
    match stage:
        case Regex():
            return _regex(stage)
        case Json():
            return _json(stage)
        case Logfmt():
            return _logfmt(stage)
        case Replace():
            return _replace(stage)
        case Choose():
            return _choose(stage)
        case Put():
            return lambda each: _set(each, stage.target, stage.value)
        case PutUnlessAny():
            return lambda each: _set(
                each, stage.target, "" if any(each.text(name) for name in stage.names) else stage.value
            )
        case Cut():
            return lambda each: _cut(each, stage)
        case Labels():
            return lambda each: each.labels.update(_valid(each, stage.names))
        case StaticLabels():
            return lambda each: each.labels.update({name: value for name, value in stage.values if value})
        case KeepLabels():
            return lambda each: _keep(each, lambda name: name in stage.names)
        case DropLabels():
            return lambda each: _keep(each, lambda name: name not in stage.names)
        case Metadata():
            return lambda each: _metadata(each, stage)
        case Output():
            return lambda each: _output(each, stage)
        case _:
            raise TypeError(f"no evaluation of {type(stage).__name__}")


@cache
def compiled(expression: str) -> Any:
    """Return the compiled expression. Raises ValueError where RE2 (so Go, so Alloy) does not take it."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise ValueError(f"RE2 does not take {expression!r}: {error}") from error


def _text(value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        shown = format(Decimal(repr(value)), "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return value


def _set(each: Passing, target: str, value: str) -> None:
    if value:
        each.extracted[target] = value
    else:
        each.extracted.pop(target, None)


def _source(each: Passing, source: str | None) -> str | None:
    return each.line if source is None else each.text(source)


def _regex(stage: Regex) -> Callable[[Passing], None]:
    expression = compiled(stage.expression)
    names = tuple(expression.groupindex.items())

    def change(each: Passing) -> None:
        text = _source(each, stage.source)
        match = None if text is None else expression.search(text)
        if match:
            for name, index in names:
                each.extracted[name] = match.group(index) or ""

    return change


def _json(stage: Json) -> Callable[[Passing], None]:
    def change(each: Passing) -> None:
        text = _source(each, stage.source)
        try:
            document = json.loads(text or "", parse_int=float, parse_constant=_refuse)
        except ValueError:
            return
        if isinstance(document, dict):
            each.extracted.update({name: _member(document, path) for name, path in stage.fields})

    return change


def _refuse(constant: str) -> Value:
    raise ValueError(f"{constant} is no JSON")


def _member(document: object, path: str) -> Value:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    if document is None or isinstance(document, str | float | bool):
        return document
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _logfmt(stage: Logfmt) -> Callable[[Passing], None]:
    names = {key: name for name, key in stage.fields}

    def change(each: Passing) -> None:
        text = _source(each, stage.source)
        for key, value in logfmt.pairs(text or ""):
            if key in names:
                each.extracted[names[key]] = value

    return change


def _replace(stage: Replace) -> Callable[[Passing], None]:
    expression = compiled(stage.expression)

    def change(each: Passing) -> None:
        text = _source(each, stage.source)
        if text is None:
            return
        result = "".join(_replaced(expression, text, stage.replacement))
        if stage.source is None:
            each.line = result
        else:
            each.extracted[stage.source] = result

    return change


def _replaced(expression: Any, text: str, replacement: str) -> Iterator[str]:
    """Yield the pieces of the new text. Every group of every match goes; one that begins in an earlier one stays."""
    end = 0
    for match in expression.finditer(text):
        for group in range(1, expression.groups + 1):
            start, stop = match.span(group)
            if start >= end and start != -1:
                yield text[end:start]
                yield replacement
                end = stop
    yield text[end:]


def _choose(stage: Choose) -> Callable[[Passing], None]:
    exact = {value: case.result for case in reversed(stage.cases) if not case.prefix for value in case.values}
    prefixes = tuple((case.values, case.result) for case in stage.cases if case.prefix)

    def result(text: str) -> str | None:
        if text in exact:
            return exact[text]
        return next((result for beginnings, result in prefixes if text.startswith(beginnings)), None)

    def change(each: Passing) -> None:
        text = each.text(stage.source) or ""
        chosen = result(text.lower() if stage.fold else text) if text else None
        if chosen is None:
            chosen = (each.text(stage.target) if stage.keep else None) or stage.otherwise or ""
        _set(each, stage.target, chosen)

    return change


def _cut(each: Passing, stage: Cut) -> None:
    if len(each.line) * 4 <= stage.limit:
        return
    encoded = each.line.encode()
    if len(encoded) > stage.limit:
        each.line = decoded(encoded[: stage.limit]) + CUT_MARK


CUT_MARK = " [cut by agencystack]"
"""Stands at the end of a line that was shortened."""


def _valid(each: Passing, names: Iterable[str]) -> dict[str, str]:
    """Return extracted values as labels take them: Alloy skips text that is no UTF-8."""
    found = {name: text for name in names if (text := each.text(name)) is not None}
    return {name: text for name, text in found.items() if _LOST_BYTE not in text}


def _keep(each: Passing, wanted: Callable[[str], bool]) -> None:
    each.labels = {name: value for name, value in each.labels.items() if wanted(name)}


def _metadata(each: Passing, stage: Metadata) -> None:
    each.metadata.update(_valid(each, stage.names))
    each.metadata.update({name: each.labels.pop(name) for name in stage.names if name in each.labels})


def _output(each: Passing, stage: Output) -> None:
    text = each.text(stage.source)
    if text is not None:
        each.line = text


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
        text, key = each.text(self._stage.source), frozenset(each.labels.items())
        times = (parse(text, now) for parse in self._parsers) if text is not None else iter(())
        time = next((time for time in times if time is not None), None)
        if time is None and self._stage.on_failure is OnFailure.FUDGE and key in self._last:
            time = self._last[key] + 1
        if time is not None:
            each.time = self._last[key] = time


class _Branch:
    """The match stage: its stages for the entries whose line matches, in their order."""

    def __init__(self, stage: When) -> None:
        self._pattern = compiled(stage.pattern)
        self._steps = _steps(stage.stages)

    def __call__(self, entries: Iterator[Passing], now: datetime) -> Iterator[Passing]:
        for each in entries:
            if self._pattern.search(each.line):
                each.extracted.update(each.labels)
                yield from self._through(each, now)
            else:
                yield each

    def _through(self, each: Passing, now: datetime) -> Iterator[Passing]:
        entries: Iterator[Passing] = iter((each,))
        for step in self._steps:
            entries = step(entries, now)
        return entries


class _Joining:
    """The multiline stage, for the lines of one file read to its end: nothing waits here, so nothing times out."""

    def __init__(self, stage: Multiline) -> None:
        self._stage = stage
        self._firstline = compiled(stage.firstline)

    def __call__(self, entries: Iterator[Passing], now: datetime) -> Iterator[Passing]:
        held: dict[frozenset[tuple[str, str]], _Block] = {}
        for each in entries:
            key = frozenset(each.labels.items())
            first = bool(self._firstline.search(each.line))
            if key not in held:
                if not first:
                    yield each
                    continue
                held[key] = _Block(each)
            elif first:
                yield from held[key].flushed()
                held[key].start = each
            yield from self._appended(held[key], each)
        for block in held.values():
            yield from block.flushed()

    def _appended(self, block: _Block, each: Passing) -> Iterator[Passing]:
        block.append(each.line)
        if block.count == self._stage.max_lines:
            yield from block.flushed()


@dataclass
class _Block:
    """The lines of one entry so far, and the entry of the first of them, whose labels and time they get."""

    start: Passing
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def append(self, line: str) -> None:
        """Alloy puts a line end only behind text: empty lines at the beginning leave no trace."""
        self.count += 1
        if line or self.lines:
            self.lines.append(line)

    def flushed(self) -> Iterator[Passing]:
        """Yield the lines as one entry and begin anew; without text there is none, and the count goes on."""
        if self.lines:
            yield Passing(
                "\n".join(self.lines), dict(self.start.labels), dict(self.start.extracted), {}, self.start.time
            )
            self.lines, self.count = [], 0


def _joined_parts(entries: Iterator[Passing]) -> Iterator[Passing]:
    """The rest of the CRI stage: parts (flag P) wait for the full line (F) of the same labels."""
    parts: dict[frozenset[tuple[str, str]], str] = {}
    for each in entries:
        key = frozenset(each.labels.items())
        each.line = parts.pop(key, "") + each.line
        if each.extracted.get("flags") == "P":
            parts[key] = each.line
        else:
            yield each
