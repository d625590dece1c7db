"""Our connector's login: the way to the provider and back, and out again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agencystack.components.wordpress import WordPress
from agencystack.sandbox.tls import ensure_certificates
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


def test_a_private_authority_is_trusted_where_it_is_named(
    site: Site, wordpress: WordPress, browser: Browser, tmp_path: Path
) -> None:
    certificates = ensure_certificates(tmp_path / "tls")
    with provider(certificates) as secured:
        secured.person = person("tess", "editor")
        wordpress.write_sso(settings(secured))
        page = browser.open(START)
        assert (page.status, "cannot reach the provider" in page.text, "certificate" in page.text) == (403, True, True)
        wordpress.write_sso(settings(secured, ca=certificates.ca.read_text()))
        assert log_in(site, secured, person("tess", "editor")) == "tess"


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
