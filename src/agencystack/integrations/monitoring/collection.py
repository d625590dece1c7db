"""What an application logs goes to Loki, what it counts to Prometheus: through Alloy, by files of ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from agencystack.components.promtail import Job
from agencystack.engine.context import Component
from agencystack.engine.integration import Capability, Proof, SealedValue, Support
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.monitoring import bridge_watch, by_hand, metrics
from agencystack.integrations.monitoring.canary import FOUND, CanaryIsFound, canary_of
from agencystack.integrations.monitoring.collected import collection, matched, seen, streams
from agencystack.integrations.monitoring.fragments import KEY, USE, Fragment, Running, file_name, written
from agencystack.integrations.monitoring.kuma_metrics import metrics_access, metrics_key, metrics_warnings
from agencystack.integrations.monitoring.part import Part
from agencystack.integrations.monitoring.php_failure import FatalIsOneEntry, PhpFailure
from agencystack.integrations.monitoring.promtail_jobs import END_OF_LIFE, PromtailJobs, jobs, prefix
from agencystack.integrations.monitoring.promtail_jobs import KEY as JOBS
from agencystack.integrations.monitoring.reading import LogsAreRead
from agencystack.integrations.monitoring.sources import Found, Kind, Source, sources_of
from agencystack.integrations.monitoring.stores import (
    LOGS,
    PASSWORD,
    PasswordFile,
    Store,
    folder_of,
    loki_store,
    prometheus_store,
)
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.stack.model import SHARED
from agencystack.stack.secrets import Secret

OURSELVES = ComponentRef(SHARED, "agencystack")
"""This program, whose runs are logged like any other component's."""

RUNS, PHP = "run", "php"


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
        """Yield the files: those all share first. An old Promtail has jobs in its own file instead."""
        alloy, promtail = self._serving("alloy"), self._serving("promtail")
        if alloy is not None:
            yield from self._of_alloy(alloy)
        elif promtail is not None:
            for ref, sources in self._collected(promtail):
                yield self._jobs(promtail, prefix(ref), tuple(jobs(ref, sources)))
        elif self._serving("loki") is not None:
            for name, text in self._files(by_hand.planned()):
                yield by_hand.PreparedFile(self.site.context.home, name, text)
            yield by_hand.StepsToTake(self.site.context.home)

    def proofs(self) -> Iterator[Proof]:
        """Have the application log something unique, and find it in Loki."""
        collector, loki = self._collector(), self._serving("loki")
        if collector is None or loki is None:
            return
        sources, ref = self._found(collector).sources, self.site.application.ref
        if not sources:
            return
        collected = {source.stream for source in sources}
        client = products.loki(loki, self.site.context)
        canary = canary_of(self.site, collected)
        if canary is not None or collector.ref.name != "alloy":
            yield CanaryIsFound(ref, canary, client, lambda: self._seen_by(collector))
        else:
            yield LogsAreRead(ref, client, lambda: self._seen_by(collector), lambda: self._files_of(collector))
        # Where nobody wrote that PHP's errors go there, the site may well not log them at all.
        if ref.name == "wordpress" and PHP in collected and self.site.application.settings.logs:
            failure = PhpFailure(PHP, self.site)
            yield FatalIsOneEntry(ref, failure, client, lambda: self._seen_by(collector))

    def warnings(self) -> Iterator[str]:
        """Yield which logs are not collected, and what to write for them."""
        collector = self._collector()
        if collector is not None:
            yield from self._found(collector).advice
            if collector.ref.name == "promtail":
                yield END_OF_LIFE
        if self._serving("alloy") and self._serving("prometheus"):
            yield from metrics.advice(self.site)
            if self.site.application.ref.name == metrics.KUMA:
                yield from metrics_warnings(self.site)
        yield from bridge_watch.advice(self.site)
        for name in ("alloy", "promtail", "loki", "prometheus"):
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
            return by_hand.StepsTaken(self.site.context.home)
        alloy, promtail = self._serving("alloy"), self._serving("promtail")
        if promtail is not None and key.startswith(JOBS):
            return self._jobs(promtail, key.removeprefix(JOBS), ())
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

    def _collector(self) -> Component | None:
        return self._serving("alloy") or self._serving("promtail")

    def _seen_by(self, collector: Component) -> str:
        """Return what Alloy sees of the application's files, for a person who wonders where its lines are."""
        if collector.ref.name != "alloy":
            return ""
        alloy = collector
        client, ref = products.alloy(alloy, self.site.context), self.site.application.ref
        try:
            return "; ".join(seen(client, streams(ref, self._found(alloy).sources)))
        except AgencyStackError as error:
            return str(error)

    def _files_of(self, alloy: Component) -> tuple[str, ...]:
        """Return the files of the application that Alloy sees."""
        client, ref = products.alloy(alloy, self.site.context), self.site.application.ref
        return tuple(matched(client, streams(ref, self._found(alloy).sources)))

    def _found(self, alloy: Component) -> Found:
        return sources_of(self.site.application, alloy)

    def _stores(self) -> Iterator[Store]:
        loki, prometheus = self._serving("loki"), self._serving("prometheus")
        if loki is not None:
            yield loki_store(loki)
        if prometheus is not None:
            yield prometheus_store(prometheus)

    def _of_alloy(self, alloy: Component) -> Iterator[Resource]:
        client = products.alloy(alloy, self.site.context)
        for store in self._stores():
            reference = store.component.settings.password
            if reference is not None:
                yield PasswordFile(client, store.password_file, partial(self.site.context.resolve, reference))
        if self.site.application.ref.name == metrics.KUMA and self._serving("prometheus"):
            yield from metrics_key(self.site)
            yield PasswordFile(client, metrics.password_file(self.site.application.ref), self._kuma_key)
        for name, text in self._files(alloy):
            fragment = Fragment(client, name, text)
            yield fragment
            yield Running(fragment, client)

    def _files(self, alloy: Component) -> Iterator[tuple[str, str]]:
        """Yield name and text of each file."""
        logs = numbers = None
        for store in self._stores():
            more: list[str] = []
            if store.kind == LOGS:
                logs = store.receiver
            else:
                numbers = store.receiver
                more += metrics.of_alloy(alloy.ref, numbers)
            yield store.file, store.text(folder_of(alloy), more)
        for ref, sources in self._collected(alloy):
            blocks = list(collection(ref, sources, logs)) if logs else []
            if numbers and ref == self.site.application.ref:
                blocks += metrics.scraping(metrics.metrics_targets(self.site, folder_of(alloy)), numbers)
            if blocks:
                yield file_name(ref), written(str(ref), blocks)
        bridge = bridge_watch.numbers_url(self.site)
        if numbers and bridge and self.site.application.ref.name == bridge_watch.APPLICATION:
            target = metrics.Target(OURSELVES, bridge, of_clients=True)
            yield (
                file_name(bridge_watch.NUMBERS),
                written(str(bridge_watch.NUMBERS), [*metrics.scraping([target], numbers)]),
            )

    def _collected(self, collector: Component) -> Iterator[tuple[ComponentRef, tuple[Source, ...]]]:
        """Yield whose logs are collected for the application, and where they are: our own, and the application's.

        What we write ourselves stands on this machine, where a collector elsewhere does not see it.
        """
        if bridge_watch.collects_ours(collector):
            home = self.site.context.home
            runs = Source(RUNS, Kind.FILE, str(home.log_dir / "integrations" / "*.jsonl"))
            yield OURSELVES, (runs, bridge_watch.log_of(home)) if self.site.bridge is not None else (runs,)
        yield self.site.application.ref, self._found(collector).sources

    def _kuma_key(self) -> Secret | None:
        access = metrics_access(self.site)
        return access[1] if access else None

    def _jobs(self, promtail: Component, name: str, wanted: tuple[Job, ...]) -> PromtailJobs:
        memory = SealedValue(self.site.context, f"{promtail.ref}/monitoring/restart-due/{name.strip('/')}")
        return PromtailJobs(products.promtail(promtail, self.site.context), name, wanted, memory)
