"""Listmonk's API: what was recorded of the real one, replayed against the stand-in; its client against both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from ruamel.yaml import YAML

from agencystack.components.listmonk import Listmonk, MailSettings, Smtp
from agencystack.sandbox.listmonk import ALL, ApiUser, ListmonkStandIn
from agencystack.sandbox.tls import Certificates, ensure_certificates
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, Refused
from agencystack.stack.model import Stack
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from tests.serving import free_port, in_loop, served

RECORDINGS = Path(__file__).parent / "recordings" / "listmonk"
WHERE = ComponentRef("acme", "listmonk")
TOKEN, LOGIN, PASSWORD = "recorded-token-in-tests", "listmonk@acme.example", "mailboxpassword1"
USERS = {
    "agencystack": ApiUser(TOKEN),
    "reader": ApiUser(TOKEN, frozenset({"settings:get"})),
    "outsider": ApiUser(TOKEN, frozenset({"lists:get_all"})),
}
# Made in the recording through interfaces of Listmonk that nothing of ours uses.
NOT_OURS = re.compile(r"make (a role|API user)")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def exchanges(name: str) -> list[dict[str, Any]]:
    recorded = json.loads((RECORDINGS / f"{name}.json").read_text())["exchanges"]
    return [exchange for exchange in recorded if not NOT_OURS.match(exchange["name"])]


@dataclass
class MailServer:
    """The mail server of the recordings: login required, TLS at once, STARTTLS, or neither."""

    certificates: Certificates
    tls: int = field(default_factory=free_port)
    starttls: int = field(default_factory=free_port)
    plain: int = field(default_factory=free_port)
    received: list[tuple[str | None, EmailMessage]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        login = {"auth_required": True, "authenticator": _authenticate}
        listen = asyncio.get_running_loop().create_server
        self._servers = [
            await listen(lambda: _Server(self, auth_require_tls=False, **login), "127.0.0.1", self.tls, ssl=context),
            await listen(
                lambda: _Server(self, tls_context=context, require_starttls=True, **login), "127.0.0.1", self.starttls
            ),
            await listen(lambda: _Server(self), "127.0.0.1", self.plain),
        ]

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        login = session.auth_data.decode() if session.authenticated else None
        self.received.append((login, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"

    def wait_for(self, subject: str, *, seconds: float = 5) -> tuple[str | None, EmailMessage]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for login, mail in self.received:
                if mail["Subject"] == subject:
                    return login, mail
            time.sleep(0.02)
        raise AssertionError(f"no mail {subject!r} within {seconds} s")


class _Server(SMTP):
    # As Postfix and Dovecot ask; Listmonk knows no other words.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (LOGIN.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False, auth_data=LOGIN.encode() if right else None)


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    server = MailServer(ensure_certificates(tmp_path_factory.mktemp("certificates")))
    with in_loop(server.start, server.stop):
        yield server


@dataclass
class Replay:
    url: str
    state: Path
    stand_in: ListmonkStandIn
    uuids: dict[str, str] = field(default_factory=dict)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    def stored(self) -> list[dict[str, Any]]:
        rows = json.loads(self.state.read_text())["smtp"]
        return [
            {key: None if row.get(key) == "" else row.get(key) for key in ("uuid", "enabled", "host", "password")}
            for row in rows
        ]

    def send(self, request: dict[str, Any]) -> httpx.Response:
        headers = {
            name: re.sub(r"<(api_token|its token)>", TOKEN, value).replace("<api_user>", "agencystack")
            for name, value in request["headers"].items()
        }
        auth = ("agencystack", TOKEN) if headers.get("Authorization", "").startswith("Basic") else None
        if auth:
            del headers["Authorization"]
        content = request["body"] if isinstance(request["body"], str) else json.dumps(self._body(request["body"]))
        return self.client.request(
            request["method"], self.url + request["path"], headers=headers, content=content, auth=auth
        )

    def _body(self, body: Any) -> Any:
        if isinstance(body, dict) and "(every other setting)" in body:
            current = self.client.get(f"{self.url}/api/settings", auth=("agencystack", TOKEN)).json()["data"]
            changes = {key: value for key, value in body.items() if not key.startswith("(")}
            body = {**json.loads(re.sub("•+", "", json.dumps(current, ensure_ascii=False))), **changes}
        text = json.dumps(body)
        for theirs, ours in self.uuids.items():
            text = text.replace(theirs, ours)
        return json.loads(text)

    def learn(self, recorded: list[dict[str, Any]]) -> None:
        for theirs, ours in zip(recorded, self.stored(), strict=True):
            if theirs["uuid"]:
                self.uuids.setdefault(theirs["uuid"], ours["uuid"])

    def wait_until_back(self) -> None:
        time.sleep(0.03)
        end = time.monotonic() + 30
        while self.client.get(f"{self.url}/health").status_code != 200:
            assert time.monotonic() < end, "it never came back"
            time.sleep(0.005)


@pytest.fixture
def replay(tmp_path: Path, mail_server: MailServer) -> Iterator[Replay]:
    ca_file = mail_server.certificates.ca
    stand_in = ListmonkStandIn(tmp_path, USERS, ca_file=ca_file, restart_after=0.02, gap=0.01)
    with served(stand_in) as url:
        yield Replay(url, tmp_path / "listmonk.json", stand_in)


def shown(value: Any) -> Any:
    return json.loads(UUID.sub("<uuid>", json.dumps(value)))


def same_answer(recorded: dict[str, Any], answer: httpx.Response, *, keys_of_ours: bool = False) -> None:
    assert answer.status_code == recorded["status"], answer.text
    # Where in the body the mistake was counts its bytes, which nobody relies on.
    recorded_json = re.sub(r", offset=\d+", "", json.dumps(recorded.get("json")))
    theirs, ours = shown(json.loads(recorded_json)), shown(answer.json())
    if keys_of_ours:
        theirs, ours = theirs.get("data", theirs), ours.get("data", ours)
        assert {key: type(theirs[key]) for key in ours} == {key: type(value) for key, value in ours.items()}
    else:
        assert ours == theirs


@pytest.mark.parametrize("exchange", exchanges("auth"), ids=lambda exchange: exchange["name"])
def test_answers_credentials_as_recorded(replay: Replay, exchange: dict[str, Any]) -> None:
    answer = replay.send(exchange["request"])
    partly = exchange["request"]["path"] in {"/api/about", "/api/config"} and answer.is_success
    if exchange["request"]["path"] == "/api/settings" and answer.is_success:
        # Recorded before the first write, as the stand-in is now.
        assert answer.json()["data"]["smtp"] == exchange["response"]["json"]["data"]["smtp"]
    else:
        same_answer(exchange["response"], answer, keys_of_ours=partly)


def test_settings_live_as_recorded(replay: Replay) -> None:
    compared = 0
    for exchange in exchanges("settings"):
        answer = replay.send(exchange["request"])
        response = exchange["response"]
        if "smtp is no list" in exchange["name"]:
            assert answer.status_code == response["status"]
        else:
            same_answer(response, answer, keys_of_ours=exchange["request"]["path"] == "/api/config")
        if "after" in exchange:
            replay.learn(exchange["after"])
            assert shown(replay.stored()) == shown(
                [{**row, "password": row["password"] or None} for row in exchange["after"]]
            ), exchange["name"]
            compared += 1
        if exchange["request"]["method"] == "PUT" and answer.is_success:
            replay.wait_until_back()
    assert compared > 15


# Cases whose recorded mail server ports and waits cannot be repeated within a test's time.
NOT_REPEATED = re.compile(
    "authority|another name|by address|never answers|STARTTLS against a TLS|resolve|cram|asks 'User Name'|port 0"
)


@pytest.mark.parametrize(
    "exchange",
    [exchange for exchange in exchanges("smtp_test") if not NOT_REPEATED.search(exchange["name"])],
    ids=lambda exchange: exchange["name"],
)
def test_test_mail_as_recorded(replay: Replay, mail_server: MailServer, exchange: dict[str, Any]) -> None:
    ports = {54465: mail_server.tls, 54587: mail_server.starttls, 54425: mail_server.plain, 54001: free_port()}
    body = exchange["request"]["body"]
    request = {**exchange["request"]}
    if isinstance(body, dict):
        request["body"] = {**body, "port": ports[body["port"]]}
    before = len(mail_server.received)
    answer = replay.send(request)
    recorded = exchange["response"]
    assert answer.status_code == recorded["status"], answer.text
    got = mail_server.received[before:]
    wanted = exchange["after"]["received"]
    assert [login for login, _ in got] == [mail["login"] for mail in wanted]
    for (_, ours), theirs in zip(got, wanted, strict=True):
        mail = message_from_bytes(theirs["data"].encode(), policy=policy.default)
        # The sender in use is the one of the settings; it differs, as the recording had changed them before.
        named = {"To", "Subject", "Reply-To", "X-AgencyStack-Probe", "Mime-Version", "Content-Type"}
        assert {name: str(ours[name]).lower() for name in named} == {name: str(mail[name]).lower() for name in named}
    if not answer.is_success and "host" not in exchange["name"]:
        message = re.sub(r"127\.0\.0\.1:\d+|localhost:\d+", "HOST", answer.json()["message"])
        assert message == re.sub(r"127\.0\.0\.1:\d+", "HOST", recorded["json"]["message"])


def test_a_running_campaign_keeps_the_old_settings_in_use(replay: Replay) -> None:
    by_name = {exchange["name"]: exchange for exchange in exchanges("restart")}
    replay.stand_in.campaign_running = True
    exchange = by_name["PUT while a campaign runs"]
    same_answer(exchange["response"], replay.send(exchange["request"]))
    config = by_name["the running configuration is still the old one, needs_restart is set"]
    answer = replay.send(config["request"]).json()["data"]
    assert answer["needs_restart"] is config["response"]["json"]["data"]["needs_restart"] is True
    assert answer["from_email"] != "Later <listmonk@acme.example>"
    replay.stand_in.campaign_running = False
    replay.send(by_name["reload"]["request"])
    replay.wait_until_back()
    assert replay.send(config["request"]).json()["data"]["from_email"] == "Later <listmonk@acme.example>"


@pytest.mark.parametrize(
    "exchange",
    [exchange for exchange in exchanges("restart") if "three_seconds_later" in exchange],
    ids=lambda exchange: exchange["name"],
)
def test_starts_again_or_not_as_recorded(replay: Replay, exchange: dict[str, Any]) -> None:
    current = replay.client.get(f"{replay.url}/api/settings", auth=("agencystack", TOKEN)).json()["data"]
    current["smtp"][0] |= {"password": ""} | exchange["request"]["body"]["smtp[0]"]
    answer = replay.client.put(f"{replay.url}/api/settings", json=current, auth=("agencystack", TOKEN))
    assert answer.status_code == exchange["response"]["status"]
    time.sleep(0.1)
    up = replay.client.get(f"{replay.url}/health").status_code == 200
    assert up == (exchange["three_seconds_later"]["health"] == 200)


@dataclass
class Target:
    """A Listmonk, and the mail server its tests may use; a real one needs its own server block to be sent through."""

    client: Listmonk
    real: bool


@pytest.fixture(params=["stand-in", "real"])
def target(request: pytest.FixtureRequest, tmp_path: Path, mail_server: MailServer) -> Iterator[Target]:
    with contextlib.ExitStack() as stack:
        if request.param == "stand-in":
            stand_in = ListmonkStandIn(
                tmp_path, {"agencystack": ApiUser(TOKEN, ALL)}, ca_file=mail_server.certificates.ca
            )
            client = Listmonk(WHERE, stack.enter_context(served(stand_in)), "agencystack", Secret(TOKEN))
        else:
            client = _real()
        stack.callback(client.close)
        yield Target(client, request.param == "real")


def _real() -> Listmonk:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not path:
        pytest.skip("AGENCYSTACK_TEST_STACK names no Listmonk")
    stack = Stack.model_validate(YAML(typ="safe").load(Path(path).read_text()))
    for ref, component in stack.all_components().items():
        if ref.name == "listmonk" and not component.sandbox:
            token = SecretResolver(_NoSealed()).resolve(component.secret_references()["api_token"])
            return Listmonk(ref, component.reached_by_us(), component.api_user, token, ca_file=component.ca_file)
    pytest.skip("AGENCYSTACK_TEST_STACK names no real Listmonk")


class _NoSealed:
    def get(self, name: str) -> Secret | None:
        return None


def test_client_saves_and_puts_back(target: Target) -> None:
    client = target.client
    before = client.settings()
    ours = Smtp(
        uuid="agencystack-contract-test", host="mail.invalid", port=465, enabled=False, password=Secret("first-pass")
    )
    try:
        saved = client.save_mail_settings(before.model_copy(update={"smtp": (*before.smtp, ours)}))
        assert saved.smtp[:-1] == before.smtp or not before.smtp[0].uuid
        assert saved.smtp[-1] == ours.model_copy(update={"password": None, "has_password": True})
        assert client.version()
        again = client.save_mail_settings(saved)
        assert again == saved, "an unchanged block loses its password"
    finally:
        after = client.save_mail_settings(before)
    assert [server.host for server in after.smtp] == [server.host for server in before.smtp]


def test_client_names_a_wrong_token(target: Target) -> None:
    if target.real:
        pytest.skip("a real one might count wrong tokens")
    wrong = Listmonk(WHERE, target.client._api.base_url, "agencystack", Secret("wrong-token"))
    with pytest.raises(AuthenticationFailed, match="invalid API credentials") as refused:
        wrong.settings()
    assert "api_token" in refused.value.remedy


def test_client_passes_on_why_a_test_mail_failed(target: Target) -> None:
    closed = Smtp(host="127.0.0.1", port=free_port(), auth_protocol="none")
    with pytest.raises(Refused, match="connection refused"):
        target.client.send_test_mail(closed, "probe@acme.example")


def test_client_sends_through_what_it_saved(target: Target, mail_server: MailServer) -> None:
    if target.real:
        pytest.skip("a real one cannot trust the certificate of this test's mail server")
    client = target.client
    ours = Smtp(host="localhost", port=mail_server.tls, username=LOGIN, password=Secret(PASSWORD))
    client.send_test_mail(ours, "probe@acme.example", subject="nonce of the test mail")
    login, mail = mail_server.wait_for("nonce of the test mail")
    assert (login, mail["From"]) == (LOGIN, client.settings().from_email)
    factory = [replace_enabled(server) for server in client.settings().smtp]
    client.save_mail_settings(MailSettings(from_email=f"Acme <{LOGIN}>", smtp=(ours, *factory)))
    client.send_saved("probe@acme.example", "nonce of the saved one")
    login, mail = mail_server.wait_for("nonce of the saved one")
    assert (login, mail["From"]) == (LOGIN, f"Acme <{LOGIN}>")


def replace_enabled(server: Smtp) -> Smtp:
    return server.model_copy(update={"enabled": False})


def test_a_certificate_of_an_unknown_authority_is_refused(replay: Replay, tmp_path: Path) -> None:
    other = MailServer(ensure_certificates(tmp_path / "other"))
    body = {**exchanges("smtp_test")[0]["request"]["body"], "port": other.tls}
    with in_loop(other.start, other.stop):
        request = {**exchanges("smtp_test")[0]["request"], "body": body}
        strict, lax = replay.send(request), replay.send({**request, "body": {**body, "tls_skip_verify": True}})
    assert strict.json()["message"].startswith("tls: failed to verify certificate: x509")
    assert (strict.status_code, lax.status_code, len(other.received)) == (500, 200, 1)
