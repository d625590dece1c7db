"""The dashboard of a Listmonk: campaigns' mail, bounces, errors."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import generic, logql, rows
from agencystack.integrations.monitoring.dashboards.mailu import FLOW
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    mail = Row(
        "Mail",
        (
            Panel(
                "Mail by outcome",
                Kind.BARS,
                (Query(logql.count(logs.event(*FLOW), by="event"), "{{event}}"),),
                "What Listmonk itself reports of sending; the mail server's dashboard has the rest.",
            ),
            Panel(
                "Why mail failed",
                Kind.TABLE,
                (Query(logql.most(logs.event("mail_bounced", "mail_rejected", "mail_deferred"), "reason")),),
                "In the words of the mail server.",
            ),
        ),
    )
    return (generic.glance(scope), mail, generic.errors(scope), rows.logins(logs), rows.lines(logs))
