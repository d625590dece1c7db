"""Promtail's file: our jobs come and go, a person's comments stay, and a Promtail that does not start gets it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agencystack.components import promtail as module
from agencystack.components.promtail import Promtail
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.local import LocalExecutor
from tests.serving import served

WHERE = ComponentRef("shared", "promtail")
TEXT = """\
# Written by Ines; ask her.
server:
  http_listen_port: 9080
clients:
  - url: http://loki:3100/loki/api/v1/push
scrape_configs:
  # The machine's own.
  - job_name: system
    static_configs:
      - targets: ['localhost']
        labels:
          __path__: "/var/log/*.log"  # all of them
"""
OURS = "agencystack/acme/wordpress/"
JOB: dict[str, Any] = {
    "job_name": f"{OURS}access",
    "static_configs": [{"targets": ["localhost"]}],
    "pipeline_stages": [],
}
OTHER = {**JOB, "job_name": "agencystack/acme/wordpress-two/access"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "promtail.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def url() -> Iterator[str]:
    with served(Starlette(routes=[Route("/ready", lambda _request: PlainTextResponse("Ready"))])) as address:
        yield address


def client(url: str, config: Path, restart: str = "") -> Promtail:
    """Return a client whose restart notes that it was done, then runs ``restart`` of a shell."""
    program = f"cp {config} {config}.running; {restart or 'true'}"
    return Promtail(WHERE, url, LocalExecutor(component=WHERE).host(), str(config), ("sh", "-c", program))


def running(config: Path) -> str:
    return Path(f"{config}.running").read_text()


def test_jobs_come_and_go_and_nothing_else_changes(url: str, config: Path) -> None:
    promtail = client(url, config)
    promtail.set_jobs("agencystack/acme/wordpress-two/", [OTHER])
    promtail.set_jobs(OURS, [JOB, {**JOB, "job_name": f"{OURS}php"}])
    assert promtail.jobs(OURS) == [JOB, {**JOB, "job_name": f"{OURS}php"}]
    assert running(config) == config.read_text()
    promtail.set_jobs(OURS, [])
    assert promtail.jobs(OURS) == []
    assert promtail.jobs("agencystack/acme/wordpress-two/") == [OTHER]
    promtail.set_jobs("agencystack/acme/wordpress-two/", [])
    assert config.read_text() == TEXT


def test_a_promtail_that_does_not_restart_gets_its_file_back(url: str, config: Path) -> None:
    with pytest.raises(Refused, match="yaml: line 7: no such stage") as caught:
        client(
            url, config, f"grep -q agencystack {config} && {{ echo 'yaml: line 7: no such stage' >&2; exit 1; }}; true"
        ).set_jobs(OURS, [JOB])
    assert config.read_text() == TEXT
    assert "is without that again" in caught.value.remedy


def test_a_promtail_that_never_is_ready_gets_its_file_back(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.0)
    with served(Starlette()) as nowhere, pytest.raises(Refused, match="is not ready 0 s after its restart") as caught:
        client(nowhere, config).set_jobs(OURS, [JOB])
    assert config.read_text() == TEXT
    assert "but Promtail does not start with that, too" in caught.value.remedy


def test_what_a_killed_run_left_is_taken_out_where_promtail_does_not_start_with_it(url: str, config: Path) -> None:
    client(url, config).set_jobs(OURS, [JOB])
    with pytest.raises(Refused):
        client(url, config, f"! grep -q agencystack {config}").set_jobs(OURS, [JOB])
    assert config.read_text() == TEXT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scrape_configs: [\n", "cannot be read as Promtail's configuration"),
        ("- a list\n", "it is no map"),
        ("scrape_configs: {a: b}\n", "its scrape_configs is no list"),
    ],
)
def test_a_file_that_is_none_of_promtails_is_not_touched(url: str, config: Path, text: str, says: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        client(url, config).set_jobs(OURS, [JOB])
    assert config.read_text() == text


def test_a_file_that_is_not_there_is_named(url: str, config: Path) -> None:
    config.unlink()
    with pytest.raises(ConfigurationError, match=f"there is no file {config} on this machine"):
        client(url, config).jobs(OURS)
