"""A login through a client there is none of: a real Keycloak logs it, and it is found in a real Loki by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.engine.planning import Status
from agencystack.sandbox.go_service import GoService
from tests.contract import keycloak_server
from tests.integrations.monitoring.hosts import Host

pytestmark = pytest.mark.real


def test_a_login_that_cannot_be_is_found(
    sandbox: tuple[GoService, GoService, Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alloy, loki, config = sandbox
    with keycloak_server.running(tmp_path_factory.mktemp("keycloak")) as keycloak:
        realm = keycloak_server.connected(keycloak).realm("agency-acme")
        realm.create()
        shared = {
            "loki": {"url": loki.url},
            "alloy": {"url": alloy.url, "exec": {"local": True}, "config": str(config)},
            "keycloak": {
                "url": keycloak.internal_url,
                "realm": "agency-{client}",
                "logs": [{"file": str(keycloak.folder.log / "keycloak.log")}],
            },
        }
        [result] = Host(tmp_path, shared, {"acme": {}}).integrate()
    assert (result.error, result.status) == (None, Status.APPLIED), result.reason
    [proof] = result.proofs
    assert proof.evidence["labels"] == {
        "client": "shared",
        "component": "keycloak",
        "stream": "server",
        "level": "warning",
    }
