"""What a log rule must not do: label without bounds, lose text, cost too much, or say what no dashboard understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from agencystack.logs import golayout
from agencystack.logs.expressions import compiled
from agencystack.logs.model import (
    EVENTS,
    LABELS,
    LEVELS,
    METADATA,
    Choose,
    Drop,
    Format,
    Json,
    Logfmt,
    Multiline,
    Output,
    Put,
    PutUnlessAny,
    Regex,
    Replace,
    Shorten,
    Stage,
    Timestamp,
    When,
)

MOST_ALTERNATIVES = 40
"""Of one expression. RE2 and Go never take exponential time, but Go tries every alternative at every letter."""

MOST_STAGES = 30
"""Of one format, branches included: in Alloy each is a goroutine that hands every entry on."""

NO_TEXT = r"^\s*$"
"""The only lines that may be dropped."""

_OWN = (Regex, Json, Logfmt, Timestamp, Choose, Put, PutUnlessAny, Replace, Shorten, When, Output, Drop)
"""What a format may use; the stages that set labels and metadata stand round it, in `pipeline`."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = (*LABELS, "filename", "parsed", "long")
_BOUNDED = {"level": LEVELS, "event": EVENTS}


def problems(log: Format) -> list[str]:
    """Return what is wrong with a format, in words; none when all is well."""
    return [f"{log.component}/{log.stream}: {problem}" for check in _CHECKS for problem in check(log)]


def _every(stages: Iterable[Stage]) -> Iterator[Stage]:
    for stage in stages:
        yield stage
        if isinstance(stage, When):
            yield from _every(stage.stages)


def _only_own_stages(log: Format) -> Iterator[str]:
    for stage in _every(log.stages):
        if not isinstance(stage, _OWN):
            yield f"{type(stage).__name__} is no stage of a format: labels, metadata and joining are set round it"
        if isinstance(stage, Drop) and stage.expression != NO_TEXT:
            yield f"drops text: {stage.expression}"
    if (count := len(list(_every(log.stages)))) > MOST_STAGES:
        yield f"has {count} stages, more than {MOST_STAGES}"


def _expressions(log: Format) -> Iterator[tuple[Stage, str]]:
    for stage in (*((log.multiline,) if log.multiline else ()), *log.masks, *_every(log.stages)):
        match stage:
            case Regex() | Replace() | Drop():
                yield stage, stage.expression
            case When():
                yield stage, stage.pattern
            case Multiline():
                yield stage, stage.firstline


def _expressions_are_sound(log: Format) -> Iterator[str]:
    for stage, expression in _expressions(log):
        try:
            compiled(expression)
        except ValueError as error:
            yield str(error)
            continue
        if "(?<" in expression or r"\C" in expression:
            yield f"Go does not take what RE2 takes here: {expression}"
        if (count := alternatives(expression)) > MOST_ALTERNATIVES:
            yield f"{count} alternatives, more than {MOST_ALTERNATIVES}: {expression}"
        if isinstance(stage, Multiline) and not re.match(r"(\(\?\w+\))?(\^|\\A)", expression):
            yield f"a line that only mentions it would begin an entry, begin it with ^: {expression}"


def alternatives(expression: str) -> int:
    """Return how many ways an expression offers: its `|` outside character classes, and one."""
    bare = re.sub(r"\\.", "", expression)
    return re.sub(r"\[\^?\]?[^\]]*\]", "", bare).count("|") + 1


def _captured(stage: Stage) -> tuple[str, ...]:
    match stage:
        case Regex():
            return tuple(re.findall(r"\(\?P<([^>]*)>", stage.expression))
        case Json() | Logfmt():
            return tuple(name for name, _ in stage.fields)
        case _:
            return ()


def _set_by(stage: Stage) -> tuple[str, ...]:
    return (stage.target,) if isinstance(stage, Choose | Put | PutUnlessAny) else _captured(stage)


def _captured_text_stays_out_of_labels(log: Format) -> Iterator[str]:
    for stage in _every(log.stages):
        for name in _captured(stage):
            if name in _TAKEN or name in _BOUNDED:
                yield f"captures {name!r} from text, which only Put and Choose may set"
            elif not _NAME.fullmatch(name):
                yield f"captures {name!r}: names are small letters, digits and _"
        if isinstance(stage, Replace) and re.search(r"\(\?P<", stage.expression):
            yield f"Replace would extract its named groups: {stage.expression}"


def _bounded_values_are_known(log: Format) -> Iterator[str]:
    for stage in _every(log.stages):
        for target, value in _constants(stage):
            if target in _BOUNDED and value and value not in _BOUNDED[target]:
                yield f"{target} {value!r} is none of {', '.join(_BOUNDED[target])}"
            if "{{" in value:
                yield f"{value!r} is a template"


def _constants(stage: Stage) -> Iterator[tuple[str, str]]:
    match stage:
        case Put() | PutUnlessAny():
            yield stage.target, stage.value
        case Replace():
            yield "", stage.replacement
        case Choose():
            yield from ((stage.target, case.result) for case in stage.cases)
            yield stage.target, stage.otherwise or ""


def _every_entry_has_a_level(log: Format) -> Iterator[str]:
    first = next((stage for stage in log.stages if "level" in _set_by(stage)), None)
    match first:
        case Put():
            return
        case Choose() if first.otherwise:
            return
        case _:
            yield "the first stage that sets level must always set one: Put, or Choose with `otherwise`, outside When"


def _what_is_named_is_set(log: Format) -> Iterator[str]:
    names = {name for stage in _every(log.stages) for name in _set_by(stage)}
    for name in (*log.metadata, *log.known_by):
        if name not in names:
            yield f"no stage sets {name!r}"
    for name in log.metadata:
        if name not in METADATA or name == "parsed":
            yield f"{name!r} is no name of metadata: {', '.join(METADATA)}"
    if not log.known_by:
        yield "known_by is empty: every entry would count as not parsed"
    for stage in _every(log.stages):
        if isinstance(stage, Choose | Timestamp | Output) and stage.source not in names:
            yield f"{type(stage).__name__} reads {stage.source!r}, which no stage sets"


def _times_are_read_in_order(log: Format) -> Iterator[str]:
    seen_branch = False
    for stage in log.stages:
        seen_branch = seen_branch or isinstance(stage, When)
        if isinstance(stage, Timestamp):
            yield from _time(stage)
            if seen_branch:
                yield "Timestamp stands behind When, where entries may have overtaken one another"
        if isinstance(stage, When) and any(isinstance(inner, Timestamp) for inner in _every(stage.stages)):
            yield "Timestamp stands in When, where entries may overtake one another"


def _time(stage: Timestamp) -> Iterator[str]:
    for layout in (stage.layout, *stage.fallbacks):
        if not golayout.is_complete(layout):
            yield f"layout {layout!r} lacks a month, a day or an hour of Go's: 2006-01-02 15:04:05"


def _masks_replace_groups(log: Format) -> Iterator[str]:
    for mask in log.masks:
        if mask.source is None and not re.search(r"(?<!\\)\((?!\?)", mask.expression):
            yield f"a mask without a group replaces nothing: {mask.expression}"
    if bool(log.masks) != bool(log.masked):
        yield "say in `masked` what `masks` hide, in words"


_CHECKS: tuple[Callable[[Format], Iterator[str]], ...] = (
    _only_own_stages,
    _expressions_are_sound,
    _captured_text_stays_out_of_labels,
    _bounded_values_are_known,
    _every_entry_has_a_level,
    _what_is_named_is_set,
    _times_are_read_in_order,
    _masks_replace_groups,
)
