"""Write a pipeline as a `loki.process` component of Alloy, in the form `alloy fmt` gives it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agencystack.logs import catalogue, pipeline, templates
from agencystack.logs.model import (
    Choose,
    CopyIfAny,
    Cri,
    Cut,
    Docker,
    Drop,
    DropLabels,
    Json,
    KeepLabels,
    Labels,
    Logfmt,
    Measure,
    Metadata,
    Multiline,
    Output,
    Put,
    PutUnlessAny,
    Regex,
    Replace,
    Shorten,
    Stage,
    StaticLabels,
    Timestamp,
    When,
    WhenLabel,
    Wrapping,
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def process(
    label: str,
    component: str,
    stream: str,
    client: str,
    *,
    forward_to: str,
    zone: str | None = None,
    wrapping: Wrapping = Wrapping.NONE,
) -> str:
    """Return the text of `loki.process "<label>"` for one stream of one client.

    `forward_to` is the receiver's expression (`loki.write.NAME.receiver`), `zone` the IANA time zone of lines that
    name none. Raises ValueError for a label that is no Alloy identifier (see `identifier`).
    """
    if not _IDENTIFIER.fullmatch(label):
        raise ValueError(f"{label!r} is no Alloy identifier: letters, digits and _, and no digit first")
    stages = pipeline.stages(catalogue.find(component, stream), client, zone=zone, wrapping=wrapping)
    block = _Block(f'loki.process "{label}"', (("forward_to", f"[{forward_to}]"),), tuple(_blocks(stages)))
    return "\n".join(block.lines()) + "\n"


def identifier(*names: str) -> str:
    """Return an Alloy identifier made of names: `acme-eu`, `mailu` become `acme_eu_mailu`.

    Names that differ only in such characters give the same one; `agencystack_` in front keeps digits from the first
    place.
    """
    return re.sub(r"[^A-Za-z0-9]", "_", "_".join(("agencystack", *names)))


def string(text: str) -> str:
    """Return a string literal of Alloy: raw where that saves escapes, quoted where it must be."""
    if ("\\" in text or '"' in text) and "`" not in text and text.isprintable():
        return f"`{text}`"
    return json.dumps(text, ensure_ascii=False)


Attribute = tuple[str, str | tuple[tuple[str, str], ...]]
"""A name, and a value written as it stands, or the members of a map."""


@dataclass(frozen=True)
class _Block:
    """A block of the configuration: attributes first, then blocks, each after an empty line."""

    head: str
    attributes: tuple[Attribute, ...] = ()
    blocks: tuple[_Block, ...] = ()

    def lines(self) -> Iterator[str]:
        if not self.attributes and not self.blocks:
            yield f"{self.head} {{ }}"
            return
        yield f"{self.head} {{"
        for line in self._inner():
            yield f"\t{line}" if line else ""
        yield "}"

    def _inner(self) -> Iterator[str]:
        yield from _aligned(self.attributes, end="")
        for number, block in enumerate(self.blocks):
            if number or self.attributes:
                yield ""
            yield from block.lines()


def _aligned(attributes: Iterable[Attribute], *, end: str) -> Iterator[str]:
    """Yield attributes with their equals signs under one another, as `alloy fmt` sets them; maps come last."""
    attributes = tuple(attributes)
    width = max((len(name) for name, _ in attributes), default=0)
    for name, value in attributes:
        if isinstance(value, str):
            yield f"{name:<{width}} = {value}{end}"
            continue
        yield f"{name:<{width}} = {{"
        yield from (f"\t{line}" for line in _aligned(value, end=","))
        yield "}"


def _blocks(stages: Iterable[Stage]) -> Iterator[_Block]:
    for stage in stages:
        yield from _stage(stage)


def _stage(stage: Stage) -> Iterator[_Block]:
    match stage:
        case When() | WhenLabel():
            chosen = ("selector", string(selector(stage)))
            yield _Block("stage.match", (chosen,), tuple(_blocks(stage.stages)))
        case Docker():
            yield _Block("stage.docker")
        case Cri():
            yield _Block("stage.cri")
        case Choose() | Put() | PutUnlessAny() | CopyIfAny() | Measure() | Shorten():
            yield _template(*templates.template(stage))
        case Cut():
            yield _template(*templates.template(stage))
            yield from _stage(Output(templates.CUT))
        case _:
            name, attributes = _simple(stage)
            yield _Block(f"stage.{name}", attributes)


def selector(stage: When | WhenLabel) -> str:
    """Return what a match stage selects by, of which Alloy wants a label: the one no entry has is empty in all."""
    if isinstance(stage, WhenLabel):
        return f'{{{stage.name}="{stage.value}"}}'
    return f'{{agencystack=""}} |~ {json.dumps(stage.pattern, ensure_ascii=False)}'


def _template(target: str, template: str) -> _Block:
    return _Block("stage.template", (("source", string(target)), ("template", string(template))))


def _simple(stage: Stage) -> tuple[str, tuple[Attribute, ...]]:
    match stage:
        case Multiline():
            waiting = string(f"{stage.wait_seconds}s")
            lines = ("max_lines", str(stage.max_lines))
            return "multiline", (("firstline", string(stage.firstline)), lines, ("max_wait_time", waiting))
        case Regex():
            return "regex", (*_source(stage.source), ("expression", string(stage.expression)))
        case Json():
            return "json", (*_source(stage.source), ("expressions", _map((n, jmespath(p)) for n, p in stage.fields)))
        case Logfmt():
            return "logfmt", (*_source(stage.source), ("mapping", _map(stage.fields)))
        case Replace():
            expression = ("expression", string(stage.expression))
            return "replace", (*_source(stage.source), expression, ("replace", string(stage.replacement)))
        case Timestamp():
            return "timestamp", tuple(_timestamp(stage))
        case Labels():
            return "labels", (("values", _map((name, name) for name in stage.names)),)
        case StaticLabels():
            return "static_labels", (("values", _map(stage.values)),)
        case Metadata():
            return "structured_metadata", (("values", _map((name, name) for name in stage.names)),)
        case KeepLabels():
            return "label_keep", (("values", _list(stage.names)),)
        case DropLabels():
            return "label_drop", (("values", _list(stage.names)),)
        case Output():
            return "output", (("source", string(stage.source)),)
        case Drop():
            return "drop", (("expression", string(stage.expression)),)
        case _:
            raise TypeError(f"Alloy has no stage for {type(stage).__name__}")


def _timestamp(stage: Timestamp) -> Iterator[Attribute]:
    yield "source", string(stage.source)
    yield "format", string(stage.layout)
    if stage.fallbacks:
        yield "fallback_formats", _list(stage.fallbacks)
    if stage.zone:
        yield "location", string(stage.zone)
    yield "action_on_failure", string(stage.on_failure)


def _source(source: str | None) -> tuple[Attribute, ...]:
    return (("source", string(source)),) if source else ()


def _map(values: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, string(value)) for name, value in values)


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(string, values))}]"


def jmespath(path: str) -> str:
    """Return the JMESPath of a member: names that are no plain words are quoted."""
    return ".".join(key if _IDENTIFIER.fullmatch(key) else json.dumps(key) for key in path.split("."))
