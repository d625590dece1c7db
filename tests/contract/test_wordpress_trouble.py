"""Debian's real WordPress in trouble: noisy and dying plugins, no database, maintenance, foreign mail plugins."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agencystack.components.wordpress import MAIL, PLUGINS, SITE, Carrier, MailSettings, Via
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.stack.errors import AgencyStackError, BadAnswer, ConfigurationError, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real
Plant = Callable[[str, str], None]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        yield found


@pytest.fixture
def plant(site: Site) -> Iterator[Plant]:
    """Puts a PHP file below wp-content, and takes it away again."""
    planted: list[Path] = []

    def put(path: str, code: str) -> None:
        file = site.path / "wp-content" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"<?php\n{code}\n")
        owner = site.wp_config.stat()
        for place in (file, file.parent):
            os.chown(place, owner.st_uid, owner.st_gid)
        planted.append(file)

    yield put
    for file in planted:
        file.unlink(missing_ok=True)


@pytest.fixture
def config(site: Site) -> Iterator[Callable[[str, str], None]]:
    """Replaces text in wp-config.php, and puts the file back."""
    original = site.wp_config.read_text()

    def replace(old: str, new: str) -> None:
        assert old in original
        site.wp_config.write_text(original.replace(old, new))

    yield replace
    site.wp_config.write_text(original)


def failure(site: Site) -> AgencyStackError:
    with pytest.raises(AgencyStackError) as caught:
        site.wordpress().answer(SITE)
    return caught.value


def test_plugins_that_print_and_buffer(site: Site, plant: Plant) -> None:
    plant(
        "mu-plugins/noise.php",
        "echo str_repeat( \"noise 12\\n\", 5000 ); ob_start( function () { return 'eaten'; } ); trigger_error( 'x' );"
        "register_shutdown_function( function () { echo 'after'; } );",
    )
    assert site.wordpress().answer(SITE).siteurl == site.url


def test_a_plugin_that_dies_while_wordpress_loads(site: Site, plant: Plant) -> None:
    plant("mu-plugins/dies.php", "function_that_is_not_there( 'secret-argument' );")
    error = failure(site)
    assert isinstance(error, BadAnswer)
    assert "function_that_is_not_there" in error.message
    assert "secret-argument" not in str(error)


def test_a_plugin_that_dies_in_the_middle_of_a_command(site: Site, plant: Plant) -> None:
    plant("mu-plugins/dies.php", "add_action( 'phpmailer_init', function () { exit( 3 ); } );")
    with pytest.raises(BadAnswer, match="while it did send_mail: a plugin ended the program"):
        site.wordpress().send_mail("anna@example.com", "x", "x")


def test_the_database_is_down(site: Site, config: Callable[[str, str], None]) -> None:
    config("define( 'DB_HOST', '127.0.0.1:", "define( 'DB_HOST', '127.0.0.1:1")
    error = failure(site)
    assert isinstance(error, Unavailable)
    assert "database" in error.message


def test_wordpress_is_not_installed(site: Site, config: Callable[[str, str], None]) -> None:
    config("$table_prefix = 'wp_';", "$table_prefix = 'empty_';")
    error = failure(site)
    assert isinstance(error, ConfigurationError)
    assert "not installed yet" in error.message


def test_maintenance(site: Site) -> None:
    mark = site.path / ".maintenance"
    mark.write_text(f"<?php $upgrading = {int(time.time())};")
    try:
        error = failure(site)
    finally:
        mark.unlink()
    assert isinstance(error, Unavailable)
    assert "maintenance" in error.message


def test_another_mail_plugin_is_foreign(site: Site, plant: Plant) -> None:
    plant("plugins/fluent-smtp/fluent-smtp.php", "/* Plugin Name: FluentSMTP\nVersion: 2.2 */")
    client = site.wordpress()
    assert client.answer(MAIL).via is Via.NONE
    client.activate_plugin("fluent-smtp")
    assert (client.answer(MAIL).via, client.answer(MAIL).foreign) == (Via.FOREIGN, "fluent-smtp")
    client.deactivate_plugin("fluent-smtp")
    assert client.answer(MAIL).via is Via.NONE
    assert not client.answer(PLUGINS)["fluent-smtp"].active


def test_a_replaced_wp_mail_is_foreign(site: Site, plant: Plant) -> None:
    plant("mu-plugins/mailer.php", "function wp_mail() { return true; }")
    state = site.wordpress().answer(MAIL)
    assert (state.via, state.foreign) == (Via.FOREIGN, "mu-plugins/mailer.php")


def test_a_password_stored_in_clear_is_read_and_other_settings_stay(site: Site, plant: Plant) -> None:
    """facts/wordpress.md: what `wp option update` wrote in clear text works and stays clear."""
    plant(
        "mu-plugins/by-hand.php",
        "update_option( 'wp_mail_smtp', array( 'mail' => array( 'mailer' => 'smtp', 'from_email' => 'a@b.example' ),"
        "'smtp' => array( 'host' => 'h.example', 'port' => '25', 'pass' => 'clear-pw' ),"
        "'sendlayer' => array( 'api_key' => 'theirs' ) ) );",
    )
    client = site.wordpress()
    client.activate_plugin("wp-mail-smtp")
    (site.path / "wp-content/mu-plugins/by-hand.php").write_text("<?php\n")
    client.forget()
    before = client.answer(MAIL).wp_mail_smtp
    assert before.settings.password == Secret("clear-pw")
    assert before.settings.port == 25
    client.write_mail_settings(Carrier.WP_MAIL_SMTP, MailSettings(host="new.example"), expected=before.settings)
    stored = base64.b64decode(client.answer(MAIL).wp_mail_smtp.image.data()["option"]["value"])
    assert b'"sendlayer";a:1:{s:7:"api_key";s:6:"theirs";}' in stored


def test_a_plugins_folder_that_cannot_be_written(site: Site) -> None:
    folder = site.path / "wp-content" / "plugins"
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK) and os.geteuid() != 0:
            pytest.skip("this user writes everywhere")
        with pytest.raises(Refused, match=r"cannot be written .*owner of the site's files"):
            site.wordpress().install_connector()
    finally:
        folder.chmod(0o755)


def test_what_a_killed_installation_left_is_swept(site: Site, plant: Plant) -> None:
    plant("plugins/.agencystack-connector-0123/agencystack-connector.php", "// half")
    left = site.path / "wp-content" / "plugins" / ".agencystack-connector-0123"
    client = site.wordpress()
    assert client.install_connector().active
    assert not left.exists()
    client.remove_connector()


def test_removing_the_connector_removes_what_it_stored(site: Site) -> None:
    client = site.wordpress()
    client.install_connector()
    client.write_mail_settings(Carrier.CONNECTOR, MailSettings(host="h.example"))
    client.remove_connector()
    client.forget()
    state = client.answer(MAIL).connector
    assert not state.installed
    assert state.image.data()["option"] is None
