"""Logins that our app checks."""

from __future__ import annotations

import httpx
import pytest

from agencystack.components.erpnext import ErpNextRefused, RoleChange
from agencystack.components.erpnext.login import CALLBACK, KEYCLOAK
from tests.contract.erpnext_sso.sites import (
    DESK,
    MANAGED,
    START,
    Browser,
    Site,
    fetched_token,
    forged_state,
    stolen_code,
)


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
