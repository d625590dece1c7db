"""ERPNext's own webhooks where our app is not: made, enabled again, taken by our listener, gone with an undo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.hooks import Hint, application
from agencystack.bridge.signing import SigningKey
from agencystack.engine.planning import Status
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import HOOKS, BridgeBench
from tests.integrations.data_bridge.conftest import Made

UPDATED = "AgencyStack acme Customer on_update"


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(connector_app=False, shares={"customer": {"direction": "both"}})


@pytest.fixture
def installed(bench: BridgeBench) -> Installation:
    made = Installation(bench, bench.place.home.root.parent)
    assert made.integrate().status is Status.APPLIED
    return made


def webhooks(bench: BridgeBench) -> dict[str, Mapping[str, Any]]:
    return {str(one["name"]): one for one in bench.erpnext.work().transaction.scan("Webhook")}


class Told:
    """Notes hints down; knows the keys the workers know."""

    def __init__(self, bench: BridgeBench) -> None:
        self._bench, self.hints = bench, [Hint()][:0]

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        return self._bench.place.keyring.hook_keys(pairing, side)

    def first_time(self, nonce: str) -> bool:
        return True

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        self.hints += hints


def test_each_event_of_what_is_shared_is_told(bench: BridgeBench, installed: Installation) -> None:
    made = webhooks(bench)
    assert sorted(made) == ["AgencyStack acme Customer on_trash", UPDATED]
    assert made[UPDATED]["request_url"] == f"{HOOKS}/hooks/acme/erpnext"
    assert made[UPDATED]["enable_security"]
    assert "customer_name" not in made[UPDATED]["webhook_json"], "names of documents alone travel"
    assert installed.plan().changes == []


def test_what_it_signs_is_taken(bench: BridgeBench, installed: Installation) -> None:
    secret = bench.erpnext.work().transaction.password("Webhook", UPDATED, "webhook_secret")
    assert secret
    body = json.dumps({"doctype": "Customer", "name": "Ada", "variant_of": ""}).encode()
    told = Told(bench)
    client = TestClient(application(told))

    def call(key: str) -> int:
        signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"X-Frappe-Webhook-Signature": signature}
        return int(client.post("/hooks/acme/erpnext", content=body, headers=headers).status_code)

    assert (call("another secret"), told.hints) == (401, [])
    assert (call(secret), told.hints) == (200, [Hint("customer", "Ada")])


def test_one_that_somebody_disabled_is_enabled_again(bench: BridgeBench, installed: Installation) -> None:
    work = bench.erpnext.work()
    bench.erpnext.documents.update(work, "Webhook", UPDATED, {"enabled": 0})
    work.transaction.commit()
    [step] = installed.plan().changes
    assert step.change is not None
    assert (step.resource.key, set(step.change.names)) == (f"webhook {UPDATED}", {"enabled"})
    assert installed.integrate().status is Status.APPLIED
    assert webhooks(bench)[UPDATED]["enabled"]


def test_undo_disables_before_it_deletes(bench: BridgeBench, installed: Installation) -> None:
    """ERPNext's cache in Redis goes on calling a webhook that was deleted while it was enabled."""
    seen: list[tuple[str, bool]] = []
    real = bench.erpnext.documents.delete

    def watched(work: Any, doctype: str, name: str, **how: Any) -> None:
        if doctype == "Webhook":
            seen.append((name, bool(work.transaction.get("Webhook", name)["enabled"])))
        real(work, doctype, name, **how)

    bench.erpnext.documents.delete = watched  # type: ignore[method-assign]
    _, errors = installed.undo()
    assert errors == {}
    assert webhooks(bench) == {}
    assert len(seen) == 2
    assert not any(enabled for _, enabled in seen)
