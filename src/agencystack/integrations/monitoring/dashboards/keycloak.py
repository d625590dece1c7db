"""The dashboard of a Keycloak: who logs in, who fails and why."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope, number


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    trouble = logs.of(level=rows.TROUBLE)
    glance = Row(
        "At a glance",
        (
            number("Logins", logql.count(logs.event("login_ok"), logql.SHOWN), "Logins that succeeded."),
            rows.login_number(logs),
            number("Errors", logql.count(trouble, logql.SHOWN), "Lines of level error or worse.", thresholds=(1, 20)),
            number(
                "Exceptions",
                logql.count(logs.event("exception"), logql.SHOWN),
                "With a stack trace.",
                thresholds=(1, 5),
            ),
        ),
    )
    why = Row(
        "Why logins fail",
        (
            Panel(
                "Failed logins by reason",
                Kind.BARS,
                (Query(logql.count(logs.event("login_failed"), by="reason"), "{{reason}}"),),
                "user_not_found and invalid_user_credentials are people; invalid_redirect_uri is a wrong setting.",
                width=8,
            ),
            Panel(
                "Failed logins by application",
                Kind.TABLE,
                (Query(logql.most(logs.event("login_failed"), "realm, oidc_client")),),
                "One application alone: its client is set up wrong.",
                width=8,
            ),
            Panel(
                "Logins by realm",
                Kind.BARS,
                (Query(logql.count(logs.event("login_ok"), by="realm"), "{{realm}}"),),
                "Realms are few: one a client at most.",
                width=8,
            ),
        ),
    )
    failing = Row("Errors", (rows.latest("Latest errors", trouble, "With the stack trace, as one entry."),))
    return (glance, rows.logins(logs), why, failing, rows.lines(logs))
