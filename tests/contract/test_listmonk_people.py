"""Listmonk's users, roles and single sign-on settings: recordings replayed against the stand-in, the client on both."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agencystack.components.listmonk import Listmonk
from agencystack.sandbox.listmonk import ApiUser, ListmonkStandIn
from agencystack.stack.errors import AuthenticationFailed, ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.contract.listmonk_sites import (
    API_USERS,
    CLIENT,
    PASSWORD,
    PERSON,
    TOKEN,
    USER,
    WHERE,
    Site,
    begin,
    come_back,
    listmonk_site,
    recorded,
    served_provider,
)
from tests.oidc_provider import OidcProvider
from tests.serving import served


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with served_provider() as provider:
        yield provider


@pytest.fixture(params=["stand-in", "real"])
def site(request: pytest.FixtureRequest, tmp_path: Path, provider: OidcProvider) -> Iterator[Site]:
    with listmonk_site(request.param, tmp_path, provider) as site:
        yield site


def test_client_saves_and_puts_back(site: Site) -> None:
    before = site.client.oidc_settings()
    site.switch_on()
    ours = site.client.oidc_settings()
    assert (ours.enabled, ours.client_id, ours.has_client_secret) == (True, CLIENT, True)
    assert not ours.is_factory_default
    site.client.save_oidc_settings(ours.model_copy(update={"provider_name": "Acme"}))
    site.provider.person = dict(PERSON)
    site.make_mara()
    browser = site.browser()
    assert come_back(browser, begin(browser)).headers["location"] == "/admin/lists", "the secret was lost on the way"
    mail = site.client.settings()
    after = site.client.save_oidc_settings(before)
    assert after == before.model_copy(update={"has_client_secret": True}), "a secret cannot be taken away again"
    assert site.client.settings() == mail


def test_client_wants_a_role_for_users_made_automatically(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="default user role"):
        site.switch_on(auto_create_users=True)


def test_client_changes_the_role_and_nothing_else(site: Site) -> None:
    people, roles = site.client.people, site.client.people.roles()
    site.make_mara()
    mara = people.by_email("mara@acme.example")
    assert mara is not None
    changed = people.set_role(mara, roles[0])
    assert changed == mara.model_copy(update={"user_role": changed.user_role})
    assert changed.user_role.id == roles[0].id
    with pytest.raises(ConfigurationError, match="no user role 'Nobody'"):
        people.role("Nobody")


def test_client_keeps_the_last_super_admin(site: Site) -> None:
    people = site.client.people
    supers = [user for user in people.users() if user.is_break_glass]
    if len(supers) > 1:
        pytest.skip("more than one may do everything")
    with pytest.raises(Refused, match="at least one active Super Admin"):
        people.set_role(supers[0], people.roles()[-1])
    with pytest.raises(Refused, match="at least one active Super Admin"):
        people.delete(supers[0])


def test_client_names_the_permission_that_is_missing(tmp_path: Path) -> None:
    app = ListmonkStandIn(tmp_path, {USER: ApiUser(TOKEN, frozenset({"settings:get"}))})
    with served(app) as url, pytest.raises(AuthenticationFailed, match="permission denied: users:get") as refused:
        Listmonk(WHERE, url, USER, Secret(TOKEN)).people.users()
    assert "users:get" in refused.value.remedy


class TestRecorded:
    """The recordings of settings and users, replayed from the first to the last exchange."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        app = ListmonkStandIn(tmp_path, API_USERS, admin_password=PASSWORD, restart_after=0.02, gap=0.01)
        self.state = tmp_path
        with served(app) as url:
            yield url

    def test_settings(self, url: str) -> None:
        compared = 0
        with httpx.Client(base_url=url, auth=(USER, TOKEN)) as client:
            for exchange in recorded("oidc_settings"):
                request = exchange["request"]
                if not request["path"].startswith("/api/"):
                    continue
                answer = client.request(request["method"], request["path"], json=_settings_body(client, request))
                assert answer.status_code == exchange["response"]["status"], exchange["name"]
                wanted = exchange["response"]["json"]
                if request["method"] == "GET":
                    assert {key: answer.json()["data"][key] for key in wanted["data"]} == wanted["data"]
                else:
                    offsets = r", offset=\d+"
                    assert json.loads(re.sub(offsets, "", answer.text)) == json.loads(
                        re.sub(offsets, "", json.dumps(wanted))
                    )
                    stored = json.loads((self.state / "listmonk.json").read_text())["security.oidc"]
                    assert stored["client_secret"] == exchange["after"]["client_secret"], exchange["name"]
                compared += 1
                _wait_until_back(client)
        assert compared > 20

    def test_users(self, url: str) -> None:
        ids: dict[str, str] = {}
        with httpx.Client(base_url=url, auth=(USER, TOKEN)) as client:
            for exchange in recorded("users"):
                request = json.loads(_with(ids, json.dumps(exchange["request"])))
                answer = client.request(request["method"], request["path"], json=request.get("body"))
                assert answer.status_code == exchange["response"]["status"], f"{exchange['name']}: {answer.text}"
                wanted, got = exchange["response"]["json"], answer.json()
                if isinstance(got.get("data"), dict) and request["method"] == "POST":
                    ids[str(wanted["data"]["id"])] = str(got["data"]["id"])
                assert _comparable(got) == _comparable(json.loads(_with(ids, json.dumps(wanted)))), exchange["name"]
                if "after" in exchange:
                    assert self._users() == json.loads(_with(ids, json.dumps(exchange["after"]))), exchange["name"]

    def _users(self) -> list[dict[str, Any]]:
        rows = json.loads((self.state / "people.json").read_text())["users"]
        columns = ("username", "email", "name", "type", "status", "user_role_id", "list_role_id", "password_login")
        return [
            {**{column: row[column] for column in columns}, "has_password": bool(row["password"])}
            for row in rows
            if row["type"] == "user"
        ]


def _settings_body(client: httpx.Client, request: dict[str, Any]) -> dict[str, Any] | None:
    if request["method"] == "GET":
        return None
    current = client.get("/api/settings").json()["data"]
    body: dict[str, Any] = json.loads(re.sub("•+", "", json.dumps(current, ensure_ascii=False)))
    if any("left out" in str(value) for value in request["body"].values()):
        del body["security.oidc"]
    return body | {key: value for key, value in request["body"].items() if not key.startswith("(")}


def _wait_until_back(client: httpx.Client) -> None:
    time.sleep(0.03)
    end = time.monotonic() + 30
    while client.get("/health").status_code != 200:
        assert time.monotonic() < end, "it never came back"
        time.sleep(0.005)


def _with(ids: dict[str, str], text: str) -> str:
    for theirs, ours in ids.items():
        text = re.sub(rf'(/|"(?:id|list_role_id|user_role_id)": ){theirs}\b', rf"\g<1>{ours}", text)
    return text


def _comparable(answer: dict[str, Any]) -> Any:
    """Return it without times, permissions (cut in the recording) and what counts bytes or rows."""
    text = json.dumps(answer)
    text = re.sub(r'"(\w+_at)": ("[^"]*"|null)', r'"\1": "<time>"', text)
    text = re.sub(r'"permissions": \[[^]]*\]', '"permissions": []', text)
    text = re.sub(r", offset=\d+|Failing row contains [^\"]*", "", text)
    return json.loads(text)
