"""A real Grafana of the test's own: its server program, where the user's cache folder has one."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agencystack.sandbox.grafana_build import GRAFANA
from tests.serving import free_port

START_LIMIT = 120.0
STARTS = 3


def home() -> Path:
    """Return where the program and the files it needs are, and skip the test loudly where they are not."""
    obstacle = GRAFANA.obstacle()
    if obstacle:
        pytest.skip(f"NO REAL GRAFANA HERE: {obstacle}")
    return GRAFANA.path().parent


@contextmanager
def real_grafana(folder: Path, password: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run one with data of its own, and give its address.

    Args:
        folder: for its data.
        password: of its administrator.
        environment: more ``GF_...`` variables.
    """
    program, port = home(), free_port()
    settings = {
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "log"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SECURITY_ADMIN_PASSWORD": password,
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_LOG_LEVEL": "error",
        **(environment or {}),
    }
    (folder / "data").mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    process = _started(program, {**os.environ, **settings}, folder / "out.log", url)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _started(program: Path, environment: Mapping[str, str], log: Path, url: str) -> subprocess.Popen[bytes]:
    """Return the process once it is well. At its very first start 10.0 may race itself making its organisation."""
    for _ in range(STARTS):
        with log.open("w") as out:
            process = subprocess.Popen(
                [program / "grafana", "server", "--homepath", program], env=environment, stdout=out, stderr=out
            )
        if _is_well(url, process):
            return process
        process.kill()
        process.wait(30)
    raise AssertionError(f"Grafana is not well: {log.read_text()[-2000:]}")


def _is_well(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it is well, or has ended, or the time is over."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/api/health", timeout=2, trust_env=False).json()["database"] == "ok":
                return True
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        time.sleep(0.1)
    return False
