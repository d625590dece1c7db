"""ERPNext's logins through an identity provider, its own and those our app checks: on the stand-in and a real one."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agencystack.components.erpnext import ErpNext, ErpNextRefused, RoleChange, User, WantedRoles
from agencystack.components.erpnext.login import CALLBACK, KEYCLOAK
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.contract.test_erpnext import real_erpnext
from tests.oidc_provider import OidcProvider
from tests.serving import served

WHERE = ComponentRef("acme", "erpnext")
CLIENT, SECRET = "acme-erpnext", "the-client-secret"
START = "/api/method/agencystack_connector.sso.login.start"
MANAGED = ("Sales User", "Stock User")
DESK = "Sales User"


@dataclass
class Site:
    """An ERPNext, our client of it, and an identity provider it can reach."""

    url: str
    erpnext: ErpNext
    provider: Provider
    key: str
    suffix: str

    def email(self, name: str) -> str:
        return f"contract-{name}{self.suffix}@lab.example"

    def person(self, name: str = "anna", **changes: object) -> dict[str, Any]:
        """Return the claims of a person the provider knows."""
        claims = {
            "sub": f"s-{name}{self.suffix}",
            "email": self.email(name),
            "email_verified": True,
            "preferred_username": f"{name}{self.suffix}",
            "given_name": name.title(),
            "roles": [DESK],
        }
        return {key: value for key, value in (claims | changes).items() if value is not None}

    def user(self, name: str = "anna") -> User | None:
        return self.erpnext.users.user(self.email(name))

    def set_key(self, **changes: object) -> None:
        self.erpnext.login.update_key(changes, name=self.key)

    @property
    def callback(self) -> str:
        return CALLBACK if self.key == KEYCLOAK else f"/api/method/frappe.integrations.oauth2_logins.custom/{self.key}"


class Browser:
    """A browser that follows redirects by hand and stops at the site's own pages."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = httpx.Client(base_url=site.url, timeout=60)
        self.last: httpx.Response | None = None

    def button(self, query: str = "") -> str:
        found = re.search(rf'href="([^"]*)"\s+class="[^"]*btn-{self.site.key}"', self.client.get(f"/login{query}").text)
        assert found, "the login page has no button of our key"
        return html.unescape(found[1])

    def login(self, query: str = "") -> httpx.Response:
        return self.go(self.answer(self.button(query)))

    def answer(self, start: str) -> str:
        """Go to the provider, and return the address it sends the browser back to."""
        at = self.client.get(start)
        while "code=" not in at.headers.get("location", ""):
            assert at.is_redirect, f"{at.status_code} at {at.url}: {at.text[:300]}"
            at = self.client.get(at.headers["location"])
        return str(at.headers["location"])

    def go(self, url: str) -> httpx.Response:
        self.last = self.client.get(url)
        return self.last

    def who(self) -> str | None:
        answer = self.client.get("/api/method/frappe.auth.get_logged_user")
        return answer.json().get("message") if answer.is_success else None

    def refusal(self) -> str | None:
        found = re.search(r'data-refusal="([^"]*)"', self.last.text if self.last else "")
        return found[1] if found else None


class Provider(OidcProvider):
    """A provider that keeps sessions: it gives refresh tokens, and ends a session for one, as Keycloak does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ended: list[str] = []
        self.app.router.routes.insert(0, Route("/end-session", self._end, methods=["POST"]))

    async def _token(self, request: Request) -> Response:
        answer = await super()._token(request)
        body = json.loads(bytes(answer.body))
        if answer.status_code == 200:
            body |= {"refresh_token": f"refresh-{body['access_token']}", "refresh_expires_in": 1800}
        return JSONResponse(body, answer.status_code)

    async def _end(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        right = (given["client_id"], given["client_secret"]) == (CLIENT, SECRET)
        self.ended += [given["refresh_token"]] if right else []
        return Response(status_code=204 if right else 400)


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider({CLIENT: SECRET})
    with served(made.app) as made.issuer:
        yield made


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def bare(request: pytest.FixtureRequest, tmp_path: Path, provider: Provider) -> Iterator[Site]:
    """A site with a key of another name than Keycloak's, which our app leaves alone."""
    suffix = secrets.token_hex(3)
    if request.param == "real":
        target = real_erpnext(Path(os.environ["AGENCYSTACK_TEST_STACK"]), {}) if _real() else pytest.skip(_WHY)
        site = Site(target.url, _client(target.url, target.key, target.secret), provider, "", suffix)
        yield from _with_key(site, f"contract_{suffix}")
        return
    stand_in = ErpNextStandIn(tmp_path / "site", connector_app=True)
    with served(stand_in.app) as url:
        site = Site(url, _client(url, stand_in.api_key, stand_in.api_secret), provider, "", suffix)
        yield from _with_key(site, f"contract_{suffix}")


_WHY = "AGENCYSTACK_TEST_STACK names no stack with a real ERPNext"


def _real() -> str | None:
    return os.environ.get("AGENCYSTACK_TEST_STACK")


def _client(url: str, key: str, secret: str) -> ErpNext:
    return ErpNext(WHERE, url, Secret(key), Secret(secret))


def _with_key(site: Site, name: str) -> Iterator[Site]:
    site.key = name
    site.erpnext.insert("Social Login Key", {**_key(site), "provider_name": name, "client_secret": SECRET})
    try:
        yield site
    finally:
        site.erpnext.login.delete_key(name)
        for user in site.erpnext.users.names("contract-"):
            if site.suffix in user:
                site.erpnext.users.remove(user)


def _key(site: Site) -> dict[str, object]:
    issuer = site.provider.issuer
    return {
        "social_login_provider": "Custom",
        "enable_social_login": 1,
        "client_id": CLIENT,
        "custom_base_url": 0,
        "base_url": issuer,
        "authorize_url": f"{issuer}/authorize",
        "access_token_url": f"{issuer}/token",
        "redirect_url": site.callback,
        "api_endpoint": f"{issuer}/userinfo",
        "auth_url_data": '{"response_type": "code", "scope": "openid email profile"}',
        "user_id_property": "sub",
        "sign_ups": "Allow",
    }


@pytest.fixture
def checked(bare: Site) -> Iterator[Site]:
    """A site whose key ``keycloak`` our app looks after."""
    login = bare.erpnext.login
    if login.connector_version() is None:
        pytest.skip("the ERPNext does not have our app")
    if login.key() is not None:
        pytest.skip("the ERPNext has a key named keycloak, which is somebody's")
    before = login.connector_settings()
    issuer = bare.provider.issuer
    site = Site(bare.url, bare.erpnext, bare.provider, KEYCLOAK, bare.suffix)
    login.insert_key({**_key(site), "api_endpoint": "/userinfo"}, client_secret=Secret(SECRET))
    login.update_connector(
        {
            "sso_enabled": True,
            "issuer": issuer,
            "jwks_url": f"{issuer}/jwks",
            "end_session_url": f"{issuer}/end-session",
            "managed_roles": MANAGED,
        }
    )
    try:
        yield site
    finally:
        login.update_connector(before.model_dump(exclude={"modified"}))
        login.delete_key()


def forged_state(redirect_to: str | None = None) -> str:
    state = {"site": "http://elsewhere.example", "token": "forged", "redirect_to": redirect_to}
    return base64.b64encode(json.dumps(state).encode()).decode()


def stolen_code(site: Site) -> str:
    """Return a code of whoever is logged in at the provider, asked for without any browser of ours."""
    asked = {"client_id": CLIENT, "redirect_uri": site.url + site.callback}
    back = httpx.get(f"{site.provider.issuer}/authorize", params=asked).headers["location"]
    return str(httpx.URL(back).params["code"])


# What Frappe does by itself (contract/erpnext/11_sso.json), also while our app looks after another key.


def test_frappe_lets_a_new_person_in_without_any_role(bare: Site) -> None:
    bare.provider.person = bare.person()
    browser = Browser(bare)
    assert browser.login().headers["location"] == f"{bare.url}/me"
    assert browser.who() == bare.email("anna")
    user = bare.user()
    assert user is not None
    assert (user.user_type, user.roles, user.userid(bare.key)) == ("Website User", (), f"s-anna{bare.suffix}")
    assert browser.client.get("/app").status_code == 403


def test_frappe_sends_what_the_provider_saw(bare: Site) -> None:
    bare.provider.person = bare.person()
    Browser(bare).login("?redirect-to=/app/item")
    seen = {one["path"]: one for one in bare.provider.seen}
    state = json.loads(base64.b64decode(seen["/authorize"]["parameters"].pop("state")))
    assert (state["site"], state["redirect_to"]) == (bare.url, "/app/item")
    redirect_uri = bare.url + bare.callback
    assert seen["/authorize"]["parameters"] == {
        "client_id": CLIENT,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": "openid email profile",
    }
    sent = seen["/token"]["parameters"]
    assert (sent["grant_type"], sent["redirect_uri"], sent["client_secret"]) == (
        "authorization_code",
        redirect_uri,
        "<secret>",
    )
    assert (seen["/token"]["authorization"], seen["/userinfo"]["authorization"]) == ("", "Bearer")


def test_frappe_believes_a_forged_state_and_follows_its_redirect(bare: Site) -> None:
    bare.provider.person = bare.person()
    browser = Browser(bare)
    state = forged_state("https://evil.example/")
    answer = browser.go(f"{bare.callback}?code={stolen_code(bare)}&state={state}")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://evil.example/")
    assert browser.who() == bare.email("anna")


def test_frappe_takes_the_answer_for_a_key_that_is_switched_off(bare: Site) -> None:
    bare.provider.person = bare.person()
    bare.set_key(enable_social_login=False)
    browser = Browser(bare)
    browser.go(f"{bare.callback}?code={stolen_code(bare)}&state={forged_state()}")
    assert browser.who() == bare.email("anna")


@pytest.mark.parametrize(
    "claims", [{"sub": "somebody-else"}, {"email_verified": False}], ids=["another subject", "unverified address"]
)
def test_frappe_knows_people_by_their_address_alone(bare: Site, claims: dict[str, object]) -> None:
    bare.erpnext.users.create(bare.email("anna"), "Anna", roles=[DESK])
    bare.provider.person = bare.person()
    Browser(bare).login()
    bare.provider.person = bare.person(**claims)
    browser = Browser(bare)
    assert browser.login().headers["location"] == f"{bare.url}/app/home"
    assert browser.who() == bare.email("anna")


def test_frappe_refuses_new_people_where_sign_up_is_denied(bare: Site) -> None:
    bare.provider.person = bare.person()
    bare.set_key(sign_ups="Deny")
    answer = Browser(bare).login()
    assert (answer.status_code, "Signup is Disabled" in answer.text) == (403, True)
    assert bare.user() is None


def test_frappe_refuses_a_disabled_user_with_status_200(bare: Site) -> None:
    bare.erpnext.users.create(bare.email("anna"), "Anna", roles=[DESK])
    bare.erpnext.users.set_enabled(bare.email("anna"), False)
    bare.provider.person = bare.person()
    browser = Browser(bare)
    answer = browser.login()
    assert (answer.status_code, "Not Allowed" in answer.text, browser.who()) == (200, True, None)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 500, "missing 2 required positional arguments: 'code' and 'state'"),
        ("?code=c", 500, "missing 1 required positional argument: 'state'"),
    ],
)
def test_frappe_breaks_over_an_answer_it_does_not_expect(bare: Site, query: str, status: int, says: str) -> None:
    answer = httpx.get(f"{bare.url}{bare.callback}{query}")
    assert (answer.status_code, says in answer.json()["exception"]) == (status, True)


def test_frappe_says_nothing_of_an_unknown_provider(bare: Site) -> None:
    path = "/api/method/frappe.integrations.oauth2_logins.custom/no-such?code=c&state=x"
    answer = httpx.get(bare.url + path)
    assert (answer.status_code, answer.json()) == (200, {})


def test_frappe_breaks_where_the_provider_declines_or_is_gone(bare: Site) -> None:
    bare.provider.person = bare.person()
    bare.erpnext.login.update_key({}, client_secret=Secret("wrong-secret"), name=bare.key)
    declined = Browser(bare).login()
    assert (declined.status_code, declined.json()["exc_type"]) == (500, "KeyError")
    assert "Invalid client" in declined.json()["exception"]
    bare.set_key(access_token_url="http://127.0.0.1:9/token")
    gone = Browser(bare).login()
    assert (gone.status_code, gone.json()["exc_type"]) == (500, "ConnectionError")


def test_frappe_wants_an_address(bare: Site) -> None:
    bare.provider.person = bare.person(email=None, email_verified=None)
    answer = Browser(bare).login()
    assert (answer.status_code, answer.json()["exc_type"]) == (417, "ValidationError")


# With our app.


def test_a_person_gets_the_roles_of_the_claim_and_loses_them_again(checked: Site) -> None:
    checked.provider.person = checked.person(roles=["Sales User", "Accounts User"])
    browser = Browser(checked)
    assert browser.login().headers["location"] == f"{checked.url}/app/home"
    assert browser.who() == checked.email("anna")
    user = checked.user()
    assert user is not None
    assert (user.roles, user.user_type) == (("Sales User",), "System User"), "only managed roles are given"
    checked.erpnext.users.apply(RoleChange(user.name, add=("Purchase User",)))
    checked.provider.person = checked.person(roles=["Stock User"])
    Browser(checked).login()
    user = checked.user()
    assert user is not None
    assert set(user.roles) == {"Stock User", "Purchase User"}, "a role that is not managed stays"


@pytest.mark.parametrize(
    "roles", [[], None, ["Accounts User"], "Sales User"], ids=["empty", "missing", "alien", "text"]
)
def test_a_person_without_a_managed_role_is_refused_and_not_made(checked: Site, roles: object) -> None:
    checked.provider.person = checked.person(roles=roles)
    browser = Browser(checked)
    assert browser.login().status_code == 403
    assert (browser.refusal(), browser.who(), checked.user()) == ("no-roles", None, None)


def test_a_forged_state_logs_nobody_in_by_any_door(checked: Site) -> None:
    checked.provider.person = checked.person()
    for door in (CALLBACK, f"/api/method/frappe.integrations.oauth2_logins.custom/{KEYCLOAK}"):
        browser = Browser(checked)
        answer = browser.go(f"{door}?code={stolen_code(checked)}&state={forged_state('https://evil.example/')}")
        assert (answer.status_code, browser.refusal(), browser.who()) == (400, "state", None)


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(checked: Site) -> None:
    checked.provider.person = checked.person()
    asked, other = Browser(checked), Browser(checked)
    answer = asked.answer(asked.button())
    other.go(answer)
    assert (other.refusal(), other.who()) == ("state", None)
    assert asked.go(answer).status_code == 302
    assert asked.who() == checked.email("anna")
    again = Browser(checked)
    again.client.cookies.update(asked.client.cookies)
    assert again.go(answer).status_code == 400


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/app/item?a=b", "/app/item?a=b"),
        ("https://evil.example/", None),
        ("//evil.example/", None),
        ("/\\evil.example/", None),
    ],
)
def test_a_login_ends_on_this_site(checked: Site, wanted: str, location: str | None) -> None:
    checked.provider.person = checked.person()
    browser = Browser(checked)
    answer = browser.go(browser.answer(str(httpx.URL(START, params={"redirect_to": wanted}))))
    assert answer.headers["location"] == (location or f"{checked.url}/app/home")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"aud": "acme-wordpress"}, "audience"),
        ({"azp": "acme-wordpress"}, "authorized-party"),
        ({"exp": 1000}, "expired"),
        ({"iat": 99999999999}, "not-yet-valid"),
        ({"nonce": "of-another-login"}, "nonce"),
        ({"sub": "somebody-else"}, "subject"),
    ],
)
def test_a_token_that_does_not_hold_is_refused(checked: Site, claims: dict[str, object], reason: str) -> None:
    checked.provider.person = checked.person()
    checked.provider.id_token = claims
    browser = Browser(checked)
    browser.login()
    assert (browser.refusal(), browser.who(), checked.user()) == (reason, None, None)


def test_a_token_signed_with_another_key_is_refused(checked: Site) -> None:
    checked.provider.person = checked.person()
    checked.provider.forge = True
    browser = Browser(checked)
    browser.login()
    assert (browser.refusal(), browser.who(), checked.user()) == ("signature", None, None)


@pytest.mark.parametrize("roles", [[DESK]])
def test_a_user_belongs_to_one_person_of_the_provider(checked: Site, roles: list[str]) -> None:
    checked.erpnext.users.create(checked.email("anna"), "Anna")
    checked.provider.person = checked.person(email_verified=False)
    browser = Browser(checked)
    browser.login()
    assert (browser.refusal(), browser.who()) == ("email", None), "an unverified address matches nobody"
    checked.provider.person = checked.person(roles=roles)
    Browser(checked).login()
    checked.provider.person = checked.person(sub="somebody-else", preferred_username="else")
    other = Browser(checked)
    other.login()
    assert (other.refusal(), other.who()) == ("other-person", None)
    checked.provider.person = checked.person(email="new-address@lab.example")
    renamed = Browser(checked)
    renamed.login()
    assert renamed.who() == checked.email("anna"), "the person is known by the subject, whatever the address"


def test_after_a_realm_was_made_anew_a_user_can_be_bound_again(checked: Site) -> None:
    checked.provider.person = checked.person()
    Browser(checked).login()
    checked.provider.person = checked.person(sub="s-of-the-new-realm", preferred_username="anna")
    refused = Browser(checked)
    refused.login()
    assert refused.refusal() == "other-person"
    checked.erpnext.users.unlink(checked.email("anna"), KEYCLOAK)
    again = Browser(checked)
    again.login()
    user = checked.user()
    assert (again.who(), user and user.userid(KEYCLOAK)) == (checked.email("anna"), "s-of-the-new-realm")


def test_a_disabled_user_a_denied_sign_up_and_a_key_switched_off_are_refused(checked: Site) -> None:
    checked.erpnext.users.create(checked.email("anna"), "Anna")
    checked.erpnext.users.set_enabled(checked.email("anna"), False)
    checked.provider.person = checked.person()
    disabled = Browser(checked)
    disabled.login()
    assert disabled.refusal() == "disabled"
    checked.set_key(sign_ups="Deny")
    checked.provider.person = checked.person("bert")
    denied = Browser(checked)
    denied.login()
    assert (denied.refusal(), checked.user("bert")) == ("sign-up", None)
    off = Browser(checked)
    answer = off.answer(off.button())
    checked.set_key(enable_social_login=False)
    off.go(answer)
    assert (off.refusal(), off.who()) == ("off", None)


def test_the_administrator_is_nobody_of_the_provider(checked: Site) -> None:
    checked.provider.person = checked.person(email="administrator")
    browser = Browser(checked)
    browser.login()
    assert (browser.refusal(), browser.who()) == ("standard-user", None)


@pytest.mark.parametrize("way", ["/api/method/logout", "/?cmd=web_logout"])
def test_a_logout_ends_both_sessions(checked: Site, way: str) -> None:
    checked.provider.person = checked.person()
    browser = Browser(checked)
    browser.login()
    assert browser.client.request("POST" if "api" in way else "GET", way).status_code == 200
    assert (browser.who(), len(checked.provider.ended)) == (None, 1)


def test_the_app_says_how_it_is_set_and_what_it_thinks_of_a_token(checked: Site) -> None:
    state = checked.erpnext.login.sso_state()
    assert state["version"] == checked.erpnext.login.connector_version()
    assert (state["enabled"], state["issuer"], state["key_enabled"]) == (True, checked.provider.issuer, True)
    assert tuple(state["managed_roles"]) == MANAGED
    checked.provider.person = checked.person()
    token = fetched_token(checked)
    assert checked.erpnext.login.check_token(token).accepted
    checked.provider.forge = True
    forged = checked.erpnext.login.check_token(fetched_token(checked))
    assert (forged.accepted, forged.reason) == (False, "signature")
    assert "its signature is not the provider's" in forged.says


def fetched_token(site: Site) -> Secret:
    asked = {"grant_type": "authorization_code", "code": stolen_code(site), "redirect_uri": site.url + site.callback}
    answer = httpx.post(f"{site.provider.issuer}/token", data={**asked, "client_id": CLIENT, "client_secret": SECRET})
    return Secret(answer.json()["id_token"])


@pytest.mark.parametrize(
    "values",
    [
        {"managed_roles": ("No Such Role",)},
        {"managed_roles": ("Administrator",)},
        {"managed_roles": ()},
        {"issuer": ""},
        {"jwks_url": "not an address"},
    ],
)
def test_settings_that_would_lock_everybody_out_are_refused(checked: Site, values: dict[str, object]) -> None:
    with pytest.raises(ErpNextRefused) as refused:
        checked.erpnext.login.update_connector(values)
    assert refused.value.kind == "ValidationError"
    assert checked.erpnext.login.connector_settings().managed_roles == MANAGED


def test_without_the_app_keycloaks_key_is_as_trusting_as_any(tmp_path: Path, provider: Provider) -> None:
    stand_in = ErpNextStandIn(tmp_path / "site", connector_app=False)
    with served(stand_in.app) as url:
        site = Site(url, _client(url, stand_in.api_key, stand_in.api_secret), provider, KEYCLOAK, "")
        login = site.erpnext.login
        assert login.connector_version() is None
        with pytest.raises(ErpNextRefused):
            login.sso_state()
        with pytest.raises(ErpNextRefused) as absent:
            login.connector_settings()
        assert absent.value.kind == "ImportError"
        login.insert_key({**_key(site), "api_endpoint": "/userinfo"}, client_secret=Secret(SECRET))
        provider.person = site.person()
        browser = Browser(site)
        assert browser.button().startswith(f"{provider.issuer}/authorize?")
        browser.go(f"{CALLBACK}?code={stolen_code(site)}&state={forged_state('https://evil.example/')}")
        assert browser.who() == site.email("anna")


# Our client.


def test_a_key_is_never_given_its_own_mask_nor_overwritten(checked: Site) -> None:
    login = checked.erpnext.login
    with pytest.raises(ConfigurationError):
        login.update_key({}, client_secret=Secret("*****************"))
    with pytest.raises(ErpNextRefused) as there:
        login.insert_key(_key(checked), client_secret=Secret(SECRET))
    assert there.value.kind == "DuplicateEntryError"
    read = login.key()
    assert read is not None
    with pytest.raises(ErpNextRefused) as stale:
        login.update_key({"sign_ups": "Deny"}, modified="2020-01-01 00:00:00.000000")
    assert stale.value.kind == "TimestampMismatchError"
    assert login.key() == read
    checked.provider.person = checked.person()
    login.update_key({"sign_ups": "Allow"})
    browser = Browser(checked)
    browser.login()
    assert browser.who() == checked.email("anna"), "the secret is still the one it was given"


def test_a_user_goes_with_its_contact(bare: Site) -> None:
    email = bare.email("probe")
    bare.erpnext.users.create(email, f"probe{bare.suffix}", roles=[DESK])
    made = _eventually(lambda: bare.erpnext.documents("Contact", filters=[["email_id", "=", email]]))
    removal = bare.erpnext.users.remove(email)
    assert (removal.user, [one["name"] for one in made]) == ("deleted", list(removal.contacts))
    assert removal.contacts, "a contact is made for each user; on a real site by its background workers"
    assert bare.erpnext.documents("Contact", filters=[["email_id", "=", email]]) == []
    assert bare.erpnext.users.remove(email).user == "absent"


def _eventually(read: Callable[[], list[Any]], seconds: float = 20) -> list[Any]:
    """Wait for what a background job makes on a real site."""
    until = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def test_the_user_of_our_own_key_is_never_removed(bare: Site) -> None:
    with pytest.raises(Refused, match="our own key"):
        bare.erpnext.users.remove(bare.erpnext.whoami().upper())
    assert bare.erpnext.whoami(), "the key still works"


def test_roles_are_synchronised_without_the_app(bare: Site) -> None:
    anna, bert = bare.email("anna"), bare.email("bert")
    bare.erpnext.users.create(anna, "Anna", roles=["Sales User", "Purchase User"])
    wanted = [WantedRoles(anna.upper(), frozenset({"Stock User"})), WantedRoles(bert, frozenset({DESK}))]
    changes = bare.erpnext.users.role_changes(wanted, MANAGED)
    assert changes == (
        RoleChange(anna, add=("Stock User",), remove=("Sales User",)),
        RoleChange(bert, add=(DESK,), absent=True),
    )
    assert set(bare.erpnext.users.apply(changes[0]).roles) == {"Stock User", "Purchase User"}
    assert bare.erpnext.users.role_changes(wanted[:1], MANAGED) == (), "a second run changes nothing"
    with pytest.raises(Refused, match="has no user"):
        bare.erpnext.users.apply(changes[1])
