"""What Frappe does by itself (contract/erpnext/11_sso.json), also while our app looks after another key."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest

from agencystack.components.erpnext import ErpNextRefused
from agencystack.components.erpnext.login import CALLBACK, KEYCLOAK
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.stack.secrets import Secret
from tests.contract.erpnext_sso.sites import (
    CLIENT,
    DESK,
    SECRET,
    Browser,
    Provider,
    Site,
    client_of,
    forged_state,
    key_of,
    stolen_code,
)
from tests.serving import served


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


def test_without_the_app_keycloaks_key_is_as_trusting_as_any(tmp_path: Path, provider: Provider) -> None:
    stand_in = ErpNextStandIn(tmp_path / "site", connector_app=False)
    with served(stand_in.app) as url:
        site = Site(url, client_of(url, stand_in.api_key, stand_in.api_secret), provider, KEYCLOAK, "")
        login = site.erpnext.login
        assert login.connector_version() is None
        with pytest.raises(ErpNextRefused):
            login.sso_state()
        with pytest.raises(ErpNextRefused) as absent:
            login.connector_settings()
        assert absent.value.kind == "ImportError"
        login.insert_key({**key_of(site), "api_endpoint": "/userinfo"}, client_secret=Secret(SECRET))
        provider.person = site.person()
        browser = Browser(site)
        assert browser.button().startswith(f"{provider.issuer}/authorize?")
        browser.go(f"{CALLBACK}?code={stolen_code(site)}&state={forged_state('https://evil.example/')}")
        assert browser.who() == site.email("anna")
