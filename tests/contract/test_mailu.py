"""Mailu's REST API: what was recorded of the real one, replayed against the stand-in, and the real one where named."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from agencystack.sandbox.mailu import MailuStandIn
from agencystack.stack.secrets import Secret
from tests.serving import served

RECORDINGS = Path(__file__).parent / "recordings" / "mailu"
RECORDED_TOKEN = "lab-api-token-0123456789"
# In the order they were recorded: each finds what those before it made.
FILES = ("auth", "domains", "users", "aliases", "tokens", "relays", "misc")
OUR_NAMES = (
    *("client1.test", "client2.test", "client3.test", "client4.test"),
    *("alt-client1.test", "alt-client2.test", "alt-client4.test", "relay.test"),
)
# A real Mailu counts wrong tokens, and its lists hold what others made: neither is touched there.
ONLY_OF_STAND_IN = {"auth"}
LISTS = {f"/api/v1/{kind}" for kind in ("domain", "user", "token", "alias", "alternative", "relay")}


@dataclass
class Target:
    """A Mailu to replay against."""

    url: str
    token: str
    real: bool
    suffix: str = ""
    numbered_alike: bool = True
    """Whether its tokens have the recorded numbers."""
    token_ids: dict[str, str] = field(default_factory=dict)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def to_ours(self, text: str) -> str:
        """Put names of our own in place of the recorded ones, where the Mailu is not ours alone."""
        for name in OUR_NAMES if self.suffix else ():
            stem = re.escape(name.removesuffix(".test"))
            text = re.sub(rf"(?i)(?<![\w-])({stem})(\.test)", rf"\1{self.suffix}\2", text)
        return text

    def to_recorded(self, text: str) -> str:
        return text.replace(self.suffix, "") if self.suffix else text

    def send(self, request: dict[str, Any]) -> httpx.Response:
        headers = {name: value.replace(RECORDED_TOKEN, self.token) for name, value in request["headers"].items()}
        path = re.sub(r"/token/(\d+)$", lambda m: f"/token/{self.token_ids.get(m[1], m[1])}", request["path"])
        body = request["body"]
        arguments: dict[str, Any] = {}
        if isinstance(body, dict) and "raw" in body:
            arguments = {"content": body["raw"]}
        elif body is not None:
            arguments = {"json": json.loads(self.to_ours(json.dumps(body)))}
        return self.client.request(request["method"], self.url + self.to_ours(path), headers=headers, **arguments)

    def replay(self, recording: str) -> list[str]:
        """Replay a recording and return where the answers differ."""
        return [difference for exchange in exchanges(recording, self.real) for difference in self._compare(exchange)]

    def _compare(self, exchange: dict[str, Any]) -> list[str]:
        answer, recorded = self.send(exchange["request"]), exchange["response"]
        found = []
        if answer.status_code != recorded["status"]:
            found.append(f"status {answer.status_code} instead of {recorded['status']}")
        if recorded["headers"].get("Content-Type", "").split(";")[0] not in answer.headers.get("content-type", ""):
            found.append(f"content type {answer.headers.get('content-type')}")
        if "Location" in recorded["headers"]:
            wanted = recorded["headers"]["Location"].replace("http://127.0.0.1:8300", self.url)
            if answer.headers.get("location") != wanted:
                found.append(f"location {answer.headers.get('location')}")
        found += self._compare_bodies(answer, recorded)
        return [f"{exchange['name']}: {difference}" for difference in found]

    def _compare_bodies(self, answer: httpx.Response, recorded: dict[str, Any]) -> list[str]:
        if recorded["json"] is None:
            text = recorded["text"].replace("http://127.0.0.1:8300", self.url)
            return [] if answer.text == text else [f"text {answer.text[:200]!r}"]
        got = json.loads(self.to_recorded(answer.text))
        if isinstance(got, dict) and "token" in got:
            self.token_ids[str(recorded["json"]["id"])] = str(got["id"])
        if recorded["json"].get("swagger") if isinstance(recorded["json"], dict) else False:
            got = {"swagger": got["swagger"], "...": "see swagger.json"}
        got, wanted = self._normal(got), self._normal(recorded["json"])
        return [] if got == wanted else [f"body {got} instead of {wanted}"]

    def _normal(self, value: Any, key: str = "") -> Any:
        """Blank what differs between any two installations: hashes, keys, dates, and of a real one numbers and host."""
        if isinstance(value, dict):
            return {name: self._normal(part, name) for name, part in value.items()}
        if isinstance(value, list) and not (self.real and key.startswith("dns_")):
            return [self._normal(part, key) for part in value]
        if self.real and key.startswith("dns_") and value is not None:
            return "RECORD"
        if not self.numbered_alike and key == "id":
            return type(value).__name__
        if key == "password":
            return "HASH" if re.fullmatch(r"\$[\w-]+\$.+", value) else value
        if key == "token":
            return "TOKEN" if re.fullmatch(r"[0-9a-f]{32}", value) else value
        if key in {"Created", "Last edit"}:
            return re.sub(r"^\d{4}-\d\d-\d\d$", "DATE", value)
        if key == "dns_dkim" and isinstance(value, str):
            return re.sub(r"p=[A-Za-z0-9+/]{380,400}={0,2}", "p=KEY", value)
        if not self.numbered_alike and isinstance(value, str):
            return re.sub(r"id \d+ (has|or)", r"id N \1", value)
        return value


def exchanges(recording: str, real: bool) -> Iterator[dict[str, Any]]:
    """Give the exchanges of a recording; of those that may be replayed against a real Mailu, where it is one."""
    for exchange in json.loads((RECORDINGS / f"{recording}.json").read_text())["exchanges"]:
        request = exchange["request"]
        # "update quota 0" and the like stay; lists, other people's objects and the recorder's own domain do not.
        foreign = request["path"] in LISTS and request["method"] == "GET"
        foreign = foreign or "lab.test" in json.dumps(request) or "upper.test" in json.dumps(request).lower()
        if not (real and foreign):
            yield exchange


def stand_in(folder: Path) -> MailuStandIn:
    """Return a stand-in that holds what the recorder's Mailu held at the start."""
    return MailuStandIn(
        folder,
        Secret(RECORDED_TOKEN),
        hostname="mail.lab.test",
        domain="lab.test",
        admin_password=Secret("admin-password-of-the-test"),
    )


def add_smoke_user(url: str, mailu: MailuStandIn) -> None:
    answer = httpx.post(
        f"{url}/api/v1/user",
        headers={"Authorization": RECORDED_TOKEN},
        json={"email": "smoke@lab.test", "raw_password": "smoke-password"},
    )
    assert answer.status_code == 200
    mailu.set_quota_used("smoke@lab.test", 821)


@pytest.fixture
def stand_in_target(tmp_path: Path) -> Iterator[Target]:
    mailu = stand_in(tmp_path)
    with served(mailu.app) as url:
        add_smoke_user(url, mailu)
        yield Target(url, RECORDED_TOKEN, real=False)


@pytest.fixture
def real_target() -> Iterator[Target]:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not path:
        pytest.skip("AGENCYSTACK_TEST_STACK names no stack with a real Mailu")
    target = real_mailu(Path(path))
    target.suffix = f"-{secrets.token_hex(3)}"
    try:
        yield target
    finally:
        headers = {"Authorization": f"Bearer {target.token}"}
        for name in OUR_NAMES:
            for kind in ("alternative", "relay", "domain"):
                target.client.delete(f"{target.url}/api/v1/{kind}/{target.to_ours(name)}", headers=headers)


def real_mailu(path: Path) -> Target:
    from ruamel.yaml import YAML

    from agencystack.stack.model import Stack
    from agencystack.stack.references import SecretResolver

    class NoSealed:
        def get(self, name: str) -> Secret | None:
            return None

    stack = Stack.model_validate(YAML(typ="safe").load(path.read_text()))
    for ref, component in stack.all_components().items():
        if ref.name == "mailu":
            token = SecretResolver(NoSealed()).resolve(component.secret_references()["api_token"])
            verify = str(component.ca_file) if component.ca_file else True
            url = component.reached_by_us().rstrip("/")
            client = httpx.Client(timeout=30, verify=verify)
            return Target(url, token.reveal(), real=True, numbered_alike=False, client=client)
    pytest.skip(f"{path} names no Mailu")


@pytest.mark.parametrize("recording", FILES)
def test_stand_in_answers_as_recorded(stand_in_target: Target, recording: str) -> None:
    for earlier in FILES[: FILES.index(recording)]:
        stand_in_target.replay(earlier)
    assert stand_in_target.replay(recording) == []


@pytest.mark.real
def test_real_mailu_answers_as_recorded(real_target: Target) -> None:
    differences = [
        difference
        for recording in FILES
        if recording not in ONLY_OF_STAND_IN
        for difference in real_target.replay(recording)
    ]
    assert differences == []


@pytest.fixture(params=["stand_in_target", pytest.param("real_target", marks=pytest.mark.real)])
def any_target(request: pytest.FixtureRequest) -> Target:
    target: Target = request.getfixturevalue(request.param)
    target.numbered_alike = False
    return target


def test_numbers_of_deleted_tokens_are_given_again_and_lists_are_ordered_sets(any_target: Target) -> None:
    numbers: dict[str, list[str]] = {}
    for exchange in exchanges("numbers_and_lists", any_target.real):
        assert any_target._compare(exchange) == []
        if exchange["name"] in {"networks are a set, in order", "its number is given again"}:
            recorded = str(exchange["response"]["json"]["id"])
            numbers.setdefault(recorded, []).append(any_target.token_ids[recorded])
    [(first, again)] = numbers.values()
    assert first == again


def test_international_names_are_answered_in_their_own_writing(stand_in_target: Target) -> None:
    stand_in_target.numbered_alike = False
    for exchange in exchanges("international_names", real=False):
        # We send ASCII alone, so the stand-in takes nothing else.
        if not exchange["name"].endswith("in Unicode is the same"):
            assert stand_in_target._compare(exchange) == []


def test_state_survives_a_restart(tmp_path: Path) -> None:
    first = stand_in(tmp_path)
    with served(first.app) as url:
        add_smoke_user(url, first)
    with served(stand_in(tmp_path).app) as url:
        answer = httpx.get(f"{url}/api/v1/user/smoke@lab.test", headers={"Authorization": RECORDED_TOKEN})
    assert answer.json()["quota_bytes_used"] == 821


def test_sixth_wrong_token_locks_the_network_out_even_for_the_right_one(stand_in_target: Target) -> None:
    url = f"{stand_in_target.url}/api/v1/user"

    def status(token: str, ip: str) -> int:
        return httpx.get(url, headers={"Authorization": token, "X-Real-IP": ip}).status_code

    assert [status("wrong", "192.0.2.7") for _ in range(6)] == [403, 403, 403, 403, 403, 429]
    assert status(RECORDED_TOKEN, "192.0.2.7") == 429
    assert status(RECORDED_TOKEN, "192.0.2.200") == 429, "neighbours in the /24 are locked out too"
    assert status(RECORDED_TOKEN, "192.0.3.7") == 200


def test_wrong_tokens_are_forgotten_after_an_hour(tmp_path: Path) -> None:
    now = [0.0]
    mailu = MailuStandIn(
        tmp_path,
        Secret(RECORDED_TOKEN),
        hostname="mail.lab.test",
        domain="lab.test",
        admin_password=Secret("admin-password-of-the-test"),
        clock=lambda: now[0],
    )
    for _ in range(5):
        assert not mailu.accepts_token("wrong", "192.0.2.7")
    assert mailu.is_rate_limited("192.0.2.7")
    now[0] = 3601.0
    assert not mailu.is_rate_limited("192.0.2.7")


def test_a_mail_login_exempts_its_address(tmp_path: Path) -> None:
    mailu = stand_in(tmp_path)
    assert mailu.authenticate("admin@lab.test", "admin-password-of-the-test", "192.0.2.7", "imap")
    for _ in range(6):
        assert not mailu.accepts_token("wrong", "192.0.2.7")
    assert not mailu.is_rate_limited("192.0.2.7")


def test_short_api_token_is_always_refused(tmp_path: Path) -> None:
    mailu = MailuStandIn(
        tmp_path, Secret("abc"), hostname="m.lab.test", domain="lab.test", admin_password=Secret("admin-password")
    )
    assert not mailu.accepts_token("Bearer abc", "192.0.2.7")


def test_required_tokens_shut_the_password_out_as_recorded(tmp_path: Path) -> None:
    case = next(
        entry for entry in json.loads((RECORDINGS / "config_edge_cases.json").read_text()) if entry["case"] == "req"
    )
    mailu = MailuStandIn(
        tmp_path,
        Secret(RECORDED_TOKEN),
        hostname="mail.lab.test",
        domain="lab.test",
        admin_password=Secret("admin-password-of-the-test"),
        require_tokens=True,
    )
    with served(mailu.app) as url:
        headers = {"Authorization": RECORDED_TOKEN}
        token = httpx.post(f"{url}/api/v1/token", headers=headers, json={"email": "admin@lab.test"}).json()["token"]
    for what, password, protocol in (
        ("password", "admin-password-of-the-test", "smtp"),
        ("token", token, "smtp"),
        ("imap_password", "admin-password-of-the-test", "imap"),
    ):
        accepted = mailu.authenticate("admin@lab.test", password, "192.0.2.7", protocol)
        assert accepted == (case[what]["Auth-Status"] == "OK"), what
