"""Grafana shows what an application logs, and tells somebody of trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from agencystack.components.grafana import Alerting, DataSources, Grafana
from agencystack.engine.context import Component
from agencystack.engine.integration import Capability, Proof, Support
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring import alert_json, alerts, bridge_watch, dashboards
from agencystack.integrations.monitoring.alert_json import LABEL
from agencystack.integrations.monitoring.alerts import Limits
from agencystack.integrations.monitoring.contact import (
    CONTACT,
    ROUTE,
    NotificationRoute,
    OurContactPoint,
    contact_name,
)
from agencystack.integrations.monitoring.dashboards import build
from agencystack.integrations.monitoring.dashboards.model import Board, Scope, Source
from agencystack.integrations.monitoring.grafana_boards import DASHBOARD, BoardFolder, OurDashboard
from agencystack.integrations.monitoring.grafana_proofs import (
    ANSWERED,
    EVALUATED,
    TOLD,
    AlertArrives,
    PanelsAnswer,
    Recipient,
    RulesEvaluate,
)
from agencystack.integrations.monitoring.grafana_rules import RULES, AlertRules, Rules
from agencystack.integrations.monitoring.grafana_sources import StoreSource, place_of
from agencystack.integrations.monitoring.part import Part
from agencystack.stack.model import SHARED

VERSIONS = "tried on Grafana 10.0, which could be built here; written after the source of later versions"
EVERYBODY = "shared by all clients"


class GrafanaBoards(Part):
    """Give each owner a folder with dashboards and alert rules, and somebody to tell."""

    products: ClassVar[tuple[str, ...]] = ("grafana",)
    purpose: ClassVar[str] = "dashboards and alerts"
    capabilities: ClassVar[tuple[Capability, ...]] = (
        Capability("dashboards in Grafana", Support.PARTIAL, proof=ANSWERED, reason=VERSIONS),
        Capability("alert rules in Grafana", Support.PARTIAL, proof=EVALUATED, reason=VERSIONS),
        Capability("alerts by mail", Support.PARTIAL, proof=TOLD, reason=VERSIONS),
    )

    def resources(self) -> Iterator[Resource]:
        """Yield data sources, folders, whom to tell, rules, dashboards: each needs those before it."""
        grafana = self._serving("grafana")
        if grafana is None or self._serving("loki") is None:
            return
        client = self._client(grafana)
        yield from (StoreSource(self.site, grafana, store, kind) for kind, store in self._stores().items())
        for uid, title in self._folders().items():
            yield BoardFolder(client, uid, title)
        if self.site.owner_alerts_to:
            yield OurContactPoint(client, self._owner, self.site.owner_alerts_to)
            yield NotificationRoute(client, self._owner, lambda: self._names_receivers(client))
        yield self._alert_rules(client)
        for board in self._boards():
            yield OurDashboard(client, board.uid, self._folder_of(board), lambda board=board: self._content(board))  # type: ignore[misc]

    def proofs(self) -> Iterator[Proof]:
        """Ask every panel's query, wait for the rules, and send a test alert where somebody is told."""
        grafana = self._serving("grafana")
        if grafana is None or self._serving("loki") is None:
            return
        calls = self._client(grafana).calls
        yield PanelsAnswer(DataSources(calls), tuple(self._boards()), self._uids)
        alerting, component = Alerting(calls), self.site.application.ref.name
        yield RulesEvaluate(alerting, self._title, component, self._rule_titles)
        mailu = self._serving("mailu")
        if self.site.owner_alerts_to and mailu is not None:
            recipient = Recipient(products.mailu(mailu, self.site.context), mailu, self.site.domain)
            yield AlertArrives(alerting, contact_name(self._owner), {LABEL: self._owner}, recipient)

    def warnings(self) -> Iterator[str]:
        """Yield who is not told, what cannot be shown, and which rules are switched off in vain."""
        if self._serving("grafana") is None:
            found = self.site.companion("grafana")
            yield f"{self.site.application.ref} is of all clients, {found.ref if found else ''} of one: no dashboards"
            return
        if self._serving("loki") is None:
            yield "there is no Loki for it in stack.yaml, so Grafana has nothing to show"
            return
        if not self.site.owner_alerts_to:
            yield f"nobody is told of trouble with {self.site.application.ref}: name `alerts_to` in stack.yaml"
        elif self._serving("mailu") is None:
            yield "there is no Mailu in stack.yaml, so that alerts arrive cannot be proven"
        for name in alerts.unknown(self._scope, Limits.of(self.site)):
            yield f"the alert rule {name} is switched off, and {self._scope.component} has none of that name"

    def former(self, key: str) -> Resource | None:
        """Return what was wanted in Grafana once."""
        grafana = self._serving("grafana")
        if grafana is None:
            return None
        client = self._client(grafana)
        if key.startswith(DASHBOARD):
            return OurDashboard(client, key.removeprefix(DASHBOARD), self._folder_uid, dict)
        if key.startswith(CONTACT):
            return OurContactPoint(client, self._owner, self.site.owner_alerts_to)
        if key.startswith(ROUTE):
            return NotificationRoute(client, self._owner, lambda: self._names_receivers(client))
        if key.startswith(RULES):
            return self._alert_rules(client)
        if key.startswith("folder agencystack-"):
            return BoardFolder(client, key.removeprefix("folder "), self._title)
        return self._former_source(key, grafana)

    def _former_source(self, key: str, grafana: Component) -> Resource | None:
        sources = (StoreSource(self.site, grafana, store, kind) for kind, store in self._stores().items())
        return next((source for source in sources if source.key == key), None)

    @property
    def _owner(self) -> str:
        return self.site.owner

    @property
    def _title(self) -> str:
        return EVERYBODY if self._owner == SHARED else self.site.domain

    @property
    def _scope(self) -> Scope:
        metrics = self._serving("prometheus") is not None
        bridge = bridge_watch.told_by(self.site)
        return Scope(self._owner, self._title, self.site.application.ref.name, metrics=metrics, bridge=bridge)

    @property
    def _folder_uid(self) -> str:
        return folder_uid(self._owner)

    def _folders(self) -> dict[str, str]:
        return {folder_uid(SHARED): EVERYBODY, self._folder_uid: self._title}

    def _folder_of(self, board: Board) -> str:
        return folder_uid(SHARED) if board.uid == dashboards.ALL else self._folder_uid

    def _boards(self) -> Iterator[Board]:
        yield dashboards.of_component(self._scope)
        scope = self._scope
        yield dashboards.of_owner(self._owner, self._title, metrics=scope.metrics, bridge=scope.bridge)
        prometheus = self.site.companion("prometheus")
        yield dashboards.of_all(metrics=prometheus is not None and prometheus.ref.client == SHARED)

    def _content(self, board: Board) -> Mapping[str, Any]:
        return build.to_json(board, self._uids())

    def _stores(self) -> dict[Source, Component]:
        found = {kind: self._serving(kind.value) for kind in Source}
        return {kind: store for kind, store in found.items() if store is not None}

    def _uids(self) -> dict[Source, str]:
        grafana = self._serving("grafana")
        stores = self._stores() if grafana is not None else {}
        return {kind: place_of(self.site, grafana, store, kind).uid for kind, store in stores.items() if grafana}

    def _alert_rules(self, client: Grafana) -> AlertRules:
        def rules() -> Rules:
            named = bool(self.site.owner_alerts_to) and self._names_receivers(client)
            receiver = contact_name(self._owner) if named else None
            uids = self._uids()
            wanted = alerts.rules_of(self._scope, Limits.of(self.site))
            return {
                rule.name: alert_json.to_json(rule, self._scope, self._folder_uid, uids, receiver) for rule in wanted
            }

        return AlertRules(client, self._owner, self._scope.component, self._folder_uid, rules)

    def _rule_titles(self) -> tuple[str, ...]:
        wanted = alerts.rules_of(self._scope, Limits.of(self.site))
        return tuple(alert_json.title_of(rule, self._scope) for rule in wanted)

    def _names_receivers(self, client: Grafana) -> bool:
        return self.site.context.connection(client.where, Alerting(client.calls).names_receivers, "names receivers")

    def _client(self, grafana: Component) -> Grafana:
        return products.grafana(grafana, self.site.context)

    def _serving(self, name: str) -> Component | None:
        """Return what serves the application: what is of all clients is not shown in what is of one."""
        found = self.site.companion(name)
        if found is None or (self._owner == SHARED and found.ref.client != SHARED):
            return None
        return found


def folder_uid(owner: str) -> str:
    """Return the uid of an owner's folder; Grafana takes 40 characters."""
    return dashboards.shortened(f"agencystack-{owner}")
