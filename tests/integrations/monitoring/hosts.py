"""One AgencyStack installation whose log collection is tested: every method is one command, with nothing in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agencystack.engine.context import Context
from agencystack.engine.integration import integration
from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.records import ProofRecord
from agencystack.engine.registry import Found, Registry
from agencystack.engine.session import Session, Wish
from agencystack.engine.undoing import UndoPlan
from agencystack.engine.workshop import Result
from agencystack.integrations.monitoring.collection import LogCollection
from agencystack.integrations.monitoring.monitored import Monitored
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Watcher


@integration("monitoring", "other", version=1)
class LogsAlone(Monitored):
    """The one part, of every component that is no part of monitoring itself."""

    parts = (LogCollection,)

    def serves(self, name: str, settings: Any) -> bool:
        return name not in {"loki", "alloy", "promtail", "prometheus"}


@dataclass
class Host:
    """An installation.

    Args:
        folder: an empty folder.
        shared: components of all clients, as in ``stack.yaml``.
        clients: components of each client.
        told: settings of monitoring, by application.
        secrets: values of the environment that references lead to.
        bridge: where the data bridge listens, as in ``stack.yaml``; each client then shares its pages.
    """

    folder: Path
    shared: dict[str, dict[str, Any]]
    clients: dict[str, dict[str, dict[str, Any]]]
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    bridge: Mapping[str, Any] | None = None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home", self.folder / "log", self.folder / "key")

    def stack(self) -> Stack:
        clients = {
            name: {
                "domain": f"{name}.example",
                "components": components,
                "integrations": {"monitoring": self.told},
                "data_bridge": {"entities": {"page": {"direction": "both"}}} if self.bridge else None,
            }
            for name, components in self.clients.items()
        }
        return Stack.model_validate(
            {"version": 1, "bridge": self.bridge, "shared": {"components": self.shared}, "clients": clients}
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        sealed = SealedStore(self.home.secrets_dir, self.home.key_file)
        context = Context(self.home, sealed, resolve=lambda reference: Secret(self.secrets[str(reference)]))
        registry = Registry([Found(LogsAlone(), Path(__file__))])
        opened = Session(self.stack(), registry, context, "agencystack integrate monitoring", Watcher())
        try:
            yield opened
        finally:
            opened.close()

    def plan(self) -> list[IntegrationPlan]:
        with self.session() as opened:
            return opened.plan(opened.select(Wish())).integrations

    def integrate(self) -> list[Result]:
        with self.session() as opened, opened.locked(list(self.clients)):
            return opened.integrate(opened.plan(opened.select(Wish())))

    def verify(self) -> list[ProofRecord]:
        with self.session() as opened:
            plan = opened.plan(opened.select(Wish()))
            return [proof for _, proofs in opened.verify(plan) for proof in proofs]

    def undo(self, *clients: str) -> tuple[list[UndoPlan], dict[str, AgencyStackError]]:
        with self.session() as opened, opened.locked(list(self.clients)):
            plans = opened.plan_undo(opened.select(Wish(clients=clients)), run=None, force=False)
            return plans, opened.undo(plans, run=None)


def changed(results: Sequence[Result]) -> list[str]:
    """Return the keys of what was changed."""
    return sorted({step.resource.key for result in results for step, _ in result.changes})


def files(folder: Path) -> dict[str, str]:
    """Return the files of a folder by name."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
