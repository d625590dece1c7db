"""The jobs Promtail has of us, on hosts that still have it: the same rules as for Alloy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from agencystack.components.promtail import Job, Promtail
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.monitoring.collected import DOCKER, pattern, streams
from agencystack.integrations.monitoring.sources import Kind, Source
from agencystack.logs import promtail as rules
from agencystack.stack.errors import ComponentRef, Refused
from agencystack.stack.secrets import Secret

KEY = "jobs of "
JOBS, IN_USE = "jobs", "in use since a restart"
END_OF_LIFE = (
    "Promtail gets no more repairs since 2 March 2026: `alloy convert --source-format=promtail` turns its "
    "configuration into one for Alloy; then write alloy instead of promtail into stack.yaml, and run again"
)


def prefix(ref: ComponentRef) -> str:
    """Return how the names of a component's jobs begin; no name holds a slash, so none begins like another's."""
    return f"agencystack/{ref.client}/{ref.name}/"


def jobs(ref: ComponentRef, sources: Iterable[Source]) -> Iterator[dict[str, Any]]:
    """Yield the jobs that collect a component's logs: one for each place, as Promtail has it."""
    counted: dict[str, int] = {}
    for stream in streams(ref, sources):
        for source in stream.sources:
            number = counted[stream.stream] = counted.get(stream.stream, 0) + 1
            yield {
                "job_name": f"{prefix(ref)}{stream.stream}" + (f"-{number}" if number > 1 else ""),
                **_TARGETS[source.kind](source),
                "pipeline_stages": rules.pipeline(
                    ref.name, stream.stream, ref.client, zone=source.zone, wrapping=source.wrapping
                ),
            }


def _file(source: Source) -> dict[str, Any]:
    labels = {"__path__": pattern(source.name)}
    return {"static_configs": [{"targets": ["localhost"], "labels": labels}]}


def _container(source: Source) -> dict[str, Any]:
    exact = {"name": "name", "values": [f"^/?{re.escape(source.name)}$"]}
    return {"docker_sd_configs": [{"host": DOCKER, "filters": [exact]}]}


def _journal(source: Source) -> dict[str, Any]:
    return {"journal": {"matches": f"SYSLOG_IDENTIFIER={source.name}"}}


_TARGETS = {Kind.FILE: _file, Kind.DOCKER: _container, Kind.JOURNAL: _journal}


class PromtailJobs(Resource):
    """The jobs of one component. Promtail reads its file at its start alone.

    Args:
        promtail: whose file.
        name: how the names of the jobs begin.
        wanted: the jobs; none for those that are not wanted any more.
        memory: remembers that a restart is due, over a death in between.
    """

    def __init__(self, promtail: Promtail, name: str, wanted: Iterable[Job], memory: SealedValue) -> None:
        self.component, self.key = promtail.where, f"{KEY}{name}"
        self._promtail, self._prefix = promtail, name
        self._wanted, self._memory = tuple(wanted), memory

    def read(self) -> Reading:
        """Return the jobs, and whether Promtail was restarted since they were written."""
        found, due = self._promtail.jobs(self._prefix), self._memory.get() is not None
        if not found and not due:
            return ABSENT
        return Reading({JOBS: _text(found) if found else None, IN_USE: not due})

    def wanted(self) -> Fields:
        """Want ours."""
        return {JOBS: _text(self._wanted), IN_USE: True}

    def write(self, change: Change) -> None:
        """Write the jobs and restart; what Promtail does not start with is put back."""
        target = change.target[JOBS]
        self._bring(json.loads(str(target)) if target else [])

    def remove(self, live: Reading, before: Image) -> str:
        """Take the jobs out and restart."""
        self._bring([])
        return ""

    def _bring(self, wanted: list[Job]) -> None:
        self._memory.put(Secret("yes"))
        try:
            self._promtail.set_jobs(self._prefix, wanted)
        except Refused:
            self._memory.delete()  # the file is without them again, and Promtail was restarted
            raise
        self._memory.delete()


def _text(found: Iterable[Job]) -> str:
    return json.dumps(list(found), indent=1, sort_keys=True, ensure_ascii=False)
