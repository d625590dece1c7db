"""Our app's calls on the stand-in: what was recorded of the real app is refused and told alike."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from agencystack.sandbox.erpnext import ErpNextStandIn

RECORDINGS = Path(__file__).parent / "recordings" / "agencystack-bridge-erpnext"
ENTITIES = ("category", "customer", "product", "variation", "order", "post", "page", "submission", "payment", "refund")
KEY, SECRET = "k1", "5" * 64


@pytest.fixture
def site() -> ErpNextStandIn:
    site = ErpNextStandIn(None, site_url="https://erp.example", company="Lab GmbH")
    configured(site)
    return site


def configured(site: ErpNextStandIn) -> None:
    given = {"pairing": "lab", "hook_url": "", "keys": [{"id": KEY, "secret": SECRET}]}
    status, _ = called(site, "configure", {**given, "entities": dict.fromkeys(ENTITIES, "both")}, "token")
    assert status == 200


def called(site: ErpNextStandIn, call: str, body: Any, how: str | None, nonce: str = "") -> tuple[int, Any]:
    """Call the stand-in as the recording says it was called."""
    path, raw = f"/api/method/agencystack_connector.bridge.{call}", json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    if how and how.startswith("token"):
        headers["authorization"] = f"token {site.bridge_key}:{site.bridge_secret}"
    elif how:
        when = time.time() - (3600 if "long ago" in how else 0)
        secret = "wrong" if "wrongly" in how else SECRET
        key = "nobody" if "unknown key" in how else KEY
        headers |= signed(key, secret, f"agencystack_connector.bridge.{call}", raw, nonce, when)
    answer = site.handle("POST", path, headers, raw)
    return answer.status_code, json.loads(bytes(answer.body))


def signed(key: str, secret: str, route: str, raw: bytes, nonce: str, when: float) -> dict[str, str]:
    """Return the headers of a signed call, by the app's own code."""
    from agencystack.sandbox.erpnext.connector import part

    once = nonce or secrets.token_hex(16)
    return dict(part("bridge.signing").headers(key, secret, route, raw, once, when))


def test_refusals_are_as_recorded(site: ErpNextStandIn) -> None:
    for exchange in json.loads((RECORDINGS / "refusals.json").read_text()):
        request, wanted = exchange["request"], exchange["response"]
        if exchange["name"] == "a call after clear":
            called(site, "clear", {}, "token")
        nonce = "a" * 32 if "one nonce" in (request["authorization"] or "") else ""
        call = request["url"].rpartition(".")[2]

        status, body = called(site, call, request["json"], request["authorization"], nonce)

        assert status == wanted["status"], exchange["name"]
        if status != 200:
            assert body == wanted["body"], exchange["name"]
        else:
            assert set(body["message"]) == set(wanted["body"]["message"]), exchange["name"]


def test_a_group_is_answered_as_recorded(site: ErpNextStandIn) -> None:
    recorded = json.loads((RECORDINGS / "groups.json").read_text())[:4]
    assert recorded[0]["name"] == "a customer with contact and address"

    for exchange in recorded:
        request, wanted = exchange["request"], exchange["response"]
        status, body = called(site, request["url"].rpartition(".")[2], request["json"], "signed")

        assert (status, body) == (wanted["status"], wanted["body"]), exchange["name"]


def test_settings_are_taken_and_refused_as_recorded(site: ErpNextStandIn) -> None:
    for exchange in json.loads((RECORDINGS / "admin.json").read_text()):
        request, wanted = exchange["request"], exchange["response"]
        body = json.loads(json.dumps(request["json"]).replace("<secret>", SECRET))

        status, answer = called(site, request["url"].rpartition(".")[2], body, request["authorization"])

        assert status == wanted["status"], (exchange["name"], answer)
        if status == 200:
            told, recorded = answer["message"], wanted["body"]["message"]
            assert set(recorded) <= set(told), exchange["name"]
            for key in ("pairing", "hook_url", "entities"):
                assert told[key] == recorded[key] or exchange["name"] == "state before", exchange["name"]
        else:
            assert answer["exc_type"] == wanted["body"]["exc_type"], exchange["name"]
