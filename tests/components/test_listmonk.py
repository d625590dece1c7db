"""Listmonk's client by itself: what it refuses to send, what it sends, and how it waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from agencystack.components.listmonk import Listmonk, MailSettings, Smtp
from agencystack.sandbox.listmonk import ApiUser, ListmonkStandIn
from agencystack.stack.errors import (
    AuthenticationFailed,
    BadAnswer,
    ComponentRef,
    ConfigurationError,
    Refused,
    Unavailable,
)
from agencystack.stack.secrets import Secret
from tests.serving import free_port, served

WHERE = ComponentRef("acme", "listmonk")
TOKEN = "a-token-of-a-test"
OURS = Smtp(uuid="agencystack", host="mail.acme.example", port=465, username="u", password=Secret("canary4711"))


@pytest.fixture
def stand_in(tmp_path: Path) -> ListmonkStandIn:
    users = {"agencystack": ApiUser(TOKEN), "reader": ApiUser(TOKEN, frozenset({"settings:get"}))}
    return ListmonkStandIn(tmp_path, users, restart_after=0.05, gap=0.15)


@pytest.fixture
def url(stand_in: ListmonkStandIn) -> Iterator[str]:
    with served(stand_in) as address:
        yield address


@pytest.fixture
def listmonk(url: str) -> Iterator[Listmonk]:
    client = Listmonk(WHERE, url, "agencystack", Secret(TOKEN))
    yield client
    client.close()


def stored(tmp_path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((tmp_path / "listmonk.json").read_text())
    return settings


def with_ours(settings: MailSettings) -> MailSettings:
    return MailSettings(from_email="Acme <news@acme.example>", smtp=(OURS, *settings.smtp))


def test_a_new_listmonk_has_only_factory_defaults(listmonk: Listmonk) -> None:
    servers = listmonk.settings().smtp
    assert [(server.host, server.is_factory_default, server.has_password) for server in servers] == [
        ("smtp.yoursite.com", True, True),
        ("smtp.gmail.com", True, True),
    ]
    assert not OURS.is_factory_default


def test_saving_keeps_every_secret_and_setting_that_is_not_ours(listmonk: Listmonk, url: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=url, auth=("agencystack", TOKEN)) as person:
        settings = person.get("/api/settings").json()["data"]
        settings["smtp"][0]["password"], settings["smtp"][1]["password"] = "theirs-1", "theirs-2"
        settings |= {"bounce.sendgrid_key": "key-1", "app.site_name": "Theirs", "upload.s3.aws_secret_access_key": "s3"}
        settings["security.oidc"] |= {"client_secret": "oidc-1", "client_id": "id"}
        settings["bounce.mailboxes"] = [{"uuid": "", "host": "pop", "password": "bounce-1", "scan_interval": "15m"}]
        person.put("/api/settings", json=settings)
    before = stored(tmp_path)
    listmonk.restart()
    listmonk.save_mail_settings(with_ours(listmonk.settings()))
    after = stored(tmp_path)
    ours = after["smtp"].pop(0)
    assert (ours["uuid"], ours["password"]) == ("agencystack", "canary4711")
    assert after == before | {"app.from_email": "Acme <news@acme.example>"}


def test_returns_only_when_the_new_settings_are_in_use(listmonk: Listmonk, url: str) -> None:
    listmonk.save_mail_settings(with_ours(listmonk.settings()))
    config = httpx.get(f"{url}/api/config", auth=("agencystack", TOKEN)).json()["data"]
    assert config["from_email"] == "Acme <news@acme.example>"


def test_settings_are_read_once_until_forgotten(listmonk: Listmonk, url: str) -> None:
    first = listmonk.settings()
    other = Listmonk(WHERE, url, "agencystack", Secret(TOKEN))
    other.save_mail_settings(with_ours(first))
    assert listmonk.settings() == first
    listmonk.forget()
    assert listmonk.settings().smtp[0].uuid == "agencystack"


def test_a_running_campaign_is_said(listmonk: Listmonk, stand_in: ListmonkStandIn) -> None:
    stand_in.campaign_running = True
    with pytest.raises(Refused, match="a campaign is running"):
        listmonk.save_mail_settings(with_ours(listmonk.settings()))
    assert listmonk.needs_restart()
    listmonk.restart()
    assert not listmonk.needs_restart()


def test_one_that_does_not_come_back(url: str, tmp_path: Path, listmonk: Listmonk) -> None:
    with httpx.Client(base_url=url, auth=("agencystack", TOKEN)) as person:
        settings = person.get("/api/settings").json()["data"]
        settings["smtp"][0] |= {"password": "", "auth_protocol": "oauth"}
        person.put("/api/settings", json=settings)
    with pytest.raises(Unavailable, match=r"did not come back within 0.5 s"):
        listmonk._api._await_restart("", 0.5)


@pytest.mark.parametrize(
    "mistake",
    [
        {"auth_protocol": "oauth"},
        {"tls_type": "ssl"},
        {"idle_timeout": "soon"},
        {"msg_retry_delay": "10"},
        {"max_conns": 0},
    ],
)
def test_refuses_what_listmonk_would_not_start_with(mistake: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Smtp.model_validate({"host": "h", "port": 25, **mistake})


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ((), "one enabled"),
        ((OURS.model_copy(update={"enabled": False}),), "one enabled"),
        ((OURS, OURS), "same uuid"),
    ],
)
def test_refuses_what_would_lose_mail_or_mix_passwords(
    listmonk: Listmonk, tmp_path: Path, servers: tuple[Smtp, ...], words: str
) -> None:
    before = stored(tmp_path)
    with pytest.raises(ConfigurationError, match=words):
        listmonk.save_mail_settings(MailSettings(from_email="a@b.example", smtp=servers))
    assert stored(tmp_path) == before


def test_unknown_fields_of_a_newer_listmonk_are_sent_back() -> None:
    server = Smtp.model_validate({"host": "h", "port": 25, "invented": {"a": 1}})
    assert server.wire()["invented"] == {"a": 1}


def test_the_password_shows_nowhere() -> None:
    assert "canary4711" not in repr(OURS) + str(OURS) + OURS.model_dump_json()
    assert OURS.wire()["password"] == "canary4711"


def test_a_missing_permission_is_named(url: str) -> None:
    reader = Listmonk(WHERE, url, "reader", Secret(TOKEN))
    with pytest.raises(AuthenticationFailed, match="permission denied: settings:manage") as refused:
        reader.save_mail_settings(with_ours(reader.settings()))
    assert "settings:manage" in refused.value.remedy


def test_something_else_at_the_address(tmp_path: Path) -> None:
    async def json_of_another(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"data": {"hello": 1}}'})

    with served(json_of_another) as address, pytest.raises(BadAnswer, match="unknown form"):
        Listmonk(WHERE, address, "u", Secret(TOKEN)).settings()


def test_nothing_at_the_address() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        Listmonk(WHERE, f"http://127.0.0.1:{free_port()}", "u", Secret(TOKEN)).version()


def test_version_is_plain(listmonk: Listmonk) -> None:
    assert listmonk.version() == "6.2.0"


def test_a_read_waits_out_the_restart_that_somebody_elses_save_caused(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Listmonk(ComponentRef("acme", "listmonk"), "http://127.0.0.1:9", "agencystack", Secret("token"))
    answers = iter([Unavailable("no connection"), Unavailable("answered 503"), {"version": "v6.2.0"}])

    def data(*_: object) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client._api, "data", data)
    assert client.version() == "6.2.0"


def test_a_listmonk_that_is_down_is_said_to_be_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Listmonk(ComponentRef("acme", "listmonk"), "http://127.0.0.1:9", "agencystack", Secret("token"))
    monkeypatch.setattr("agencystack.components.listmonk.api.RESTART_GAP", 0.2)
    with pytest.raises(Unavailable):
        client.settings()
