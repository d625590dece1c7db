"""The app's logins on a double of Frappe, against a provider that really answers."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.erpnext_app.frappe_double import Forbidden, FrappeDouble
from tests.oidc_provider import OidcProvider

ANNA = "anna@acme.example"


def app(name: str) -> Any:
    return import_module(f"agencystack_connector.{name}")


def start(frappe: FrappeDouble, redirect_to: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Start a login and let the provider answer; return the browser's cookies and the answer."""
    frappe.visit()
    app("sso.login").start(redirect_to)
    cookies = {name: one["value"] for name, one in frappe.cookies.items()}
    back = httpx.get(str(frappe.location)).headers["location"]
    return cookies, {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def log_in(frappe: FrappeDouble, redirect_to: str | None = None) -> str | None:
    """Log in; return the refusal's code."""
    cookies, answer = start(frappe, redirect_to)
    return come_back(frappe, cookies, **answer)


def come_back(frappe: FrappeDouble, cookies: dict[str, str], **answer: str) -> str | None:
    frappe.visit("/api/method/frappe.integrations.oauth2_logins.login_via_keycloak/keycloak", cookies)
    app("sso.login").login_via_keycloak(**answer)
    return code_of(frappe)


def code_of(frappe: FrappeDouble) -> str | None:
    return frappe.page["html"].split('data-refusal="')[1].split('"')[0] if frappe.page else None


def roles(frappe: FrappeDouble, name: str = ANNA) -> set[str]:
    return frappe.users[name].role_names()


def test_a_new_person_gets_a_user_a_binding_and_the_roles(frappe: FrappeDouble) -> None:
    assert log_in(frappe, "/app/item") is None
    assert (frappe.logged_in, frappe.location) == (ANNA, "/app/item")
    user = frappe.users[ANNA]
    assert (user.role_names(), user.get_social_login_userid("keycloak")) == ({"Sales User"}, "s-anna")
    assert (user.first_name, user.enabled) == ("Anna", 1)


def test_roles_follow_the_provider_and_others_stay(frappe: FrappeDouble, provider: OidcProvider) -> None:
    frappe.add_user(ANNA, "Sales User", "Accounts User", userid="s-anna")
    provider.person = {**(provider.person or {}), "roles": ["Stock User", "Administrator"]}
    assert log_in(frappe) is None
    assert roles(frappe) == {"Stock User", "Accounts User"}


def test_a_user_that_has_what_it_should_is_not_saved(frappe: FrappeDouble) -> None:
    frappe.add_user(ANNA, "Sales User", userid="s-anna")
    assert log_in(frappe) is None
    assert frappe.unsaved == {}


def test_a_binding_of_frappes_own_is_replaced(frappe: FrappeDouble) -> None:
    frappe.add_user(ANNA, "Sales User", userid="anna").set_social_login_userid("frappe", userid="f-1")
    assert log_in(frappe) is None
    bound = {row.provider: row.userid for row in frappe.users[ANNA].social_logins}
    assert bound == {"keycloak": "s-anna", "frappe": "f-1"}


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"roles": []}, "no-roles"),
        ({"roles": None}, "no-roles"),
        ({"email_verified": False}, "email"),
        ({"email": None}, "email"),
        ({"email": "administrator"}, "standard-user"),
    ],
)
def test_who_may_not_enter_leaves_nothing(
    frappe: FrappeDouble, provider: OidcProvider, claims: dict[str, Any], code: str
) -> None:
    frappe.add_user("Administrator")
    provider.person = {**(provider.person or {}), **claims}
    assert log_in(frappe) == code
    assert (frappe.logged_in, frappe.unsaved, ANNA in frappe.users) == (None, {}, False)


def test_another_persons_user_is_not_taken(frappe: FrappeDouble) -> None:
    frappe.add_user(ANNA, "Sales User", userid="s-somebody")
    assert (log_in(frappe), frappe.logged_in) == ("other-person", None)


def test_a_disabled_user_and_a_denied_sign_up(frappe: FrappeDouble) -> None:
    frappe.key["sign_ups"] = "Deny"
    assert log_in(frappe) == "sign-up"
    frappe.add_user(ANNA, enabled=0)
    assert log_in(frappe) == "disabled"


def test_a_role_profile_that_sets_the_roles_is_not_passed_over(frappe: FrappeDouble) -> None:
    frappe.add_user(ANNA).role_profile = ("Purchase User",)
    assert (log_in(frappe), frappe.logged_in) == ("roles-not-kept", None)


@pytest.mark.parametrize(("forge", "code"), [(True, "signature"), (False, "audience")])
def test_a_token_that_does_not_hold(frappe: FrappeDouble, provider: OidcProvider, forge: bool, code: str) -> None:
    provider.forge = forge
    provider.id_token = {} if forge else {"aud": "acme-wordpress"}
    assert (log_in(frappe), frappe.logged_in, frappe.users) == (code, None, {})


def test_keys_are_fetched_once_and_again_for_a_key_they_lack(frappe: FrappeDouble, provider: OidcProvider) -> None:
    provider.seen.clear()
    assert (log_in(frappe), log_in(frappe)) == (None, None)
    assert [one["path"] for one in provider.seen].count("/jwks") == 1
    cached = next(key for key in frappe.cache.values if "key_set" in key)
    frappe.cache.values[cached] = {"keys": [{**frappe.cache.values[cached]["keys"][0], "kid": "rotated-away"}]}
    assert log_in(frappe) is None
    assert [one["path"] for one in provider.seen].count("/jwks") == 2


def test_the_answer_of_another_browser_counts_nothing(frappe: FrappeDouble) -> None:
    cookies, answer = start(frappe)
    assert come_back(frappe, {}, **answer) == "state"
    others, _ = start(frappe)
    assert come_back(frappe, others, **answer) == "state"
    assert come_back(frappe, cookies, **answer) is None
    assert come_back(frappe, cookies, **answer) == "state", "it counts once"


def test_of_two_answers_at_the_same_time_one_counts(frappe: FrappeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    cookies, answer = start(frappe)
    monkeypatch.setattr(frappe.cache, "delete", lambda name: 0)
    assert come_back(frappe, cookies, **answer) == "state"


def test_a_login_under_way_is_remembered_ten_minutes_in_a_cookie_scripts_cannot_read(frappe: FrappeDouble) -> None:
    start(frappe)
    ((name, cookie),) = frappe.cookies.items()
    assert (name.startswith("agencystack_login_"), cookie["httponly"], cookie["max_age"]) == (True, True, 600)
    assert list(frappe.cache.lifetimes.values()) == [600]
    assert cookie["value"] not in str(frappe.cache.values)


def test_what_the_provider_says_instead_of_a_code(frappe: FrappeDouble) -> None:
    cookies, answer = start(frappe)
    refused = come_back(frappe, cookies, state=answer["state"], error="access_denied", error_description="<b>no</b>")
    assert (refused, frappe.page["http_status_code"]) == ("cancelled", 400)
    assert "<b>" not in frappe.page["html"]
    cookies, answer = start(frappe)
    assert come_back(frappe, cookies, **answer, iss="https://other.example") == "issuer"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"access_token_url": "http://127.0.0.1:9/token"}, "cannot be reached"),
        ({"client_secret": "wrong-secret"}, "Invalid client"),
        ({"access_token_url": "{issuer}/nowhere"}, "no JSON"),
    ],
)
def test_a_provider_that_does_not_answer_is_named(
    frappe: FrappeDouble, provider: OidcProvider, broken: dict[str, str], says: str
) -> None:
    cookies, answer = start(frappe)
    frappe.key |= {name: value.format(issuer=provider.issuer) for name, value in broken.items()}
    assert come_back(frappe, cookies, **answer) == "provider"
    assert (frappe.page["http_status_code"], says in frappe.page["html"]) == (502, True)
    assert "wrong-secret" not in frappe.page["html"]


def test_a_key_switched_off_lets_nobody_in(frappe: FrappeDouble) -> None:
    cookies, answer = start(frappe)
    frappe.key["enable_social_login"] = 0
    assert come_back(frappe, cookies, **answer) == "off"
    frappe.visit()
    app("sso.login").start()
    assert (code_of(frappe), frappe.location) == ("off", None)


def test_switched_off_the_app_leaves_everything_to_frappe(frappe: FrappeDouble) -> None:
    frappe.documents["AgencyStack Settings"]["AgencyStack Settings"].sso_enabled = 0
    login = app("sso.login")
    login.login_via_keycloak(code="c", state="s")
    login.login_via_keycloak(error="access_denied")
    frappe.visit("/api/method/frappe.integrations.oauth2_logins.custom/keycloak")
    login.custom(code="c", state="s")
    assert frappe.called == [
        ("login_via_keycloak", {"code": "c", "state": "s"}),
        ("login_via_keycloak", {}),
        ("custom", {"code": "c", "state": "s"}),
    ]
    context = {"provider_logins": [{"name": "keycloak", "auth_url": "theirs"}]}
    app("sso.button").update_website_context(context)
    assert context["provider_logins"][0]["auth_url"] == "theirs"


def test_the_door_for_any_provider_is_no_way_around(frappe: FrappeDouble) -> None:
    for path in ("custom/keycloak", "custom/keycloak/"):
        frappe.visit(f"/api/method/frappe.integrations.oauth2_logins.{path}")
        app("sso.login").custom(code="c", state="s")
        assert (code_of(frappe), frappe.called) == ("state", [])
    frappe.visit("/api/method/frappe.integrations.oauth2_logins.custom/other")
    app("sso.login").custom(code="c", state="s")
    assert frappe.called == [("custom", {"code": "c", "state": "s"})]


def test_the_button_leads_to_our_start(frappe: FrappeDouble) -> None:
    context = {"provider_logins": [{"name": "github", "auth_url": "g"}, {"name": "keycloak", "auth_url": "k"}]}
    frappe.visit("/login", **{"redirect-to": "/app/item?a=b"})
    app("sso.button").update_website_context(context)
    assert [one["auth_url"] for one in context["provider_logins"]] == [
        "g",
        "/api/method/agencystack_connector.sso.login.start?redirect_to=%2Fapp%2Fitem%3Fa%3Db",
    ]
    assert app("sso.button").update_website_context({}) is None, "other pages have no buttons"


@pytest.fixture
def ended(frappe: FrappeDouble, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person who logged in with a refresh token; what was ended at the provider."""
    sessions, provider = app("sso.sessions"), app("sso.provider")
    frappe.module.session.user, frappe.module.session.sid = ANNA, "sid-of-anna"
    sessions.remember(provider.Tokens("i", "a", "the-refresh-token", 1800))
    tokens: list[str] = []
    monkeypatch.setattr(provider.Provider, "end_session", lambda _, token: not tokens.append(token))
    return tokens


@pytest.mark.parametrize("cmd", ["logout", "web_logout", "frappe.handler.logout"])
def test_a_logout_ends_the_session_at_the_provider(frappe: FrappeDouble, ended: list[str], cmd: str) -> None:
    assert "the-refresh-token" not in str(frappe.cache.values)
    frappe.module.form_dict["cmd"] = cmd
    app("sso.logout").on_logout()
    app("sso.logout").on_logout()
    assert ended == ["the-refresh-token"], "once"


def test_deleting_another_user_ends_no_session_of_the_deleter(frappe: FrappeDouble, ended: list[str]) -> None:
    """Frappe runs its logout hooks for the deleted user too, within the deleter's request."""
    frappe.module.request.path = f"/api/resource/User/{ANNA}"
    app("sso.logout").on_logout()
    assert ended == []


def test_a_logout_works_after_the_key_is_gone(frappe: FrappeDouble, ended: list[str]) -> None:
    frappe.key = {}
    frappe.module.form_dict["cmd"] = "logout"
    app("sso.logout").on_logout()
    assert ended == []


def test_a_provider_that_does_not_end_a_session_does_not_hold_up_the_logout(frappe: FrappeDouble) -> None:
    provider = app("sso.provider").Provider("", "", "", "http://127.0.0.1:9/logout", "c", "s")
    assert provider.end_session("r") is False


def test_what_the_app_says_of_itself(frappe: FrappeDouble, provider: OidcProvider) -> None:
    state = app("api").sso_state()
    assert (state["version"], state["issuer"]) == (
        app("__version__") if False else app("api").__version__,
        provider.issuer,
    )
    assert (state["managed_roles"], state["key_enabled"], state["disable_signup"]) == (
        ("Sales User", "Stock User"),
        True,
        True,
    )


def test_only_a_system_manager_may_ask(frappe: FrappeDouble) -> None:
    frappe.roles = {"Sales User"}
    for ask in (app("api").sso_state, lambda: app("api").check_token("x")):
        with pytest.raises(Forbidden):
            ask()


def test_a_token_is_judged_as_at_a_login(frappe: FrappeDouble, provider: OidcProvider) -> None:
    judged = app("api").check_token("no token")
    assert (judged["accepted"], judged["reason"]) == (False, "malformed")
    good = provider._signed({"iss": provider.issuer, "sub": "s", "aud": "acme-erpnext", "iat": 1, "exp": 9999999999})
    assert app("api").check_token(good) == {"accepted": True, "reason": "", "says": ""}


def test_only_start_and_callbacks_are_open_to_guests(frappe: FrappeDouble) -> None:
    login, api = app("sso.login"), app("api")
    guests = {"start", "login_via_keycloak", "custom"}
    for module in (login, api):
        for name, one in vars(module).items():
            if callable(one) and hasattr(one, "whitelisted"):
                assert one.whitelisted.get("allow_guest", False) == (name in guests), name


def test_installing_and_uninstalling_leave_nothing_stale(frappe: FrappeDouble) -> None:
    frappe.cache.set_value("app_modules", {"frappe": []})
    app("install").before_install()
    assert frappe.cache.values == {}
    assert frappe.called == [("setup_module_map", {})]
    app("install").before_uninstall()
    assert [doctype for doctype, _ in frappe.deleted] == ["Singles", "Version"]
