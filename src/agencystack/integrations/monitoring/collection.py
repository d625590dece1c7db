"""What an application logs goes to Loki, what it counts to Prometheus: through Alloy, by files of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from agencystack.engine.context import Component
from agencystack.engine.integration import Capability, Proof, Support
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring import by_hand, metrics
from agencystack.integrations.monitoring.canary import FOUND, CanaryIsFound, canary_of
from agencystack.integrations.monitoring.collected import collection, seen, streams
from agencystack.integrations.monitoring.fragments import KEY, USE, Fragment, Running, file_name, written
from agencystack.integrations.monitoring.part import Part
from agencystack.integrations.monitoring.sources import Found, Kind, Source, machine, sources_of
from agencystack.integrations.monitoring.stores import (
    PASSWORD,
    PasswordFile,
    Store,
    folder_of,
    loki_store,
    password_of,
    prometheus_store,
)
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.stack.model import SHARED

OURSELVES = ComponentRef(SHARED, "agencystack")
"""This program, whose runs are logged like any other component's."""

RUNS = "run"


class LogCollection(Part):
    """Have Alloy collect the application's logs, by a file of ours in its configuration folder."""

    products: ClassVar[tuple[str, ...]] = ("loki",)
    purpose: ClassVar[str] = "collecting logs"
    capabilities: ClassVar[tuple[Capability, ...]] = (
        Capability("logs in Loki, parsed and masked", Support.SUPPORTED, proof=FOUND),
        Capability(
            "numbers in Prometheus",
            Support.PARTIAL,
            proof=FOUND,
            reason="of the products that export any without being told to, and only with a Prometheus in stack.yaml",
            alternative="add a `prometheus.scrape` of your own to Alloy's folder",
        ),
    )

    def resources(self) -> Iterator[Resource]:
        """Yield the files: those all share first."""
        alloy = self._serving("alloy")
        if alloy is None:
            if self._serving("loki"):
                yield from self._prepared()
            return
        client = products.alloy(alloy, self.site.context)
        for store in self._stores():
            password = password_of(store, self.site.context)
            if password is not None:
                yield PasswordFile(client, store.password_file, password)
        for name, text in self._files(alloy):
            fragment = Fragment(client, name, text)
            yield fragment
            yield Running(fragment, client)

    def proofs(self) -> Iterator[Proof]:
        """Have the application log something unique, and find it in Loki."""
        alloy, loki = self._serving("alloy"), self._serving("loki")
        if alloy is None or loki is None:
            return
        sources = self._found(alloy).sources
        if sources:
            canary = canary_of(self.site, {source.stream for source in sources})
            client = products.loki(loki, self.site.context)
            yield CanaryIsFound(self.site.application.ref, canary, client, lambda: self._seen_by(alloy))

    def warnings(self) -> Iterator[str]:
        """Yield which logs are not collected, and what to write for them."""
        alloy = self._serving("alloy")
        if alloy is not None:
            yield from self._found(alloy).advice
        for name in ("alloy", "loki", "prometheus"):
            other = self.site.companion(name)
            if other is not None and self._serving(name) is None:
                yield (
                    f"{self.site.application.ref} is of all clients, {other.ref} of one: "
                    f"for the logs of what is shared, add {name} to shared.components"
                )

    def former(self, key: str) -> Resource | None:
        """Return the file that was wanted once."""
        if key.startswith(by_hand.KEPT):
            return by_hand.PreparedFile(self.site.context.home, key.removeprefix(by_hand.KEPT))
        if key == by_hand.STEPS:
            return by_hand.StepsToTake(self.site.context.home)
        alloy = self._serving("alloy")
        if alloy is None:
            return None
        client = products.alloy(alloy, self.site.context)
        if key.startswith(KEY):
            return Fragment(client, key.removeprefix(KEY))
        if key.startswith(USE):
            return Running(Fragment(client, key.removeprefix(USE)), client)
        if key.startswith(PASSWORD):
            return PasswordFile(client, key.removeprefix(PASSWORD))
        return None

    def _serving(self, name: str) -> Component | None:
        """Return what serves the application: what is of all clients is not collected by what is of one."""
        found = self.site.companion(name)
        return found if found is not None and found.ref.client in {SHARED, self.site.owner} else None

    def _seen_by(self, alloy: Component) -> str:
        """Return what Alloy sees of the application's files, for a person who wonders where its lines are."""
        client, ref = products.alloy(alloy, self.site.context), self.site.application.ref
        try:
            return "; ".join(seen(client, streams(ref, self._found(alloy).sources)))
        except AgencyStackError as error:
            return str(error)

    def _found(self, alloy: Component) -> Found:
        return sources_of(self.site.application, alloy)

    def _stores(self) -> Iterator[Store]:
        loki, prometheus = self._serving("loki"), self._serving("prometheus")
        if loki is not None:
            yield loki_store(loki)
        if prometheus is not None:
            yield prometheus_store(prometheus)

    def _files(self, alloy: Component) -> Iterator[tuple[str, str]]:
        """Yield name and text of each file."""
        stores = tuple(self._stores())
        logs = next((store.receiver for store in stores if store.kind == "loki.write"), None)
        numbers = next((store.receiver for store in stores if store.kind != "loki.write"), None)
        for store in stores:
            yield store.file, store.text(folder_of(alloy))
        if logs is not None and alloy.ref.client == SHARED and machine(alloy.settings.exec) == "":
            runs = self.site.context.home.log_dir / "integrations" / "*.jsonl"
            source = Source(RUNS, Kind.FILE, str(runs))
            yield file_name(OURSELVES), written(str(OURSELVES), list(collection(OURSELVES, [source], logs)))
        if numbers is not None:
            yield file_name(alloy.ref), written(str(alloy.ref), list(metrics.of_alloy(alloy.ref, numbers)))
        ref = self.site.application.ref
        blocks = list(collection(ref, self._found(alloy).sources, logs)) if logs else []
        blocks += metrics.scraping(metrics.metrics_targets(self.site), numbers) if numbers else []
        if blocks:
            yield file_name(ref), written(str(ref), blocks)

    def _prepared(self) -> Iterator[Resource]:
        """Yield the files an Alloy would get that is to be installed on this machine."""
        home = self.site.context.home
        planned = by_hand.planned()
        for name, text in self._files(planned):
            yield by_hand.PreparedFile(home, name, text)
        yield by_hand.StepsToTake(home)
