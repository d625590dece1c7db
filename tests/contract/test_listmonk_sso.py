"""Logging in to Listmonk through an OpenID provider: the recorded answers of the real one, asked of the stand-in.

Where ``AGENCYSTACK_TEST_STACK`` names a Listmonk on this machine, the same is asked of it; its settings are put back.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from ruamel.yaml import YAML

from agencystack.components.listmonk import Listmonk, OidcSettings, Role
from agencystack.sandbox.listmonk import ApiUser, ListmonkStandIn
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, ConfigurationError, Refused
from agencystack.stack.model import Stack
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from tests.oidc_provider import OidcProvider
from tests.serving import free_port, served

RECORDINGS = Path(__file__).parent / "recordings" / "listmonk"
WHERE = ComponentRef("acme", "listmonk")
USER, TOKEN, PASSWORD = "agencystack", "recorded-token-in-tests", "a-password-of-the-admin"
CLIENT, SECRET = "acme-listmonk", "the-second-secret"
PERSON = {"sub": "f2b1", "email": "Mara@Acme.Example", "email_verified": True, "name": "Mara Editor"}


def recorded(name: str) -> list[dict[str, Any]]:
    exchanges: list[dict[str, Any]] = json.loads((RECORDINGS / f"{name}.json").read_text())["exchanges"]
    return exchanges


LOGIN = {exchange["name"]: exchange for exchange in recorded("oidc_login")}


@dataclass
class Site:
    """A Listmonk that knows the provider, and the provider."""

    url: str
    auth: tuple[str, str]
    client: Listmonk
    provider: OidcProvider
    password: str | None
    real: bool = False

    def switch_on(self, **changes: Any) -> None:
        wanted = OidcSettings(
            enabled=True,
            provider_url=self.provider.issuer,
            provider_name="Keycloak",
            client_id=CLIENT,
            client_secret=Secret(SECRET),
        )
        self.client.save_oidc_settings(wanted.model_copy(update=changes))

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

    @property
    def role(self) -> Role:
        return self.client.people.roles()[-1]

    def make_mara(self) -> int:
        made = self.client.people.create(username="mara", email="mara@acme.example", name="Mara", role=self.role)
        return made.id


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    provider = OidcProvider({CLIENT: SECRET})
    with served(provider.app) as url:
        provider.issuer = url
        yield provider


@pytest.fixture(params=["stand-in", "real"])
def site(request: pytest.FixtureRequest, tmp_path: Path, provider: OidcProvider) -> Iterator[Site]:
    provider.clients, provider.id_token, provider.forge = {CLIENT: SECRET}, {}, False
    with contextlib.ExitStack() as stack:
        made = _real(provider) if request.param == "real" else _stand_in(stack, tmp_path, provider)
        stack.callback(made.client.close)
        before = made.client.oidc_settings()
        yield made
        for user in made.client.people.users():
            if (user.email or "").endswith("@acme.example") and not user.is_break_glass:
                made.client.people.delete(user)
        if made.real:
            made.client.save_oidc_settings(before)


def _stand_in(stack: contextlib.ExitStack, tmp_path: Path, provider: OidcProvider) -> Site:
    users = {
        USER: ApiUser(TOKEN),
        "reader": ApiUser(TOKEN, frozenset({"settings:get"})),
        "outsider": ApiUser(TOKEN, frozenset({"lists:get_all"}), role="lists"),
    }
    url = f"http://127.0.0.1:{free_port()}"
    app = ListmonkStandIn(tmp_path, users, admin_password=PASSWORD, url=url, restart_after=0.02, gap=0.01)
    reached = stack.enter_context(served(app))
    client = Listmonk(WHERE, reached, USER, Secret(TOKEN))
    return Site(reached, (USER, TOKEN), client, provider, PASSWORD)


def _real(provider: OidcProvider) -> Site:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not path:
        pytest.skip("AGENCYSTACK_TEST_STACK names no Listmonk")
    stack = Stack.model_validate(YAML(typ="safe").load(Path(path).read_text()))
    for ref, component in stack.all_components().items():
        url = component.reached_by_us()
        if ref.name == "listmonk" and not component.sandbox and urlsplit(url).hostname in {"127.0.0.1", "localhost"}:
            token = SecretResolver(_NoSealed()).resolve(component.secret_references()["api_token"])
            client = Listmonk(ref, url, component.api_user, token, ca_file=component.ca_file)
            return Site(url, (component.api_user, token.reveal()), client, provider, None, real=True)
    pytest.skip("AGENCYSTACK_TEST_STACK names no real Listmonk that reaches a provider on this machine")


class _NoSealed:
    def get(self, name: str) -> Secret | None:
        return None


def nonce_of(browser: httpx.Client) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', browser.get("/admin/login").text)
    assert found
    return found[1]


def begin(browser: httpx.Client, where: str = "/admin/lists") -> httpx.Response:
    return browser.post("/auth/oidc", data={"nonce": nonce_of(browser), "next": where})


def come_back(
    browser: httpx.Client, start: httpx.Response, add: dict[str, str] | None = None, drop: str = ""
) -> httpx.Response:
    """Let the provider answer, and follow it to Listmonk, with what is changed on the way."""
    target = urlsplit(httpx.get(start.headers["location"]).headers["location"])
    query = dict(parse_qsl(target.query)) | (add or {})
    query.pop(drop, None)
    return browser.get(f"/auth/oidc?{urlencode(query)}")


def error_of(page: str) -> str | None:
    found = re.search(r'<span class="error">(.*?)</span>', page, re.DOTALL)
    if not found:
        return None
    text = re.sub(r"Failing row contains .*", "", html.unescape(found[1]))
    text = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+ \+0000 UTC( m=\S+)?", "TIME", text)
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", "HOST", text)


def same_answer(theirs: dict[str, Any], answer: httpx.Response) -> None:
    response = theirs["response"]
    assert answer.status_code == response["status"], answer.text
    if "json" in response:
        assert answer.json() == response["json"]
    if "page" in response:
        assert error_of(answer.text) == error_of(response["page"])
    location = response["headers"].get("location")
    assert _path(answer.headers.get("location")) == _path(location)
    cookies = response["headers"].get("set-cookie", [])
    assert [_attributes(cookie) for cookie in answer.headers.get_list("set-cookie")] == [
        _attributes(cookie) for cookie in cookies
    ]


def _path(location: str | None) -> str | None:
    return location if location is None else urlsplit(location).path


def _attributes(cookie: str) -> tuple[str, set[str]]:
    name, *rest = cookie.lower().split("; ")
    return name.partition("=")[0], {re.sub(r"(?<=^expires=).*", "<time>", part) for part in rest}


@dataclass
class Case:
    """What is otherwise than in a good login of somebody Listmonk does not know."""

    known: bool = False
    person: dict[str, Any] = field(default_factory=dict)
    lacks: str = ""
    token: dict[str, Any] = field(default_factory=dict)
    forged: bool = False
    secret: str = SECRET
    add: dict[str, str] = field(default_factory=dict)
    drop: str = ""
    other_browser: bool = False
    creates: bool = False
    role: int | None = None


def _encoded(state: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(state).encode()).decode()


CASES = {
    "unknown e-mail, no automatic users": Case(),
    "known e-mail, in other case": Case(known=True),
    "e-mail not verified: nobody asks": Case(known=True, person={"email_verified": False}),
    "no e-mail in the ID token: asked of userinfo, unknown user": Case(token={"email": None}),
    "no e-mail at all": Case(lacks="email"),
    "an e-mail that is none": Case(person={"email": "mara"}),
    "a token with another nonce": Case(token={"nonce": "another"}),
    "a token without a nonce": Case(token={"nonce": None}),
    "a token for another client": Case(token={"aud": "another-client"}),
    "an expired token": Case(token={"exp": int(time.time()) - 700}),
    "a token of a clock that is 10 minutes ahead": Case(token={"nbf": int(time.time()) + 900}),
    "a token of another issuer": Case(token={"iss": "http://another.example"}),
    "a token signed with another key": Case(forged=True),
    "the secret was changed at the provider": Case(secret="changed"),
    "callback without the nonce cookie": Case(other_browser=True),
    "callback with an unknown code": Case(add={"code": "invented"}),
    "callback without a state": Case(drop="state"),
    "callback with a state that is no base64": Case(add={"state": "!!"}),
    "callback with a state of another nonce": Case(add={"state": _encoded({"nonce": "x", "next": "/"})}),
    "callback with an error of the provider": Case(add={"error": "access_denied"}, drop="code"),
    "unknown e-mail, automatic users: created": Case(creates=True),
    "unknown e-mail without a name": Case(creates=True, person={"email": "otto@acme.example"}, lacks="name"),
    "a name that fits nobody": Case(
        creates=True, person={"email": "o'neil+x@acme.example", "name": 'Müller, "O\'Neil"'}
    ),
    "created without a role?": Case(creates=True, role=99),
}


@pytest.mark.parametrize("name", CASES)
def test_a_login_ends_as_recorded(site: Site, name: str) -> None:
    case, theirs = CASES[name], LOGIN[name]
    role = (case.role or site.role.id) if case.creates else None
    site.switch_on(auto_create_users=case.creates, default_user_role_id=role)
    if case.known:
        site.make_mara()
    person = {key: value for key, value in (PERSON | case.person).items() if key != case.lacks}
    site.provider.person, site.provider.id_token, site.provider.forge = person, case.token, case.forged
    browser = site.browser()
    start = begin(browser)
    site.provider.clients = {CLIENT: case.secret}
    site.provider.seen.clear()
    answer = come_back(site.browser() if case.other_browser else browser, start, case.add, case.drop)
    same_answer(theirs, answer)
    assert _asked(site.provider.seen[1:]) == _asked(theirs["provider_saw"])
    users = {user.email for user in site.client.people.users()}
    assert (str(person.get("email")).lower() in users) == ("@acme.example" in json.dumps(theirs["after"]))


def _asked(seen: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what was asked but the keys, which a program that knows them does not ask for again, and second tries."""
    asked = [(call["method"], call["path"], sorted(call["parameters"])) for call in seen if call["path"] != "/jwks"]
    return [call for call in asked if "client_secret" not in call[2]]


def test_who_logged_in_is_said_until_the_logout(site: Site) -> None:
    site.switch_on()
    mara = site.make_mara()
    site.provider.person = dict(PERSON)
    browser = site.browser()
    come_back(browser, begin(browser))
    profile = browser.get("/api/profile").json()["data"]
    theirs = LOGIN["profile of that session"]["response"]["json"]["data"]
    assert (profile["id"], profile["user_role"]["name"]) == (mara, site.role.name)
    assert profile.keys() == theirs.keys()
    said = {key: theirs[key] for key in ("username", "email", "name", "status", "password_login", "type")}
    assert {key: profile[key] for key in said} == said
    same_answer(LOGIN["the role of that person does not allow"], browser.get("/api/users"))
    same_answer(LOGIN["logout goes nowhere else"], browser.post("/api/logout"))
    same_answer(LOGIN["the session is over"], browser.get("/api/profile"))


def test_a_disabled_user_is_let_in_and_a_deleted_one_is_out_at_once(site: Site) -> None:
    site.switch_on()
    mara = site.make_mara()
    site.provider.person = dict(PERSON)
    disabled = {"type": "user", "username": "mara", "email": "mara@acme.example", "status": "disabled"}
    httpx.put(f"{site.url}/api/users/{mara}", json=disabled, auth=site.auth).raise_for_status()
    browser = site.browser()
    same_answer(LOGIN["a disabled user is let in"], come_back(browser, begin(browser)))
    assert browser.get("/api/profile").json()["data"]["status"] == "disabled"
    user = site.client.people.by_email("MARA@acme.example")
    assert user is not None
    site.client.people.delete(user)
    same_answer(LOGIN["the session of a deleted user"], browser.get("/api/profile"))


def test_the_start_of_a_login_as_recorded(site: Site) -> None:
    site.switch_on()
    browser = site.browser()
    same_answer(LOGIN["admin page without a session"], browser.get("/admin/lists"))
    same_answer(LOGIN["start without the nonce cookie"], browser.post("/auth/oidc", data={"nonce": "other"}))
    nonce_of(browser)
    same_answer(LOGIN["start with another nonce"], browser.post("/auth/oidc", data={"nonce": "other"}))
    for name, where in {
        "start: the first asks for discovery": "/admin/lists",
        "a next that leads elsewhere is cut to its path": "https://evil.example/x?y=1",
        "no next leads to admin": "",
    }.items():
        ours, theirs = (
            dict(parse_qsl(urlsplit(location).query))
            for location in (
                begin(browser, where).headers["location"],
                LOGIN[name]["response"]["headers"]["location"],
            )
        )
        assert ours.keys() == theirs.keys()
        assert [ours[key] for key in ("client_id", "response_type", "scope")] == [
            theirs[key] for key in ("client_id", "response_type", "scope")
        ]
        assert ours["redirect_uri"] == site.client.redirect_uri()
        states = [json.loads(base64.urlsafe_b64decode(query["state"])) for query in (ours, theirs)]
        assert states[0]["next"] == states[1]["next"]
        assert states[0]["nonce"] == ours["nonce"]


def test_a_password_login_goes_on_while_a_provider_is_set_up(site: Site) -> None:
    site.switch_on()
    page = site.browser().get("/admin/login").text
    theirs = LOGIN["login page: password and provider"]["response"]["page"]
    forms = r'<form method="(\w+)" action="([^"]+)"'
    assert re.findall(forms, page) == re.findall(forms, theirs)
    assert "Login with Keycloak" in page
    browser = site.browser()
    form = {"nonce": nonce_of(browser), "next": "/admin/lists", "username": "admin"}
    same_answer(LOGIN["wrong password"], browser.post("/admin/login", data=form | {"password": "notthepassword"}))
    if site.password is not None:
        answer = browser.post("/admin/login", data=form | {"password": site.password})
        same_answer(LOGIN["a password login while OIDC is on"], answer)
        assert browser.get("/api/profile").json()["data"]["username"] == "admin"
    assert any(user.is_break_glass for user in site.client.people.users())


def test_a_provider_that_is_away_is_noticed_at_the_login_only(site: Site) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    site.switch_on(provider_url=nobody)
    browser = site.browser()
    start = begin(browser)
    assert (start.status_code, start.headers["location"]) == (302, "")
    callback = browser.get("/auth/oidc?code=x&state=y")
    same_answer(LOGIN["callback while the provider is away"], callback)


@pytest.mark.parametrize(
    ("change", "exchange"),
    [("localhost", "callback then"), ("slash", "start with a slash at the end")],
)
def test_a_provider_that_calls_itself_otherwise_is_refused(site: Site, change: str, exchange: str) -> None:
    issuer = site.provider.issuer
    site.switch_on(provider_url=issuer.replace("127.0.0.1", "localhost") if change == "localhost" else f"{issuer}/")
    browser = site.browser()
    start = begin(browser)
    assert (start.status_code, start.headers["location"]) == (
        302,
        LOGIN[exchange]["response"]["headers"].get("location", ""),
    )
    assert "issuer did not match the issuer returned by provider" in browser.get("/auth/oidc?code=x&state=y").text


def test_without_a_provider_its_pages_are_not_there(site: Site) -> None:
    site.switch_on()
    site.client.save_oidc_settings(site.client.oidc_settings().model_copy(update={"enabled": False}))
    assert site.browser().get("/auth/oidc?code=x").status_code == 404
    assert site.browser().post("/auth/oidc", data={"nonce": "x"}).status_code == 404
    assert "/auth/oidc" not in site.browser().get("/admin/login").text


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
        users = {
            USER: ApiUser(TOKEN),
            "reader": ApiUser(TOKEN, frozenset({"settings:get"})),
            "outsider": ApiUser(TOKEN, frozenset({"lists:get_all"}), role="lists"),
        }
        app = ListmonkStandIn(tmp_path, users, admin_password=PASSWORD, restart_after=0.02, gap=0.01)
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
    end = time.monotonic() + 5
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
