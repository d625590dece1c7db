"""Lines that come in a bad way, through a real Alloy into a Loki as it comes: what is kept, and what is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from agencystack.components.loki import Entry, Loki
from agencystack.logs import alloy, evaluate, pipeline
from agencystack.logs.catalogue import find
from agencystack.logs.model import MAX_BYTES, Wrapping
from agencystack.sandbox.go_service import GoService
from tests.logs.collectors import WHERE, AlloyOfTest, entries_of, running_alloy, running_loki, until, written_to
from tests.logs.docker_daemon import PART, docker_daemon
from tests.serving import served

pytestmark = pytest.mark.real

HOUR = timedelta(hours=1)


def line(number: int, when: datetime | None = None, more: str = "") -> str:
    """Return one line of an access log; its path is its number."""
    moment = when or datetime.now(UTC)
    return f'127.0.0.1 - - [{moment:%d/%b/%Y:%H:%M:%S +0000}] "GET /{number}{more} HTTP/1.1" 200 5 "-" "t"\n'


def lines(numbers: range) -> str:
    return "".join(map(line, numbers))


@dataclass(frozen=True)
class Collection:
    """One log file that an Alloy collects, in the way our fragments do.

    Args:
        owner: whose it is, in Loki.
        file: it reads.
        client: of the Loki it is written to.
        alloy: collects it.
    """

    owner: str
    file: Path
    client: Loki
    alloy: AlloyOfTest

    def append(self, text: str) -> None:
        with self.file.open("a") as file:
            file.write(text)

    def entries(self, count: int) -> list[Entry]:
        """Return what arrived; waits for that many."""
        since = datetime.now(UTC) - 8 * HOUR
        return until(lambda: entries_of(self.client, self.owner, since), lambda found: len(found) >= count)

    def numbers(self, count: int) -> list[int]:
        """Return the numbers of the lines that arrived."""
        return sorted(int(entry.metadata["path"].removeprefix("/")) for entry in self.entries(count))


@dataclass(frozen=True)
class Machine:
    """A Loki, and what makes an Alloy collect into it."""

    loki: GoService
    client: Loki
    root: Path
    stack: ExitStack

    def collection(self, owner: str, wrapping: Wrapping = Wrapping.NONE) -> Collection:
        """Start an Alloy that collects ``<owner>/access.log``."""
        file = self.root / owner / "access.log"
        return self._collecting(owner, file, _tail(alloy.identifier(owner), file), wrapping)

    def container(self, owner: str, daemon: str) -> Collection:
        """Start an Alloy that collects what the containers of a Docker daemon print."""
        label, host = alloy.identifier(owner), daemon.replace("http:", "tcp:")
        return self._collecting(owner, self.root / owner / "none", _printed(label, host), Wrapping.NONE)

    def _collecting(self, owner: str, file: Path, source: str, wrapping: Wrapping) -> Collection:
        folder, label, sent_to = self.root / owner, alloy.identifier(owner), "loki.write.test.receiver"
        folder.mkdir()
        rules = alloy.process(label, "wordpress", "access", owner, forward_to=sent_to, wrapping=wrapping)
        files = {"write.alloy": written_to(self.loki.url), "source.alloy": source + rules}
        return Collection(owner, file, self.client, self.stack.enter_context(running_alloy(folder, files)))


def _printed(label: str, host: str) -> str:
    return f"""discovery.docker "{label}" {{
	host = "{host}"
}}

loki.source.docker "{label}" {{
	host       = "{host}"
	targets    = discovery.docker.{label}.targets
	forward_to = [loki.process.{label}.receiver]
}}

"""


def _tail(label: str, file: Path) -> str:
    return f"""local.file_match "{label}" {{
	path_targets = [{{__path__ = "{file}"}}]
	sync_period  = "500ms"
}}

loki.source.file "{label}" {{
	targets    = local.file_match.{label}.targets
	forward_to = [loki.process.{label}.receiver]
}}

"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GoService, Loki]]:
    with running_loki(tmp_path_factory.mktemp("store")) as service:
        client = Loki(WHERE, service.url)
        yield service, client
        client.close()


@pytest.fixture
def machine(store: tuple[GoService, Loki], tmp_path: Path) -> Iterator[Machine]:
    with ExitStack() as stack:
        yield Machine(*store, tmp_path, stack)


def test_nothing_is_lost_when_a_log_is_rotated(machine: Machine) -> None:
    """As logrotate does it: renamed, written on by who still has it open, and a new file made."""
    collected = machine.collection("rotated")
    collected.file.write_text(lines(range(50)))
    assert len(collected.numbers(50)) == 50
    with collected.file.open("a") as still_open:
        still_open.write(lines(range(50, 60)))
        still_open.flush()
        collected.file.rename(collected.file.with_suffix(".log.1"))
        still_open.write(lines(range(60, 70)))
    collected.file.write_text(lines(range(70, 100)))
    assert collected.numbers(100) == list(range(100))


def test_a_log_emptied_in_place_is_read_on(machine: Machine) -> None:
    """As logrotate's copytruncate does it; what was written just before it is lost, and only that."""
    collected = machine.collection("emptied")
    collected.file.write_text(lines(range(50)))
    assert len(collected.numbers(50)) == 50
    shutil.copy(collected.file, collected.file.with_suffix(".log.1"))
    os.truncate(collected.file, 0)
    collected.append(lines(range(50, 80)))
    assert collected.numbers(80) == list(range(80))


def test_a_line_longer_than_loki_takes_is_cut_and_not_lost(machine: Machine) -> None:
    collected = machine.collection("long")
    collected.file.write_text(line(0) + line(1, more="/" + "x" * 300_000) + line(2))
    found = {entry.metadata["path"][:2]: entry.line for entry in collected.entries(3)}
    assert sorted(found) == ["/0", "/1", "/2"]
    assert MAX_BYTES < len(found["/1"]) < 262_144
    assert found["/1"].endswith(" [cut by agencystack]")


def test_bytes_that_are_no_text_spoil_nothing_else(machine: Machine) -> None:
    collected = machine.collection("bytes")
    broken = line(0).encode().replace(b'"t"', b'"\xff\xfe\xe4t"')
    collected.file.write_bytes(broken + line(1).encode())
    stages = pipeline.stages(find("wordpress", "access"), "bytes")
    (told,) = evaluate.run(stages, [evaluate.decoded(broken)])
    found = {entry.metadata["path"]: entry for entry in collected.entries(2)}
    assert found["/0"].line == told.line
    assert "\ufffd\ufffd\ufffdt" in told.line
    assert found["/0"].metadata == told.metadata
    assert found["/1"].metadata["agent"] == "t"


def test_a_line_cut_in_dockers_files_keeps_its_text(machine: Machine) -> None:
    """Docker writes a long line as several records of 16 KiB; Alloy's rule for its files does not join them."""
    collected = machine.collection("docker", Wrapping.DOCKER)
    text = line(0, more="/" + "y" * 40_000)
    parts = [text[start : start + PART] for start in range(0, len(text), PART)]
    collected.file.write_text("".join(map(_docker_record, [*parts, line(1)])))
    found = collected.entries(4)
    whole = [entry for entry in found if entry.metadata.get("path") == "/1"]
    rest = [entry for entry in found if entry not in whole]
    assert [len(whole), len(rest)] == [1, len(parts)]
    assert "".join(entry.line for entry in rest) == text.removesuffix("\n")
    assert {entry.metadata.get("parsed") for entry in rest} == {"false"}


def test_a_line_docker_cut_is_one_entry_with_the_times_of_its_parts(machine: Machine) -> None:
    """Asked for a container's output, Docker puts a time before each part, and Alloy takes away the first alone."""
    text = line(1, more="/" + "y" * 40_000)
    with served(docker_daemon("acme-web", line(0) + text + line(2))) as url:
        found = {entry.metadata["path"][:2]: entry for entry in machine.container("output", url).entries(3)}
    assert sorted(found) == ["/0", "/1", "/2"]
    times = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
    assert times.sub("", found["/1"].line) == text.removesuffix("\n")
    assert len(times.findall(found["/1"].line)) == len(text) // PART
    assert found["/1"].metadata["status"] == "200"


def _docker_record(text: str) -> str:
    record = {"log": text, "stream": "stdout", "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    return json.dumps(record) + "\n"


def test_a_clock_an_hour_off_loses_only_what_loki_refuses(machine: Machine) -> None:
    """As it comes, Loki refuses what is 10 minutes ahead of its clock, or an hour behind the newest of its stream.

    Alloy drops refused entries; the others of the same batch are kept. A wrong time zone shows like this.
    """
    collected, now = machine.collection("clock"), datetime.now(UTC)
    collected.file.write_text(
        line(0)
        + line(1, now + HOUR)
        + line(2, now - HOUR + timedelta(minutes=2))
        + line(3, now - HOUR - timedelta(minutes=5))
        + line(4)
    )
    assert collected.numbers(3) == [0, 2, 4]


def test_nothing_is_lost_while_loki_is_down(machine: Machine) -> None:
    """Alloy reads no further than it can send, and repeats that until Loki is back."""
    collected = machine.collection("down")
    collected.file.write_text(lines(range(100)))
    assert len(collected.numbers(100)) == 100
    machine.loki.stop()
    try:
        collected.append(lines(range(100, 2000)))
        retried = until(lambda: _retries(collected), lambda times: times >= 2)
        assert retried >= 2
    finally:
        machine.loki.start()
    assert collected.numbers(2000) == list(range(2000))


def _retries(collected: Collection) -> float:
    exposed = httpx.get(f"{collected.alloy.service.url}/metrics", timeout=10).text
    found = re.findall(r"^loki_write_batch_retries_total\{.*\} (\S+)$", exposed, re.MULTILINE)
    return sum(map(float, found))
