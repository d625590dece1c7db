"""What an ERPNext with our app says of its health, on the stand-in and on a real one where a stack names it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.health import HEALTH, PING, health, tells_health
from agencystack.components.health import SIGNATURE, TOKEN_HEADER, Endpoint, Health, Word, token_hash
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.stack.errors import ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret, generate
from tests.contract.test_erpnext import real_erpnext
from tests.serving import free_port, served

WHERE = ComponentRef("acme", "erpnext")
TOKEN = generate()
CHECKS = {"database", "scheduler", "workers", "queues", "email", "errors"}


@dataclass
class Site:
    """An ERPNext, and our client of it."""

    url: str
    erpnext: ErpNext
    stand_in: ErpNextStandIn | None = None


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "stand-in":
        made = ErpNextStandIn(tmp_path / "site")
        with served(made.app) as url:
            yield Site(url, client(url, made.api_key, made.api_secret), made)
        return
    stack = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not stack:
        pytest.skip("AGENCYSTACK_TEST_STACK names no stack with a real ERPNext")
    target = real_erpnext(Path(stack), {})
    found = Site(target.url, client(target.url, target.key, target.secret))
    if not tells_health(found.erpnext.login.connector_version()):
        pytest.skip("the ERPNext does not have our app in a version that tells its health")
    before = found.erpnext.login.connector_settings().health_token_hash
    yield found
    found.erpnext.login.update_connector({"health_token_hash": before})


def client(url: str, key: str, secret: str) -> ErpNext:
    return ErpNext(WHERE, url, Secret(key), Secret(secret))


def asked(url: str, token: Secret | None = None) -> Health:
    endpoint = Endpoint(WHERE, url)
    with contextlib.closing(endpoint):
        return health(endpoint, token)


def test_everybody_gets_words_and_only_the_token_gets_numbers(site: Site) -> None:
    site.erpnext.login.update_connector({"health_token_hash": token_hash(TOKEN).reveal()})
    answer = httpx.get(site.url + HEALTH)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.text.startswith('{"from":"agencystack-connector","status":"')
    said = answer.json()
    assert said.keys() == {"from", "status", "checks"}
    assert (said["from"], set(said["checks"])) == (SIGNATURE, CHECKS)
    assert set(said["checks"].values()) <= {"ok", "degraded"}
    assert httpx.get(site.url + HEALTH, headers={TOKEN_HEADER: "another"}).json() == said
    told = asked(site.url, TOKEN)
    assert told.is_ours
    assert told.detail.keys() == CHECKS | {"software"}
    assert told.detail["software"]["connector"] == site.erpnext.login.connector_version()
    assert told.detail["database"]["milliseconds"] > 0
    assert told.detail["workers"]["queues"].keys() == {"short", "default", "long"}
    assert told.detail["queues"]["queues"]["default"].keys() == {"waiting", "oldest_seconds", "failed"}
    assert told.detail["email"].keys() >= {"late", "errors_of_a_day", "suspended"}


def test_a_site_without_token_tells_nobody_numbers(site: Site) -> None:
    site.erpnext.login.update_connector({"health_token_hash": ""})
    for token in (Secret(""), TOKEN):
        assert asked(site.url, token).detail == {}


def test_the_site_keeps_the_hash_alone(site: Site) -> None:
    with pytest.raises(Refused, match="must be a hash, never the token itself"):
        site.erpnext.login.update_connector({"health_token_hash": TOKEN.reveal()})
    kept = token_hash(TOKEN).reveal()
    assert site.erpnext.login.update_connector({"health_token_hash": kept}).health_token_hash == kept
    assert site.erpnext.login.connector_settings().health_token_hash == kept


def test_frappe_takes_a_bearer_for_a_login(site: Site) -> None:
    assert httpx.get(site.url + HEALTH, headers={"Authorization": "Bearer x"}).status_code == 401


def test_mail_that_waits_is_told(site: Site) -> None:
    if site.stand_in is None:
        pytest.skip("the queue of a real ERPNext is other people's")
    site.erpnext.login.update_connector({"health_token_hash": token_hash(TOKEN).reveal()})
    assert asked(site.url, TOKEN).checks["email"] is Word.OK
    old = {"creation": "2026-01-01 00:00:00.000000", "modified": "2026-01-01 00:00:00.000000"}
    transaction = site.stand_in._store.begin()
    transaction.put({"doctype": "Email Queue", "name": secrets.token_hex(5), "status": "Not Sent", **old})
    transaction.commit()
    told = asked(site.url, TOKEN)
    assert told.status is Word.DEGRADED
    assert told.troubles == ("email: 1 mails wait for more than ten minutes, 0 were given up",)


def test_without_the_app_a_site_that_answers_is_well(tmp_path: Path) -> None:
    with served(ErpNextStandIn(tmp_path / "site", connector_app=False).app) as url:
        assert asked(url, TOKEN) == Health(Word.OK, by=PING)


def test_a_site_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        asked(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    ("version", "tells"), [(None, False), ("0.1.0", False), ("0.2.0", True), ("0.10.1", True), ("1.0.0-dev", True)]
)
def test_the_app_tells_it_since_a_version(version: str | None, *, tells: bool) -> None:
    assert tells_health(version) is tells
