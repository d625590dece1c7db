"""A dashboard as Grafana's JSON, through the Foundation SDK.

The SDK's release for Grafana 10.1 is used: its JSON is what every later version reads and brings up to date by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from agencystack.integrations.monitoring.dashboards.model import (
    GREEN,
    RED,
    WIDTH,
    YELLOW,
    Board,
    Choice,
    Kind,
    Panel,
    Query,
    Source,
)

SHORTEST_STEP = "1m"
"""Shorter intervals make many queries of little use; sparse logs would show gaps."""

LINES = 200
VALUE_WIDTH = 130
"""Pixels for a number; what it is the number of needs the rest."""

COUNT = "locale"
"""Grafana's unit for whole numbers that are not shortened to thousands."""

EVERYTHING = "$__all"

COLOURS: Mapping[str, str] = {
    "/^2\\d\\d$|_ok$|^mail_sent$|^no action$/": "green",
    "/^3\\d\\d$|^info$/": "blue",
    "/^debug$/": "text",
    "/^4\\d\\d$|^warning$|^mail_deferred$|^greylist$|^add header$/": "orange",
    "/^5\\d\\d$|_failed$|^error$|^mail_bounced$|^reject$/": "red",
    "/^critical$|^mail_rejected$/": "purple",
}
"""What a series is called decides its colour, the same on every dashboard; others get one of Grafana's choosing."""

Builder: TypeAlias = stat.Panel | timeseries.Panel | table.Panel | logs.Panel


def to_json(board: Board, sources: Mapping[Source, str]) -> dict[str, Any]:
    """Return a dashboard as Grafana keeps it.

    Args:
        board: the dashboard.
        sources: uid of the data source of each kind of query.
    """
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(list(board.tags))
        .time("now-6h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_links(board))
    )
    for choice in board.choices:
        built.with_variable(_choice(choice, sources[Source.LOKI]))
    top = 0
    for number, row in enumerate(board.rows):
        built.with_row(dashboard.Row(row.title).id(100 * (number + 1)).grid_pos(GridPos(h=1, w=WIDTH, x=0, y=top)))
        top += 1
        left = tallest = 0
        for place, panel in enumerate(row.panels, start=1):
            if left + panel.width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            position = GridPos(h=panel.height, w=panel.width, x=left, y=top)
            built.with_panel(_panel(panel, sources).id(100 * (number + 1) + place).grid_pos(position))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return dict(json.loads(JSONEncoder(sort_keys=True).encode(built.build())))


def queries_of(panel: Panel, sources: Mapping[Source, str]) -> list[dict[str, Any]]:
    """Return a panel's queries as Grafana's query interface takes them."""
    built = [_query(panel, place, query, sources).build() for place, query in enumerate(panel.queries)]
    return [dict(json.loads(JSONEncoder().encode(query))) for query in built]


def _panel(panel: Panel, sources: Mapping[Source, str]) -> Builder:
    made = _KINDS[panel.kind](panel)
    made.title(panel.title).description(panel.description).interval(SHORTEST_STEP)
    made.datasource(_ref(panel.queries[0].source, sources))
    for place, query in enumerate(panel.queries):
        made.with_target(_query(panel, place, query, sources))
    return made


def _number(panel: Panel) -> stat.Panel:
    colours = (GREEN, YELLOW, RED)
    steps = [Threshold(value=None, color=GREEN)]
    steps += [
        Threshold(value=value, color=colour) for value, colour in zip(panel.thresholds, colours[1:], strict=False)
    ]
    return (
        stat.Panel()
        .unit(COUNT if panel.unit == "short" else panel.unit)
        .decimals(1 if panel.unit == "percent" else 0)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _course(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .unit(panel.unit)
        .min(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    )
    for pattern, colour in COLOURS.items():
        fixed = DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})
        made.override_by_regexp(pattern, [fixed])
    if panel.kind is Kind.LINES:
        return made.draw_style(shapes.GraphDrawStyle.LINE).fill_opacity(10).show_points(shapes.VisibilityMode.AUTO)
    stacked = common.StackingConfig().mode(shapes.StackingMode.NORMAL)
    return made.draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(80).line_width(0).stacking(stacked)


def _table(panel: Panel) -> table.Panel:
    value = {"Value #A": _VALUES.get(panel.unit, "Count")}
    tidy = DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": value})
    largest = common.TableSortByFieldState().display_name(value["Value #A"]).desc(True)
    narrow = DynamicConfigValue(id_val="custom.width", value=VALUE_WIDTH)
    made = table.Panel().unit(COUNT if panel.unit == "short" else panel.unit).show_header(True)
    return made.with_transformation(tidy).sort_by([largest]).override_by_name(value["Value #A"], [narrow])


def _lines(_: Panel) -> logs.Panel:
    return (
        logs.Panel()
        .show_time(True)
        .show_labels(False)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(shapes.LogsSortOrder.DESCENDING)
        .dedup_strategy(shapes.LogsDedupStrategy.NONE)
    )


_VALUES = {"s": "95th percentile"}
_KINDS: Mapping[Kind, Callable[[Panel], Builder]] = {
    Kind.NUMBER: _number,
    Kind.LINES: _course,
    Kind.BARS: _course,
    Kind.TABLE: _table,
    Kind.LOGS: _lines,
}


def _query(
    panel: Panel, place: int, query: Query, sources: Mapping[Source, str]
) -> loki.Dataquery | prometheus.Dataquery:
    ref, source = chr(ord("A") + place), _ref(query.source, sources)
    if query.source is Source.PROMETHEUS:
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(source)
        return asked.instant() if panel.instant else asked.range()
    made = loki.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(source)
    made.query_type("instant" if panel.instant else "range")
    return made.max_lines(LINES) if panel.kind is Kind.LOGS else made


def _choice(choice: Choice, uid: str) -> dashboard.QueryVariable:
    asked: dict[str, object] = {"label": choice.label, "stream": choice.of, "type": 1, "refId": "choice"}
    return (
        dashboard.QueryVariable(choice.label)
        # Grafana finds a variable by its id, which must be its name; the SDK's own default is the same for all.
        .id(choice.label)
        .label(choice.label.capitalize())
        .datasource(DataSourceRef(type_val="loki", uid=uid))
        .query(asked)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(selected=True, text=["All"], value=[EVERYTHING]))
    )


def _links(board: Board) -> dashboard.DashboardLink:
    tag = board.tags[-1]
    return (
        dashboard.DashboardLink("Dashboards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .as_dropdown(True)
        .include_vars(False)
        .keep_time(True)
        .icon("external link")
        .tooltip("")
        .url("")
        .target_blank(False)
    )


def _ref(source: Source, sources: Mapping[Source, str]) -> DataSourceRef:
    return DataSourceRef(type_val=source.value, uid=sources[source])
