"""The connector's own login on Debian's real WordPress: who is let in, as whom, and with which roles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agencystack.components.wordpress import WordPress
from agencystack.sandbox.wordpress import RealWordPress
from tests.contract import wordpress_sites
from tests.contract.wordpress_browsers import (
    Browser,
    SigningProvider,
    make_user,
    person,
    provider,
    run_php,
    settings,
)
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real

START = "/wp-login.php?action=agencystack-sso"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        found.wordpress().install_connector()
        yield found


@pytest.fixture
def keycloak() -> Iterator[SigningProvider]:
    with provider() as running:
        yield running


@pytest.fixture
def wordpress(site: Site, keycloak: SigningProvider) -> WordPress:
    client = site.wordpress()
    client.write_sso(settings(keycloak))
    return client


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site.url)


def roles_of(wordpress: WordPress, who: str) -> set[str]:
    user = wordpress.sso_user(who)
    assert user is not None, f"{who} has no account"
    return set(user.roles)


def log_in(site: Site, keycloak: SigningProvider, claims: dict[str, Any]) -> str | None:
    keycloak.person = claims
    browser = Browser(site.url)
    browser.open(START)
    return browser.logged_in()


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


# Answers of somebody else


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"iss": "https://evil.example"}, 'its issuer is "https://evil.example"'),
        ({"iss": None}, "its issuer is missing"),
        ({"aud": "another-client"}, 'it was made for "another-client"'),
        ({"aud": ["acme-wordpress", "another"]}, "names no authorized party"),
        ({"azp": "another-client"}, 'its authorized party is "another-client"'),
        ({"sub": None}, "it names nobody"),
        ({"sub": ""}, "it names nobody"),
        ({"exp": 1}, "ago"),
        ({"exp": None}, "it has no time 'exp'"),
        ({"iat": None}, "it has no time 'iat'"),
        ({"nonce": "of-another-request"}, "it answers another request"),
        ({"nonce": None}, "it answers another request"),
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser, wrong: dict[str, Any], said: str
) -> None:
    keycloak.person, keycloak.id_token = person("mallory", "editor"), wrong
    page = browser.open(START)
    assert page.status == 403
    assert said in page.text.replace("&quot;", '"').replace("&#039;", "'"), page
    assert browser.logged_in() is None
    assert wordpress.sso_user("mallory") is None


@pytest.mark.parametrize("skew", [-600, 600])
def test_clocks_ten_minutes_apart_are_named(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser, skew: int
) -> None:
    now = int(time.time())
    keycloak.person = person("late", "editor")
    keycloak.id_token = {"iat": now + skew, "exp": now + skew + 300}
    page = browser.open(START)
    assert (page.status, browser.logged_in()) == (403, None)
    assert any(f"differ by {seconds} s" in page.text for seconds in range(595, 606)), page


@pytest.mark.parametrize("skew", [-50, 50])
def test_clocks_less_than_a_minute_apart_do_not_matter(
    site: Site, wordpress: WordPress, keycloak: SigningProvider, skew: int
) -> None:
    now = int(time.time())
    keycloak.id_token = {"iat": now + skew, "exp": now + skew + 10}
    assert log_in(site, keycloak, person("punctual", "editor")) == "punctual"


def test_a_login_begun_in_another_browser_is_refused(
    site: Site, wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    keycloak.person = person("carl", "editor")
    way_back = browser.first(browser.first(START).headers["location"]).headers["location"]
    victim = Browser(site.url)
    page = victim.open(way_back)
    assert (page.status, "not begun in this browser" in page.text) == (403, True)
    assert victim.logged_in() is None
    assert browser.open(way_back).url.endswith("/wp-admin/")
    assert browser.logged_in() == "carl"


def test_a_login_is_used_once(wordpress: WordPress, keycloak: SigningProvider, browser: Browser) -> None:
    keycloak.person = person("ute", "editor")
    way_back = browser.first(browser.first(START).headers["location"]).headers["location"]
    kept = browser.cookies()
    browser.open(way_back)
    other = Browser(browser.url)
    assert "not begun in this browser" in other.open(way_back).text
    other.bring(kept)
    assert "used already" in other.open(way_back).text
    assert other.logged_in() is None


def test_two_tabs_do_not_disturb_each_other(wordpress: WordPress, keycloak: SigningProvider, browser: Browser) -> None:
    keycloak.person = person("tab", "editor")
    first, second = (browser.first(START).headers["location"] for _ in range(2))
    for tab in (first, second):
        assert browser.open(browser.first(tab).headers["location"]).url.endswith("/wp-admin/")


def test_what_the_provider_says_is_shown_and_nothing_in_it_is_markup(wordpress: WordPress, browser: Browser) -> None:
    state = parse_qs(urlsplit(browser.first(START).headers["location"]).query)["state"][0]
    raw = browser.first(f"{START}&state={state}&error=access_denied&error_description=<script>alert(1)</script>")
    assert raw.status_code == 403
    assert "access_denied" in raw.text
    assert "<script>alert(1)" not in raw.text


def test_an_answer_of_another_issuer_is_refused(wordpress: WordPress, browser: Browser) -> None:
    state = parse_qs(urlsplit(browser.first(START).headers["location"]).query)["state"][0]
    page = browser.open(f"{START}&state={state}&code=x&iss=https://evil.example")
    assert (page.status, "another provider answered" in page.text) == (403, True)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("https://evil.example/", "/wp-admin/"),
        ("//evil.example/", "/wp-admin/"),
        ("/wp-admin/profile.php", "/wp-admin/profile.php"),
    ],
)
def test_the_way_on_stays_on_the_site(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser, wanted: str, reached: str
) -> None:
    keycloak.person = person("wanda", "editor")
    assert browser.open(f"{START}&redirect_to={wanted}").url == browser.url + reached


def test_a_token_endpoint_that_refuses_or_is_gone_is_named(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    keycloak.person = person("gone", "editor")
    keycloak.clients = {"acme-wordpress": "changed since"}
    assert "Invalid client" in browser.open(START).text
    wordpress.write_sso(settings(keycloak, token_url="http://127.0.0.1:9/token"))
    assert "this site cannot reach the provider at http://127.0.0.1:9/token" in browser.open(START).text
    assert wordpress.sso_user("gone") is None


# The end of a session


def test_logging_out_ends_the_providers_session_too(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    keycloak.person = person("luis", "editor")
    browser.open(START)
    page = browser.log_out()
    assert page.url == f"{browser.url}/wp-login.php?loggedout=true"
    asked = keycloak.seen[-1]
    assert asked["path"] == "/logout"
    assert asked["parameters"]["post_logout_redirect_uri"] == page.url
    assert asked["parameters"]["id_token_hint"].count(".") == 2
    assert (browser.logged_in(), keycloak.person) == (None, None)


def test_whoever_used_a_password_is_not_sent_to_the_provider(
    site: Site, wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    make_user(site, "pass", "author", password="pass-word")
    browser.open("/wp-login.php", log="pass", pwd="pass-word")
    assert browser.logged_in() == "pass"
    browser.log_out()
    assert not [seen for seen in keycloak.seen if seen["path"] == "/logout"]


# Passwords, once single sign-on is enforced


def test_enforced_passwords_are_refused_and_the_ways_back_in_stay_open(
    site: Site, wordpress: WordPress, keycloak: SigningProvider
) -> None:
    def with_password(name: str, path: str = "/wp-login.php", **more: str) -> str | None:
        browser = Browser(site.url)
        browser.open(path)
        browser.open(path, log=name, pwd="secret-1", **more)
        return browser.logged_in()

    make_user(site, "writer", "author", password="secret-1")
    make_user(site, "buyer", "subscriber", password="secret-1")
    make_user(site, "root", "administrator", password="secret-1")
    make_user(site, "glass", "author", password="secret-1")
    run_php(site, "update_user_meta( get_user_by( 'login', 'glass' )->ID, 'agencystack_password_login', '1' );")
    assert [with_password(name) for name in ("writer", "root")] == ["writer", "root"]
    wordpress.write_sso(settings(keycloak, enforce=True))
    try:
        assert [with_password(name) for name in ("writer", "root")] == [None, None]
        assert [with_password(name) for name in ("buyer", "glass")] == ["buyer", "glass"]
        back = {"agencystack-password": "1"}
        assert with_password("root", "/wp-login.php?agencystack-password", **back) == "root"
        assert with_password("writer", "/wp-login.php?agencystack-password", **back) is None
        assert log_in(site, keycloak, person("writer", "author")) == "writer"
    finally:
        wordpress.write_sso(settings(keycloak))
