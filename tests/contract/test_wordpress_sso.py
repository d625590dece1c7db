"""The connector's own login on Debian's real WordPress: who is let in, as whom, and with which roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import SSO, Login, WordPress
from agencystack.sandbox.wordpress import RealWordPress
from tests.contract import wordpress_sites
from tests.contract.wordpress_browsers import Browser, SigningProvider, person, provider, settings
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


def test_somebody_with_a_role_is_let_in_with_exactly_that_role(
    wordpress: WordPress, keycloak: SigningProvider, browser: Browser
) -> None:
    keycloak.person = person("ada", "editor")
    page = browser.open(START)
    assert page.status == 200, page
    assert browser.logged_in() == "ada"
    user = wordpress.sso_user("ada")
    assert user is not None
    assert (user.roles, user.email, user.name, user.made_by_sso) == (
        ("editor",),
        "ada@acme.example",
        "Ada Lovelace",
        True,
    )
    assert wordpress.answer(SSO).logins[Login.CONNECTOR].settings == settings(keycloak)
