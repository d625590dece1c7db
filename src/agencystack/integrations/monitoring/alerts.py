"""Alert rules of an application: what counts as trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agencystack.engine.integration import Site
from agencystack.integrations.monitoring.dashboards import logql
from agencystack.integrations.monitoring.dashboards.bridge import BridgeNumbers
from agencystack.integrations.monitoring.dashboards.model import Scope, Source
from agencystack.stack.errors import ConfigurationError

TROUBLE = "error|critical"


class Severity(StrEnum):
    """How soon somebody should look."""

    WARNING = "warning"
    CRITICAL = "critical"


class Limits(BaseModel):
    """What ``stack.yaml`` may say under ``integrations.monitoring.<application>.settings.alerts``.

    Attributes:
        off: names of rules that are not wanted.
        server_errors_percent: share of answers 5xx within 10 minutes, in per cent.
        server_errors_at_least: answers 5xx within 10 minutes below which the share says nothing.
        php_fatals: within 10 minutes.
        failed_logins: from one address within 15 minutes.
        errors: lines of level error or worse, of one ERPNext site, within 10 minutes.
        failed_jobs: of one kind within an hour.
        stuck_minutes: without any job that ended, while ERPNext logs other things.
        mail_bounced: mails that came back within an hour.
        mail_rejected: mails not taken within 15 minutes.
        mail_waiting: different mails put off within an hour.
        silent_minutes: without any line of the application.
        bridge_behind_minutes: that a change waits for the data bridge.
        bridge_undecided_hours: that a conflict, or a record a product refused, waits for a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    off: tuple[str, ...] = ()
    server_errors_percent: float = Field(default=5, gt=0, le=100)
    server_errors_at_least: int = Field(default=10, ge=0)
    php_fatals: int = Field(default=0, ge=0)
    failed_logins: int = Field(default=20, ge=1)
    errors: int = Field(default=10, ge=0)
    failed_jobs: int = Field(default=3, ge=0)
    stuck_minutes: int = Field(default=60, ge=5, le=1440)
    mail_bounced: int = Field(default=20, ge=0)
    mail_rejected: int = Field(default=500, ge=0)
    mail_waiting: int = Field(default=50, ge=0)
    silent_minutes: int = Field(default=60, ge=5, le=1440)
    bridge_behind_minutes: int = Field(default=15, ge=1, le=1440)
    bridge_undecided_hours: int = Field(default=24, ge=1, le=720)

    @classmethod
    def of(cls, site: Site) -> Limits:
        """Return what ``stack.yaml`` says for an application.

        Raises:
            ConfigurationError: a limit is unknown or makes no sense; all of them are named.
        """
        try:
            return cls.model_validate(site.setting("alerts", {}))
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_input=False)
            wrong = "; ".join(f"{'.'.join(str(part) for part in m['loc'])}: {m['msg']}" for m in mistakes)
            place = f"clients.{site.client}.integrations.monitoring.{site.application.ref.name}.settings.alerts"
            raise ConfigurationError(
                f"{place} is wrong: {wrong}",
                component=site.application.ref,
                remedy=f"the limits are {', '.join(cls.model_fields)} (docs/monitoring.md)",
            ) from error


@dataclass(frozen=True)
class AlertRule:
    """One rule.

    Args:
        name: unique in its application; part of its uid, and its heading in the documentation.
        title: what is wrong when it fires.
        expr: LogQL or PromQL; one value for each thing that can be in trouble.
        above: it fires for values above this.
        minutes: how far back a query looks.
        lasting: minutes it must hold before anybody is told.
        severity: how soon somebody should look.
        summary: for the mail, with Grafana's templates.
        source: the store it asks.
        when_blind: what it is where its query fails, in Grafana's words. ``OK`` for all but one: a log store that is
            down would else be told once for each rule. The rule on silence says it for all of them.
    """

    name: str
    title: str
    expr: str
    above: float
    summary: str
    minutes: int = 10
    lasting: int = 0
    severity: Severity = Severity.WARNING
    source: Source = Source.LOKI
    when_blind: str = "OK"


def rules_of(scope: Scope, limits: Limits) -> tuple[AlertRule, ...]:
    """Return the rules of an application; those that are switched off are left out."""
    made = (*_OF.get(scope.component, _no_more)(scope, limits), *_common(scope, limits))
    return tuple(rule for rule in made if rule.name not in limits.off)


def unknown(scope: Scope, limits: Limits) -> tuple[str, ...]:
    """Return what is switched off and is no rule of that application."""
    names = {rule.name for rule in rules_of(scope, limits.model_copy(update={"off": ()}))}
    return tuple(name for name in limits.off if name not in names)


def _common(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    logs = scope.logs
    yield AlertRule(
        "failed-logins",
        "many failed logins from one address",
        f"{logql.count_once(logs.event('login_failed'), '15m', 'address')} > {limits.failed_logins}",
        limits.failed_logins,
        "{{ $labels.address }} failed to log in {{ $values.B }} times within 15 minutes",
        minutes=15,
    )


def _silent(scope: Scope, limits: Limits) -> AlertRule:
    """Return the rule of what always logs something: people, or the checks of Uptime Kuma, ask it every minute."""
    logs, minutes = scope.logs, limits.silent_minutes
    return AlertRule(
        "silent",
        "nothing is logged",
        f"sum(absent_over_time({logs.of()} [{minutes}m]))",
        0,
        f"no line for {minutes} minutes: it is down, or its logs are not collected any more",
        minutes=minutes,
        when_blind="Error",
    )


def _wordpress(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    yield _silent(scope, limits)
    yield _server_errors(scope, limits)
    yield AlertRule(
        "php-fatals",
        "PHP fails",
        logql.count_once(scope.logs.event("php_fatal"), "10m"),
        limits.php_fatals,
        "{{ $values.B }} fatal errors within 10 minutes: visitors see a white page",
        severity=Severity.CRITICAL,
    )
    if scope.bridge is not None:
        yield from _bridge(BridgeNumbers(scope.owner, scope.bridge), limits)


def _bridge(numbers: BridgeNumbers, limits: Limits) -> Iterator[AlertRule]:
    """Yield the rules of the client's data bridge; they stand with its WordPress."""
    behind, undecided = limits.bridge_behind_minutes * 60, limits.bridge_undecided_hours * 3600
    yield AlertRule(
        "bridge-behind",
        "the data bridge is behind",
        numbers.while_active("oldest"),
        behind,
        "a change waits for {{ $values.B }} seconds to reach the other side",
        source=numbers.source,
    )
    yield AlertRule(
        "bridge-paused",
        "the data bridge is paused",
        numbers.of("paused"),
        0,
        "nothing is kept in step: agencystack bridge status says why",
        lasting=15,
        source=numbers.source,
    )
    yield AlertRule(
        "bridge-undecided",
        "the data bridge waits for a person",
        numbers.of("undecided"),
        undecided,
        "a conflict, or a record a product refused, waits for {{ $values.B }} seconds: agencystack bridge conflicts",
        source=numbers.source,
    )
    yield AlertRule(
        "bridge-stopped",
        "the data bridge does not run",
        numbers.stopped(),
        0,
        "no worker was heard of for 5 minutes: agencystack serve is down, or is not watched any more",
        lasting=5,
        severity=Severity.CRITICAL,
        source=numbers.source,
    )


def _erpnext(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    logs, stuck = scope.logs, f"{limits.stuck_minutes}m"
    yield _silent(scope, limits)
    yield _server_errors(scope, limits)
    yield AlertRule(
        "errors",
        "a site reports errors",
        f"{logql.count(logs.of(level=TROUBLE), '10m', 'site')} > {limits.errors}",
        limits.errors,
        "{{ $labels.site }}: {{ $values.B }} errors within 10 minutes",
    )
    yield AlertRule(
        "failed-jobs",
        "background jobs fail",
        f"{logql.count(logs.event('job_failed'), '1h', 'job')} > {limits.failed_jobs}",
        limits.failed_jobs,
        "{{ $labels.job }} failed {{ $values.B }} times within an hour",
        minutes=60,
    )
    ended = logs.of("worker", "server", where=logql.event("job_ok", "job_failed"))
    yield AlertRule(
        "stuck-workers",
        "workers are stuck",
        # Only while it logs at all: where it does not, the rule on silence says so.
        f"sum(absent_over_time({ended} [{stuck}])) and {logql.count(logs.of(), stuck)} > 0",
        0,
        f"no background job ended for {limits.stuck_minutes} minutes",
        minutes=limits.stuck_minutes,
        severity=Severity.CRITICAL,
    )


def _mailu(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    yield _silent(scope, limits)
    logs = scope.logs
    yield AlertRule(
        "bounces",
        "mail comes back",
        logql.count(logs.event("mail_bounced"), "1h"),
        limits.mail_bounced,
        "{{ $values.B }} mails bounced within an hour: a block list, or a mailbox that was taken over",
        minutes=60,
    )
    yield AlertRule(
        "rejects",
        "much mail is rejected",
        logql.count(logs.event("mail_rejected"), "15m"),
        limits.mail_rejected,
        "{{ $values.B }} mails were not taken within 15 minutes: a flood of spam, or a wrong setting",
        minutes=15,
        lasting=15,
    )
    yield AlertRule(
        "deferred-queue",
        "mail waits",
        logql.distinct(logs.event("mail_deferred"), "queue_id", "1h"),
        limits.mail_waiting,
        "{{ $values.B }} mails were put off by other servers within an hour",
        minutes=60,
        lasting=15,
    )


def _listmonk(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    yield AlertRule(
        "errors",
        "it reports errors",
        logql.count(scope.logs.of(level=TROUBLE), "10m"),
        limits.errors,
        "{{ $values.B }} errors within 10 minutes",
    )


def _uptime_kuma(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    if scope.metrics:
        yield AlertRule(
            "monitor-down",
            "a monitor is down",
            "max by (monitor_name) (monitor_status == bool 0)",
            0,
            "{{ $labels.monitor_name }} does not answer, seen from outside",
            lasting=5,
            severity=Severity.CRITICAL,
            source=Source.PROMETHEUS,
        )


def _no_more(scope: Scope, limits: Limits) -> Iterator[AlertRule]:
    return iter(())


def _server_errors(scope: Scope, limits: Limits) -> AlertRule:
    failed = scope.logs.of(*logql.REQUESTS, where='status=~"5.."')
    answered = scope.logs.of(*logql.REQUESTS, where='status!=""')
    enough = f"{logql.count(failed, '10m')} > {limits.server_errors_at_least}"
    return AlertRule(
        "server-errors",
        "many server errors",
        f"{logql.share(failed, answered, '10m')} and {enough}",
        limits.server_errors_percent,
        "{{ $values.B }} per cent of all answers within 10 minutes were 5xx",
        severity=Severity.CRITICAL,
    )


_OF: Mapping[str, Callable[[Scope, Limits], Iterator[AlertRule]]] = {
    "erpnext": _erpnext,
    "keycloak": _no_more,
    "listmonk": _listmonk,
    "mailu": _mailu,
    "uptime-kuma": _uptime_kuma,
    "wordpress": _wordpress,
}
