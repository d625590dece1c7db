"""The whole way of a line: what every format has in common, round the format's own stages."""

from __future__ import annotations

from dataclasses import replace

from agencystack.logs import masking
from agencystack.logs.model import (
    LABELS,
    Cri,
    Cut,
    Docker,
    DropLabels,
    Format,
    KeepLabels,
    Labels,
    Measure,
    Metadata,
    Put,
    PutUnlessAny,
    Replace,
    Shorten,
    Stage,
    StaticLabels,
    Timestamp,
    When,
    WhenLabel,
    Wrapping,
)

DEFAULT_ZONE = "UTC"
SOURCE_LABELS = ("job",)
"""Labels the collectors' sources set (`loki.source.journal`) that are names of metadata of ours."""
_TIME_OF_A_PART = r"""[^\s="'(\[](20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z )"""
"""What `loki.source.docker` leaves within a line above 16 KiB: Docker writes a time before each part (moby,
`httputils.WriteLogStream`), Alloy takes off the first. A product's own times stand behind a space, =, quote or bracket.
"""


def stages(
    log: Format, client: str, *, zone: str | None = None, wrapping: Wrapping = Wrapping.NONE
) -> tuple[Stage, ...]:
    """Return all stages of a format for one client, in order.

    `zone` is the host's IANA time zone, for layouts that have none (default UTC). Joining comes before everything
    else, because it forgets what was set; masking before parsing, so that no value is ever taken from unmasked text;
    the labels last, so that whatever the source set is gone.
    """
    own = tuple(_in_zone(stage, zone or DEFAULT_ZONE) for stage in log.stages)
    return (
        *_unwrapped(wrapping),
        *((log.multiline,) if log.multiline else ()),
        *_without_source_labels(log),
        Measure("long"),
        *masking.common(log),
        *log.masks,
        *own,
        *_ending(log, client),
    )


def _unwrapped(wrapping: Wrapping) -> tuple[Stage, ...]:
    known: dict[Wrapping, tuple[Stage, ...]] = {
        Wrapping.DOCKER: (Docker(), Replace(r"(\n)\z", "")),
        Wrapping.DOCKER_API: (Replace(_TIME_OF_A_PART, ""),),
        Wrapping.CRI: (Cri(),),
    }
    return known.get(wrapping, ())


def _without_source_labels(log: Format) -> tuple[Stage, ...]:
    taken = tuple(name for name in SOURCE_LABELS if name in log.metadata)
    return (DropLabels(taken), *(Put(name, "") for name in taken)) if taken else ()


def _in_zone(stage: Stage, zone: str) -> Stage:
    match stage:
        case Timestamp(zone=None):
            return replace(stage, zone=zone)
        case When():
            return replace(stage, stages=tuple(_in_zone(inner, zone) for inner in stage.stages))
        case _:
            return stage


def _ending(log: Format, client: str) -> tuple[Stage, ...]:
    static = (("client", client), ("component", log.component), ("stream", log.stream), ("level", "info"))
    return (
        Labels(("long",)),
        WhenLabel("long", "yes", (Cut(), *(Shorten(name) for name in log.metadata))),
        PutUnlessAny("parsed", "false", log.known_by),
        Metadata((*log.metadata, "parsed")),
        StaticLabels(static),
        Labels(("level",)),
        KeepLabels(LABELS),
    )
