"""The stages that change one entry at a time, as functions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from agencystack.logs import logfmt
from agencystack.logs.expressions import compiled
from agencystack.logs.model import (
    Choose,
    CopyIfAny,
    Cut,
    DropLabels,
    Json,
    KeepLabels,
    Labels,
    Logfmt,
    Measure,
    Metadata,
    Output,
    Put,
    PutUnlessAny,
    Regex,
    Replace,
    Shorten,
    Stage,
    StaticLabels,
)
from agencystack.logs.passing import REPLACEMENT, Passing, Value, decoded
from agencystack.logs.templates import CUT_MARK

Change = Callable[[Passing], None]


def change(stage: Stage) -> Change:
    """Return what a stage does to an entry. Raises TypeError for one that needs more than one entry."""
    match stage:
        case Regex():
            return _regex(stage)
        case Json():
            return lambda each: _json(each, stage)
        case Logfmt():
            return lambda each: _logfmt(each, stage)
        case Replace():
            return _replace(stage)
        case Choose():
            return lambda each: each.put(stage.target, _chosen(each, stage))
        case Put():
            return lambda each: each.put(stage.target, stage.value)
        case PutUnlessAny():
            return lambda each: each.put(stage.target, "" if any(map(each.text, stage.names)) else stage.value)
        case CopyIfAny():
            return lambda each: each.put(stage.target, each.line if _has_any(each.line, stage) else "")
        case Measure() | Cut() | Shorten():
            return lambda each: _sized(each, stage)
        case Labels() | StaticLabels() | KeepLabels() | DropLabels() | Metadata():
            return lambda each: _labels(each, stage)
        case Output():
            return lambda each: _output(each, stage)
        case _:
            raise TypeError(f"{type(stage).__name__} does not change one entry at a time")


def _regex(stage: Regex) -> Change:
    expression = compiled(stage.expression)
    names = tuple(expression.groupindex.items())

    def extract(each: Passing) -> None:
        text = each.source(stage.source)
        match = None if text is None else expression.search(text)
        if match:
            for name, index in names:
                each.extracted[name] = match.group(index) or ""

    return extract


def _json(each: Passing, stage: Json) -> None:
    try:
        document = json.loads(
            each.source(stage.source) or "", parse_int=_number, parse_float=_number, parse_constant=_refuse
        )
    except ValueError:
        return
    if isinstance(document, dict):
        each.extracted.update({name: _member(document, path) for name, path in stage.fields})


def _number(text: str) -> float:
    """Return a number as Go does, a float64; one too great for it is an error."""
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _member(document: object, path: str) -> Value:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    if isinstance(document, str):
        return _without_halves(document)
    if document is None or isinstance(document, float | bool):
        return document
    written = json.dumps(_as_go_writes(document), separators=(",", ":"), ensure_ascii=False)
    return _without_halves(written)


def _without_halves(text: str) -> str:
    """Return text as Go reads it: an escape of half a character (`\\ud800`) is U+FFFD."""
    if text.isascii():
        return text
    return "".join(REPLACEMENT if "\ud800" <= each <= "\udfff" else each for each in text)


def _as_go_writes(document: object) -> object:
    """Return a list or object with whole numbers whole: reading made them all floats, as it does in Go."""
    match document:
        case dict():
            return {key: _as_go_writes(value) for key, value in document.items()}
        case list():
            return [_as_go_writes(value) for value in document]
        case float():
            return int(document) if document.is_integer() and abs(document) < 1e21 else document
        case _:
            return document


def _logfmt(each: Passing, stage: Logfmt) -> None:
    names = {key: name for name, key in stage.fields}
    found = logfmt.pairs(each.source(stage.source) or "")
    each.extracted.update({names[key]: value for key, value in found if key in names})


def _replace(stage: Replace) -> Change:
    expression = compiled(stage.expression)

    def mask(each: Passing) -> None:
        text = each.source(stage.source)
        if text is None:
            return
        result = "".join(_replaced(expression, text, stage.replacement))
        if stage.source is None:
            each.line = result
        else:
            each.extracted[stage.source] = result

    return mask


def _replaced(expression: Any, text: str, replacement: str) -> Iterator[str]:
    """Yield the pieces of the new text: each group of each match is replaced, but one that begins in an earlier one."""
    end = 0
    for match in expression.finditer(text):
        for group in range(1, expression.groups + 1):
            start, stop = match.span(group)
            if start >= end:
                yield text[end:start]
                yield replacement
                end = stop
    yield text[end:]


def _chosen(each: Passing, stage: Choose) -> str:
    text = each.text(stage.source) or ""
    text = text.lower() if stage.fold else text
    for case in stage.cases:
        if text and (text.startswith(case.values) if case.prefix else text in case.values):
            return case.result
    return (each.text(stage.target) if stage.keep else None) or stage.otherwise or ""


def _has_any(line: str, stage: CopyIfAny) -> bool:
    text = line.lower().replace(" =", "=").replace(" :", ":")
    for each in stage.aside:
        text = text.replace(each, " ")
    return any(word in text and word in _without(text, word, stage.harmless) for word in stage.words)


def _without(text: str, word: str, harmless: tuple[str, ...]) -> str:
    for each in harmless:
        text = text.replace(word + each, "")
    return text


def _sized(each: Passing, stage: Measure | Cut | Shorten) -> None:
    match stage:
        case Measure():
            each.put(stage.target, "yes" if _longer(each.line, stage.above) else "")
        case Cut():
            if _longer(each.line, stage.limit):
                each.line = decoded(each.line.encode()[: stage.limit]) + CUT_MARK
        case Shorten():
            text = each.text(stage.name)
            if text:
                each.put(stage.name, decoded(text.encode()[: stage.limit]))


def _longer(text: str, limit: int) -> bool:
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)


def _labels(each: Passing, stage: Labels | StaticLabels | KeepLabels | DropLabels | Metadata) -> None:
    match stage:
        case Labels():
            each.labels.update(each.valid(stage.names))
        case StaticLabels():
            each.labels.update({name: value for name, value in stage.values if value})
        case KeepLabels():
            each.labels = {name: value for name, value in each.labels.items() if name in stage.names}
        case DropLabels():
            each.labels = {name: value for name, value in each.labels.items() if name not in stage.names}
        case Metadata():
            each.metadata.update(each.valid(stage.names))
            each.metadata.update({name: each.labels.pop(name) for name in stage.names if name in each.labels})


def _output(each: Passing, stage: Output) -> None:
    text = each.text(stage.source)
    if text is not None:
        each.line = text
