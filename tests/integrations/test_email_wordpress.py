"""Undoing what e-mail does to a WordPress, on the stand-in and on Debian's real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import MAIL, Carrier, MailSettings, WordPress
from agencystack.engine.resource import Action, Change, FieldChange, Image
from agencystack.integrations.email.wordpress import WordPressPlugin
from agencystack.sandbox.wordpress import RealWordPress
from tests.contract import wordpress_sites


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest) -> Iterator[wordpress_sites.Site]:
    if request.param == "real" and RealWordPress.available():
        pytest.skip(str(RealWordPress.available()))
    with wordpress_sites.stand_in() if request.param == "stand-in" else wordpress_sites.real() as found:
        yield found


@pytest.fixture
def wordpress(site: wordpress_sites.Site) -> Iterator[WordPress]:
    """A site with WP Mail SMTP there, and never switched on."""
    client = site.wordpress()
    client.ask(MAIL)
    never = client.answer(MAIL).wp_mail_smtp
    assert never.image.data()["option"] is None

    def switch_off() -> None:
        client.deactivate_plugin(Carrier.WP_MAIL_SMTP.plugin)
        client.restore_mail_settings(Carrier.WP_MAIL_SMTP, never.image, applied=never.settings, force=True)

    client.install_plugin(Carrier.WP_MAIL_SMTP.plugin)
    switch_off()
    yield client
    switch_off()


def switched_on(plugin: WordPressPlugin) -> tuple[Image, Image]:
    """Have it switched on; return what was before and right after."""
    before = plugin.read()
    plugin.write(Change(Action.UPDATE, (FieldChange("active", False, True),), {"active": True}, before))
    return Image.of(before), Image.of(plugin.read())


def put_back(plugin: WordPressPlugin, before: Image, applied: Image) -> None:
    change = Change(Action.UPDATE, (FieldChange("active", True, False),), {"active": False}, plugin.read())
    plugin.restore(change, before, applied)


def option(wordpress: WordPress) -> object:
    wordpress.forget()
    return wordpress.answer(MAIL).wp_mail_smtp.image.data()["option"]


def test_undo_takes_the_settings_with_it_that_switching_the_plugin_on_made(wordpress: WordPress) -> None:
    plugin = WordPressPlugin(wordpress, Carrier.WP_MAIL_SMTP)
    before, applied = switched_on(plugin)
    assert option(wordpress) is not None
    put_back(plugin, before, applied)
    assert option(wordpress) is None
    assert plugin.read().fields == {"active": False}


def test_undo_leaves_settings_a_person_made_since(wordpress: WordPress) -> None:
    plugin = WordPressPlugin(wordpress, Carrier.WP_MAIL_SMTP)
    before, applied = switched_on(plugin)
    wordpress.write_mail_settings(Carrier.WP_MAIL_SMTP, MailSettings(from_email="anna@acme.example", mailer="mail"))
    kept = option(wordpress)
    put_back(plugin, before, applied)
    assert option(wordpress) == kept
