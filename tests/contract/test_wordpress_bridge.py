"""What the connector notes and answers for the data bridge, on Debian's real WordPress."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from agencystack.bridge.signing import NONCE, SIGNATURE, TIME, SigningKey
from agencystack.components.bridge_settings import BridgeKey
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_bridge
from tests.contract.wordpress_bridge import KEY, Joined, new_token

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def site() -> Iterator[Joined]:
    reason = wordpress_bridge.unavailable()
    if reason:
        pytest.skip(reason)
    with wordpress_bridge.joined("contact-form-7") as found:
        yield found


@pytest.fixture
def quiet(site: Joined) -> Joined:
    """The site, with nothing left to be told."""
    while site.taken():
        pass
    return site


def test_only_a_call_that_is_signed_lately_and_once_is_answered(site: Joined) -> None:
    route, raw = "agencystack/v1/bridge/changes", b'{"limit": 1}'
    headers = {"Content-Type": "application/json", **SigningKey(KEY.id, KEY.secret).headers(route, raw)}
    where = f"{site.address}/wp-json/{route}"
    assert httpx.post(where, content=raw, headers=headers).status_code == 200
    again = httpx.post(where, content=raw, headers=headers)
    assert (again.status_code, again.json()["code"]) == (401, "agencystack_replayed")
    assert site.post("changes", {}, **{SIGNATURE: "0" * 64}).json()["message"] == "the signature does not match"
    assert site.post("changes", {}, **{TIME: "1"}).json()["message"].startswith("its time is more than 300 s")
    assert site.post("changes", {}, **{NONCE: "short"}).json()["message"] == "its nonce has not 32 letters and digits"
    for name in ("records", "apply", "walk", "digest", "rows", "find", "search"):
        answer = httpx.post(f"{site.address}/wp-json/agencystack/v1/bridge/{name}", json={})
        assert (answer.status_code, answer.json()["code"]) == (401, "agencystack_unsigned")
    moved = httpx.post(f"{site.address}/wp-json/agencystack/v1/bridge/apply", content=raw, headers=headers)
    assert moved.status_code == 401, "a signature is for one route"


def test_two_keys_are_good_while_one_is_exchanged(site: Joined) -> None:
    second = BridgeKey("k2", Secret("another-secret-of-a-test-long-enough"))
    site.join(second, KEY)
    assert site.changes()
    assert Joined(site.site, second).changes()
    site.join(second)
    assert site.post("changes", {}).status_code == 401
    site.join(KEY)
    assert "the-secret" not in site.php("echo wp_json_encode( get_option( 'agencystack_bridge' ) );")


def test_a_short_secret_or_an_unknown_entity_is_refused(site: Joined) -> None:
    assert site.join(BridgeKey("k", Secret("short"))) is None
    assert site.join(entities={"passwords": "both"}) is None
    assert site.join(pairing="a b") is None
    assert site.join(KEY, KEY, KEY) is None
    assert site.changes()["instance"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("wp_update_user( array( 'ID' => $in['user'], 'first_name' => 'Eva' ) );", {("customer", "user")}),
        ("update_user_meta( $in['user'], 'billing_city', wp_rand() );", {("customer", "user")}),
        ("( new WP_User( $in['user'] ) )->add_role( 'author' );", {("customer", "user")}),
        ("update_user_meta( $in['user'], 'session_tokens', wp_rand() );", set()),
        ("wp_update_post( array( 'ID' => $in['post'], 'post_title' => 'x' . wp_rand() ) );", {("post", "post")}),
        ("wp_set_object_terms( $in['post'], 'news' . wp_rand(), 'category' );", {("post", "post")}),
        ("update_post_meta( $in['post'], '_edit_lock', wp_rand() );", set()),
        ("wp_trash_post( $in['page'] ); wp_untrash_post( $in['page'] );", {("page", "page")}),
        ("wp_save_post_revision( $in['post'] );", set()),
        ("wp_insert_post( array( 'post_type' => 'nav_menu_item', 'post_title' => 'x' ) );", set()),
        ("wp_insert_post( array( 'post_title' => 'x', 'post_status' => 'auto-draft' ) );", set()),
    ],
)
def test_what_changes_is_told_and_noise_is_not(quiet: Joined, code: str, expected: set[tuple[str, str]]) -> None:
    made = quiet.told(
        "array( 'user' => wp_insert_user( array( 'user_login' => 'u' . wp_rand(), 'user_pass' => 'x', 'user_email' =>"
        " wp_rand() . '@x.example' ) ),"
        " 'post' => wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) ),"
        " 'page' => wp_insert_post( array( 'post_type' => 'page', 'post_title' => 'p', 'post_content' => 'c' ) ) )"
    )
    assert quiet.taken() == {("customer", str(made["user"])), ("post", str(made["post"])), ("page", str(made["page"]))}
    quiet.php(code, made)
    assert quiet.taken() == {(entity, str(made[which])) for entity, which in expected}


def test_a_change_after_the_answer_has_a_mark_of_its_own(quiet: Joined) -> None:
    post = quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
    rename = "wp_update_post( array( 'ID' => $in, 'post_title' => wp_rand() ) );"
    [first] = quiet.changes()["changes"]
    quiet.php(rename, post)
    left = quiet.changes([first["mark"]])
    [second] = left["changes"]
    assert (second["entity"], second["id"]) == ("post", str(post))
    assert second["mark"] != first["mark"]
    quiet.php(rename, post)
    quiet.php(rename, post)
    [third] = quiet.changes()["changes"]
    done = quiet.changes([third["mark"]])
    assert done["changes"] == []
    assert done["epoch"] == left["epoch"] + 4 == int(third["mark"]), "two numbers a change: begun, and confirmed"
    assert quiet.changes()["epoch"] == done["epoch"], "numbers never go back, whatever was acknowledged"


def test_numbers_do_not_go_back_when_the_bridge_itself_writes(quiet: Joined) -> None:
    before = quiet.changes()["epoch"]
    made = quiet.write("post", "create", {"title": "x", "content": "c"})["native"]
    between = quiet.changes()["epoch"]
    assert between > before
    quiet.write("post", "update", {"title": "y"}, id=str(made["id"]))
    after = quiet.changes()
    assert after["epoch"] >= between
    assert after["changes"] == []
    assert quiet.changes()["epoch"] == after["epoch"]
    rows = quiet.told(
        "$GLOBALS['wpdb']->get_var( \"SELECT COUNT(*) FROM {$GLOBALS['wpdb']->prefix}agencystack_marks\" )"
    )
    assert rows == "1", "only the newest number is kept"


def test_more_is_told_page_by_page_oldest_first(quiet: Joined) -> None:
    ids = [quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )") for _ in range(3)]
    page = quiet.changes(limit=2)
    assert ([one["id"] for one in page["changes"]], page["more"]) == ([str(id_) for id_ in ids[:2]], True)
    rest = quiet.changes([one["mark"] for one in page["changes"]], 2)
    assert ([one["id"] for one in rest["changes"]], rest["more"]) == ([str(ids[2])], False)


def test_a_killed_request_is_told_after_its_grace_and_is_half_until_then(quiet: Joined) -> None:
    post = quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
    assert quiet.taken() == {("post", str(post))}
    die = "add_action( 'post_updated', function () { posix_kill( getmypid(), 9 ); } );"
    quiet.php(die + "wp_update_post( array( 'ID' => $in, 'post_title' => 'killed' ) );", post, returns=-9)
    assert quiet.taken() == set()
    assert quiet.record("post", post)["agencystack"]["half"] is True
    quiet.php(
        'global $wpdb; $wpdb->query( "UPDATE {$wpdb->prefix}agencystack_marks SET at = at - 61 WHERE state = 0" );'
    )
    assert quiet.taken() == {("post", str(post))}
    found = quiet.record("post", post)
    assert (found["title"]["raw"], found["agencystack"]["half"]) == ("killed", False)


def test_a_rolled_back_transaction_of_another_plugin_hurts_nobody(quiet: Joined) -> None:
    post = quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
    quiet.taken()
    quiet.php(
        "$wpdb->query( 'START TRANSACTION' ); wp_update_post( array( 'ID' => $in, 'post_title' => 'no' ) );"
        " $wpdb->query( 'ROLLBACK' );",
        post,
    )
    assert quiet.taken() <= {("post", str(post))}
    assert quiet.record("post", post)["title"]["raw"] == "p"


def test_a_kind_that_is_not_shared_is_neither_shown_nor_written(site: Joined) -> None:
    site.join(entities={"post": "to_erpnext"})
    try:
        for name in ("records", "search", "find", "walk", "digest", "rows"):
            answer = site.post(name, {"kind": "customer"})
            assert (answer.status_code, answer.json()["code"]) == (403, "agencystack_not_shared")
        assert site.ask("walk", {"kind": "post", "limit": 1})["ids"]
        assert site.write("post", "create", {"title": "x"})["code"] == "agencystack_not_shared"
        absent = site.post("records", {"kind": "product"})
        assert (absent.status_code, absent.json()["code"]) == (404, "agencystack_not_kept"), "without WooCommerce"
    finally:
        site.join()


@pytest.mark.parametrize("kind", ["post", "page"])
def test_content_is_made_once_changed_conditionally_and_put_away(quiet: Joined, kind: str) -> None:
    one = {"token": new_token(), "kind": kind, "action": "create"}
    one["values"] = {
        "title": "A < B 😀",
        "content": "<p onclick='x()'>ok</p><script>bad()</script>",
        "status": "publish",
    }  # type: ignore[assignment]
    made = quiet.ask("apply", {"writes": [one]})["written"][one["token"]]
    assert made["result"] == "done"
    native = made["native"]
    assert native["agencystack"]["token"] == one["token"]
    assert "<script" not in native["content"]["raw"]
    assert "onclick" not in native["content"]["raw"]
    again = quiet.ask("apply", {"writes": [one]})["written"][one["token"]]
    assert again["native"]["id"] == native["id"]
    assert quiet.ask("find", {"kind": kind, "tokens": [one["token"], new_token()]})["found"] == {
        one["token"]: str(native["id"])
    }
    assert quiet.taken() == set(), "what the bridge wrote and was shown needs no second look"
    version = native["agencystack"]["version"]
    changed = quiet.write(kind, "update", {"title": "C"}, id=str(native["id"]), version=version)
    assert (changed["result"], changed["native"]["title"]["raw"]) == ("done", "C")
    stale = quiet.write(kind, "update", {"title": "D"}, id=str(native["id"]), version=version)
    assert (stale["result"], stale["native"]["title"]["raw"]) == ("stale", "C")
    assert quiet.write(kind, "trash", id=str(native["id"]))["native"]["status"] == "trash"
    assert quiet.write(kind, "trash", id=str(native["id"]))["result"] == "done"
    assert quiet.write(kind, "delete", id=str(native["id"]))["native"] is None
    assert quiet.write(kind, "delete", id=str(native["id"]))["result"] == "done"
    assert quiet.write(kind, "update", {"title": "E"}, id=str(native["id"]))["result"] == "stale"


@pytest.mark.parametrize(
    ("kind", "values", "hook"),
    [
        ("post", {"title": "once", "content": "c", "status": "publish"}, "save_post"),
        ("customer", {"email": "once@x.example", "first_name": "Anna", "billing": {"city": "Bern"}}, "user_register"),
    ],
)
def test_a_creation_that_was_killed_is_finished_not_repeated(
    quiet: Joined, kind: str, values: dict[str, object], hook: str
) -> None:
    folder = quiet.site.path / "wp-content" / "mu-plugins"
    killer = folder / "killer.php"
    token = new_token()
    once = {"writes": [{"token": token, "kind": kind, "action": "create", "values": values}]}
    # The same code as a call, in a process that can be killed without taking the web server along.
    call = "AgencyStack\\Connector\\Bridge_User::act(); AgencyStack\\Connector\\Bridge_Apply::all( $in['writes'] );"
    killer.write_text(f"<?php add_action( '{hook}', function () {{ posix_kill( getmypid(), 9 ); }} );")
    try:
        quiet.php(call, once, returns=-9)
    finally:
        killer.unlink()
    written = quiet.ask("apply", once)["written"][token]
    assert (written["result"], written["native"]["agencystack"]["half"]) == ("done", False)
    assert quiet.ask("find", {"kind": kind, "tokens": [token]})["found"] == {token: str(written["native"]["id"])}
    if kind == "customer":
        assert written["native"]["billing"]["city"] == "Bern"
        assert len(quiet.ask("search", {"kind": kind, "params": {"email": "once@x.example"}})["records"]) == 1
    else:
        assert len(quiet.ask("search", {"kind": kind, "params": {"search": "once"}})["records"]) == 1


def test_people_are_kept_in_step_and_staff_is_left_alone(quiet: Joined) -> None:
    values = {"email": "eva@x.example", "first_name": "Eva", "billing": {"city": "Zürich"}, "role": "administrator"}
    made = quiet.write("customer", "create", values)
    native = made["native"]
    assert (native["email"], native["billing"]["city"], native["role"]) == ("eva@x.example", "Zürich", "subscriber")
    changed = quiet.write("customer", "update", {"last_name": "O'Neil \\ 😀"}, id=str(native["id"]))
    assert changed["native"]["last_name"] == "O'Neil \\ 😀"
    twice = quiet.write("customer", "create", values)
    assert (twice["result"], twice["code"]) == ("refused", "existing_user_email")
    nobody = quiet.write("customer", "create", {"first_name": "No mail"})
    assert (nobody["result"], nobody["code"]) == ("refused", "registration-error-invalid-email")
    for action in ("update", "delete"):
        refused = quiet.write("customer", action, {"email": "evil@x.example"}, id="1")
        assert (refused["result"], refused["code"]) == ("refused", "agencystack_staff")
    assert quiet.write("customer", "trash", id=str(native["id"]))["code"] == "agencystack_no_bin"
    assert quiet.write("customer", "delete", id=str(native["id"]))["result"] == "done"


def test_no_write_mails_anybody_unless_it_is_asked_for(quiet: Joined) -> None:
    (quiet.site.path / "wp-content" / "mu-plugins" / "mails.php").write_text(
        "<?php add_action( 'phpmailer_init', function ( $mail ) { update_option( 'test_mails', 1 + (int) get_option("
        " 'test_mails' ) ); $mail->Mailer = 'sendmail'; $mail->Sendmail = '/bin/true'; } );"
    )
    made = quiet.write("customer", "create", {"email": "mail@x.example"})["native"]
    quiet.write("customer", "update", {"email": "mail2@x.example", "password": "other"}, id=str(made["id"]))
    assert quiet.told("(int) get_option( 'test_mails' )") == 0
    quiet.write("customer", "update", {"email": "mail3@x.example"}, id=str(made["id"]), notify=True)
    assert quiet.told("(int) get_option( 'test_mails' )") == 1


def test_the_user_of_the_bridge_opens_no_door(site: Joined) -> None:
    login = "agencystack-bridge"
    assert site.told("is_wp_error( wp_authenticate( $in, 'x' ) )", login)
    opened = site.told(
        "wp_set_password( 'known', get_user_by( 'login', $in )->ID ) ?: wp_authenticate( $in, 'known' )", login
    )
    assert "agencystack_no_login" in json.dumps(opened)
    user = f"get_user_by( 'login', '{login}' )"
    assert site.told(f"wp_is_application_passwords_available_for_user( {user} )") is False
    for may in ("edit_users", "create_users", "delete_users", "manage_options", "unfiltered_html", "edit_plugins"):
        assert site.told(f"user_can( {user}, '{may}' )") is False, may


@pytest.mark.parametrize("kind", ["customer", "post", "page", "submission"])
def test_digests_of_ranges_are_those_of_their_rows(site: Joined, kind: str) -> None:
    ids = site.ask("walk", {"kind": kind, "after": "", "limit": 1000})["ids"]
    rows = site.ask("rows", {"kind": kind, "range": ["", ""]})["rows"]
    assert sorted(rows) == sorted(ids)
    middle = str(int(ids[len(ids) // 2])).zfill(20) if ids else "1".zfill(20)
    answer = site.ask("digest", {"kind": kind, "ranges": [["", ""], ["", middle], [middle, ""], [middle, middle]]})
    total, low, high, nothing = answer["summaries"]
    folded = 0
    for row in rows.values():
        folded ^= int(row, 16)
    assert total == [len(ids), f"{folded:016x}"]
    assert total == [low[0] + high[0], f"{int(low[1], 16) ^ int(high[1], 16):016x}"]
    assert nothing == [0, "0" * 16]


def test_a_change_that_no_hook_saw_shows_in_the_digest_of_one_row(quiet: Joined) -> None:
    post = quiet.told("wp_insert_post( array( 'post_title' => 'p', 'post_content' => 'c' ) )")
    quiet.taken()
    before = quiet.ask("rows", {"kind": "post", "range": ["", ""]})["rows"]
    quiet.php("$wpdb->update( $wpdb->posts, array( 'post_title' => 'raw' ), array( 'ID' => $in ) );", post)
    after = quiet.ask("rows", {"kind": "post", "range": ["", ""]})["rows"]
    assert quiet.taken() == set()
    assert {id_ for id_ in after if after[id_] != before[id_]} == {str(post)}
    assert quiet.record("post", post)["agencystack"]["row"] == after[str(post)]


def test_walks_go_on_where_they_ended(site: Joined) -> None:
    whole = site.ask("walk", {"kind": "post", "after": "", "limit": 1000})
    assert whole["next"] == ""
    ids, after = [], ""
    while True:
        page = site.ask("walk", {"kind": "post", "after": after, "limit": 2})
        ids += page["ids"]
        after = page["next"]
        if not after:
            break
    assert ids == whole["ids"]
