"""The same through the real programs: a request made of an application is an entry in Loki, whatever died meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from agencystack.bridge.serving.logbook import kept
from agencystack.bridge.serving.logbook import told as state_told
from agencystack.bridge.serving.metrics import CONTENT_TYPE, Count, exposition
from agencystack.components.loki import Entry, Loki
from agencystack.engine.planning import Status
from agencystack.logs import alloy as rules
from agencystack.sandbox.go_programs import ALLOY
from agencystack.sandbox.go_service import GoService
from agencystack.stack.errors import ComponentRef, Unavailable
from tests.integrations.monitoring.hosts import Host, changed, files
from tests.serving import free_port

pytestmark = pytest.mark.real

ACCESS = '192.0.2.7 - - [{time}] "{method} {path} HTTP/1.1" 404 146 "-" "{agent}"\n'


@dataclass
class Site:
    """A web server that writes an access log, as an application.

    Args:
        log: its file.
        off: how far its clock is off.
    """

    log: Path
    off: timedelta = timedelta()

    def write(self, method: str, path: str, agent: str = "-") -> None:
        moment = (datetime.now(UTC) + self.off).strftime("%d/%b/%Y:%H:%M:%S +0000")
        with self.log.open("a") as file:
            file.write(ACCESS.format(time=moment, method=method, path=path, agent=agent))


@dataclass
class Watched:
    """A host with real programs."""

    host: Host
    site: Site
    alloy: GoService
    loki: GoService
    config: Path

    def entries(self, query: str) -> list[Entry]:
        client = Loki(ComponentRef("shared", "loki"), self.loki.url)
        now = datetime.now(UTC)
        try:
            return client.query_range(query, now - timedelta(hours=1), now + timedelta(hours=1))
        finally:
            client.close()

    def arrived(self, query: str, number: int = 1) -> list[Entry]:
        wait_for(lambda: len(self.entries(query)) >= number)
        return self.entries(query)


def wait_for(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


@pytest.fixture
def watched(sandbox: tuple[GoService, GoService, Path], tmp_path: Path) -> Iterator[Watched]:
    alloy, loki, config = sandbox
    # Brackets and braces mean something in a pattern, and a quote in a string.
    logs = tmp_path / 'logs [of] {acme} "x"'
    logs.mkdir()
    site = Site(logs / "site.access.log")
    site.log.touch()
    with Serving(site) as url:
        # A client of its own for each test, as Loki keeps what the one before wrote.
        client = f"c{time.time_ns() % 1_000_000_000}-x"
        wordpress = {"url": url, "logs": [{"stream": "access", "file": f"{logs}/*.access.log"}]}
        shared = {
            "loki": {"url": loki.url},
            "alloy": {
                "url": alloy.url,
                "exec": {"local": True, "path": str(ALLOY.path().parent)},
                "config": str(config),
            },
        }
        yield Watched(Host(tmp_path, shared, {client: {"wordpress": wordpress}}), site, alloy, loki, config)
    for path in config.glob("agencystack-*"):
        if path.name != "agencystack-sandbox.alloy":
            path.unlink()
    if alloy.is_up():
        httpx.post(f"{alloy.url}/-/reload").raise_for_status()


class Serving:
    """Serve the site for the time of a test."""

    def __init__(self, site: Site) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                site.write("GET", self.path, self.headers.get("User-Agent", "-"))

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def client_of(watched: Watched) -> str:
    return next(iter(watched.host.clients))


def test_a_request_is_found_with_its_labels_and_its_time_and_a_second_run_changes_nothing(watched: Watched) -> None:
    [result] = watched.host.integrate()
    assert (result.error, result.status) == (None, Status.APPLIED), result.reason
    [proof] = result.proofs
    assert proof.ok
    assert proof.name == "a unique event is found in the log store"
    assert proof.evidence["labels"] == {
        "client": client_of(watched),
        "component": "wordpress",
        "stream": "access",
        "level": "warning",
    }
    assert proof.evidence["answered"] == 404
    [entry] = watched.entries(proof.evidence["query"])
    assert set(entry.labels) - {"service_name"} == {"client", "component", "stream", "level"}
    assert (entry.metadata["address"], entry.metadata["status"]) == ("192.0.2.7", "404")
    assert changed(watched.host.integrate()) == []


def test_a_clock_an_hour_off_is_told(watched: Watched) -> None:
    watched.site.off = timedelta(hours=-1)
    [result] = watched.host.integrate()
    assert result.status is Status.UNVERIFIED
    assert "its time is -3600 s off" in result.reason or "its time is -3601 s off" in result.reason


def test_what_alloy_refuses_leaves_what_was_collected(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.host.integrate()
    name = f"agencystack-{client_of(watched)}-wordpress.alloy"
    before = files(watched.config)
    process = rules.process
    monkeypatch.setattr(rules, "process", lambda label, *rest, **more: process(label, *rest, **more) + broken(label))
    [result] = watched.host.integrate()
    assert result.error is not None
    assert "missing closing )" in str(result.error), "what Alloy found, in its words"
    assert "as it was before, and Alloy runs with that" in str(result.error)
    assert files(watched.config) == before
    monkeypatch.undo()
    [proof] = watched.host.verify()
    assert proof.ok, proof.reason
    assert name in before


def broken(label: str) -> str:
    return (
        f'\nloki.process "{label}_broken" {{\n\tforward_to = []\n\n\tstage.regex {{\n\t\texpression = "("\n\t}}\n}}\n'
    )


def test_a_person_who_breaks_the_configuration_is_told_so(watched: Watched) -> None:
    theirs = watched.config / "theirs.alloy"
    theirs.write_text("loki.echo {\n")
    try:
        [result] = watched.host.integrate()
        assert result.error is not None
        assert "theirs.alloy:2:1: expected }" in str(result.error)
        assert set(files(watched.config)) == {"agencystack-sandbox.alloy", "theirs.alloy"}
    finally:
        theirs.unlink()


def test_while_loki_is_down_nothing_is_lost(watched: Watched) -> None:
    watched.host.integrate()
    query = f'{{client="{client_of(watched)}"}} |= "/while-it-was-down"'
    watched.loki.stop()
    watched.site.write("GET", "/while-it-was-down")
    watched.loki.start()
    [entry] = watched.arrived(query)
    assert entry.labels["stream"] == "access"


def test_without_loki_the_proof_says_that_it_cannot_be_reached(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agencystack.integrations.monitoring.canary.ARRIVAL_SECONDS", 0.0)
    watched.host.shared["loki"]["api_url"] = f"http://127.0.0.1:{free_port()}"
    [result] = watched.host.integrate()
    assert result.status is Status.UNVERIFIED
    assert "cannot be reached" in result.reason


def test_an_alloy_that_waits_for_a_loki_that_is_gone_is_told_so_and_a_restart_ends_that(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agencystack.components.alloy.client.RELOAD_SECONDS", 1.0)
    monkeypatch.setattr("agencystack.components.http.DEFAULT_TIMEOUT", 1.0)
    monkeypatch.setattr("agencystack.integrations.monitoring.canary.ARRIVAL_SECONDS", 0.0)
    watched.host.shared["loki"] |= {"internal_url": f"http://127.0.0.1:{free_port()}"}
    watched.host.integrate()
    del watched.host.shared["loki"]["internal_url"]
    [result] = watched.host.integrate()
    assert isinstance(result.error, Unavailable)
    assert "restart Alloy then" in str(result.error)
    os.kill(json.loads(watched.alloy.records()[0].read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: not watched.alloy.is_up())
    watched.alloy.start()
    monkeypatch.undo()
    [result] = watched.host.integrate()
    assert result.error is None
    assert "agencystack-loki.alloy.before" not in files(watched.config)
    assert result.proofs[0].ok


def test_a_log_that_is_not_where_it_is_said_to_be_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agencystack.integrations.monitoring.canary.ARRIVAL_SECONDS", 0.0)
    watched.host.clients[client_of(watched)]["wordpress"]["logs"] = [{"stream": "access", "file": "/nowhere/x.log"}]
    [result] = watched.host.integrate()
    assert "not in Loki after 0 s; Alloy sees no /nowhere/x.log" in result.reason


def test_the_bridge_s_log_and_its_numbers_arrive_under_its_clients(watched: Watched) -> None:
    client, told, written = client_of(watched), Event(), b""
    count = Count(client, True, False, 3, 1, 61.5, 2, 1, 7.0, 40, 5)

    class Both(BaseHTTPRequestHandler):
        """The bridge's numbers, and a Prometheus that takes what is written."""

        def do_GET(self) -> None:
            body = exposition([count], ["one"]).encode() if self.path == "/metrics" else b""
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            nonlocal written
            written += unsnapped(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Both)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    here = f"127.0.0.1:{server.server_port}"
    watched.host.bridge = {"url": "https://bridge.agency.example", "listen": here}
    watched.host.shared["prometheus"] = {"url": f"http://{here}"}
    try:
        assert [result.status for result in watched.host.integrate()] == [Status.APPLIED]
        assert changed(watched.host.integrate()) == []
        with kept(watched.host.home.log_dir / "bridge", "host-1-abc"), given([count], told):
            assert told.wait(10)
        state = '{client="shared", component="agencystack", stream="bridge"} | verdict="state"'
        [entry, *_] = watched.arrived(f'{state} | pairing="{client}"')
        assert json.loads(entry.line)["oldest"] == 61.5
        # Alloy scrapes once a minute, and begins at a moment of its own.
        wait_for(lambda: b"agencystack_bridge_oldest_seconds" in written, 100)
        for name, value in (("client", client), ("component", "agencystack")):
            assert (
                b"\n" + bytes([len(name)]) + name.encode() + b"\x12" + bytes([len(value)]) + value.encode() in written
            )
        assert b"exported_client" not in written
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def given(counts: list[Count], asked: Event) -> Iterator[None]:
    """Have the bridge tell these counts; ``asked`` is set when it did so twice."""
    times = iter(range(100))

    def found() -> list[Count]:
        if next(times) == 2:
            asked.set()
        return counts

    with state_told(found, lambda: 1, every=0.05):
        yield


def unsnapped(data: bytes) -> bytes:
    """Return what a block of Snappy holds (google/snappy, format_description.txt)."""
    at = next(place for place, byte in enumerate(data) if byte < 0x80) + 1
    out = bytearray()
    while at < len(data):
        tag, at = data[at], at + 1
        if tag & 3 == 0:
            length, more = (tag >> 2) + 1, max(0, (tag >> 2) - 59)
            if more:
                length, at = int.from_bytes(data[at : at + more], "little") + 1, at + more
            out += data[at : at + length]
            at += length
            continue
        if tag & 3 == 1:
            length, offset, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            length, offset, at = (tag >> 2) + 1, int.from_bytes(data[at : at + wide], "little"), at + wide
        for _ in range(length):
            out.append(out[-offset])
    return bytes(out)


def test_a_client_that_leaves_takes_its_file_along_and_nothing_else(watched: Watched) -> None:
    watched.host.clients["beta"] = {"wordpress": watched.host.clients[client_of(watched)]["wordpress"]}
    watched.host.integrate()
    _, errors = watched.host.undo("beta")
    assert errors == {}
    assert f"agencystack-{client_of(watched)}-wordpress.alloy" in files(watched.config)
    assert "agencystack-beta-wordpress.alloy" not in files(watched.config)
    running = [item["localID"] for item in httpx.get(f"{watched.alloy.url}/api/v0/web/components").json()]
    assert not [name for name in running if "beta" in name]
    assert [name for name in running if name.startswith("loki.source.file")]
    watched.host.undo(client_of(watched))
    assert set(files(watched.config)) == {"agencystack-sandbox.alloy"}


def test_alloy_formats_our_files_as_we_do(watched: Watched) -> None:
    watched.host.clients[client_of(watched)]["wordpress"]["logs"] += [
        {"stream": "php-fpm", "docker": "acme.wp_1"},
        {"stream": "php", "journal": "php"},
    ]
    watched.host.integrate()
    ours = [path for path in watched.config.glob("agencystack-*.alloy") if path.name != "agencystack-sandbox.alloy"]
    assert len(ours) == 3
    for path in ours:
        formatted = subprocess.run(
            [ALLOY.path(), "fmt", path], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        assert formatted == path.read_text(), path.name
