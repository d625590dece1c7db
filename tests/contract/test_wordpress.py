"""One suite for the stand-in and for Debian's real WordPress: what our program reads, writes, undoes and sends.

The real WordPress carries our test double of WP Mail SMTP (tests/doubles/wp-mail-smtp), or the real plugin where
AGENCYSTACK_TEST_WP_MAIL_SMTP names its folder.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.wordpress import (
    MAIL,
    OWNER,
    PLUGINS,
    SITE,
    Carrier,
    MailSettings,
    Outcome,
    Source,
    SubmissionWay,
    Via,
    WordPress,
    submission,
)
from agencystack.components.wordpress.program import connector_version
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.stack.errors import ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import MailServer, Site, watched_processes

SENDER = "wordpress@acme.example"
# Everything that has ever been lost in quoting: slashes, quotes, a dollar, non-ASCII.
PASSWORD = "p\\a's\"s-$word-ü"


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "real":
        reason = RealWordPress.available()
        if reason:
            pytest.skip(reason)
    with wordpress_sites.stand_in() if request.param == "stand-in" else wordpress_sites.real() as found:
        yield found


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with wordpress_sites.mail_server(tmp_path_factory.mktemp("mail"), SENDER, PASSWORD) as server:
        yield server


@pytest.fixture
def wordpress(site: Site) -> Iterator[WordPress]:
    """A client; what the test left is taken away."""
    config = site.wp_config.read_bytes()
    client = site.wordpress()
    yield client
    site.wp_config.write_bytes(config)
    client.remove_connector()
    if client.answer(PLUGINS).get("wp-mail-smtp"):
        client.activate_plugin("wp-mail-smtp")
        state = client.answer(MAIL).wp_mail_smtp
        image = {"option": None, "defines": {}}
        client.restore_mail_settings(
            Carrier.WP_MAIL_SMTP, type(state.image).of(image), applied=state.settings, force=True
        )
        client.deactivate_plugin("wp-mail-smtp")
    client.write_owner({"mail": None})


@pytest.fixture(params=list(Carrier))
def carrier(request: pytest.FixtureRequest, wordpress: WordPress) -> Carrier:
    """A carrier whose plugin is active."""
    chosen: Carrier = request.param
    if chosen is Carrier.CONNECTOR:
        wordpress.install_connector()
    else:
        wordpress.install_plugin(chosen.plugin)
    return chosen


def settings(server: MailServer, **changes: object) -> MailSettings:
    return MailSettings(
        from_email=SENDER,
        from_name='Acme \\ "shop" é',
        host="localhost",
        port=server.tls_port,
        user=SENDER,
        password=Secret(PASSWORD),
    ).model_copy(update=changes)


def defines(site: Site, lines: str) -> str:
    """Put lines into wp-config.php as a person does, before WordPress is loaded."""
    fresh = site.wp_config.read_text().replace("$table_prefix", f"{lines}\n$table_prefix", 1)
    site.wp_config.write_text(fresh)
    return fresh


def test_versions_and_address(wordpress: WordPress, site: Site) -> None:
    found = wordpress.answer(SITE)
    assert found.siteurl == found.home == site.url
    assert int(found.wordpress.split(".")[0]) >= 6
    assert found.php.startswith(("7.4", "8."))
    assert (found.name, found.admin_email, found.multisite) == ("Acme shop", "admin@acme.example", False)


def test_a_fresh_site_mails_by_php(wordpress: WordPress) -> None:
    mail = wordpress.answer(MAIL)
    assert (mail.via, mail.foreign) == (Via.NONE, None)
    assert not mail.wp_mail_smtp.active
    assert not mail.connector.installed


def test_connector_is_installed_and_removed(wordpress: WordPress) -> None:
    plugin = wordpress.install_connector()
    assert (plugin.active, plugin.version) == (True, connector_version())
    again = wordpress.install_connector()
    assert again == plugin
    wordpress.remove_connector()
    assert "agencystack-connector" not in wordpress.answer(PLUGINS)
    wordpress.remove_connector()


def test_a_plugin_that_cannot_be_had_names_the_way_out(wordpress: WordPress) -> None:
    with pytest.raises(Refused, match=r"no-such-plugin.*wordpress\.org.*mailer: connector"):
        wordpress.install_plugin("no-such-plugin")
    with pytest.raises(Refused, match="not installed"):
        wordpress.activate_plugin("no-such-plugin")


def test_every_field_is_read_back_as_it_was_written(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    wanted = settings(mail_server)
    wordpress.write_mail_settings(carrier, wanted)
    wordpress.forget()
    mail = wordpress.answer(MAIL)
    assert mail.via == carrier.value
    assert mail.carrier(carrier).settings == wanted
    assert set(mail.carrier(carrier).sources.values()) <= {Source.OPTION, Source.DEFAULT}


def test_settings_without_a_server_carry_nothing(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    wordpress.write_mail_settings(carrier, settings(mail_server, host=""))
    assert wordpress.answer(MAIL).via is Via.NONE


def test_the_password_is_not_stored_readable(wordpress: WordPress, carrier: Carrier, mail_server: MailServer) -> None:
    wordpress.write_mail_settings(carrier, settings(mail_server, password=Secret("plain-canary-word")))
    stored = wordpress.answer(MAIL).carrier(carrier).image.data()["option"]["value"]
    assert b"plain-canary-word" not in base64.b64decode(stored)


def test_no_process_shows_the_password(wordpress: WordPress, carrier: Carrier, mail_server: MailServer) -> None:
    with watched_processes() as seen:
        wordpress.write_mail_settings(carrier, settings(mail_server, password=Secret("process-canary-word")))
        wordpress.forget()
        assert wordpress.answer(MAIL).carrier(carrier).settings.password == Secret("process-canary-word")
    assert any(b"agencystack_in" in text for text in seen), "the watch saw the bootstrap, so it would see a password"
    assert not [text for text in seen if b"process-canary" in text]


def test_a_second_write_changes_nothing_but_the_cipher(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    wanted = settings(mail_server)
    wordpress.write_mail_settings(carrier, wanted)
    wordpress.write_mail_settings(carrier, wanted, expected=wanted)
    assert wordpress.answer(MAIL).carrier(carrier).settings == wanted


def test_a_write_on_values_that_changed_is_refused(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    wanted = settings(mail_server)
    planned_on = wordpress.answer(MAIL).carrier(carrier).settings
    wordpress.write_mail_settings(carrier, settings(mail_server, host="by-hand.example"))
    with pytest.raises(Refused, match=r"changed since it was read: .*host"):
        wordpress.write_mail_settings(carrier, wanted, expected=planned_on)
    assert wordpress.answer(MAIL).carrier(carrier).settings.host == "by-hand.example"


def test_undo_is_byte_exact(wordpress: WordPress, carrier: Carrier, mail_server: MailServer) -> None:
    before = wordpress.answer(MAIL).carrier(carrier).image
    wanted = settings(mail_server)
    wordpress.write_mail_settings(carrier, wanted)
    after = wordpress.answer(MAIL).carrier(carrier).image
    assert after != before
    undone = wordpress.restore_mail_settings(carrier, before, applied=wanted, applied_image=after)
    assert undone.left == ()
    assert wordpress.answer(MAIL).carrier(carrier).image == before


def test_the_image_after_our_write_decides_and_not_the_values(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    """Values that were read differently than written (a product's own spelling) must not stop a byte-exact undo."""
    before = wordpress.answer(MAIL).carrier(carrier).image
    wordpress.write_mail_settings(carrier, settings(mail_server))
    after = wordpress.answer(MAIL).carrier(carrier).image
    other = settings(mail_server, host="spelt-otherwise.example")
    assert wordpress.restore_mail_settings(carrier, before, applied=other, applied_image=after).left == ()
    assert wordpress.answer(MAIL).carrier(carrier).image == before


def test_undo_leaves_and_names_what_a_person_changed(
    wordpress: WordPress, carrier: Carrier, mail_server: MailServer
) -> None:
    before = wordpress.answer(MAIL).carrier(carrier)
    wanted = settings(mail_server)
    wordpress.write_mail_settings(carrier, wanted)
    wordpress.write_mail_settings(carrier, settings(mail_server, port=2525))
    undone = wordpress.restore_mail_settings(carrier, before.image, applied=wanted)
    now = wordpress.answer(MAIL).carrier(carrier).settings
    assert undone.left == ("port",)
    assert (now.port, now.host, now.user) == (2525, before.settings.host, before.settings.user)
    wordpress.restore_mail_settings(carrier, before.image, applied=wanted, force=True)
    assert wordpress.answer(MAIL).carrier(carrier).image == before.image


CONSTANTS = """define( 'WPMS_ON', true );
/* define( 'WPMS_SMTP_HOST', 'in-a-comment' ); */
define('WPMS_SMTP_HOST',   'old.example'); // the host
define( "WPMS_MAILER", 'smtp' );
define( 'WPMS_SSL', '' );
define( 'WPMS_SMTP_PASS', 'old-password' );
define( 'WPMS_MAIL_FROM_FORCE', true );"""


def test_constants_win_and_are_changed_in_place(wordpress: WordPress, site: Site, mail_server: MailServer) -> None:
    wordpress.install_plugin("wp-mail-smtp")
    original = defines(site, CONSTANTS)
    wordpress.forget()
    before = wordpress.answer(MAIL).wp_mail_smtp
    assert before.sources["host"] is Source.CONSTANT
    assert (before.settings.host, before.settings.password) == ("old.example", Secret("old-password"))

    wanted = settings(mail_server, from_email_force=False)
    written = wordpress.write_mail_settings(Carrier.WP_MAIL_SMTP, wanted, expected=before.settings)
    after = wordpress.answer(MAIL).wp_mail_smtp
    assert written.restart
    assert after.settings == wanted
    text = site.wp_config.read_text()
    assert "/* define( 'WPMS_SMTP_HOST', 'in-a-comment' ); */" in text
    assert "define('WPMS_SMTP_HOST',   'localhost'); // the host" in text

    wordpress.restore_mail_settings(Carrier.WP_MAIL_SMTP, before.image, applied=wanted, applied_image=after.image)
    assert site.wp_config.read_text() == original
    assert wordpress.answer(MAIL).wp_mail_smtp.image == before.image


def test_constants_that_are_computed_are_refused_with_the_lines(
    wordpress: WordPress, site: Site, mail_server: MailServer
) -> None:
    wordpress.install_plugin("wp-mail-smtp")
    if "Stand-in" in (site.path / "wp-load.php").read_text():
        pytest.skip("the stand-in runs no PHP expressions")
    defines(site, "define( 'WPMS_ON', true );\ndefine( 'WPMS_SMTP_HOST', 'a' . '.example' );")
    wordpress.forget()
    with pytest.raises(ConfigurationError) as refused:
        wordpress.write_mail_settings(Carrier.WP_MAIL_SMTP, settings(mail_server))
    assert "define( 'WPMS_SMTP_HOST', 'localhost' );" in refused.value.remedy
    assert PASSWORD not in str(refused.value)


def test_marks_of_what_we_own(wordpress: WordPress) -> None:
    wordpress.write_owner({"mail": "acme/email/wordpress", "login": "acme/sso/wordpress"})
    assert wordpress.answer(OWNER) == {"mail": "acme/email/wordpress", "login": "acme/sso/wordpress"}
    wordpress.write_owner({"login": None})
    assert wordpress.answer(OWNER) == {"mail": "acme/email/wordpress"}
    wordpress.write_owner({"mail": None})
    assert wordpress.answer(OWNER) == {}


@pytest.mark.parametrize("security", ["ssl", "tls"])
def test_a_mail_arrives_over_verified_tls(wordpress: WordPress, mail_server: MailServer, security: str) -> None:
    wordpress.install_connector()
    port = mail_server.tls_port if security == "ssl" else mail_server.starttls_port
    wanted = settings(mail_server, port=port, encryption=security, ca=mail_server.ca)
    wordpress.write_mail_settings(Carrier.CONNECTOR, wanted)
    sent = wordpress.send_mail("anna@example.com", f"nonce {security} ü", "Line one\nLine two")
    assert (sent.sent, sent.error) == (True, "")
    sender, message = mail_server.taken[-1]
    assert sender == SENDER
    assert SENDER in message["From"]
    assert message["To"] == "anna@example.com"
    assert message["Message-ID"] == sent.message_id


def test_wp_mail_smtp_trusts_the_authority_our_connector_holds(wordpress: WordPress, mail_server: MailServer) -> None:
    wordpress.install_plugin("wp-mail-smtp")
    wordpress.write_mail_settings(Carrier.WP_MAIL_SMTP, settings(mail_server))
    untrusted = wordpress.send_mail("anna@example.com", "untrusted", "x")
    assert not untrusted.sent
    wordpress.install_connector()
    trust = MailSettings(mailer="mail", host="localhost", ca=mail_server.ca)
    wordpress.write_mail_settings(Carrier.CONNECTOR, trust)
    assert wordpress.answer(MAIL).via is Via.WP_MAIL_SMTP
    sent = wordpress.send_mail("anna@example.com", "trusted", "x")
    assert (sent.sent, sent.error) == (True, "")


def test_a_wrong_password_is_said_in_the_products_words(wordpress: WordPress, mail_server: MailServer) -> None:
    wordpress.install_connector()
    wrong = settings(mail_server, password=Secret("not-the-password"), ca=mail_server.ca)
    wordpress.write_mail_settings(Carrier.CONNECTOR, wrong)
    sent = wordpress.send_mail("anna@example.com", "x", "x")
    assert not sent.sent
    assert "Could not authenticate" in sent.error


def test_submission_is_probed_from_inside(wordpress: WordPress, mail_server: MailServer) -> None:
    closed = SubmissionWay(port=1, security="tls")
    tls = SubmissionWay(port=mail_server.tls_port, security="tls")
    starttls = SubmissionWay(port=mail_server.starttls_port, security="starttls")
    trusted = submission("localhost", ways=(closed, tls, starttls), ca=mail_server.ca)
    second = submission("localhost", ways=(starttls,), ca=mail_server.ca)
    untrusted = submission("localhost", ways=(tls,))
    swapped = submission("localhost", ways=(SubmissionWay(port=tls.port, security="starttls"),), timeout=1)
    for query in (trusted, second, untrusted, swapped):
        wordpress.ask(query)
    assert [seen.outcome for seen in wordpress.answer(trusted)] == [Outcome.CLOSED, Outcome.USABLE]
    assert [seen.outcome for seen in wordpress.answer(second)] == [Outcome.USABLE]
    assert [seen.outcome for seen in wordpress.answer(untrusted)] == [Outcome.CERTIFICATE_UNTRUSTED]
    assert wordpress.answer(swapped)[0].outcome in {Outcome.NOT_SMTP, Outcome.NO_ANSWER}


def test_a_folder_without_wordpress(site: Site, tmp_path: Path) -> None:
    lost = WordPress(wordpress_sites.WHERE, site.executor, "/")
    with pytest.raises(ConfigurationError, match=r"holds no WordPress.*exec\.path"):
        lost.answer(SITE)
