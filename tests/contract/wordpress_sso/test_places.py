"""The connector's login where WordPress is not at the root of its host: a sub-folder, and one site of a network."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import SSO, Login, WordPress
from agencystack.sandbox.wordpress import RealWordPress
from tests.contract import wordpress_sites
from tests.contract.test_wordpress_multisite import make_network
from tests.contract.wordpress_browsers import START, Browser, SigningProvider, person, run_php, settings
from tests.contract.wordpress_sites import WHERE, Site

pytestmark = pytest.mark.real

# What Apache's rules of a network in sub-folders do: the first folder is a site's, not a folder.
NETWORK_ROUTER = """<?php
$path = (string) parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$file = __DIR__ . '/site' . preg_replace( '#^/sub/#', '/', $path );
if ( is_dir( $file ) ) {
	$file = rtrim( $file, '/' ) . '/index.php';
}
if ( '.php' !== substr( $file, -4 ) || ! is_file( $file ) ) {
	$file = __DIR__ . '/site/index.php';
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = substr( $file, strlen( __DIR__ . '/site' ) );
chdir( dirname( $file ) );
require $file;
"""


@pytest.fixture
def site() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        yield found


def test_a_site_in_a_sub_folder(site: Site, keycloak: SigningProvider) -> None:
    url = f"{site.url}/blog"
    os.symlink(".", site.path / "blog")
    run_php(site, f"update_option( 'siteurl', '{url}' ); update_option( 'home', '{url}' );")
    wordpress = site.wordpress()
    wordpress.install_connector()
    wordpress.write_sso(settings(keycloak))
    state = wordpress.answer(SSO)
    assert state.redirect_uris[Login.CONNECTOR] == f"{url}/wp-login.php?action=agencystack-sso"
    keycloak.person = person("ada", "editor")
    browser = Browser(url)
    begun = browser.first(START)
    assert "path=/blog/;" in begun.headers["set-cookie"].lower() + ";"
    assert browser.open(START).url == f"{url}/wp-admin/"
    assert browser.logged_in() == "ada"
    assert browser.log_out().url == f"{url}/wp-login.php?loggedout=true"


def test_one_site_of_a_network(site: Site, keycloak: SigningProvider) -> None:
    make_network(site)
    (site.path.parent / "router.php").write_text(NETWORK_ROUTER)
    domain, url = site.url.removeprefix("http://"), f"{site.url}/sub"
    add_site(site, domain)
    sub = WordPress(WHERE, site.executor, str(site.path), url=url)
    main = WordPress(WHERE, site.executor, str(site.path), url=site.url)
    sub.install_connector()
    sub.write_sso(settings(keycloak))
    keycloak.person = person("ada", "editor")
    browser = Browser(url)
    assert browser.open(START).url == f"{url}/wp-admin/"
    assert browser.logged_in() == "ada"
    here, there = sub.sso_user("ada"), main.sso_user("ada")
    assert here is not None
    assert there is not None
    # An account is the network's, a role is the site's.
    assert (here.roles, there.roles) == (("editor",), ())
    assert not main.answer(SSO).logins[Login.CONNECTOR].configured
    assert browser.log_out().url == f"{url}/wp-login.php?loggedout=true"

    keycloak.person = person("boss", "editor", email="admin@acme.example")
    owner = Browser(url)
    assert "administrators of this site log in with their password" in owner.open(START).text
    assert owner.logged_in() is None

    keycloak.person = person("agencystack-probe-1-a", "author")
    Browser(url).open(START)
    assert sub.forget_probe_user("agencystack-probe-1-a") is True
    assert main.sso_user("agencystack-probe-1-a") is None


def add_site(site: Site, domain: str) -> None:
    """Add the site ``/sub/`` to the network; WordPress takes the colon out of its address, so it is put back."""
    url = f"http://{domain}/sub"
    run_php(
        site,
        f"$id = wp_insert_site( array( 'domain' => '{domain}', 'path' => '/sub/', 'title' => 'Sub', 'user_id' => 1 ) );"
        f"$wpdb->update( $wpdb->blogs, array( 'domain' => '{domain}' ), array( 'blog_id' => $id ) );"
        "clean_blog_cache( $id ); switch_to_blog( $id );"
        f"update_option( 'siteurl', '{url}' ); update_option( 'home', '{url}' );",
        url=site.url,
    )
