"""A real Loki, Alloy and Promtail for tests of log rules: started once, or the tests are skipped with the reason.

They are the sandbox's; AGENCYSTACK_TEST_LOKI, AGENCYSTACK_TEST_ALLOY and AGENCYSTACK_TEST_PROMTAIL name other ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from agencystack.components.loki import Entry, Loki
from agencystack.sandbox import alloy, loki
from agencystack.sandbox.go_programs import ALLOY, LOKI, PROMTAIL, GoProgram
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK, ensure_ports
from agencystack.stack.errors import ComponentRef

WHERE = ComponentRef("shared", "loki")
PATIENCE = 15.0
POLL = 0.1
# Loki adds these itself, as it comes.
OF_LOKI_LABELS, OF_LOKI_METADATA = {"service_name"}, {"detected_level"}

T = TypeVar("T")


def program(known: GoProgram) -> Path:
    """Return the program to test with, or skip the test."""
    named = os.environ.get(f"AGENCYSTACK_TEST_{known.name.upper()}")
    if named:
        return Path(named)
    if reason := known.obstacle():
        pytest.skip(reason)
    return known.path()


def sandbox_folder(root: Path) -> SandboxFolder:
    folder = SandboxFolder(root)
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def running_loki(root: Path, *, old_entries: bool = False) -> Iterator[GoService]:
    """Run a Loki with its data under ``root``."""
    folder = sandbox_folder(root)
    ports = ensure_ports(folder.ports_file, loki.PORTS)
    service = loki.real_loki(folder, ports, program=program(LOKI), old_entries=old_entries)
    service.start()
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def running_alloy(root: Path, files: Mapping[str, str]) -> Iterator[AlloyOfTest]:
    """Run an Alloy with its data under ``root``, with ``files`` in its folder: text by name."""
    folder = sandbox_folder(root)
    config = alloy.config_folder(folder)
    config.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (config / name).write_text(text)
    service = alloy.real_alloy(folder, ensure_ports(folder.ports_file, alloy.PORTS), program=program(ALLOY))
    service.start()
    try:
        yield AlloyOfTest(service, config)
    finally:
        service.stop()


@contextmanager
def running_promtail(root: Path, settings: str) -> Iterator[GoService]:
    """Run a Promtail with its data under ``root`` and a file of ``settings``, which says nothing of its server."""
    folder = sandbox_folder(root)
    home, port = folder.data / "promtail", ensure_ports(folder.ports_file, ("promtail",))["promtail"]
    file = home / "promtail.yaml"
    address = (
        f"-server.http-listen-address={LOOPBACK}",
        f"-server.http-listen-port={port}",
        "-server.grpc-listen-port=0",
    )
    service = GoService(
        name="promtail",
        folder=folder,
        program=program(PROMTAIL),
        arguments=(f"-config.file={file}", *address, f"-server.grpc-listen-address={LOOPBACK}"),
        port=port,
        ready="/ready",
        folders=(home,),
        files={file: settings},
    )
    service.start()
    try:
        yield service
    finally:
        service.stop()


@dataclass(frozen=True)
class AlloyOfTest:
    """A running Alloy and its folder."""

    service: GoService
    config: Path

    def refuses(self, name: str, text: str) -> str:
        """Have Alloy run with one file more; return why it does not, and run without it then."""
        (self.config / name).write_text(text)
        answer = httpx.post(f"{self.service.url}/-/reload", timeout=30)
        if answer.status_code == 200:
            return ""
        (self.config / name).unlink()
        assert httpx.post(f"{self.service.url}/-/reload", timeout=30).status_code == 200
        return answer.text


def until(what: Callable[[], T], done: Callable[[T], bool], patience: float = PATIENCE) -> T:
    """Return ``what()`` once it is ``done``; as it is when patience ends, so that the test says what is wrong."""
    end = time.monotonic() + patience
    while not done(found := what()) and time.monotonic() < end:
        time.sleep(POLL)
    return found


def entries_of(client: Loki, owner: str, since: datetime, until: datetime | None = None) -> list[Entry]:
    """Return the entries of an owner, without what Loki itself adds."""
    found = client.query_range(f'{{client="{owner}"}}', since, until or datetime.now(UTC) + timedelta(hours=2), 5000)
    return [
        Entry(
            entry.nanoseconds,
            entry.line,
            {name: value for name, value in entry.labels.items() if name not in OF_LOKI_LABELS},
            {name: value for name, value in entry.metadata.items() if name not in OF_LOKI_METADATA},
        )
        for entry in found
    ]


def tailed(label: str, file: Path, process: str) -> str:
    """Return what tails a file into ``loki.process "<label>"``, whose text is ``process``."""
    return f"""loki.source.file "{label}" {{
	targets    = [{{__path__ = "{file}"}}]
	forward_to = [loki.process.{label}.receiver]
}}

{process}"""


def written_to(url: str, name: str = "test") -> str:
    """Return what writes to a Loki."""
    return f"""loki.write "{name}" {{
	endpoint {{
		url                 = "{url}/loki/api/v1/push"
		batch_wait          = "100ms"
		max_backoff_retries = 0
	}}
}}
"""
