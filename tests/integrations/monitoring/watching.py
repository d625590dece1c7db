"""An installation whose one integration is Grafana's part of monitoring, at a Grafana and a Loki of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from agencystack.components.grafana import Alerting, Boards, DataSources, Grafana
from agencystack.engine.integration import Integration, Proof, Site, integration
from agencystack.engine.resource import Resource
from agencystack.integrations.monitoring.grafana import GrafanaBoards
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from tests.engine.fakes import passing

ADMIN, PASSWORD, LOKI_PASSWORD = "admin", "a-password-of-the-admin", "a-password-of-loki"
WHERE = ComponentRef("shared", "grafana")
FOLDER = "agencystack-acme"


@integration("monitoring", "wordpress", version=1)
class Boarded(Integration):
    """Grafana's part alone.

    Attributes:
        proving: run its proofs; a real Grafana takes up to a minute until it has evaluated a rule.
    """

    capabilities: ClassVar = GrafanaBoards.capabilities
    proving = True

    def resources(self, site: Site) -> Iterator[Resource]:
        return GrafanaBoards(site).resources()

    def proofs(self, site: Site) -> Iterator[Proof]:
        return GrafanaBoards(site).proofs() if self.proving else iter([passing()])

    def warnings(self, site: Site) -> Iterator[str]:
        return GrafanaBoards(site).warnings()

    def former(self, site: Site, key: str) -> Resource | None:
        return GrafanaBoards(site).former(key)


class GrafanaBench(Bench):
    """Grafana's part of monitoring a WordPress.

    Args:
        grafana_url: of a Grafana only this test uses.
        loki_url: of a Loki.
    """

    client = "acme"
    secrets = (Secret(PASSWORD),)

    def __init__(self, grafana_url: str, loki_url: str) -> None:
        self.integration = Boarded()
        self.grafana_url, self.loki = grafana_url, {"url": loki_url}
        self.settings: dict[str, Any] = {}
        self.alerts_to = ["ops@agency.example"]
        self.more: dict[str, Any] = {}
        self.admin, self.password = ADMIN, PASSWORD
        self.grafana = Grafana(WHERE, grafana_url, user=ADMIN, password=Secret(PASSWORD))
        self.sources, self.boards = DataSources(self.grafana.calls), Boards(self.grafana.calls)
        self.alerting = Alerting(self.grafana.calls)

    @property
    def stack(self) -> Stack:  # type: ignore[override]
        """What stack.yaml says now."""
        return Stack.model_validate(
            {
                "version": 1,
                "shared": {
                    "components": {
                        "grafana": {"url": self.grafana_url, "admin_user": self.admin, "admin_password": "env:GRAFANA"},
                        "loki": self.loki,
                        **self.more,
                    }
                },
                "clients": {
                    "acme": {
                        "domain": "acme.example",
                        "alerts_to": self.alerts_to,
                        "components": {"wordpress": {"url": "http://wordpress.acme.example"}},
                        "integrations": {"monitoring": {"wordpress": self.settings}},
                    }
                },
            }
        )

    def resolve(self, reference: Any) -> Secret:
        return Secret({"GRAFANA": self.password, "LOKI": LOKI_PASSWORD}[str(reference).removeprefix("env:")])

    def state(self) -> object:
        sources = sorted(source.model_dump_json(exclude={"json_data"}) for source in self.sources.all())
        points = sorted(point.model_dump_json() for point in self.alerting.contact_points())
        rows = self.grafana.calls.get("/api/search", {"limit": "500"})
        boards = sorted((row["uid"], row["title"], row.get("folderUid")) for row in rows)
        rules = self.grafana.calls.get("/api/v1/provisioning/alert-rules")
        named = sorted((rule["uid"], rule["title"]) for rule in rules)
        return sources, boards, named, points, self.alerting.policies().get("routes") or []

    def calls(self) -> int:
        return 0

    def edit(self) -> Edit:
        found = self.boards.dashboard("as-acme-wordpress")
        assert found is not None
        self.boards.save({**found.content, "title": "Mine now"}, FOLDER, "")

        def kept() -> bool:
            live = self.boards.dashboard("as-acme-wordpress")
            return live is not None and live.content["title"] == "Mine now"

        return Edit("dashboard as-acme-wordpress", "content", kept)

    def unreachable(self) -> AbstractContextManager[None]:
        return nullcontext()

    def failing_proof(self) -> AbstractContextManager[None]:
        return nullcontext()
