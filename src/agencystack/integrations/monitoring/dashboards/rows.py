"""Rows that dashboards of several applications have: figures, requests, logins, all lines."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql
from agencystack.integrations.monitoring.dashboards.logql import Logs
from agencystack.integrations.monitoring.dashboards.model import Choice, Kind, Panel, Query, Row, number

TROUBLE = "error|critical"
EVERY_LINE = "Lines"
"""Title of the panel in which every line can be found."""


def requests(logs: Logs, streams: tuple[str, ...] = logql.REQUESTS) -> Row:
    """Return what is asked of a web server, and how it answers."""
    lines = logs.of(*streams, where='status!=""')
    failed = logs.of(*streams, where='status=~"5.."')
    return Row(
        "Requests",
        (
            Panel(
                "Requests by status",
                Kind.BARS,
                (Query(logql.rate(lines, by="status"), "{{status}}"),),
                "Requests a second, by HTTP status. Many 404 from one address are a scan; many 429 a rate limit.",
                "reqps",
            ),
            Panel(
                "Server errors by status",
                Kind.BARS,
                (Query(logql.count(failed, by="status"), "{{status}}"),),
                "Answers 5xx. 502 and 504 say that PHP or a worker did not answer; 500 that it failed: see the errors.",
            ),
            Panel(
                "Most requested paths",
                Kind.TABLE,
                (Query(logql.most(lines, "path")),),
                "Paths without their query, over the time shown.",
                width=8,
            ),
            Panel(
                "Paths with most server errors",
                Kind.TABLE,
                (Query(logql.most(failed, "path, status")),),
                "Where answers 5xx come from.",
                width=8,
            ),
            Panel(
                "Slowest paths",
                Kind.TABLE,
                (Query(logql.slowest(logs.of(*streams), "seconds", "path")),),
                "95th percentile; only where the web server writes how long it took.",
                "s",
                width=8,
            ),
        ),
    )


def request_numbers(logs: Logs, streams: tuple[str, ...] = logql.REQUESTS) -> tuple[Panel, Panel]:
    """Return the number of requests, and the share that failed."""
    lines = logs.of(*streams, where='status!=""')
    return (
        number("Requests", logql.count(lines, logql.SHOWN), "Over the time shown."),
        number(
            "Server errors",
            logql.share(logs.of(*streams, where='status=~"5.."'), lines),
            "Share of answers 5xx.",
            unit="percent",
            thresholds=(1, 5),
        ),
    )


def login_number(logs: Logs) -> Panel:
    """Return how many logins failed."""
    return number(
        "Failed logins",
        logql.count(logs.event("login_failed"), logql.SHOWN),
        "A few are people; hundreds from one address are somebody guessing.",
        thresholds=(50, 200),
    )


def logins(logs: Logs, by: str = "event") -> Row:
    """Return who comes in, and who does not."""
    failed = logs.event("login_failed")
    return Row(
        "Logins",
        (
            Panel(
                "Logins",
                Kind.BARS,
                (Query(logql.count(logs.event("login_ok", "login_failed"), by=by), _legend(by)),),
                "Logins that succeeded and failed.",
                width=8,
            ),
            Panel(
                "Failed logins by address",
                Kind.TABLE,
                (Query(logql.most(failed, "address")),),
                "Where failed logins come from; block an address that guesses at the firewall.",
                width=8,
            ),
            Panel(
                "Failed logins by user",
                Kind.TABLE,
                (Query(logql.most(failed, "user")),),
                "Whose password is being guessed or was forgotten.",
                width=8,
            ),
        ),
    )


def lines(logs: Logs) -> Row:
    """Return how much is logged, and every line of it, by the choices at the top."""
    chosen = logs.of().removesuffix("}") + ', stream=~"$stream", level=~"$level"}'
    return Row(
        "All lines",
        (
            Panel(
                "Lines by stream",
                Kind.BARS,
                (Query(logql.count(chosen, by="stream"), "{{stream}}"),),
                "What is logged. A stream that ends is a service or a collector that stopped.",
            ),
            Panel(
                "Lines by level",
                Kind.BARS,
                (Query(logql.count(chosen, by="level"), "{{level}}"),),
                "How bad it is.",
            ),
            Panel(EVERY_LINE, Kind.LOGS, (Query(chosen),), "Everything logged, the newest first.", width=24, height=14),
        ),
    )


def choices(logs: Logs) -> tuple[Choice, ...]:
    """Return the choices :func:`lines` needs."""
    return (Choice("stream", logs.of()), Choice("level", logs.of()))


def latest(title: str, query: str, description: str, *, width: int = 24, height: int = 9) -> Panel:
    """Return a panel of lines."""
    return Panel(title, Kind.LOGS, (Query(query),), description, width=width, height=height)


def _legend(by: str) -> str:
    return " ".join("{{" + label.strip() + "}}" for label in by.split(","))
