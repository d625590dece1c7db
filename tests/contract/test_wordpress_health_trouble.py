"""What Debian's real WordPress with our connector says of its health when something is wrong in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from agencystack.components.health import TOKEN_HEADER, Health, Word, token_hash
from agencystack.components.wordpress.health import HEALTH, LOGIN
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.stack.errors import Unavailable
from tests.contract import wordpress_sites
from tests.contract.test_wordpress_health import TOKEN, asked
from tests.contract.wordpress_browsers import run_php
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real

CLOSED = """<?php
$closed = function () { return new WP_Error( 'rest_closed', 'closed for visitors', array( 'status' => 401 ) ); };
add_filter( 'rest_authentication_errors', $closed, 100 );
add_filter( 'rest_pre_dispatch', $closed, 100 );
add_filter( 'rest_endpoints', '__return_empty_array', 100 );
"""
NO_DATABASE = """<?php
add_filter( 'query', function ( $query ) { return 'SELECT 1' === $query ? 'SELECT 0' : $query; } );
"""
SCHEDULER = """<?php
$GLOBALS['wpdb']->actionscheduler_actions = $GLOBALS['wpdb']->prefix . 'actionscheduler_actions';
"""
BROKEN = """<?php
add_filter( 'upload_dir', function () { throw new RuntimeException( 'of another plugin' ); } );
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        yield found


@pytest.fixture
def real(site: Site) -> Iterator[Site]:
    """A site with the connector."""
    site.wordpress().install_connector()
    yield site
    site.wordpress().remove_connector()


@contextlib.contextmanager
def plugin(site: Site, code: str) -> Iterator[None]:
    """Have somebody's plugin in the site."""
    file = site.path / "wp-content/mu-plugins/trouble.php"
    file.parent.mkdir(exist_ok=True)
    file.write_text(code)
    file.parent.chmod(0o755)
    file.chmod(0o644)
    try:
        yield
    finally:
        file.unlink()


def anew(site: Site) -> Health:
    """Ask with the token, and not for what was kept."""
    run_php(site, "delete_transient( 'agencystack_health' );")
    site.wordpress().write_health_token(token_hash(TOKEN))
    return asked(site, TOKEN)


def test_deleting_the_connector_takes_its_token_and_notes_along(real: Site) -> None:
    anew(real)
    run_php(real, "wp_mail( '', 'a', 'b' );")
    real.wordpress().remove_connector()
    left = "SELECT COUNT(*) FROM $wpdb->options WHERE option_name LIKE '%agencystack%'"
    assert run_php(real, f'echo $wpdb->get_var( "{left}" );') == "0"


def test_plugins_that_close_the_interface_do_not_close_this(real: Site) -> None:
    with plugin(real, CLOSED):
        assert httpx.get(f"{real.url}/?rest_route=/wp/v2/posts").status_code == 401
        assert anew(real).status is Word.OK
        stale = {"Cookie": "wordpress_logged_in_x=stale", "X-WP-Nonce": "stale"}
        assert httpx.get(real.url + HEALTH, headers=stale).json()["status"] == "ok"
        real.wordpress().remove_connector()
        assert asked(real) == Health(Word.OK, by=LOGIN)


def test_asking_often_measures_once(real: Site) -> None:
    anew(real)
    told = httpx.get(real.url + HEALTH, headers={TOKEN_HEADER: TOKEN.reveal()}).json()
    run_php(real, "wp_mail( '', 'a', 'b' );")
    assert httpx.get(real.url + HEALTH, headers={TOKEN_HEADER: TOKEN.reveal()}).json() == told
    run_php(
        real,
        "$kept = get_transient( 'agencystack_health' ); $kept['at'] -= 11;"
        "set_transient( 'agencystack_health', $kept, 60 );",
    )
    assert asked(real).checks["mail"] is Word.DEGRADED


def test_mail_that_is_not_taken_is_told_until_one_is(real: Site) -> None:
    refused = "anna.roe@acme.example, <bob@acme.example>: refused"
    run_php(real, f"do_action( 'wp_mail_failed', new WP_Error( 'wp_mail_failed', '{refused}' ) );")
    told = anew(real)
    assert (told.status, told.checks["mail"]) == (Word.DEGRADED, Word.DEGRADED)
    assert told.troubles == ("mail: the last mail was not taken: (address), : refused",)
    assert told.detail["mail"]["failed_at"] > 0
    assert httpx.get(real.url + HEALTH).status_code == 200
    run_php(real, "do_action( 'wp_mail_succeeded', array() );")
    assert anew(real).checks["mail"] is Word.OK


def test_a_failure_of_yesterday_says_nothing_about_today(real: Site) -> None:
    run_php(
        real,
        "update_option( 'agencystack_connector_mail_failed',"
        "array( 'at' => time() - DAY_IN_SECONDS - 1, 'reason' => 'x' ) );",
    )
    assert anew(real).checks["mail"] is Word.OK


def test_work_that_nobody_does_is_named(real: Site) -> None:
    run_php(real, "wp_schedule_single_event( time() - 3 * HOUR_IN_SECONDS, 'acme_nightly' );")
    told = anew(real)
    run_php(real, "wp_clear_scheduled_hook( 'acme_nightly' );")
    assert told.checks["cron"] is Word.DEGRADED
    assert told.detail["cron"]["oldest"] == "acme_nightly"
    assert told.detail["cron"]["late_seconds"] >= 3 * 3600
    assert "nothing calls wp-cron.php" in told.troubles[0]


def test_a_database_that_does_not_answer_is_down(real: Site) -> None:
    with plugin(real, NO_DATABASE):
        told = anew(real)
        assert (told.status, told.troubles) == (Word.DOWN, ("database: the database does not answer",))
        assert httpx.get(real.url + HEALTH).status_code == 503


def test_another_plugins_defect_takes_one_check_along_and_no_more(real: Site) -> None:
    with plugin(real, BROKEN):
        told = anew(real)
    assert told.checks["disk"] is Word.DEGRADED
    assert told.detail["disk"]["reason"] == "cannot be looked at: RuntimeException"
    assert told.checks["database"] is Word.OK


def test_the_work_of_action_scheduler_is_looked_at_where_there_is_one(real: Site) -> None:
    columns = "action_id INT AUTO_INCREMENT PRIMARY KEY, status VARCHAR(20), scheduled_date_gmt DATETIME"
    table = "{$wpdb->prefix}actionscheduler_actions"
    run_php(real, f'$wpdb->query( "CREATE TABLE {table} ({columns})" );')
    try:
        with plugin(real, SCHEDULER):
            assert anew(real).detail["queue"] == {"waiting": 0, "late_seconds": 0}
            due = "UTC_TIMESTAMP() - INTERVAL 3 HOUR"
            rows = f"('pending', {due}), ('complete', {due}), ('pending', UTC_TIMESTAMP() + INTERVAL 1 HOUR)"
            run_php(real, f'$wpdb->query( "INSERT INTO {table} (status, scheduled_date_gmt) VALUES {rows}" );')
            told = anew(real)
    finally:
        run_php(real, f'$wpdb->query( "DROP TABLE {table}" );')
    assert told.checks["queue"] is Word.DEGRADED
    assert told.detail["queue"]["waiting"] == 1
    assert 3 * 3600 <= told.detail["queue"]["late_seconds"] < 3 * 3600 + 60


def test_a_site_in_maintenance_says_so(real: Site) -> None:
    mark = real.path / ".maintenance"
    mark.write_text("<?php $upgrading = time();\n")
    try:
        with pytest.raises(Unavailable, match="maintenance mode"):
            asked(real)
    finally:
        mark.unlink()


def answers(site: Site, good: Callable[[Health | Unavailable], bool]) -> Health | Unavailable:
    """Ask until the answer is good: PHP looks only every other second whether a file it has compiled was changed."""
    end = time.monotonic() + 10
    while True:
        said: Health | Unavailable
        try:
            said = asked(site)
        except Unavailable as error:
            said = error
        if good(said) or time.monotonic() > end:
            return said


def test_a_site_whose_database_is_gone_is_unavailable(real: Site) -> None:
    before = real.wp_config.read_text()
    real.wp_config.write_text(before.replace("'DB_HOST', '127.0.0.1:", "'DB_HOST', '127.0.0.1:1"))
    try:
        assert "answered 500" in str(answers(real, lambda said: isinstance(said, Unavailable)))
    finally:
        real.wp_config.write_text(before)
    assert isinstance(answers(real, lambda said: isinstance(said, Health)), Health)
