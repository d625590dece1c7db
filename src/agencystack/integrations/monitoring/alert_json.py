"""How Grafana is told of an alert rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.integrations.monitoring.alerts import AlertRule
from agencystack.integrations.monitoring.dashboards import uid_of
from agencystack.integrations.monitoring.dashboards.model import Scope, Source

LABEL = "agencystack"
"""Label of every rule of ours; its value is the owner, and notifications are routed by it."""

EXPRESSION = "__expr__"
RUNBOOK = "docs/monitoring.md"


def title_of(rule: AlertRule, scope: Scope) -> str:
    """Return how Grafana names a rule; unique in its folder."""
    return f"{scope.component}: {rule.title}"


def to_json(
    rule: AlertRule, scope: Scope, folder_uid: str, sources: Mapping[Source, str], receiver: str | None
) -> dict[str, Any]:
    """Return a rule as Grafana takes it.

    Args:
        rule: the rule.
        scope: the application.
        folder_uid: the folder it is kept in.
        sources: uid of the data source of each kind of query.
        receiver: contact point it names itself; None where the notification policies decide.
    """
    uid = sources[rule.source]
    asked: dict[str, Any] = {"expr": rule.expr, "queryType": "instant"}
    if rule.source is Source.PROMETHEUS:
        asked = {"expr": rule.expr, "instant": True, "range": False}
    beyond = {"evaluator": {"type": "gt", "params": [rule.above]}}
    data = [
        _step("A", uid, {**asked, "datasource": {"type": rule.source.value, "uid": uid}}, minutes=rule.minutes),
        _step("B", EXPRESSION, {"type": "reduce", "expression": "A", "reducer": "last"}),
        _step("C", EXPRESSION, {"type": "threshold", "expression": "B", "conditions": [beyond]}),
    ]
    named = {"notification_settings": {"receiver": receiver}} if receiver else {}
    return {
        "uid": uid_of(scope.owner, scope.component, rule.name),
        "orgID": 1,
        "folderUID": folder_uid,
        "ruleGroup": scope.component,
        "title": title_of(rule, scope),
        "condition": "C",
        "data": data,
        # No line of the kind that is counted is good news; the rule on silence asks for their absence itself.
        "noDataState": "OK",
        "execErrState": rule.when_blind,
        "for": f"{rule.lasting}m" if rule.lasting else "0s",
        "annotations": {
            "summary": f"{scope.component} ({scope.title}): {rule.summary}",
            "runbook": f"{RUNBOOK}#{rule.name}",
            "dashboard": uid_of(scope.owner, scope.component),
        },
        "labels": {LABEL: scope.owner, "component": scope.component, "severity": rule.severity.value},
        "isPaused": False,
        **named,
    }


def _step(ref: str, uid: str, model: Mapping[str, Any], *, minutes: int = 0) -> dict[str, Any]:
    # The last two are what Grafana would add by itself; said here, nothing differs when it is read back.
    whole: dict[str, Any] = {**model, "refId": ref, "intervalMs": 1000, "maxDataPoints": 43200}
    if uid == EXPRESSION:
        whole["datasource"] = {"type": EXPRESSION, "uid": EXPRESSION}
    return {
        "refId": ref,
        "queryType": str(model.get("queryType", "")),
        "relativeTimeRange": {"from": minutes * 60, "to": 0},
        "datasourceUid": uid,
        "model": whole,
    }
