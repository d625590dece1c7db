"""A network of sites on Debian's real WordPress: exec.url decides, and a wrong one never reaches the main site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import SITE, WordPress
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.stack.errors import ConfigurationError
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import WHERE, Site

pytestmark = pytest.mark.real

MAKE_NETWORK = """
require $argv[1] . "/wp-load.php";
require ABSPATH . "wp-admin/includes/upgrade.php";
foreach ( $wpdb->tables( "ms_global" ) as $table => $prefixed ) {
	$wpdb->$table = $prefixed;
}
install_network();
populate_network( 1, $argv[2], "admin@acme.example", "Network", "/", false );
"""


@pytest.fixture(scope="module")
def network() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as site:
        make_network(site)
        yield site


def make_network(site: Site) -> None:
    """Turn a site into the first of a network in sub-folders."""
    domain = site.url.removeprefix("http://")
    made = site.executor.run(["php", "-r", MAKE_NETWORK, "--", str(site.path), domain])
    assert made.returncode == 0, made
    lines = (
        "define( 'MULTISITE', true );\ndefine( 'SUBDOMAIN_INSTALL', false );\n"
        f"define( 'DOMAIN_CURRENT_SITE', '{domain}' );\ndefine( 'PATH_CURRENT_SITE', '/' );\n"
        "define( 'SITE_ID_CURRENT_SITE', 1 );\ndefine( 'BLOG_ID_CURRENT_SITE', 1 );\n"
    )
    site.wp_config.write_text(site.wp_config.read_text().replace("$table_prefix", f"{lines}$table_prefix", 1))


def at(site: Site, url: str) -> WordPress:
    return WordPress(WHERE, site.executor, str(site.path), url=url)


def test_the_named_site_is_reached(network: Site) -> None:
    found = at(network, network.url).answer(SITE)
    assert (found.multisite, found.siteurl) == (True, network.url)
    assert at(network, network.url + "/").answer(SITE) == found


@pytest.mark.parametrize("path", ["/nope", "/nope/"])
def test_an_unknown_path_does_not_reach_the_main_site(network: Site, path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"names none of them.*exec\.url"):
        at(network, network.url + path).answer(SITE)


def test_an_unknown_host_is_refused(network: Site) -> None:
    with pytest.raises(ConfigurationError, match=r"names none of them.*exec\.url"):
        at(network, "http://other.example").answer(SITE)
