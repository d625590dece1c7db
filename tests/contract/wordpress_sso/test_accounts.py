"""Our connector's login: who is let in, as whom, and with which roles."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from agencystack.components.wordpress import WordPress
from tests.contract.wordpress_browsers import (
    START,
    Browser,
    SigningProvider,
    log_in,
    make_user,
    person,
    provider,
    run_php,
    settings,
)
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real


def roles_of(wordpress: WordPress, who: str) -> set[str]:
    user = wordpress.sso_user(who)
    assert user is not None, f"{who} has no account"
    return set(user.roles)


# Who is let in


def test_somebody_with_a_role_gets_an_account_with_exactly_that_role(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    keycloak.person = person("ada", "editor")
    assert browser.open(START).url == f"{browser.url}/wp-admin/"
    assert browser.logged_in() == "ada"
    user = wordpress.sso_user("ada@acme.example")
    assert user is not None
    assert (user.login, user.roles, user.name) == ("ada", ("editor",), "Ada Lovelace")
    assert (user.made_by_sso, user.linked, user.sessions) == (True, True, 1)


def test_the_request_proves_itself_with_pkce_and_a_nonce(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    asked = parse_qs(urlsplit(browser.first(START).headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{browser.url}{START}"]
    assert all(len(asked[name][0]) == 43 for name in ("state", "nonce", "code_challenge"))
    again = parse_qs(urlsplit(browser.first(START).headers["location"]).query)
    assert not {asked[name][0] for name in ("state", "nonce", "code_challenge")} & {
        again[name][0] for name in ("state", "nonce", "code_challenge")
    }
    cookies = [header for name, header in browser.first(START).headers.multi_items() if name == "set-cookie"]
    state = next(cookie for cookie in cookies if cookie.startswith("agencystack_sso_"))
    assert "HttpOnly" in state
    assert "SameSite=Lax" in state
    keycloak.person = person("pia", "editor")
    browser.open(START)
    call = next(seen for seen in keycloak.seen if seen["path"] == "/token")
    assert call["authorization"] == "Basic"
    assert "code_verifier" in call["parameters"]


@pytest.mark.parametrize("roles", [[], None, "editor", ["a-role-nobody-manages"], ["administrator"]])
def test_somebody_without_a_managed_role_is_refused_and_gets_no_account(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser, roles: object
) -> None:
    keycloak.person = person("nemo") | {"roles": roles}
    page = browser.open(START)
    assert (page.status, "you have no role on this site" in page.text) == (403, True), page
    assert browser.logged_in() is None
    assert wordpress.sso_user("nemo") is None


def test_a_role_that_wordpress_does_not_know_is_named(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    wordpress.write_sso(settings(keycloak, roles=("editor", "proofreader")))
    keycloak.person = person("rolf", "proofreader")
    assert "this site has no role named proofreader" in browser.open(START).text
    assert wordpress.sso_user("rolf") is None


# Roles follow the provider


def test_a_role_taken_away_is_gone_at_the_next_login(
    site: Site, wordpress: WordPress, keycloak: SigningProvider
) -> None:
    assert log_in(site, keycloak, person("mia", "editor", "author")) == "mia"
    assert roles_of(wordpress, "mia") == {"editor", "author"}
    assert log_in(site, keycloak, person("mia", "author")) == "mia"
    assert roles_of(wordpress, "mia") == {"author"}
    elsewhere = Browser(site.url)
    elsewhere.open(START)
    assert log_in(site, keycloak, person("mia")) is None
    assert roles_of(wordpress, "mia") == set()
    assert elsewhere.logged_in() is None
    assert log_in(site, keycloak, person("mia", "editor")) == "mia"
    assert roles_of(wordpress, "mia") == {"editor"}


def test_roles_that_are_not_managed_stay(site: Site, wordpress: WordPress, keycloak: SigningProvider) -> None:
    make_user(site, "ole", "contributor", "editor")
    assert log_in(site, keycloak, person("ole", "author")) == "ole"
    assert roles_of(wordpress, "ole") == {"contributor", "author"}


def test_a_person_without_a_role_keeps_what_is_not_managed(
    site: Site, wordpress: WordPress, keycloak: SigningProvider
) -> None:
    make_user(site, "kai", "contributor", "editor")
    assert log_in(site, keycloak, person("kai", "editor")) == "kai"
    assert log_in(site, keycloak, person("kai")) is None
    assert roles_of(wordpress, "kai") == {"contributor"}


def test_the_last_administrator_stays_one(site: Site, wordpress: WordPress, keycloak: SigningProvider) -> None:
    wordpress.write_sso(settings(keycloak, roles=("administrator", "editor")))
    try:
        assert log_in(site, keycloak, person("boss", "editor", email="admin@acme.example")) == "admin"
        assert roles_of(wordpress, "admin") == {"administrator", "editor"}
        make_user(site, "deputy", "administrator")
        assert log_in(site, keycloak, person("boss", "editor", email="admin@acme.example")) == "admin"
        assert roles_of(wordpress, "admin") == {"editor"}
    finally:
        run_php(
            site,
            "( new WP_User( 1 ) )->set_role( 'administrator' );"
            "delete_metadata( 'user', 1, 'agencystack_sso_subject' );",
        )
        run_php(site, "( new WP_User( get_user_by( 'login', 'deputy' )->ID ) )->set_role( 'subscriber' );")


def test_an_administrator_needs_allow_admin(site: Site, wordpress: WordPress, keycloak: SigningProvider) -> None:
    make_user(site, "chief", "administrator")
    assert log_in(site, keycloak, person("chief", "editor")) is None
    wordpress.write_sso(settings(keycloak, allow_admin=True))
    assert log_in(site, keycloak, person("chief", "editor")) == "chief"
    assert roles_of(wordpress, "chief") == {"administrator", "editor"}


# Whose account it is


def test_a_verified_address_finds_an_account_and_an_unverified_one_does_not(
    site: Site, wordpress: WordPress, keycloak: SigningProvider
) -> None:
    make_user(site, "tom", "subscriber")
    keycloak.person = person("thomas", "editor", email="tom@acme.example", email_verified=False)
    assert log_in(site, keycloak, keycloak.person) == "thomas"
    thomas = wordpress.sso_user("thomas")
    assert thomas is not None
    assert (thomas.email, roles_of(wordpress, "tom")) == ("", {"subscriber"})
    assert log_in(site, keycloak, person("tommy", "editor", email="TOM@acme.example")) == "tom"
    assert roles_of(wordpress, "tom") == {"subscriber", "editor"}


def test_an_account_belongs_to_one_person_for_good(site: Site, wordpress: WordPress, keycloak: SigningProvider) -> None:
    assert log_in(site, keycloak, person("eva", "editor")) == "eva"
    keycloak.person = person("eve", "editor", email="eva@acme.example")
    thief = Browser(site.url)
    assert "belongs to somebody else" in thief.open(START).text
    assert thief.logged_in() is None
    # The same person with another name and address is still the same.
    moved = person("eva", "author", preferred_username="eva2", email="eva.new@acme.example", given_name="Evita")
    assert log_in(site, keycloak, moved) == "eva"
    user = wordpress.sso_user("eva")
    assert user is not None
    assert (user.email, user.roles) == ("eva.new@acme.example", ("author",))
    # A subject that differs in case only is somebody else; the database does not see that.
    assert log_in(site, keycloak, person("eva-upper", "editor", sub="SUB-EVA")) == "eva-upper"


def test_a_provider_that_moved_finds_its_people_again_by_verified_address(
    site: Site, wordpress: WordPress, keycloak: SigningProvider
) -> None:
    assert log_in(site, keycloak, person("nina", "editor")) == "nina"
    with provider() as moved:
        wordpress.write_sso(settings(moved))
        assert log_in(site, moved, person("nina", "author", email_verified=False)) == "nina2"
        assert log_in(site, moved, person("nina", "author", sub="another-id")) == "nina"


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("jörg+büro/ö", "jorgburoo"),
        ("日本", None),
        ("", None),
        ("x" * 90, "x" * 56),
        ("' OR 1=1 --", "OR 11 --"),
        ("agencystack-probe-1800000000-abc123", "agencystack-probe-1800000000-abc123"),
    ],
)
def test_names_that_wordpress_refuses_become_names_it_takes(
    site: Site, wordpress: WordPress, keycloak: SigningProvider, name: str, login: str | None
) -> None:
    address = f"{abs(hash(name))}@acme.example"
    made = log_in(site, keycloak, person("named", "editor", sub=f"sub-{name}", preferred_username=name, email=address))
    assert made is not None
    assert made == login if login else made.startswith("user")


def test_a_name_that_is_taken_gets_a_suffix(site: Site, wordpress: WordPress, keycloak: SigningProvider) -> None:
    make_user(site, "max", "subscriber")
    assert log_in(site, keycloak, person("max", "editor", email="other.max@acme.example")) == "max2"
    assert roles_of(wordpress, "max") == {"subscriber"}
