"""The stand-in WordPress lets people in as the real one does: by our connector or by one of two plugins."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.wordpress import SSO, Login, SsoSettings, WordPress
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef, Refused
from agencystack.stack.executors import executor_for
from agencystack.stack.secrets import Secret
from tests.contract.wordpress_browsers import Browser, SigningProvider, person, provider, settings
from tests.serving import served

WHERE = ComponentRef("acme", "wordpress")


@dataclass
class StandIn:
    """A running stand-in and its client."""

    url: str
    wordpress: WordPress
    login: Login

    def write(self, keycloak: SigningProvider, **changed: Any) -> SsoSettings:
        keycloak.clients = {"acme-wordpress": "Zk2pQ8vXw4nL"}
        wanted = settings(keycloak, self.login, client_secret=Secret("Zk2pQ8vXw4nL"), **changed)
        self.wordpress.write_sso(wanted)
        return wanted

    def log_in(self, browser: Browser) -> Any:
        start = self.wordpress.answer(SSO).start_urls[self.login]
        if start is None:
            found = re.search(r'href="([^"]*/authorize\?[^"]*)"', browser.first("/wp-login.php").text)
            assert found, "no button"
            start = found[1].replace("&amp;", "&")
        return browser.open(start)

    def who(self, browser: Browser) -> dict[str, Any] | None:
        """Ask as the proofs do: the session alone is not enough, its nonce is needed."""
        nonce = browser.first("/wp-admin/admin-ajax.php?action=rest-nonce").text
        answer = browser.ask("/index.php?rest_route=/wp/v2/users/me&context=edit", {"x-wp-nonce": nonce})
        return answer.json() if answer.status_code == 200 else None


@pytest.fixture
def keycloak() -> Iterator[SigningProvider]:
    with provider() as running:
        yield running


@pytest.fixture(params=list(Login))
def site(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    folder = Path(tempfile.mkdtemp(prefix="agencystack-wordpress-"))
    folder.chmod(0o755)
    running: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await running["app"](scope, receive, send)

    try:
        with served(app) as url:
            made = WordPressStandIn(folder / "acme", url, name="Acme shop", admin_email="admin@acme.example")
            made.up()
            running["app"] = made.app
            wordpress = WordPress(WHERE, executor_for(WHERE, Exec(local=True, path=str(made.path))), str(made.path))
            wordpress.install_connector()
            if request.param is not Login.CONNECTOR:
                wordpress.install_plugin(wordpress.answer(SSO).logins[request.param].slug)
            yield StandIn(url, wordpress, request.param)
    finally:
        shutil.rmtree(folder)


def test_roles_follow_the_provider(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    keycloak.person = person("ada", "editor")
    browser = Browser(site.url)
    assert site.who(browser) is None
    site.log_in(browser)
    seen = site.who(browser)
    assert seen is not None
    assert (seen["username"], seen["email"], seen["roles"]) == ("ada", "ada@acme.example", ["editor"])
    user = site.wordpress.sso_user("ada")
    assert user is not None
    assert (user.roles, user.made_by_sso, user.linked, user.sessions) == (("editor",), True, True, 1)
    keycloak.person = person("ada", "author")
    site.log_in(browser := Browser(site.url))
    assert (site.who(browser) or {})["roles"] == ["author"]
    keycloak.person = person("ada")
    site.log_in(Browser(site.url))
    gone = site.wordpress.sso_user("ada")
    assert gone is not None
    assert (gone.roles, gone.sessions, site.who(browser)) == ((), 0, None)


@pytest.mark.parametrize("wrong", ["forged", {"iss": "x"}, {"aud": "x"}, {"exp": 1}, {"sub": None}, {"roles": []}])
def test_a_token_that_does_not_hold_lets_nobody_in(site: StandIn, keycloak: SigningProvider, wrong: Any) -> None:
    site.write(keycloak)
    keycloak.person = person("mallory", "editor")
    keycloak.forge = wrong == "forged"
    keycloak.id_token = {} if wrong == "forged" else wrong
    browser = Browser(site.url)
    page = site.log_in(browser)
    assert "does not hold" in page.text or "you have no role on this site" in page.text, page
    assert site.who(browser) is None
    assert site.wordpress.sso_user("mallory") is None


def test_a_plugin_alone_takes_any_token_as_recorded(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    if site.login is Login.CONNECTOR:
        pytest.skip("there is no plugin")
    site.wordpress.deactivate_plugin("agencystack-connector")
    keycloak.person, keycloak.forge = person("mallory"), True
    keycloak.id_token = {"iss": "https://evil.example", "aud": "x", "exp": 1}
    browser = Browser(site.url)
    site.log_in(browser)
    assert (site.who(browser) or {})["roles"] == ["subscriber"]


def test_administrators_and_other_peoples_accounts_stay_closed(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    for claims in (
        person("boss", "editor", email="admin@acme.example"),
        person("x", "editor", email="admin@acme.example", email_verified=False),
    ):
        keycloak.person = claims
        browser = Browser(site.url)
        site.log_in(browser)
        assert (site.who(browser) or {}).get("username") != "admin"
    keycloak.person = person("ada", "editor")
    site.log_in(Browser(site.url))
    keycloak.person = person("thief", "editor", email="ada@acme.example")
    browser = Browser(site.url)
    assert "belongs to somebody else" in site.log_in(browser).text
    assert site.who(browser) is None


def test_a_wrong_secret_is_named(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    keycloak.person, keycloak.clients = person("ada", "editor"), {"acme-wordpress": "another"}
    browser = Browser(site.url)
    assert "Invalid client" in site.log_in(browser).text
    assert site.who(browser) is None


def test_logging_out_ends_the_providers_session_too(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    keycloak.person = person("ada", "editor")
    browser = Browser(site.url)
    site.log_in(browser)
    assert browser.log_out().url == f"{site.url}/wp-login.php?loggedout=true"
    assert (site.who(browser), keycloak.person) == (None, None)
    user = site.wordpress.sso_user("ada")
    assert user is not None
    assert user.sessions == 0


def test_settings_go_back_and_a_persons_change_stays(site: StandIn, keycloak: SigningProvider) -> None:
    before = site.wordpress.answer(SSO).logins[site.login]
    assert not before.configured
    wanted = site.write(keycloak)
    after = site.wordpress.answer(SSO).logins[site.login]
    assert (after.settings, after.wrong) == (wanted, ())
    with pytest.raises(Refused, match="changed since it was read"):
        site.wordpress.write_sso(wanted, expected=before.settings)
    changed = wanted.model_copy(update={"scope": "openid"})
    site.wordpress.write_sso(changed)
    left = site.wordpress.restore_sso(site.login, before.image, applied=wanted, applied_image=after.image)
    assert left.left == ("scope",)
    assert site.wordpress.answer(SSO).logins[site.login].settings.scope == "openid"
    site.wordpress.restore_sso(site.login, before.image, applied=wanted, force=True)
    assert site.wordpress.answer(SSO).logins[site.login].image.data() == before.image.data()


def test_a_probe_user_is_forgotten_and_nobody_else(site: StandIn, keycloak: SigningProvider) -> None:
    site.write(keycloak)
    keycloak.person = person("agencystack-probe-1-a", "editor")
    browser = Browser(site.url)
    site.log_in(browser)
    with pytest.raises(Refused, match="only those are deleted"):
        site.wordpress.forget_probe_user("admin")
    assert site.wordpress.forget_probe_user("agencystack-probe-1-a") is True
    assert site.wordpress.forget_probe_user("agencystack-probe-1-a") is False
    assert site.who(browser) is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "none", "HS256"])
def test_it_judges_tokens_as_the_connector_does(site: StandIn, keycloak: SigningProvider, algorithm: str) -> None:
    site.write(keycloak)
    keycloak.algorithm = algorithm
    now = 4_000_000_000
    claims = {"iss": keycloak.issuer, "aud": "acme-wordpress", "iat": 1, "exp": now, **person("a", "editor")}
    found = site.wordpress.check_token(Secret(keycloak.token(**claims)))
    assert found.accepted is (algorithm in {"RS256", "ES256"}), found
    assert found.accepted or found.code in {"algorithm", "form"}
