"""The overviews: all applications of one client, and all clients."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import bridge as data_bridge
from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.logql import Logs
from agencystack.integrations.monitoring.dashboards.model import Choice, Kind, Panel, Query, Row, Source, number

CHECKS = Query("min by (monitor_name) (monitor_status)", "{{monitor_name}}", Source.PROMETHEUS)
"""Uptime Kuma's own metric: 1 up, 0 down, 2 waiting, 3 in maintenance."""


def of_owner(owner: str, *, metrics: bool, bridge: Source | None) -> tuple[Row, ...]:
    """Return the rows of one client's overview."""
    logs = Logs(owner)
    shown = (*data_bridge.rows_of(owner, bridge), *_checks(metrics=metrics))
    return (_numbers(logs), _by(logs, "component"), *shown, _latest(logs))


def of_all(*, metrics: bool) -> tuple[Row, ...]:
    """Return the rows of the overview of all clients."""
    logs = _Chosen("")
    return (_numbers(logs), _by(logs, "client"), _by(logs, "component"), *_checks(metrics=metrics), _latest(logs))


def choices_of_all() -> tuple[Choice, ...]:
    """Return the choice of clients."""
    return (Choice("client", Logs("").of()),)


class _Chosen(Logs):
    """The log entries of the clients chosen at the top."""

    def of(self, *streams: str, where: str = "", level: str = "") -> str:
        """Return the query of their lines."""
        return super().of(*streams, where=where, level=level).replace(f'client=~"{logql.ANY}"', 'client=~"$client"')


def _numbers(logs: Logs) -> Row:
    return Row(
        "At a glance",
        (
            number(
                "Server errors",
                logql.share(
                    logs.of(*logql.REQUESTS, where='status=~"5.."'), logs.of(*logql.REQUESTS, where='status!=""')
                ),
                "Share of answers 5xx of all web servers.",
                unit="percent",
                thresholds=(1, 5),
            ),
            number(
                "Errors",
                logql.count(logs.of(level=rows.TROUBLE), logql.SHOWN),
                "Lines of level error or worse.",
                thresholds=(50, 500),
            ),
            rows.login_number(logs),
            number(
                "Mail that came back",
                logql.count(logs.event("mail_bounced"), logql.SHOWN),
                "Bounced for good.",
                thresholds=(1, 20),
            ),
        ),
    )


def _by(logs: Logs, label: str) -> Row:
    legend = "{{" + label + "}}"

    def bars(title: str, lines: str, description: str) -> Panel:
        return Panel(title, Kind.BARS, (Query(logql.count(lines, by=label), legend),), description, width=8)

    return Row(
        f"By {label}",
        (
            bars(f"Lines by {label}", logs.of(), "A colour that ends is something that stopped logging."),
            bars(f"Errors by {label}", logs.of(level=rows.TROUBLE), "Where to look first."),
            bars(f"Server errors by {label}", logs.of(*logql.REQUESTS, where='status=~"5.."'), "Answers 5xx."),
            bars(f"Failed logins by {label}", logs.event("login_failed"), "Somebody guesses, or forgot."),
            bars(f"Failed jobs by {label}", logs.event("job_failed"), "Background jobs that ended with an error."),
            bars(
                f"Mail trouble by {label}",
                logs.event("mail_bounced", "mail_deferred"),
                "Bounced or put off by other servers.",
            ),
        ),
    )


def _checks(*, metrics: bool) -> tuple[Row, ...]:
    if not metrics:
        return ()
    down = Query("count(monitor_status == 0) or vector(0)", "down", Source.PROMETHEUS)
    return (
        Row(
            "Seen from outside",
            (
                Panel(
                    "Monitors down",
                    Kind.NUMBER,
                    (down,),
                    "Uptime Kuma's checks that fail now.",
                    thresholds=(1, 1),
                    width=6,
                ),
                Panel("Monitors", Kind.LINES, (CHECKS,), "1 is up, 0 is down, 2 waits, 3 is in maintenance.", width=18),
            ),
        ),
    )


def _latest(logs: Logs) -> Row:
    return Row(
        "Latest errors",
        (rows.latest("Latest errors", logs.of(level=rows.TROUBLE), "Of every application.", height=14),),
    )
