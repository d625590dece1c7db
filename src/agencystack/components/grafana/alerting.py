"""Grafana's alert rules, contact points and notification policies.

Source: ``pkg/services/ngalert/api`` of Grafana. Everything is saved without provenance (``X-Disable-Provenance``), so
that people can pause, tune and silence it in Grafana; with it Grafana would lock its own editor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from agencystack.components.grafana.calls import Calls

PROVISIONING = "/api/v1/provisioning"
TEST = "/api/alertmanager/grafana/config/api/v1/receivers/test"
RULES = "/api/prometheus/grafana/api/v1/rules"
RECEIVERS_SINCE = 12
"""First major version in which every rule can name its contact point."""

TEST_LIMIT = 45.0
"""Seconds; Grafana itself gives up after 15."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class ContactPoint(_Row):
    """Who is told, and how.

    Attributes:
        settings: of its type; for ``email`` the ``addresses``, separated by semicolons.
        provenance: empty where people may edit it; else what made it, such as ``file``.
    """

    uid: str
    name: str
    type: str
    settings: dict[str, Any]
    disable_resolve_message: bool = False
    provenance: str = ""


class RuleGroup(_Row):
    """Alert rules that are evaluated together.

    Attributes:
        interval: seconds between evaluations.
        rules: as Grafana keeps them.
    """

    title: str
    folder_uid: str
    interval: int
    rules: tuple[dict[str, Any], ...] = ()


class RuleState(_Row):
    """How an alert rule fares.

    Attributes:
        health: ``ok``, ``nodata``, ``error``.
        last_evaluation: ISO 8601; the year 1 where it was never evaluated.
        state: ``inactive``, ``pending`` or ``firing``.
    """

    name: str
    health: str
    state: str = ""
    last_error: str = ""
    last_evaluation: str = ""

    @property
    def evaluated(self) -> bool:
        """Say that it was evaluated since Grafana started."""
        return bool(self.last_evaluation) and not self.last_evaluation.startswith("0001")


class TestResult(_Row):
    """What became of a test notification."""

    __test__ = False  # no test of ours, whatever its name

    status: str
    error: str = ""


class Alerting:
    """Alert rules and notifications of the organisation the credential belongs to.

    Args:
        calls: into that Grafana; they send ``X-Disable-Provenance``.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def names_receivers(self) -> bool:
        """Say whether a rule can name its contact point itself (``notification_settings``), beside the policy tree.

        Grafana has it since 10.4 behind a switch, and without one since the switch went (``alertingSimplifiedRouting``
        of ``pkg/services/featuremgmt/registry.go``).
        """
        said = self._calls.parsed(lambda answer: dict(answer), self._calls.get("/api/frontend/settings"))
        switched = (said.get("featureToggles") or {}).get("alertingSimplifiedRouting")
        version = re.match(r"\d+", str((said.get("buildInfo") or {}).get("version", "")))
        return bool(switched) or (version is not None and int(version[0]) >= RECEIVERS_SINCE)

    def group(self, folder_uid: str, title: str) -> RuleGroup | None:
        """Return a group of rules, or None."""
        answer = self._calls.get(_group_path(folder_uid, title))
        group = None if answer is None else self._calls.parsed(RuleGroup.model_validate, answer)
        # Versions before 10.1 answer with an empty group where there is none.
        return group if group is not None and group.rules else None

    def rule(self, uid: str) -> dict[str, Any] | None:
        """Return one rule, or None."""
        answer = self._calls.get(f"{PROVISIONING}/alert-rules/{quote(uid, safe='')}")
        return None if answer is None else self._calls.parsed(dict, answer)

    def create_rule(self, rule: Mapping[str, Any]) -> None:
        """Make one rule under its ``uid``, in its ``folderUID`` and ``ruleGroup``; a group is made with its first rule.

        Rules are made one by one: Grafana 10.0 answers 500 to a group that is sent with rules it does not know yet.
        """
        self._calls.send("POST", f"{PROVISIONING}/alert-rules", dict(rule))

    def save_rule(self, rule: Mapping[str, Any]) -> None:
        """Change one rule; the others of its group stay."""
        self._calls.send("PUT", f"{PROVISIONING}/alert-rules/{quote(str(rule['uid']), safe='')}", dict(rule))

    def delete_rule(self, uid: str) -> None:
        """Delete one rule; a group without rules is gone. Nothing to do where it is."""
        self._calls.delete(f"{PROVISIONING}/alert-rules/{quote(uid, safe='')}")

    def rules_in(self, folder_uid: str) -> tuple[str, ...]:
        """Return the titles of all rules in a folder."""
        rows = self._calls.get(f"{PROVISIONING}/alert-rules") or ()
        return tuple(str(row.get("title", "")) for row in rows if row.get("folderUID") == folder_uid)

    def states(self, folder_title: str, group: str) -> tuple[RuleState, ...]:
        """Return how the rules of a group fare.

        Args:
            folder_title: of its folder; Grafana names folders by title here.
            group: its title.
        """
        answer = self._calls.get(RULES)
        groups = self._calls.parsed(lambda said: said["data"]["groups"], answer)
        rows = [
            row
            for found in groups
            if found.get("name") == group and found.get("file") == folder_title
            for row in found.get("rules") or ()
        ]
        return tuple(self._calls.parsed(RuleState.model_validate, row) for row in rows)

    def contact_point(self, uid: str) -> ContactPoint | None:
        """Return a contact point, or None."""
        return next((point for point in self.contact_points() if point.uid == uid), None)

    def contact_points(self) -> tuple[ContactPoint, ...]:
        """Return all contact points."""
        rows = self._calls.get(f"{PROVISIONING}/contact-points") or ()
        return tuple(self._calls.parsed(ContactPoint.model_validate, row) for row in rows)

    def create_contact_point(self, point: ContactPoint) -> None:
        """Make a contact point."""
        self._calls.send("POST", f"{PROVISIONING}/contact-points", _unowned(point))

    def save_contact_point(self, point: ContactPoint) -> None:
        """Change a contact point."""
        self._calls.send("PUT", f"{PROVISIONING}/contact-points/{quote(point.uid, safe='')}", _unowned(point))

    def delete_contact_point(self, uid: str) -> None:
        """Delete a contact point; raises Refused where a policy or a rule still names it."""
        self._calls.delete(f"{PROVISIONING}/contact-points/{quote(uid, safe='')}")

    def policies(self) -> dict[str, Any]:
        """Return the whole tree of notification policies; it is one object, saved as a whole."""
        return self._calls.parsed(dict, self._calls.get(f"{PROVISIONING}/policies"))

    def save_policies(self, tree: Mapping[str, Any]) -> None:
        """Save the whole tree."""
        body = {name: value for name, value in tree.items() if name != "provenance"}
        self._calls.send("PUT", f"{PROVISIONING}/policies", body)

    def test(self, point: ContactPoint, annotations: Mapping[str, str], labels: Mapping[str, str]) -> TestResult:
        """Have Grafana send a test alert to a contact point, saved or not, and return what became of it.

        Args:
            point: where to.
            annotations: of the alert.
            labels: of the alert.
        """
        # With the uid of a point that is not saved Grafana answers 500 "unknown receiver"; an empty one is always fine.
        config = {**_unowned(point), "uid": "", "secureSettings": {}}
        body = {
            "receivers": [{"name": point.name, "grafana_managed_receiver_configs": [config]}],
            "alert": {"annotations": dict(annotations), "labels": dict(labels)},
        }
        answer = self._calls.send("POST", TEST, body, fine=(207, 400, 408), timeout=TEST_LIMIT)
        return self._calls.parsed(_first_result, answer)


def _group_path(folder_uid: str, title: str) -> str:
    return f"{PROVISIONING}/folder/{quote(folder_uid, safe='')}/rule-groups/{quote(title, safe='')}"


def _unowned(point: ContactPoint) -> dict[str, Any]:
    return point.model_dump(by_alias=True, exclude={"provenance"})


def _first_result(answer: Any) -> TestResult:
    results: Iterable[Any] = answer["receivers"][0]["grafana_managed_receiver_configs"]
    return TestResult.model_validate(next(iter(results)))
