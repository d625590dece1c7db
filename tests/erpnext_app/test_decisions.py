"""What the app decides about people, roles, redirects and logins under way."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

TOKEN = {"sub": "s-1"}
USERINFO = {
    "sub": "s-1",
    "email": " Anna@Acme.Example ",
    "email_verified": True,
    "preferred_username": "anna",
    "given_name": "Anna",
    "family_name": "Roe",
}


def sso(name: str) -> Any:
    return import_module(f"agencystack_connector.sso.{name}")


def refused() -> Any:
    return pytest.raises(sso("refusals").LoginRefused)


def test_a_person_is_who_token_and_userinfo_both_say() -> None:
    who = sso("claims").person(TOKEN, USERINFO)
    assert (who.subject, who.email, who.username, who.first_name, who.last_name) == (
        "s-1",
        "anna@acme.example",
        "anna",
        "Anna",
        "Roe",
    )
    for other in ({**USERINFO, "sub": "s-2"}, {**USERINFO, "sub": None}, {}):
        with refused() as error:
            sso("claims").person(TOKEN, other)
        assert error.value.code == "subject"


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_is_none(verified: object) -> None:
    assert sso("claims").person(TOKEN, {**USERINFO, "email_verified": verified}).email == ""


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Anna Roe"}, "Anna Roe"),
        ({"preferred_username": "anna"}, "anna"),
        ({}, "anna"),
        ({"email": ""}, "s-1"),
    ],
)
def test_a_person_always_has_a_first_name(claims: dict[str, str], name: str) -> None:
    known = {"sub": "s-1", "email": "anna@acme.example", "email_verified": True}
    assert sso("claims").person(TOKEN, {**known, **claims}).first_name == name


def test_only_managed_roles_are_granted() -> None:
    granted = sso("claims").granted_roles({"roles": ["A", "B", "Alien", 7]}, "roles", ["A", "B", "C"])
    assert granted == {"A", "B"}


@pytest.mark.parametrize("said", [[], None, "A", {"A": 1}, ["Alien"], [["A"]]])
def test_without_a_managed_role_nobody_enters(said: object) -> None:
    with refused() as error:
        sso("claims").granted_roles({"roles": said}, "roles", ["A"])
    assert (error.value.code, error.value.status) == ("no-roles", 403)


def choose(by_subject: Any = None, by_email: Any = None, *, email: str = "a@b.example", may_create: bool = True) -> Any:
    claims = sso("claims")
    who = claims.Person("s-1", email, "anna", "Anna", "")
    return claims.choose(who, by_subject, by_email, may_create=may_create)


def account(name: str = "a@b.example", *, enabled: bool = True, userid: str = "") -> Any:
    return sso("claims").Account(name, enabled, userid)


def test_the_subject_counts_before_the_address() -> None:
    decision = choose(account("old@b.example", userid="s-1"), account(userid="s-2"), email="")
    assert (decision.account, decision.bind) == ("old@b.example", False)


@pytest.mark.parametrize(
    "userid", ["", "s-1", "anna"], ids=["never bound", "ours", "bound by Frappe to the login name"]
)
def test_an_account_of_the_address_is_bound(userid: str) -> None:
    decision = choose(None, account(userid=userid))
    assert (decision.account, decision.bind) == ("a@b.example", True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"by_email": account, "userid": "s-2"}, "other-person"),
        ({"by_email": account, "enabled": False}, "disabled"),
        ({"by_subject": account, "enabled": False}, "disabled"),
        ({"may_create": False}, "sign-up"),
        ({"email": ""}, "email"),
    ],
)
def test_no_account_no_login(arguments: dict[str, Any], code: str) -> None:
    made = {key: arguments.pop(key) for key in ("userid", "enabled") if key in arguments}
    arguments = {key: value(**made) if value is account else value for key, value in arguments.items()}
    with refused() as error:
        choose(**arguments)
    assert error.value.code == code


def test_a_new_account_is_made_and_bound() -> None:
    decision = choose()
    assert (decision.account, decision.bind) == (None, True)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/app/item?a=b#c", "/app/item?a=b#c"),
        ("https://erp.example/app", "/app"),
        ("http://erp.example/app?x=%2F%2Fevil", "/app?x=%2F%2Fevil"),
        ("https://evil.example/", ""),
        ("//evil.example/", ""),
        ("///evil.example/", ""),
        ("/\\evil.example", ""),
        ("\\\\evil.example", ""),
        ("/\t/evil.example", ""),
        (" //evil.example", ""),
        ("https://erp.example@evil.example/", ""),
        ("https://erp.example:444/", ""),
        ("https://erp.example//evil.example", ""),
        ("https:evil.example", ""),
        ("javascript:alert(1)", ""),
        ("ftp://erp.example/", ""),
        ("app/item", ""),
        ("http://[", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_redirect_stays_on_this_site(target: str | None, path: str) -> None:
    assert sso("redirects").on_this_site(target, "erp.example") == path


@given(st.text(alphabet="/\\:@.?#%ehtpsvil \t\n", max_size=20))
def test_no_text_leads_away(target: str) -> None:
    path = sso("redirects").on_this_site(target, "erp.example")
    parts = urlsplit(path)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert not path or (path.startswith("/") and path[1:2] not in {"/", "\\"})


def test_each_login_is_its_own() -> None:
    first, second = sso("attempt").begin("/app"), sso("attempt").begin("/app")
    values = {
        value for one in (first, second) for value in (one.state, one.cookie, one.attempt.nonce, one.attempt.verifier)
    }
    assert len(values) == 8
    assert min(len(value) for value in values) >= 43, "RFC 7636: a verifier has at least 43 characters"
    assert first.attempt.is_of(first.cookie)
    assert not first.attempt.is_of(second.cookie)
    assert not first.attempt.is_of("")
    assert sso("attempt").cookie_name(first.state) != sso("attempt").cookie_name(second.state)
    assert first.cookie not in str(first.attempt.as_dict()), "the cache alone opens no login"


def test_the_challenge_is_that_of_rfc_7636() -> None:
    attempt = sso("attempt").Attempt("", "", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "")
    assert attempt.challenge() == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_browser_is_sent_with_what_ties_the_answer_to_it() -> None:
    started = sso("attempt").begin("")
    parameters = {"client_id": "c", "redirect_uri": "https://erp.example/cb", "scope": "openid", "state": "not this"}
    url = sso("attempt").authorize_url("https://id.example/auth?kc_idp_hint=x", started, parameters)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked == {
        "kc_idp_hint": "x",
        "client_id": "c",
        "redirect_uri": "https://erp.example/cb",
        "scope": "openid",
        "response_type": "code",
        "state": started.state,
        "nonce": started.attempt.nonce,
        "code_challenge": started.attempt.challenge(),
        "code_challenge_method": "S256",
    }
