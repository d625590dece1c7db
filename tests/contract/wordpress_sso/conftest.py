"""What the logins of a WordPress are tried on: Debian's real one with our connector, and a provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import WordPress
from agencystack.sandbox.wordpress import RealWordPress
from tests.contract import wordpress_sites
from tests.contract.wordpress_browsers import Browser, SigningProvider, provider, settings
from tests.contract.wordpress_sites import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Debian's real WordPress with our connector."""
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        found.wordpress().install_connector()
        yield found


@pytest.fixture
def keycloak() -> Iterator[SigningProvider]:
    """A provider that answers as the test says."""
    with provider() as running:
        yield running


@pytest.fixture
def wordpress(site: Site, keycloak: SigningProvider) -> WordPress:
    """A client of that WordPress, whose people log in at that provider."""
    client = site.wordpress()
    client.write_sso(settings(keycloak))
    return client


@pytest.fixture
def browser(site: Site) -> Browser:
    """A browser for that WordPress."""
    return Browser(site.url)
