"""Write a pipeline as `pipeline_stages` of Promtail, for hosts that still have it.

Promtail has the same stages as Alloy under other names, so nothing is lost but this: before 2.9 it has no
`structured_metadata`, and refuses the configuration. It is at its end of life since March 2026: move to Alloy.
Source: Loki 3, clients/pkg/logentry/stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from agencystack.logs import catalogue, templates
from agencystack.logs import pipeline as pipelines
from agencystack.logs.alloy import jmespath, selector
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

OLDEST = (2, 9)
"""The first version of Promtail that takes these stages."""


def pipeline(
    component: str, stream: str, client: str, *, zone: str | None = None, wrapping: Wrapping = Wrapping.NONE
) -> list[dict[str, object]]:
    """Return the stages for one stream of one client, as plain data for YAML.

    `zone` is the IANA time zone of lines that name none (default UTC).
    """
    stages = pipelines.stages(catalogue.find(component, stream), client, zone=zone, wrapping=wrapping)
    return list(_written(stages))


def _written(stages: Iterable[Stage]) -> Iterator[dict[str, object]]:
    for stage in stages:
        yield from _stage(stage)


def _stage(stage: Stage) -> Iterator[dict[str, object]]:
    match stage:
        case When() | WhenLabel():
            yield {"match": {"selector": selector(stage), "stages": list(_written(stage.stages))}}
        case Choose() | Put() | PutUnlessAny() | CopyIfAny() | Measure() | Shorten():
            yield _template(stage)
        case Cut():
            yield _template(stage)
            yield from _stage(Output(templates.CUT))
        case _:
            name, settings = _simple(stage)
            yield {name: settings}


def _template(stage: templates.Template) -> dict[str, object]:
    target, template = templates.template(stage)
    return {"template": {"source": target, "template": template}}


def _simple(stage: Stage) -> tuple[str, Any]:
    match stage:
        case Multiline():
            waiting = f"{stage.wait_seconds}s"
            return "multiline", {"firstline": stage.firstline, "max_lines": stage.max_lines, "max_wait_time": waiting}
        case Regex():
            return "regex", {"expression": stage.expression, **_source(stage.source)}
        case Json():
            paths = {name: jmespath(path) for name, path in stage.fields}
            return "json", {"expressions": paths, **_source(stage.source)}
        case Logfmt():
            return "logfmt", {"mapping": dict(stage.fields), **_source(stage.source)}
        case Replace():
            settings = {"expression": stage.expression, "replace": stage.replacement}
            return "replace", settings | _source(stage.source)
        case Timestamp():
            return "timestamp", _timestamp(stage)
        case Labels():
            return "labels", {name: name for name in stage.names}
        case StaticLabels():
            return "static_labels", dict(stage.values)
        case Metadata():
            return "structured_metadata", {name: name for name in stage.names}
        case _:
            return _short(stage)


def _short(stage: Stage) -> tuple[str, Any]:
    match stage:
        case KeepLabels():
            return "labelallow", list(stage.names)
        case DropLabels():
            return "labeldrop", list(stage.names)
        case Output():
            return "output", {"source": stage.source}
        case Drop():
            return "drop", {"expression": stage.expression}
        case Docker():
            return "docker", {}
        case Cri():
            return "cri", {}
        case _:
            raise TypeError(f"Promtail has no stage for {type(stage).__name__}")


def _timestamp(stage: Timestamp) -> dict[str, object]:
    settings: dict[str, object] = {"source": stage.source, "format": stage.layout}
    if stage.fallbacks:
        settings["fallback_formats"] = list(stage.fallbacks)
    if stage.zone:
        settings["location"] = stage.zone
    return settings | {"action_on_failure": str(stage.on_failure)}


def _source(source: str | None) -> dict[str, str]:
    return {"source": source} if source else {}
