"""Form submissions, hints, the settings page and the uninstaller of the connector, on Debian's real WordPress."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from agencystack.bridge.signing import SigningKey, check
from tests.contract import wordpress_bridge
from tests.contract.test_wordpress_multisite import make_network
from tests.contract.wordpress_bridge import KEY, Joined

pytestmark = pytest.mark.real

POSTED = {
    "your-name": "Anna <b>Müller</b> 😀",
    "your-email": "anna@x.example",
    "drinks": ["tea", "coffee"],
    "your-message": "one\ntwo",
    "terms": "1",
}


LEFT = """( function () {
	global $wpdb;
	$hooks = array_keys( array_merge( ...array_values( array_filter( _get_cron_array(), 'is_array' ) ) ) );
	return array(
		$wpdb->get_col( "SHOW TABLES LIKE '%agencystack%'" ),
		$wpdb->get_col( "SELECT option_name FROM $wpdb->options WHERE option_name LIKE '%agencystack%'" ),
		array_filter( $hooks, function ( $hook ) { return false !== strpos( $hook, 'agencystack' ); } ),
		get_role( 'agencystack_bridge' ),
		get_user_by( 'login', 'agencystack-bridge' ),
		$wpdb->get_col( "SELECT meta_key FROM $wpdb->usermeta WHERE meta_key LIKE '%agencystack%'" ),
	);
} )()"""
"""What is left of the connector."""


@pytest.fixture(scope="module")
def site() -> Iterator[Joined]:
    reason = wordpress_bridge.unavailable()
    if reason:
        pytest.skip(reason)
    with wordpress_bridge.joined("contact-form-7") as found:
        yield found


@pytest.fixture
def quiet(site: Joined) -> Joined:
    while site.taken():
        pass
    return site


def test_a_form_is_kept_although_its_mail_fails(quiet: Joined) -> None:
    quiet.php("wpcf7_double_send( $in, array( 'cv' => array( '/tmp/somewhere/cv.pdf' ) ) );", POSTED)
    [(entity, id_)] = quiet.taken()
    assert entity == "submission"
    native = quiet.record("submission", id_)
    assert native["source"] == "contact-form-7"
    assert native["form"] == {"id": "10", "title": "Contact form 1"}
    assert native["page"]["url"] == f"{quiet.address}/contact/"
    assert native["sender"] == {
        "name": "Anna <b>Müller</b> 😀",
        "email": "anna@x.example",
        "phone": "",
        "subject": "",
        "message": "one\ntwo",
    }
    assert [field["value"] for field in native["fields"] if field["name"] == "drinks"] == [["tea", "coffee"]]
    assert native["files"] == ["cv.pdf"]
    assert native["consent"] == {"given": True, "text": "I agree"}


def test_what_another_plugin_stopped_as_spam_is_not_kept(quiet: Joined) -> None:
    quiet.php("wpcf7_double_send( $in, array(), true );", POSTED)
    assert quiet.taken() == set()


def test_other_form_plugins_have_one_hook(quiet: Joined) -> None:
    given = {
        "source": "my-forms",
        "form_title": "Call me",
        "fields": [
            {"name": "phone", "type": "tel", "value": "+41 1"},
            {"name": "first-name", "type": "text", "value": "A"},
        ],
        "consent": None,
    }
    quiet.php("do_action( 'agencystack_form_submission', $in );", given)
    quiet.php("do_action( 'agencystack_form_submission', 'nonsense' );")
    [(_, id_)] = quiet.taken()
    native = quiet.record("submission", id_)
    assert (native["source"], native["sender"]["phone"], native["sender"]["name"]) == ("my-forms", "+41 1", "A")


def test_what_became_of_it_comes_back_and_nothing_else_can_be_written(quiet: Joined) -> None:
    quiet.php("wpcf7_double_send( $in );", POSTED)
    [(_, id_)] = quiet.taken()
    before = quiet.record("submission", id_)
    answered = {"status": "Replied", "owner": "eva@x.example", "notes": ["We called."], "fields": []}
    done = quiet.write("submission", "update", answered, id=id_, version=before["agencystack"]["version"])
    assert done["result"] == "done"
    native = done["native"]
    assert (native["status"], native["owner"], native["notes"]) == ("Replied", "eva@x.example", ["We called."])
    assert native["fields"] == before["fields"]
    assert quiet.write("submission", "update", {"fields": []}, id=id_)["code"] == "agencystack_read_only"
    assert quiet.write("submission", "create", {"fields": []})["code"] == "agencystack_read_only"
    stale = quiet.write("submission", "update", answered, id=id_, version=before["agencystack"]["version"])
    assert stale["result"] == "stale"


def test_nothing_is_kept_of_forms_that_are_not_shared(quiet: Joined) -> None:
    quiet.join(entities={"post": "both"})
    try:
        quiet.php("wpcf7_double_send( $in );", POSTED)
    finally:
        quiet.join()
    assert quiet.taken() == set()


def test_submissions_expire_and_people_get_and_erase_theirs(quiet: Joined) -> None:
    for _ in range(2):
        quiet.php("wpcf7_double_send( $in );", {**POSTED, "your-email": "gone@x.example"})
    (_, old), (_, young) = sorted(quiet.taken(), key=lambda one: int(one[1]))
    quiet.php(
        '$wpdb->query( "UPDATE {$wpdb->prefix}agencystack_submissions SET created = created - INTERVAL 91 DAY WHERE id'
        ' = $in" ); do_action( "agencystack_bridge_upkeep" );',
        int(old),
    )
    assert quiet.ask("records", {"kind": "submission", "ids": [old, young]})["records"].keys() == {young}
    told = quiet.told(
        "call_user_func( apply_filters( 'wp_privacy_personal_data_exporters', array() )['agencystack-submissions']"
        "['callback'], $in )",
        "gone@x.example",
    )
    assert "Anna" in str(told["data"])
    assert told["done"] is True
    erased = quiet.told(
        "call_user_func( apply_filters( 'wp_privacy_personal_data_erasers', array() )['agencystack-submissions']"
        "['callback'], $in )",
        "gone@x.example",
    )
    assert erased["items_removed"] is True
    assert "forget" in str(erased["messages"])
    assert quiet.ask("records", {"kind": "submission", "ids": [young]})["records"] == {}


@contextmanager
def bridge(*, status: int = 200) -> Iterator[tuple[str, list[tuple[str, bytes, dict[str, str]]]]]:
    """Something that takes hints."""
    taken: list[tuple[str, bytes, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_change_tells_the_bridge_in_a_signed_call(quiet: Joined) -> None:
    with bridge() as (url, taken):
        quiet.join(hook=f"{url}/hooks/acme/wordpress")
        try:
            quiet.php("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) );")
            deadline = time.monotonic() + 10
            while not taken and time.monotonic() < deadline:
                time.sleep(0.02)
            [(path, body, headers)] = taken
            assert path == "/hooks/acme/wordpress"
            key = SigningKey(KEY.id, KEY.secret)
            check({key.id: key}, "hooks/acme/wordpress", body, headers, lambda nonce: len(nonce) == 32)
            assert body == b'{"epoch":%d}' % quiet.changes()["epoch"]
            quiet.php("get_option( 'siteurl' );")
            assert len(taken) == 1, "nothing changed, nothing to tell"
        finally:
            quiet.join()


def test_a_bridge_that_is_down_is_left_alone_and_loses_nothing(quiet: Joined) -> None:
    quiet.join(hook="http://127.0.0.1:9/hooks/acme/wordpress")
    try:
        before = time.time()
        post = quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
        asleep = quiet.told(
            "(int) $GLOBALS['wpdb']->get_var( \"SELECT option_value FROM {$GLOBALS['wpdb']->options}"
            " WHERE option_name = 'agencystack_bridge_hint'\" )"
        )
        assert asleep > (before + 29) * 1000
        assert quiet.taken() == {("post", str(post))}
    finally:
        quiet.join()
        quiet.php("$wpdb->delete( $wpdb->options, array( 'option_name' => 'agencystack_bridge_hint' ) );")


def _logged_in(site: Joined, login: str, password: str) -> httpx.Client:
    client = httpx.Client(base_url=site.address, follow_redirects=True, timeout=60)
    client.get("/wp-login.php")
    client.post("/wp-login.php", data={"log": login, "pwd": password, "testcookie": "1"})
    return client


def test_the_settings_page_narrows_and_never_widens(quiet: Joined) -> None:
    quiet.php("wp_set_password( 'pw-of-a-test', 1 );")
    quiet.join(entities={"post": "to_erpnext", "page": "both", "submission": "both"})
    admin = quiet.told("get_userdata( 1 )->user_login")
    try:
        with contextlib.closing(_logged_in(quiet, admin, "pw-of-a-test")) as browser:
            page = browser.get("/wp-admin/options-general.php?page=agencystack-bridge")
            assert page.status_code == 200
            assert "AgencyStack data bridge" in page.text
            assert "acme" in page.text
            assert re.findall(r'<option value="(\w+)"', page.text[page.text.index("[post]") :])[:2] == [
                "to_erpnext",
                "off",
            ]
            nonce = re.search(r'name="_wpnonce" value="(\w+)"', page.text)
            assert nonce is not None
            sent = {
                "option_page": "agencystack-bridge",
                "action": "update",
                "_wpnonce": nonce[1],
                "agencystack_bridge_narrowed[post]": "both",
                "agencystack_bridge_narrowed[page]": "to_erpnext",
                "agencystack_bridge_narrowed[submission]": "off",
                "agencystack_bridge_narrowed[customer]": "both",
            }
            browser.post("/wp-admin/options.php", data={**sent, "_wpnonce": "0"})
            assert quiet.changes()["narrowed"] == {"revision": 0, "entities": {}}, "without the nonce nothing is saved"
            browser.post("/wp-admin/options.php", data=sent)
        told = quiet.changes()["narrowed"]
        assert told == {"revision": 1, "entities": {"page": "to_erpnext", "submission": "off"}}
        assert quiet.write("page", "create", {"title": "x"})["code"] == "agencystack_not_shared"
        assert quiet.post("walk", {"kind": "submission"}).json()["code"] == "agencystack_not_shared"
        assert quiet.post("walk", {"kind": "customer"}).json()["code"] == "agencystack_not_shared"
        quiet.php(
            "wp_insert_user( array( 'user_login' => 'reader', 'user_pass' => 'pw',"
            " 'user_email' => 'reader@x.example' ) );"
        )
        with contextlib.closing(_logged_in(quiet, "reader", "pw")) as browser:
            assert browser.get("/wp-admin/options-general.php?page=agencystack-bridge").status_code == 403
    finally:
        quiet.php("delete_option( 'agencystack_bridge_narrowed' );")
        quiet.join()


def test_each_site_of_a_network_has_its_own_marks_and_the_uninstaller_leaves_nothing() -> None:
    reason = wordpress_bridge.unavailable()
    if reason:
        pytest.skip(reason)
    with wordpress_bridge.joined() as main:
        make_network(main.site)
        second = Joined(main.site, url=f"{main.site.url}/second")
        # WordPress takes the port out of a new site's domain.
        main.php(
            "$site = wp_insert_site( array( 'domain' => $in, 'path' => '/second/', 'title' => 'Second',"
            " 'user_id' => 1 ) );"
            " $wpdb->update( $wpdb->blogs, array( 'domain' => $in ), array( 'blog_id' => $site ) );"
            " clean_blog_cache( $site );"
            " update_blog_option( $site, 'siteurl', 'http://' . $in . '/second' );"
            " update_blog_option( $site, 'home', 'http://' . $in . '/second' );"
            " activate_plugin( 'agencystack-connector/agencystack-connector.php', '', true );",
            main.site.url.removeprefix("http://"),
        )
        assert second.join()["instance"] != main.join()["instance"]
        for one in (main, second):
            while one.taken():
                pass
        post = second.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
        assert (main.taken(), second.taken()) == (set(), {("post", str(post))})
        user = second.told(
            "wp_insert_user( array( 'user_login' => 'both', 'user_pass' => 'x', 'user_email' => 'both@x.example' ) )"
        )
        assert ("customer", str(user)) in second.taken()
        main.php("add_user_to_blog( 1, $in, 'subscriber' );", user)
        main.taken()
        second.taken()
        main.php("wp_update_user( array( 'ID' => $in, 'first_name' => 'Both' ) );", user)
        assert main.taken() == second.taken() == {("customer", str(user))}
        changed = main.write("customer", "update", {"first_name": "By the bridge"}, id=str(user))
        assert (changed["result"], changed["native"]["first_name"]) == ("done", "By the bridge")
        main.php("wp_schedule_single_event( time() + 60, 'agencystack_bridge_hint' );")
        main.php(
            "deactivate_plugins( 'agencystack-connector/agencystack-connector.php', false, true );"
            " deactivate_plugins( 'agencystack-connector/agencystack-connector.php', false, false );"
            " uninstall_plugin( 'agencystack-connector/agencystack-connector.php' );"
        )
        for one in (main, second):
            left = one.told(LEFT)
            assert left == [[], [], [], None, False, []], one.address
