"""The dashboard of any application: what it logs, what fails, who logs in."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope, number


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    return (glance(scope), errors(scope), rows.logins(scope.logs), rows.lines(scope.logs))


def glance(scope: Scope) -> Row:
    """Return the figures every application has."""
    logs = scope.logs
    return Row(
        "At a glance",
        (
            number("Lines", logql.count(logs.of(), logql.SHOWN), "Everything logged over the time shown."),
            number(
                "Errors",
                logql.count(logs.of(level=rows.TROUBLE), logql.SHOWN),
                "Lines of level error or worse.",
                thresholds=(1, 50),
            ),
            number(
                "Exceptions",
                logql.count(logs.event("exception"), logql.SHOWN),
                "With a stack trace.",
                thresholds=(1, 5),
            ),
            rows.login_number(logs),
        ),
    )


def errors(scope: Scope) -> Row:
    """Return what fails."""
    trouble = scope.logs.of(level=rows.TROUBLE)
    return Row(
        "Errors",
        (
            Panel(
                "Errors by stream",
                Kind.BARS,
                (Query(logql.count(trouble, by="stream"), "{{stream}}"),),
                "Which part of it fails.",
            ),
            Panel(
                "Loggers that report most",
                Kind.TABLE,
                (Query(logql.most(trouble, "logger")),),
                "The part of the program that wrote the error.",
            ),
            rows.latest("Latest errors", trouble, "Each stack trace is one entry."),
        ),
    )
