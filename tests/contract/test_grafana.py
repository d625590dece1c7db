"""Grafana's interfaces and its OAuth login, as told by its source: the stand-in, and a real one where one is named.

No Grafana could be had to record, so the files in ``recordings/grafana`` are written down from the source and say so.
Where ``AGENCYSTACK_TEST_STACK`` names a Grafana on this machine, the same is asked of it; its settings are put back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from pydantic.alias_generators import to_camel
from ruamel.yaml import YAML

from agencystack.components.grafana import ROLES, Grafana, OAuthSettings, role_path
from agencystack.sandbox.grafana import ADMIN, GrafanaStandIn
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.oidc_provider import OidcProvider
from tests.serving import served

RECORDINGS = Path(__file__).parent / "recordings" / "grafana"
WHERE = ComponentRef("shared", "grafana")
PASSWORD, CLIENT, SECRET = "a-password-of-the-admin", "acme-grafana", "the-client-secret"
PERSON = {"sub": "f2b1", "email": "mara@acme.example", "name": "Mara", "preferred_username": "mara"}


def told(name: str, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((RECORDINGS / f"{name}.json").read_text())[key]
    return rows


@dataclass
class Site:
    """A Grafana and the provider it may use."""

    url: str
    password: str
    client: Grafana
    provider: OidcProvider
    state: Path | None

    def switch_on(self, **changes: Any) -> OAuthSettings:
        issuer = self.provider.issuer
        wanted = OAuthSettings(
            enabled=True,
            name="Keycloak",
            client_id=CLIENT,
            client_secret=Secret(SECRET),
            auth_url=f"{issuer}/authorize",
            token_url=f"{issuer}/token",
            api_url=f"{issuer}/userinfo",
            scopes="openid profile email",
            use_pkce=True,
            allow_sign_up=True,
            login_attribute_path="preferred_username",
            role_attribute_path=role_path(ROLES),
            role_attribute_strict=True,
        )
        given = {to_camel(name): value for name, value in {**wanted.__dict__, **changes}.items()}
        return self.client.save_oauth(OAuthSettings.model_validate(given))

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)


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
        before = made.client.oauth()
        if made.state is None and before is not None and before.source == "database":
            pytest.skip("single sign-on is set up in it; its secret could not be put back")
        yield made
        for login in ("mara", PERSON["email"]):
            user = made.client.user(login)
            if user:
                made.client.delete_user(user)
        made.client.reset_oauth()


def _stand_in(stack: contextlib.ExitStack, tmp_path: Path, provider: OidcProvider) -> Site:
    app = GrafanaStandIn(tmp_path, root_url="http://grafana.acme.example", admin_password=PASSWORD)
    url = stack.enter_context(served(app))
    client = Grafana(WHERE, url, user=ADMIN, password=Secret(PASSWORD))
    return Site(url, PASSWORD, client, provider, tmp_path)


def _real(provider: OidcProvider) -> Site:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    stack = YAML(typ="safe").load(Path(path).read_text()) if path else {}
    settings = (stack.get("shared") or {}).get("components", {}).get("grafana")
    password = os.environ.get("AGENCYSTACK_TEST_GRAFANA_PASSWORD")
    if not settings or not password or urlsplit(settings["url"]).hostname not in {"127.0.0.1", "localhost"}:
        pytest.skip("AGENCYSTACK_TEST_STACK names no real Grafana that reaches a provider on this machine")
    client = Grafana(WHERE, settings["url"], user=ADMIN, password=Secret(password))
    return Site(settings["url"].rstrip("/"), password, client, provider, None)


def begin(browser: httpx.Client) -> httpx.Response:
    return browser.get("/login/generic_oauth")


def come_back(browser: httpx.Client, start: httpx.Response, query: dict[str, str] | None = None) -> httpx.Response:
    target = urlsplit(httpx.get(start.headers["location"]).headers["location"])
    together = dict(parse_qsl(target.query)) | (query or {})
    return browser.get(f"/login/generic_oauth?{urlencode(together)}")


def error_of(browser: httpx.Client) -> str | None:
    page = browser.get("/login").text
    found = re.search(r'"loginError":\s*("(?:[^"\\]|\\.)*")', page)
    return json.loads(found[1]) if found else None


@pytest.mark.parametrize("login", told("oauth_login", "logins"), ids=lambda login: login["name"])
def test_a_login_ends_as_told(site: Site, login: dict[str, Any]) -> None:
    changes = {key: _here(site, value) for key, value in login.get("settings", {}).items()}
    site.switch_on(**changes)
    site.provider.person = {**PERSON, **login["claims"]}
    site.provider.id_token, site.provider.forge = login.get("id_token", {}), login.get("forge", False)
    browser = site.browser()
    start = begin(browser)
    for cookie in login.get("lost_cookies", ()):
        browser.cookies.delete(cookie)
    site.provider.clients = {CLIENT: login.get("secret", SECRET)}
    answer = come_back(browser, start, login.get("query"))
    assert answer.status_code == 302
    if "error" in login:
        assert (urlsplit(answer.headers["location"]).path, error_of(browser)) == ("/login", login["error"])
        assert browser.get("/api/user").status_code == 401
        return
    assert urlsplit(answer.headers["location"]).path == "/"
    user, places = browser.get("/api/user").json(), browser.get("/api/user/orgs").json()
    assert (user["login"], user["email"]) == (login.get("login", "mara"), PERSON["email"])
    assert user["isGrafanaAdmin"] is login.get("server_admin", False)
    assert [place["role"] for place in places] == [login["role"]]
    known = site.client.user(PERSON["email"])
    assert known is not None
    assert [place.role for place in site.client.memberships(known)] == [login["role"]]


def _here(site: Site, value: Any) -> Any:
    return value.replace("<issuer>", site.provider.issuer) if isinstance(value, str) else value


def test_the_start_carries_state_and_challenge(site: Site) -> None:
    site.switch_on()
    browser = site.browser()
    start = begin(browser)
    query = dict(parse_qsl(urlsplit(start.headers["location"]).query))
    assert start.status_code == 302
    assert (query["client_id"], query["response_type"], query["scope"]) == (CLIENT, "code", "openid profile email")
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == site.client.redirect_uri()
    assert {"oauth_state", "oauth_code_verifier"} <= set(browser.cookies)


def test_a_role_taken_away_is_gone_at_the_next_login(site: Site) -> None:
    site.switch_on()
    for roles, expected in ((["Admin"], ["Admin"]), (["Viewer"], ["Viewer"])):
        site.provider.person = {**PERSON, "roles": roles}
        browser = site.browser()
        come_back(browser, begin(browser))
        assert [place["role"] for place in browser.get("/api/user/orgs").json()] == expected
    site.provider.person = {**PERSON, "roles": []}
    browser = site.browser()
    come_back(browser, begin(browser))
    assert browser.get("/api/user").status_code == 401


def test_a_logout_leads_to_the_end_of_the_providers_session(site: Site) -> None:
    issuer = site.provider.issuer
    site.switch_on(
        signout_redirect_url=f"{issuer}/logout?post_logout_redirect_uri=http%3A%2F%2Fgrafana.acme.example%2Flogin"
    )
    site.provider.person = {**PERSON, "roles": ["Viewer"]}
    browser = site.browser()
    come_back(browser, begin(browser))
    answer = browser.get("/logout")
    query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert answer.headers["location"].startswith(f"{issuer}/logout?")
    assert query["post_logout_redirect_uri"] == "http://grafana.acme.example/login"
    assert query["id_token_hint"].count(".") == 2
    assert browser.get("/api/user").status_code == 401


def test_a_password_login_goes_on_while_a_provider_is_set_up(site: Site) -> None:
    site.switch_on()
    browser = site.browser()
    assert browser.post("/login", json={"user": ADMIN, "password": "wrong-password"}).status_code == 401
    assert browser.post("/login", json={"user": ADMIN, "password": site.password}).status_code == 200
    assert browser.get("/api/login/ping").status_code == 200
    assert browser.get("/logout").headers["location"].endswith("/login")
    assert browser.get("/api/login/ping").status_code == 401


def test_a_provider_that_is_off_logs_nobody_in(site: Site) -> None:
    site.switch_on(enabled=False)
    browser = site.browser()
    assert urlsplit(begin(browser).headers["location"]).path == "/login"
    assert error_of(browser) == "OAuth client is disabled"


def test_interfaces_answer_as_told(tmp_path: Path) -> None:
    app = GrafanaStandIn(tmp_path, root_url="http://grafana.acme.example", admin_password=PASSWORD)
    callers = {"admin": (ADMIN, PASSWORD), "wrong": (ADMIN, "wrong-password"), "nobody": None}
    with served(app) as url:
        for exchange in told("sso_settings", "exchanges"):
            request, response = exchange["request"], exchange["response"]
            body = request.get("body")
            content = body if isinstance(body, str) else json.dumps(body)
            answer = httpx.request(
                request["method"], url + request["path"], content=content, auth=callers[request["as"]]
            )
            assert answer.status_code == response["status"], f"{exchange['name']}: {answer.text}"
            if "json" in response:
                assert answer.json() == response["json"], exchange["name"]
            if "has" in response:
                assert _part(answer.json(), response["has"]) == response["has"], exchange["name"]
            if "stored_secret" in exchange:
                saved = json.loads((tmp_path / "sso.json").read_text())["settings"]
                assert saved.get("client_secret", "") == exchange["stored_secret"], exchange["name"]


def _part(answer: Any, wanted: Any) -> Any:
    if isinstance(wanted, dict):
        return {key: _part(answer[key], value) for key, value in wanted.items()}
    return answer


def test_client_saves_keeps_the_secret_and_puts_back(site: Site) -> None:
    before = site.client.oauth()
    assert before is not None
    assert before.is_factory_default
    saved = site.switch_on()
    assert (saved.enabled, saved.client_id, saved.has_client_secret, saved.source) == (True, CLIENT, True, "database")
    again = site.client.save_oauth(saved.model_copy(update={"name": "Acme"}))
    assert again == saved.model_copy(update={"name": "Acme"})
    site.provider.person = {**PERSON, "roles": ["Viewer"]}
    browser = site.browser()
    come_back(browser, begin(browser))
    assert browser.get("/api/user").status_code == 200, "the secret was lost on the way"
    site.client.reset_oauth()
    site.client.reset_oauth()
    assert site.client.oauth() == before


def test_client_passes_on_why_settings_are_refused(site: Site) -> None:
    with pytest.raises(Refused, match="Token URL is an invalid URL"):
        site.switch_on(token_url="keycloak")


def test_client_knows_the_server_and_its_people(site: Site) -> None:
    client = site.client
    assert client.is_well()
    assert client.version()[0].isdigit()
    assert client.redirect_uri() == f"{client.root_url()}/login/generic_oauth"
    assert client.has_login_form()
    admin = client.me()
    assert (admin.login, admin.is_grafana_admin) == (ADMIN, True)
    assert client.user("nobody@acme.example") is None
    assert client.organisations()[0].id == 1
    client.delete_user(admin.model_copy(update={"id": 999}))


def test_client_says_that_an_old_grafana_has_no_such_interface(tmp_path: Path) -> None:
    app = GrafanaStandIn(tmp_path, root_url="http://g.example", admin_password=PASSWORD, has_sso_settings=False)
    with served(app) as url:
        client = Grafana(WHERE, url, user=ADMIN, password=Secret(PASSWORD))
        assert client.oauth() is None
        with pytest.raises(Refused, match="404"):
            client.save_oauth(OAuthSettings(client_id=CLIENT))
        client.reset_oauth()


def test_client_names_a_wrong_password_and_a_wrong_place(site: Site, provider: OidcProvider) -> None:
    wrong = Grafana(WHERE, site.url, user=ADMIN, password=Secret("wrong-password"))
    with pytest.raises(AuthenticationFailed, match="Invalid username or password"):
        wrong.oauth()
    elsewhere = Grafana(WHERE, provider.issuer, user=ADMIN, password=Secret(PASSWORD))
    with pytest.raises(BadAnswer):
        elsewhere.version()
    with pytest.raises(ConfigurationError, match="password or a token"):
        Grafana(WHERE, site.url)


def test_the_environment_says_what_the_settings_say() -> None:
    settings = OAuthSettings(
        enabled=True,
        client_id=CLIENT,
        client_secret=Secret(SECRET),
        token_url="http://keycloak:8080/token",
        use_pkce=True,
        role_attribute_path=role_path(["Editor"]),
    )
    assert settings.environment() == {
        "GF_AUTH_GENERIC_OAUTH_ENABLED": "true",
        "GF_AUTH_GENERIC_OAUTH_CLIENT_ID": CLIENT,
        "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": SECRET,
        "GF_AUTH_GENERIC_OAUTH_AUTH_URL": "",
        "GF_AUTH_GENERIC_OAUTH_TOKEN_URL": "http://keycloak:8080/token",
        "GF_AUTH_GENERIC_OAUTH_USE_PKCE": "true",
        "GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH": "contains(roles[*], 'Editor') && 'Editor'",
    }


def test_a_role_grafana_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no role of Grafana: Owner"):
        role_path(["Editor", "Owner"])
