"""Alert rules, contact points and notification policies (``pkg/services/ngalert``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agencystack.sandbox.grafana.answers import Declined
from agencystack.sandbox.grafana.kept import Kept
from agencystack.sandbox.grafana.mailing import Mailing
from agencystack.sandbox.grafana.sources import Sources

DEFAULT = "grafana-default-email"
FACTORY = {"uid": "", "name": "email receiver", "type": "email", "settings": {"addresses": "<example@email.com>"}}
NEVER = "0001-01-01T00:00:00Z"
EXPRESSION = "__expr__"


class Alerting:
    """Rules, contact points and policies; rules are evaluated when somebody asks how they fare.

    Args:
        path: where they are kept.
        sources: the data sources rules ask.
        mailing: sends what is told by mail.
    """

    def __init__(self, path: Path, sources: Sources, mailing: Mailing) -> None:
        self._kept = Kept(path, "rules", "points", "policies")
        self._sources, self._mailing = sources, mailing

    @property
    def rules(self) -> dict[str, Any]:
        """The rules, by uid."""
        return self._kept["rules"]

    def rule(self, uid: str) -> dict[str, Any] | None:
        """Return a rule, or None."""
        return self.rules.get(uid)

    def group(self, folder: str, title: str) -> dict[str, Any]:
        """Return a group of rules."""
        rules = [r for r in self.rules.values() if (r["folderUID"], r["ruleGroup"]) == (folder, title)]
        if not rules:
            raise Declined(404, "rulegroup not found")
        return {"title": title, "folderUid": folder, "interval": 60, "rules": rules}

    def create_rule(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a rule."""
        uid = str(body.get("uid") or f"r{len(self.rules) + 1}")
        twins = [r for r in self.rules.values() if (r["folderUID"], r["title"]) == (body["folderUID"], body["title"])]
        if twins or uid in self.rules:
            what = "rule title under the same organisation and folder should be unique"
            raise Declined(500, f"a conflicting alert rule is found: {what}")
        return self._store(uid, body)

    def save_rule(self, uid: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Change a rule; None where there is none."""
        return self._store(uid, body) if uid in self.rules else None

    def delete_rule(self, uid: str) -> None:
        """Delete a rule; one that is not there is fine."""
        self.rules.pop(uid, None)
        self._kept.save()

    async def states(self, titles: Mapping[str, str]) -> dict[str, Any]:
        """Return how all rules fare.

        Args:
            titles: of the folders, by uid.
        """
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for rule in list(self.rules.values()):  # others may write while a query is waited for
            place = (titles.get(rule["folderUID"], ""), rule["ruleGroup"])
            groups.setdefault(place, []).append(await self._state(rule))
        rows = [{"name": group, "file": folder, "rules": rules} for (folder, group), rules in groups.items()]
        return {"status": "success", "data": {"groups": rows}}

    def points(self) -> list[dict[str, Any]]:
        """Return the contact points."""
        return [*self._kept["points"].values(), FACTORY]

    def create_point(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a contact point."""
        uid = str(body.get("uid") or f"c{len(self._kept['points']) + 1}")
        _must_name_addresses(uid, body)
        if uid in self._kept["points"]:
            name = self._kept["points"][uid]["name"]
            raise Declined(500, f"receiver configuration with UID '{uid}' already exist in contact point '{name}'.")
        return self._store_point(uid, body)

    def save_point(self, uid: str, body: Mapping[str, Any]) -> dict[str, str]:
        """Change a contact point."""
        if uid not in self._kept["points"]:
            raise Declined(404, f"object not found: contact point with uid '{uid}' not found")
        _must_name_addresses(uid, body)
        self._store_point(uid, body)
        return {"message": "contactpoint updated"}

    def delete_point(self, uid: str) -> dict[str, str]:
        """Delete a contact point that nothing names; one that is not there is fine."""
        point = self._kept["points"].get(uid)
        if point and any(route.get("receiver") == point["name"] for route in self.policies().get("routes") or ()):
            raise Declined(500, f"contact point '{point['name']}' is currently used by a notification policy")
        named = [(rule.get("notification_settings") or {}).get("receiver") for rule in self.rules.values()]
        if point and point["name"] in named:
            raise Declined(409, f"contact point '{point['name']}' is currently used by an alert rule")
        self._kept["points"].pop(uid, None)
        self._kept.save()
        return {"message": "contactpoint deleted"}

    def policies(self) -> dict[str, Any]:
        """Return the tree of notification policies."""
        tree: dict[str, Any] = self._kept["policies"].get("tree") or {
            "receiver": DEFAULT,
            "group_by": ["grafana_folder", "alertname"],
        }
        return tree

    def save_policies(self, tree: Mapping[str, Any]) -> dict[str, str]:
        """Save the tree."""
        known = {DEFAULT, *(point["name"] for point in self.points())}
        for route in (tree, *(tree.get("routes") or ())):
            if route.get("receiver") and route["receiver"] not in known:
                raise Declined(400, f"invalid object specification: receiver '{route['receiver']}' does not exist")
        self._kept["policies"]["tree"] = dict(tree)
        self._kept.save()
        return {"message": "policies updated"}

    async def test(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a test alert; return the status and what became of it."""
        alert, receiver = body.get("alert") or {}, body["receivers"][0]
        config = receiver["grafana_managed_receiver_configs"][0]
        if config.get("uid") and config["uid"] not in self._kept["points"]:
            raise Declined(500, f"unknown receiver: {config['uid']}")
        error = await self._mailing.send(config["settings"], alert)
        result = {"name": config["name"], "uid": config.get("uid", ""), "status": "failed" if error else "ok"}
        result |= {"error": error} if error else {}
        rows = [{"name": receiver["name"], "grafana_managed_receiver_configs": [result]}]
        return (207 if error else 200), {"alert": alert, "receivers": rows}

    async def _state(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        asked = [step for step in rule["data"] if step["datasourceUid"] != EXPRESSION]
        errors = []
        values: list[float] = []
        for step in asked:
            answer = await self._ask(step)
            errors += [answer["error"]] if "error" in answer else []
            values += [v for frame in answer.get("frames") or () for v in frame["data"]["values"][-1]]
        beyond = _threshold(rule)
        firing = beyond is not None and any(isinstance(v, float) and v > beyond for v in values)
        return {
            "name": rule["title"],
            "health": "error" if errors else "ok",
            "state": "firing" if firing else "inactive",
            "lastError": "; ".join(errors),
            "lastEvaluation": datetime.now(UTC).isoformat(),
            "type": "alerting",
        }

    async def _ask(self, step: Mapping[str, Any]) -> dict[str, Any]:
        query = {**step["model"], "datasource": {"uid": step["datasourceUid"]}}
        try:
            return await self._sources.ask(query, float(step["relativeTimeRange"]["from"]))
        except Declined as declined:
            return {"error": str(declined)}

    def _store(self, uid: str, body: Mapping[str, Any]) -> dict[str, Any]:
        number = self.rules[uid]["id"] if uid in self.rules else len(self.rules) + 1
        self.rules[uid] = {**body, "uid": uid, "id": number, "updated": datetime.now(UTC).isoformat()}
        self._kept.save()
        row: dict[str, Any] = self.rules[uid]
        return row

    def _store_point(self, uid: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._kept["points"][uid] = {
            "uid": uid,
            "name": str(body["name"]),
            "type": str(body["type"]),
            "settings": dict(body["settings"]),
            "disableResolveMessage": bool(body.get("disableResolveMessage")),
        }
        self._kept.save()
        row: dict[str, Any] = self._kept["points"][uid]
        return row


def _must_name_addresses(uid: str, body: Mapping[str, Any]) -> None:
    if not re.search(r"\S", str((body.get("settings") or {}).get("addresses", ""))):
        what = f'failed to validate integration "{body.get("name")}" (UID {uid}) of type "email"'
        raise Declined(400, f"invalid object specification: {what}: could not find addresses in settings")


def _threshold(rule: Mapping[str, Any]) -> float | None:
    for step in rule["data"]:
        if step["model"].get("type") == "threshold":
            return float(step["model"]["conditions"][0]["evaluator"]["params"][0])
    return None
