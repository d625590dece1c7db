"""The dashboard of an ERPNext: errors by site, jobs and workers, requests, logins."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope, number


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    trouble = logs.of(level=rows.TROUBLE)
    request_count, errors = rows.request_numbers(logs)
    glance = Row(
        "At a glance",
        (
            request_count,
            errors,
            number("Errors", logql.count(trouble, logql.SHOWN), "Lines of level error or worse.", thresholds=(1, 50)),
            number(
                "Failed jobs",
                logql.count(logs.event("job_failed"), logql.SHOWN),
                "Background jobs that ended with an error: look at Error Log in the desk.",
                thresholds=(1, 10),
            ),
        ),
    )
    failing = Row(
        "Errors",
        (
            Panel(
                "Errors by site",
                Kind.BARS,
                (Query(logql.count(trouble, by="site"), "{{site}}"),),
                "One site alone: its own code or data. All at once: database, Redis or disk.",
                width=8,
            ),
            Panel(
                "Exceptions",
                Kind.TABLE,
                (Query(logql.most(logs.of(where='exception!=""'), "exception")),),
                "Which exception was raised how often.",
                width=8,
            ),
            Panel(
                "Loggers that report most",
                Kind.TABLE,
                (Query(logql.most(trouble, "logger")),),
                "The part of Frappe that wrote the error.",
                width=8,
            ),
            rows.latest("Latest errors", trouble, "Each traceback is one entry; form data is masked."),
        ),
    )
    return (glance, _jobs(scope), failing, rows.requests(logs), rows.logins(logs), rows.lines(logs))


def _jobs(scope: Scope) -> Row:
    logs = scope.logs
    return Row(
        "Jobs and workers",
        (
            Panel(
                "Jobs",
                Kind.BARS,
                (Query(logql.count(logs.event("job_ok", "job_failed"), by="event"), "{{event}}"),),
                "Background jobs that ended. None for an hour while people work: the workers are stuck.",
                width=8,
            ),
            Panel(
                "Jobs that fail most",
                Kind.TABLE,
                (Query(logql.most(logs.event("job_failed"), "job")),),
                "By the name of the job.",
                width=8,
            ),
            Panel(
                "Lines of workers and scheduler",
                Kind.LINES,
                (Query(logql.count(logs.of("worker", "schedule"), by="stream"), "{{stream}}"),),
                "The scheduler writes only where something is wrong; workers write of each job.",
                width=8,
            ),
        ),
    )
