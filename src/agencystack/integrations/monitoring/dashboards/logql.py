"""LogQL over the entries our log rules make: label matchers first, then structured metadata, then counting."""

from __future__ import annotations

from dataclasses import dataclass

STEP = "$__interval"
"""The time one bar or point stands for; Grafana fills it in."""

SHOWN = "$__range"
"""The time a dashboard shows; Grafana fills it in."""

ANY = ".+"


REQUESTS = ("access", "server")
"""The streams requests come in: a web server's log of its own, or all that a container prints."""


@dataclass(frozen=True)
class Logs:
    """The log entries of an owner's component.

    Args:
        owner: value of the label ``client``; empty for every client's.
        component: value of the label ``component``; empty for every one's.
    """

    owner: str
    component: str = ""

    def of(self, *streams: str, where: str = "", level: str = "") -> str:
        """Return the query of their lines.

        Args:
            streams: of these streams; of all where none is named.
            where: conditions on structured metadata, as LogQL has them after a ``|``.
            level: regular expression of the label ``level``.
        """
        matchers = [f'client="{self.owner}"' if self.owner else f'client=~"{ANY}"']
        if self.component:
            matchers.append(f'component="{self.component}"')
        if streams:
            matchers.append(f'stream="{streams[0]}"' if len(streams) == 1 else f'stream=~"{"|".join(streams)}"')
        if level:
            matchers.append(f'level=~"{level}"')
        return "{" + ", ".join(matchers) + "}" + (f" | {where}" if where else "")

    def event(self, *events: str) -> str:
        """Return the query of the lines in which one of these events happened."""
        return self.of(where=event(*events))


def event(*events: str) -> str:
    """Return the condition that one of these events happened."""
    return f'event="{events[0]}"' if len(events) == 1 else f'event=~"{"|".join(events)}"'


def count(lines: str, over: str = STEP, by: str = "") -> str:
    """Return how many lines there are, over a time, for each value of the labels ``by``."""
    return f"sum{_by(by)} (count_over_time({lines} [{over}]))"


def count_once(lines: str, over: str = STEP, by: str = "") -> str:
    """Return the same of what may be logged in several streams: as often as in the one that has most of it."""
    return f"max{_by(by)} ({count(lines, over, f'{by}, stream' if by else 'stream')})"


def rate(lines: str, over: str = STEP, by: str = "") -> str:
    """Return how many lines there are a second."""
    return f"sum{_by(by)} (rate({lines} [{over}]))"


def most(lines: str, by: str, how_many: int = 10) -> str:
    """Return what there was most of over the time shown; lines that say nothing of the first of ``by`` do not count."""
    told = f'{lines} | {by.partition(",")[0]}!=""'
    return f"topk({how_many}, {count(told, SHOWN, by)})"


def slowest(lines: str, field: str, by: str, how_many: int = 10) -> str:
    """Return where the 95th percentile of a number in structured metadata is highest over the time shown."""
    return f'topk({how_many}, quantile_over_time(0.95, {lines} | {field}!="" | unwrap {field} [{SHOWN}]) by ({by}))'


def mean(lines: str, field: str, by: str = "") -> str:
    """Return the mean of a number in structured metadata."""
    grouped = f" by ({by})" if by else " by ()"
    return f'avg_over_time({lines} | {field}!="" | unwrap {field} [{STEP}]){grouped}'


def share(part: str, whole: str, over: str = SHOWN) -> str:
    """Return how many per cent of the lines of ``whole`` are lines of ``part``."""
    return f"(100 * {count(part, over)} / {count(whole, over)})"


def distinct(lines: str, field: str, over: str = STEP) -> str:
    """Return how many different values of a field of structured metadata there are."""
    return f"count({count(lines, over, field)})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
