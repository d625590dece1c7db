"""The dashboard of a WordPress: requests, PHP, logins, WooCommerce."""

from __future__ import annotations

from agencystack.integrations.monitoring.dashboards import logql, rows
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Scope, number

PHP = ("php", "php-fpm", "web-error", "server")
"""Streams in which PHP's messages come: its own log, PHP-FPM's, the web server's, and a container's output."""


def rows_of(scope: Scope) -> tuple[Row, ...]:
    """Return its rows."""
    logs = scope.logs
    fatals = logs.event("php_fatal")
    glance = Row(
        "At a glance",
        (
            *rows.request_numbers(logs),
            number(
                "PHP fatal errors",
                logql.count_once(fatals, logql.SHOWN),
                "Each ended a request half-way: a white page for a visitor.",
                thresholds=(1, 10),
            ),
            rows.login_number(logs),
        ),
    )
    php = Row(
        "PHP",
        (
            Panel(
                "PHP messages by level",
                Kind.BARS,
                (Query(logql.count(logs.of(*PHP, where='status=""'), by="level"), "{{level}}"),),
                "Warnings and worse; a jump after an update points at that plugin or theme.",
                width=8,
            ),
            Panel(
                "Files that fail most",
                Kind.TABLE,
                (Query(logql.most(logs.of(*PHP, where='file!=""'), "file")),),
                "The plugin or theme stands in the path.",
                width=8,
            ),
            Panel(
                "Slow scripts",
                Kind.BARS,
                (Query(logql.count(logs.event("slow_request")), "slow requests"),),
                "Requests longer than PHP-FPM's request_slowlog_timeout.",
                width=8,
            ),
            rows.latest("Fatal errors", fatals, "Each with its stack trace, as one entry."),
        ),
    )
    shop = Row(
        "WooCommerce",
        (
            Panel(
                "WooCommerce messages by level",
                Kind.BARS,
                (Query(logql.count(logs.of("woocommerce"), by="level"), "{{level}}"),),
                "Payment gateways and webhooks write here.",
                width=8,
            ),
            rows.latest(
                "WooCommerce errors",
                logs.of("woocommerce", level=rows.TROUBLE),
                "Payments that failed, webhooks that were refused.",
                width=16,
                height=8,
            ),
        ),
    )
    return (glance, rows.requests(logs), php, rows.logins(logs), shop, rows.lines(logs))
