"""The dashboard of a Mailu: mail that left, waited and came back, spam, logins."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope, number

FLOW = ("mail_sent", "mail_deferred", "mail_bounced", "mail_rejected")


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    deferred = logs.event("mail_deferred")
    glance = Row(
        "At a glance",
        (
            number("Sent", logql.count(logs.event("mail_sent"), logql.SHOWN), "Recipients a mail was delivered to."),
            number(
                "Waiting",
                logql.distinct(deferred, "queue_id", logql.SHOWN),
                "Mails another server put off at least once; Postfix tries them again.",
                thresholds=(10, 50),
            ),
            number(
                "Bounced",
                logql.count(logs.event("mail_bounced"), logql.SHOWN),
                "Mails that came back for good.",
                thresholds=(1, 20),
            ),
            number(
                "Rejected",
                logql.count(logs.event("mail_rejected"), logql.SHOWN),
                "Mails from outside that were not taken; mostly spam.",
                thresholds=(500, 2000),
            ),
        ),
    )
    return (
        glance,
        _flow(scope),
        _reasons(scope),
        _spam(scope),
        rows.logins(logs, by="stream, event"),
        rows.lines(logs),
    )


def _flow(scope: Scope) -> Row:
    logs = scope.logs
    return Row(
        "Flow of mail",
        (
            Panel(
                "Mail by outcome",
                Kind.BARS,
                (Query(logql.count(logs.event(*FLOW), by="event"), "{{event}}"),),
                "What became of mail. Deferred that grows while sent falls: the address is on a block list.",
                width=8,
            ),
            Panel(
                "Deferred queue",
                Kind.LINES,
                (Query(logql.distinct(logs.event("mail_deferred"), "queue_id"), "mails"),),
                "Different mails put off in each interval.",
                width=8,
            ),
            Panel(
                "Time in the queue",
                Kind.LINES,
                (Query(logql.mean(logs.event("mail_sent"), "delay"), "mean"),),
                "From the time Postfix took a mail until it was delivered.",
                "s",
                width=8,
            ),
        ),
    )


def _reasons(scope: Scope) -> Row:
    logs = scope.logs

    def table(title: str, event: str, description: str) -> Panel:
        return Panel(title, Kind.TABLE, (Query(logql.most(logs.event(event), "reason")),), description, width=8)

    return Row(
        "Reasons",
        (
            table("Why mail bounced", "mail_bounced", "In the words of the other server: unknown user, full, blocked."),
            table("Why mail waits", "mail_deferred", "Greylisting passes; a block list or a full mailbox does not."),
            table("Why mail was rejected", "mail_rejected", "In Mailu's words to whoever tried to hand it in."),
            rows.latest("Bounces and rejects", logs.event("mail_bounced", "mail_rejected"), "With queue id and DSN."),
        ),
    )


def _spam(scope: Scope) -> Row:
    verdicts = scope.logs.of("antispam", where='verdict!=""')
    return Row(
        "Spam",
        (
            Panel(
                "Verdicts",
                Kind.BARS,
                (Query(logql.count(verdicts, by="verdict"), "{{verdict}}"),),
                "What Rspamd decided.",
            ),
            Panel(
                "Mean score by verdict",
                Kind.LINES,
                (Query(logql.mean(verdicts, "score", by="verdict"), "{{verdict}}"),),
                "Scores near a limit are the ones to tune.",
            ),
        ),
    )
