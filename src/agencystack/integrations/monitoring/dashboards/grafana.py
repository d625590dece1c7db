"""The dashboard of Grafana itself: requests, slow ones, errors, logins."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import generic, logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    server = Row(
        "Server",
        (
            Panel(
                "Requests by status",
                Kind.BARS,
                (Query(logql.count(logs.of(where='status!=""'), by="status"), "{{status}}"),),
                "Grafana logs requests that fail; all of them with [server] router_logging.",
            ),
            Panel(
                "Slowest paths",
                Kind.TABLE,
                (Query(logql.slowest(logs.of(), "seconds", "path")),),
                "95th percentile; a slow query of a panel stands here as /api/ds/query.",
                "s",
            ),
        ),
    )
    return (generic.glance(scope), server, generic.errors(scope), rows.logins(logs), rows.lines(logs))
