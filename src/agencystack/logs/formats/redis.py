"""What Redis writes: `pid:role time mark text`, the mark being its level."""

from __future__ import annotations

from agencystack.logs.model import Case, Choose, Format, Regex, Stage, Timestamp

_LINE = Regex(
    r"^\d+:(?:[A-Z] (?P<time>\d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) (?P<mark>[.*#-]) "
    r"|(?P<process>signal-handler) \(\d+\) )"
)

_STAGES: tuple[Stage, ...] = (
    _LINE,
    Timestamp("time", "02 Jan 2006 15:04:05.000"),
    Choose("level", source="mark", cases=(Case((".",), "debug"), Case(("#",), "warning")), otherwise="info"),
)


def redis(component: str, names: tuple[str, ...] = ()) -> Format:
    """Return the log of a component's Redis; `names` are patterns of its files. Read on Redis 7.0.15."""
    return Format(
        component=component,
        stream="redis",
        about="Redis: starts, saves, memory and replication trouble",
        stages=_STAGES,
        known_by=("mark", "process"),
        metadata=("process",),
        names=names,
    )
