"""Alert rules of ours in Grafana: one group an application, beside whatever rules a person keeps in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agencystack.components.grafana import Alerting, Grafana
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value, digest
from agencystack.integrations.monitoring.alert_json import LABEL

RULES = "alert rules of "
Rules = Mapping[str, Mapping[str, Any]]


class AlertRules(Resource):
    """The alert rules of one application; each is a field of its own, so that a plan shows which one differs.

    Args:
        grafana: where.
        owner: value of our label.
        component: name of the group.
        folder_uid: the folder of the group.
        rules: gives them as Grafana takes them, by name; asked for late, as the data source may be made by apply.
    """

    def __init__(
        self, grafana: Grafana, owner: str, component: str, folder_uid: str, rules: Callable[[], Rules]
    ) -> None:
        self.component, self.key = grafana.where, f"{RULES}{owner}/{component}"
        self._alerting, self._owner, self._group = Alerting(grafana.calls), owner, component
        self._folder_uid, self._rules = folder_uid, rules
        self._live: dict[str, dict[str, Any]] = {}

    def read(self) -> Reading:
        """Return our rules that are there, in a few words each."""
        wanted = self._rules()
        self._live = self._found(wanted)
        if not self._live:
            return ABSENT
        from_file = [str(rule["title"]) for rule in self._live.values() if rule.get("provenance") == "file"]
        if from_file:
            raise Blocked(
                f"alert rules with uids of ours come from a provisioning file: {', '.join(from_file)}",
                component=self.component,
                remedy="take them out there, so that ours can be made",
            )
        fields: dict[str, Value] = {
            name: in_words(projected(rule, wanted[name]) if name in wanted else rule)
            for name, rule in self._live.items()
        }
        return Reading(fields, {"rules": self._live})

    def wanted(self) -> Fields:
        """Want the rules that are wanted, and no other of ours."""
        wanted = self._rules()
        unwanted = dict.fromkeys(name for name in self._live if name not in wanted)
        return {**{name: in_words(rule) for name, rule in wanted.items()}, **unwanted}

    def write(self, change: Change) -> None:
        """Make, change and delete the rules that differ."""
        wanted = self._rules()
        for name in change.names:
            self._put(name, wanted.get(name))

    def remove(self, live: Reading, before: Image) -> str:
        """Delete our rules."""
        for rule in self._found(self._rules()).values():
            self._alerting.delete_rule(str(rule["uid"]))
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back the rules that were there."""
        self._live = self._found(self._rules())
        had: Rules = before.extra.get("rules") or {}
        for name in change.names:
            self._put(name, had.get(name))

    def _put(self, name: str, rule: Mapping[str, Any] | None) -> None:
        live = self._live.get(name)
        if rule is None:
            if live is not None:
                self._alerting.delete_rule(str(live["uid"]))
        elif live is None:
            self._alerting.create_rule(rule)
        else:
            self._alerting.save_rule(rule)

    def _found(self, wanted: Rules) -> dict[str, dict[str, Any]]:
        """Return our rules that are there, by name; those a person moved elsewhere included."""
        group = self._alerting.group(self._folder_uid, self._group)
        ours = {str(rule["uid"]): rule for rule in (group.rules if group else ()) if self._is_ours(rule)}
        names = {str(rule["uid"]): name for name, rule in wanted.items()}
        for uid in names.keys() - ours.keys():
            elsewhere = self._alerting.rule(uid)
            if elsewhere is not None:
                ours[uid] = elsewhere
        return {names.get(uid, _name_of(rule)): rule for uid, rule in ours.items()}

    def _is_ours(self, rule: Mapping[str, Any]) -> bool:
        labels = rule.get("labels") or {}
        return labels.get(LABEL) == self._owner and str(rule.get("uid", "")).startswith("as-")


def _name_of(rule: Mapping[str, Any]) -> str:
    """Return the name of a rule that is wanted no more: the end of where its meaning is explained."""
    runbook = str((rule.get("annotations") or {}).get("runbook", ""))
    return runbook.rpartition("#")[2] or str(rule["uid"])


def projected(live: Any, wanted: Any) -> Any:
    """Return ``live`` without what ``wanted`` does not speak of: ids, times, and what Grafana adds by itself."""
    if isinstance(live, dict) and isinstance(wanted, Mapping):
        return {name: projected(live.get(name), value) for name, value in wanted.items()}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [projected(one, other) for one, other in zip(live, wanted, strict=True)]
    return live


def in_words(rule: Mapping[str, Any]) -> str:
    """Return a rule in a few words, with a hash of all of it."""
    try:
        beyond = f"above {float(rule['data'][-1]['model']['conditions'][0]['evaluator']['params'][0]):g}"
    except (KeyError, IndexError, TypeError, ValueError):
        beyond = "edited"
    paused = ", paused" if rule.get("isPaused") else ""
    # Grafana puts its own organisation in the place of whichever it is told.
    compared = {name: value for name, value in rule.items() if name != "orgID"}
    return f"{beyond} for {rule.get('for')}{paused} ({digest(compared)[:8]})"
