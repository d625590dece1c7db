"""A page that there is none of: a real Grafana logs who asked for it, and that is found in a real Loki."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.engine.planning import Status
from agencystack.sandbox.go_service import GoService
from tests.grafana_real import real_grafana
from tests.integrations.monitoring.hosts import Host

pytestmark = pytest.mark.real


def test_a_request_is_found(
    sandbox: tuple[GoService, GoService, Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alloy, loki, config = sandbox
    folder = tmp_path_factory.mktemp("grafana")
    with real_grafana(folder, "a-password-of-a-test", {"GF_LOG_LEVEL": "info"}) as url:
        shared = {
            "loki": {"url": loki.url},
            "alloy": {"url": alloy.url, "exec": {"local": True}, "config": str(config)},
            "grafana": {"url": url, "logs": [{"stream": "server", "file": str(folder / "out.log")}]},
        }
        [result] = Host(tmp_path, shared, {"acme": {}}).integrate()
    assert (result.error, result.status) == (None, Status.APPLIED), result.reason
    assert result.proofs[0].evidence["labels"]["component"] == "grafana"
