"""What a dashboard shows, as data: from it come Grafana's JSON, the queries a proof runs, and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agencystack.integrations.monitoring.dashboards.logql import Logs

GREEN, YELLOW, RED = "green", "orange", "red"
WIDTH = 24
"""Columns of Grafana's grid."""


class Kind(StrEnum):
    """How a panel draws what its queries give."""

    NUMBER = "stat"
    LINES = "lines"
    BARS = "bars"
    TABLE = "table"
    LOGS = "logs"


class Source(StrEnum):
    """Which store a query asks."""

    LOKI = "loki"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Args:
        expr: LogQL or PromQL.
        legend: how a series is named, ``{{status}}`` for a label's value; the labels where empty.
        source: the store it asks.
    """

    expr: str
    legend: str = ""
    source: Source = Source.LOKI


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        title: what it shows.
        kind: how.
        queries: what it asks.
        description: what a high value means and what to look at then.
        unit: of its values, as Grafana names units (``short``, ``percent``, ``s``, ``reqps``).
        thresholds: values from which a number turns yellow, then red.
        width: of the 24 columns.
        height: in rows of Grafana's grid, each 30 pixels.
    """

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    description: str
    unit: str = "short"
    thresholds: tuple[float, ...] = ()
    width: int = 12
    height: int = 8

    @property
    def instant(self) -> bool:
        """Say that one value over the whole time shown is asked for, and no course of it."""
        return self.kind in {Kind.NUMBER, Kind.TABLE}


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Choice:
    """A choice at the top of a dashboard, among the values a label has; ``$label`` in queries.

    Args:
        label: one of the labels of our log entries, which are few by design.
        of: the log entries whose values are offered.
    """

    label: str
    of: str


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Args:
        uid: which makes it ours.
        title: as the list of dashboards shows it.
        description: what it is for.
        tags: which other dashboards it links to and is found by.
        rows: its panels.
        choices: at the top.
    """

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()

    def panels(self) -> Iterator[Panel]:
        """Yield its panels, from the top to the bottom."""
        for row in self.rows:
            yield from row.panels


@dataclass(frozen=True)
class Scope:
    """What a dashboard or an alert rule is about.

    Args:
        owner: id of the client, or ``shared``.
        title: its name for people.
        component: the application.
        metrics: there is a Prometheus to ask too.
        bridge: the store that hears of the client's data bridge.
    """

    owner: str
    title: str
    component: str
    metrics: bool = False
    bridge: Source | None = None

    @property
    def logs(self) -> Logs:
        """The log entries it is about."""
        return Logs(self.owner, self.component)


def number(
    title: str, expr: str, description: str, *, unit: str = "short", thresholds: tuple[float, ...] = ()
) -> Panel:
    """Return one figure over the time shown; four stand side by side."""
    # Nothing found is no value at all in LogQL, where a person expects a nought.
    return Panel(title, Kind.NUMBER, (Query(f"{expr} or vector(0)"),), description, unit, thresholds, width=6, height=4)
