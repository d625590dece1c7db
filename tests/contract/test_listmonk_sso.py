"""Logging in to Listmonk through an OpenID provider: the recorded answers of the real one, asked of the stand-in.

Where ``AGENCYSTACK_TEST_STACK`` names a Listmonk on this machine, the same is asked of it; its settings are put back.
"""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.contract.listmonk_sites import (
    CLIENT,
    PERSON,
    SECRET,
    Site,
    begin,
    come_back,
    listmonk_site,
    nonce_of,
    recorded,
    served_provider,
)
from tests.oidc_provider import OidcProvider
from tests.serving import free_port

LOGIN = {exchange["name"]: exchange for exchange in recorded("oidc_login")}


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with served_provider() as provider:
        yield provider


@pytest.fixture(params=["stand-in", "real"])
def site(request: pytest.FixtureRequest, tmp_path: Path, provider: OidcProvider) -> Iterator[Site]:
    with listmonk_site(request.param, tmp_path, provider) as site:
        yield site


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
    shifted: dict[str, int] = field(default_factory=dict)
    """Claims in seconds from the moment of the login; the tests may begin long after they were read."""

    def id_token(self) -> dict[str, Any]:
        """Return the claims that are not the usual ones."""
        return {**self.token, **{name: int(time.time()) + seconds for name, seconds in self.shifted.items()}}


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
    "an expired token": Case(shifted={"exp": -700}),
    "a token of a clock that is 10 minutes ahead": Case(shifted={"nbf": 900}),
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
    site.provider.person, site.provider.id_token, site.provider.forge = person, case.id_token(), case.forged
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
