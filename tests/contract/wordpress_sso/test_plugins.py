"""Login plugins behind the connector's guard, on Debian's real WordPress.

Test doubles carry the login (tests/doubles), or the real plugins where AGENCYSTACK_TEST_MINIORANGE and
AGENCYSTACK_TEST_OPENID_CONNECT_GENERIC name their folders. Both doubles and both real plugins let in whoever a token
names, however it is signed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.wordpress import SSO, Login, Source, SsoSettings, WordPress
from agencystack.sandbox.tls import ensure_certificates
from agencystack.sandbox.wordpress import RealWordPress, unprivileged_user
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_sites
from tests.contract.wordpress_browsers import (
    CLIENT,
    Browser,
    Page,
    SigningProvider,
    make_user,
    person,
    provider,
    run_php,
    settings,
)
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real

DOUBLES = Path(__file__).parents[2] / "doubles"
FOLDERS = {
    Login.MINIORANGE: ("AGENCYSTACK_TEST_MINIORANGE", "miniorange-login-with-eve-online-google-facebook"),
    Login.OPENID_CONNECT_GENERIC: ("AGENCYSTACK_TEST_OPENID_CONNECT_GENERIC", "daggerhart-openid-connect-generic"),
}
# Keycloak's secrets are letters and digits; miniOrange sends its own unescaped and can take no others.
SECRET = "Zk2pQ8vXw4nL7rT1"


@dataclass(frozen=True)
class Guarded:
    """A site where a plugin carries the login."""

    site: Site
    login: Login
    wordpress: WordPress

    def write(self, keycloak: SigningProvider, **changed: Any) -> SsoSettings:
        """Point the plugin and the guard at the provider."""
        keycloak.clients = {CLIENT: SECRET}
        wanted = settings(keycloak, self.login, client_secret=Secret(SECRET), **changed)
        self.wordpress.write_sso(wanted)
        return wanted

    def log_in(self, browser: Browser) -> Page:
        """Use the plugin's button."""
        if self.login is Login.MINIORANGE:
            return browser.open("/?option=oauthredirect&app_name=keycloak")
        found = re.search(r'href="([^"]*/authorize\?[^"]*)"', browser.first("/wp-login.php").text)
        assert found, "the plugin shows no button"
        return browser.open(found[1].replace("&amp;", "&").replace("&#038;", "&"))

    def user_of(self, claims: dict[str, Any], keycloak: SigningProvider) -> str | None:
        keycloak.person = claims
        browser = Browser(self.site.url)
        self.log_in(browser)
        return browser.logged_in()


@pytest.fixture(scope="module", params=list(FOLDERS))
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    variable, slug = FOLDERS[request.param]
    with wordpress_sites.real() as site:
        folder = site.path / "wp-content" / "plugins" / slug
        shutil.copytree(os.environ.get(variable) or DOUBLES / slug, folder)
        user = unprivileged_user()
        if os.geteuid() == 0 and user is not None:
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(folder)], check=True)
        wordpress = site.wordpress()
        wordpress.install_connector()
        wordpress.activate_plugin(slug)
        yield Guarded(site, request.param, wordpress)


@pytest.fixture
def written(guarded: Guarded, keycloak: SigningProvider) -> SsoSettings:
    return guarded.write(keycloak)


def test_somebody_with_a_role_is_let_in_with_exactly_that_role(
    guarded: Guarded, keycloak: SigningProvider, written: SsoSettings
) -> None:
    assert guarded.user_of(person("ada", "editor"), keycloak) == "ada"
    user = guarded.wordpress.sso_user("ada")
    assert user is not None
    # Neither plugin would give another role than the site's default.
    assert (user.roles, user.made_by_sso, user.linked) == (("editor",), True, True)
    assert guarded.user_of(person("ada", "author"), keycloak) == "ada"
    assert (guarded.wordpress.sso_user("ada") or user).roles == ("author",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("forged", "its signature does not hold"),
        ({"iss": "https://evil.example"}, "its issuer is"),
        ({"aud": "another-client"}, "it was made for"),
        ({"exp": 1}, "ago"),
        ({"sub": None}, "it names nobody"),
        ({"roles": []}, "you have no role on this site"),
        ({"email_verified": False}, "the provider has not verified your e-mail address"),
    ],
)
def test_a_token_that_does_not_hold_never_reaches_the_plugin(
    guarded: Guarded, keycloak: SigningProvider, written: SsoSettings, wrong: Any, said: str
) -> None:
    keycloak.person = person("mallory", "editor")
    keycloak.forge = wrong == "forged"
    keycloak.id_token = {} if wrong == "forged" else wrong
    browser = Browser(guarded.site.url)
    page = guarded.log_in(browser)
    assert said in page.text, page
    assert browser.logged_in() is None
    assert guarded.wordpress.sso_user("mallory") is None


def test_a_plugin_that_asks_elsewhere_lets_nobody_in(guarded: Guarded, keycloak: SigningProvider) -> None:
    keycloak.person = person("late", "editor")
    make_user(guarded.site, "sitting", "author")
    guarded.write(keycloak, token_url=f"{keycloak.issuer}/token?another=1")
    changed = {
        Login.MINIORANGE: ("mo_oauth_apps_list", "['keycloak']['accesstokenurl']"),
        Login.OPENID_CONNECT_GENERIC: ("openid_connect_generic_settings", "['endpoint_token']"),
    }
    option, key = changed[guarded.login]
    run_php(
        guarded.site,
        f"$o = get_option( '{option}' ); $o{key} = '{keycloak.issuer}/token'; update_option( '{option}', $o );",
    )
    guarded.wordpress.forget()
    assert guarded.wordpress.answer(SSO).logins[guarded.login].wrong == ("connector.token_url",)
    for claims in (person("late", "editor"), person("sitting", "editor", email="sitting@acme.example")):
        keycloak.person = claims
        browser = Browser(guarded.site.url)
        page = guarded.log_in(browser)
        assert (page.status, "was not checked" in page.text) == (403, True), page
        assert browser.logged_in() is None
    assert guarded.wordpress.sso_user("late") is None
    sitting = guarded.wordpress.sso_user("sitting")
    assert sitting is not None
    assert (sitting.sessions, sitting.linked, sitting.roles) == (0, False, ("author",))


def test_no_account_of_somebody_else_is_opened_or_changed(
    guarded: Guarded, keycloak: SigningProvider, written: SsoSettings
) -> None:
    make_user(guarded.site, "victim", "author")
    assert guarded.user_of(person("eva", "editor"), keycloak) == "eva"
    by_name = guarded.user_of(person("victim", "editor", email="mine@evil.example"), keycloak)
    # miniOrange would open the account of that name and give it the stranger's address.
    assert by_name == (None if guarded.login is Login.MINIORANGE else "victim2")
    unverified = person("x", "editor", email="victim@acme.example", email_verified=False)
    assert guarded.user_of(unverified, keycloak) is None
    assert guarded.user_of(person("thief", "editor", email="eva@acme.example"), keycloak) is None
    victim = guarded.wordpress.sso_user("victim")
    assert victim is not None
    assert (victim.email, victim.roles, victim.sessions) == ("victim@acme.example", ("author",), 0)
    assert guarded.user_of(person("vic", "editor", email="victim@acme.example"), keycloak) == "victim"


def test_an_administrator_needs_allow_admin(guarded: Guarded, keycloak: SigningProvider, written: SsoSettings) -> None:
    make_user(guarded.site, "chief", "administrator")
    assert guarded.user_of(person("chief", "editor"), keycloak) is None
    guarded.write(keycloak, allow_admin=True)
    assert guarded.user_of(person("chief", "editor"), keycloak) == "chief"


def test_logging_out_ends_the_providers_session_too(
    guarded: Guarded, keycloak: SigningProvider, written: SsoSettings
) -> None:
    keycloak.person = person("luis", "editor")
    browser = Browser(guarded.site.url)
    guarded.log_in(browser)
    assert browser.log_out().url == f"{guarded.site.url}/wp-login.php?loggedout=true"
    assert keycloak.seen[-1]["path"] == "/logout"
    assert (browser.logged_in(), keycloak.person) == (None, None)


def test_a_probe_user_leaves_nothing(guarded: Guarded, keycloak: SigningProvider, written: SsoSettings) -> None:
    name = "agencystack-probe-1-abc"
    assert guarded.user_of(person(name, "editor"), keycloak) == name
    assert guarded.wordpress.forget_probe_user(name) is True
    named = "SELECT COUNT(*) FROM $wpdb->options WHERE option_value LIKE '%agencystack-probe-%'"
    assert run_php(guarded.site, f'echo $wpdb->get_var( "{named}" );') == "0"


def test_the_providers_certificate_is_verified_whatever_the_plugin_says(guarded: Guarded, tmp_path: Path) -> None:
    certificates = ensure_certificates(tmp_path / "tls")
    with provider(certificates) as secured:
        guarded.write(secured)
        assert guarded.user_of(person("tess", "editor"), secured) is None
        assert not [seen for seen in secured.seen if seen["path"] == "/token"]
        guarded.write(secured, ca=certificates.ca.read_text())
        assert guarded.user_of(person("tess", "editor"), secured) == "tess"


def test_a_password_login_is_none_of_the_guards_business(guarded: Guarded, written: SsoSettings) -> None:
    make_user(guarded.site, "passer", "author", password="pass-word")
    browser = Browser(guarded.site.url)
    browser.open("/wp-login.php", log="passer", pwd="pass-word")
    assert browser.logged_in() == "passer"


def test_settings_are_read_written_and_given_back_to_the_byte(guarded: Guarded, keycloak: SigningProvider) -> None:
    wordpress, login = guarded.wordpress, guarded.login
    mine = {
        Login.MINIORANGE: ("mo_oauth_apps_list", "array( 'keycloak' => array( 'clientid' => 'old', 'mine' => 'x' ) )"),
        Login.OPENID_CONNECT_GENERIC: (
            "openid_connect_generic_settings",
            "array( 'client_id' => 'old', 'enforce_privacy' => 1, 'login_type' => 'auto' )",
        ),
    }
    option, value = mine[login]
    run_php(guarded.site, f"update_option( '{option}', {value}, false ); delete_option( 'agencystack_connector_sso' );")
    wordpress.forget()
    before = wordpress.answer(SSO).logins[login]
    assert (before.configured, before.settings.client_id) == (True, "old")
    assert before.wrong
    wanted = guarded.write(keycloak)
    after = wordpress.answer(SSO).logins[login]
    assert (after.settings, after.wrong) == (wanted, ())
    kept = {Login.MINIORANGE: "['keycloak']['mine']", Login.OPENID_CONNECT_GENERIC: "['login_type']"}[login]
    assert run_php(guarded.site, f"echo get_option( '{option}' ){kept};") in {"x", "auto"}
    # The secret lies with the plugin, which uses it, and nowhere else.
    assert SECRET not in run_php(guarded.site, "echo serialize( get_option( 'agencystack_connector_sso' ) );")
    with pytest.raises(Refused, match="changed since it was read"):
        wordpress.write_sso(wanted, expected=before.settings)
    left = wordpress.restore_sso(login, before.image, applied=wanted, applied_image=after.image)
    assert left.left == ()
    assert wordpress.answer(SSO).logins[login].image.data() == before.image.data()


def test_what_a_person_changed_since_is_left_and_named(guarded: Guarded, keycloak: SigningProvider) -> None:
    wordpress, login = guarded.wordpress, guarded.login
    before = wordpress.answer(SSO).logins[login]
    wanted = guarded.write(keycloak)
    after = wordpress.answer(SSO).logins[login]
    changed = {
        Login.MINIORANGE: ("mo_oauth_apps_list", "['keycloak']['scope']"),
        Login.OPENID_CONNECT_GENERIC: ("openid_connect_generic_settings", "['scope']"),
    }
    option, key = changed[login]
    run_php(guarded.site, f"$o = get_option( '{option}' ); $o{key} = 'openid'; update_option( '{option}', $o );")
    left = wordpress.restore_sso(login, before.image, applied=wanted, applied_image=after.image)
    assert left.left == ("scope",)
    now = wordpress.answer(SSO).logins[login]
    assert now.settings.scope == "openid"
    assert now.settings.issuer == before.settings.issuer
    wordpress.restore_sso(login, before.image, applied=wanted, force=True)
    assert wordpress.answer(SSO).logins[login].image.data() == before.image.data()


def test_a_constant_that_says_otherwise_is_named_and_nothing_is_written(
    guarded: Guarded, keycloak: SigningProvider, written: SsoSettings
) -> None:
    if guarded.login is Login.MINIORANGE:
        pytest.skip("its free version knows no constants")
    config, wordpress = guarded.site.wp_config, guarded.site.wordpress()
    was = config.read_text()
    before = wordpress.answer(SSO).logins[guarded.login].image.data()
    config.write_text(was.replace("$table_prefix", "define( 'OIDC_CLIENT_ID', 'fixed' );\n$table_prefix", 1))
    try:
        wordpress.forget()
        state = wordpress.answer(SSO).logins[guarded.login]
        assert (state.settings.client_id, state.sources["client_id"]) == ("fixed", Source.CONSTANT)
        with pytest.raises(Refused, match=r"OIDC_CLIENT_ID.*login: connector"):
            guarded.write(keycloak)
        assert wordpress.answer(SSO).logins[guarded.login].image.data() == before
        guarded.write(keycloak, client_id="fixed")
        wordpress.forget()
        assert wordpress.answer(SSO).logins[guarded.login].wrong == ()
    finally:
        config.write_text(was)


def test_without_the_plugin_nothing_is_written(guarded: Guarded, keycloak: SigningProvider) -> None:
    slug = guarded.wordpress.answer(SSO).logins[guarded.login].slug
    before = guarded.wordpress.answer(SSO).logins[guarded.login].image.data()
    guarded.wordpress.deactivate_plugin(slug)
    try:
        with pytest.raises(Refused, match="is not active"):
            guarded.write(keycloak)
        assert guarded.wordpress.answer(SSO).logins[guarded.login].image.data() == before
    finally:
        guarded.wordpress.activate_plugin(slug)
