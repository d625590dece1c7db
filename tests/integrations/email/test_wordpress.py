"""Given these mail settings of a site, this plan: WordPress's side of e-mail, on the stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.planning import Status
from agencystack.testing import Installation
from tests.e2e.lab import Lab
from tests.integrations.email.bench import HANDS, SandboxBench

PLUGIN = {"file": "wp-mail-smtp/wp_mail_smtp.php", "name": "WP Mail SMTP", "version": "4.8.0"}

CONSTANTS = """define( 'WPMS_ON', true );
define( 'WPMS_MAILER', 'smtp' ); // since the move
define('WPMS_SMTP_HOST',   'smtp.relay.example');
define( 'WPMS_SMTP_PORT', 587 );
define( 'WPMS_SMTP_PASS', 'of-a-person' );
"""


@pytest.fixture
def installed(lab: Lab, tmp_path: Path) -> Installation:
    return Installation(SandboxBench(lab, "wordpress", tmp_path / "bench"), tmp_path / "installation")


def again(installed: Installation, lab: Lab) -> Installation:
    """Return the same installation after stack.yaml was changed."""
    installed.bench.stack = lab.stack
    return installed


def has(lab: Lab, *, active: bool, **option: Any) -> None:
    """Let the site have WP Mail SMTP with these settings."""
    with lab.wordpress() as store:
        store["plugins"]["wp-mail-smtp"] = {**PLUGIN, "active": active}
        store["options"]["wp_mail_smtp"] = option


def changes(installed: Installation) -> dict[str, set[str]]:
    return {step.resource.key: set(step.change.names) for step in installed.plan().changes if step.change}


def with_constants(lab: Lab, text: str) -> bytes:
    path = lab.wp_config
    source = path.read_text()
    path.write_text(source.replace("<?php\n", f"<?php\n{text}", 1))
    assert text in path.read_text()
    return path.read_bytes()


@pytest.mark.parametrize(
    "option",
    [{}, {"mail": {"mailer": "mail"}}, {"mail": {"mailer": "smtp"}, "smtp": {"host": ""}}],
    ids=["nothing set", "PHP's own mail()", "a server without a name"],
)
def test_a_factory_default_is_nobodys(installed: Installation, lab: Lab, option: dict[str, Any]) -> None:
    has(lab, active=True, **option)
    item = installed.plan()
    assert item.status is Status.PENDING
    assert "mail settings" in changes(installed)
    assert "plugin wp-mail-smtp" not in changes(installed)


def test_settings_of_a_plugin_that_is_switched_off_send_nothing(installed: Installation, lab: Lab) -> None:
    has(lab, active=False, mail={"mailer": "smtp"}, smtp={"host": "smtp.relay.example"})
    assert installed.plan().status is Status.PENDING
    assert changes(installed)["plugin wp-mail-smtp"] == {"active"}


def test_a_relay_of_a_person_is_named_and_not_touched(installed: Installation, lab: Lab) -> None:
    HANDS["wordpress"].relay(lab)
    before = lab.products()
    item = installed.plan()
    assert item.status is Status.BLOCKED
    assert "mail goes through smtp.relay.example" in item.reason
    assert "`replace: true`" in item.reason
    assert installed.integrate().changes == []
    assert lab.products() == before


def test_a_relay_is_replaced_when_stack_yaml_says_so_and_comes_back(installed: Installation, lab: Lab) -> None:
    HANDS["wordpress"].relay(lab)
    before = lab.products()
    lab.allow("replace", "wordpress")
    assert again(installed, lab).integrate().status is Status.APPLIED
    with lab.wordpress() as store:
        option = store["options"]["wp_mail_smtp"]
    assert option["smtp"]["host"] == "localhost"
    assert option["general"] == {"summary_report_email_disabled": True}
    assert changes(installed) == {}
    _, errors = installed.undo()
    assert errors == {}
    assert lab.products() == before


def test_constants_are_what_counts_and_are_changed_in_place(installed: Installation, lab: Lab) -> None:
    has(lab, active=True, mail={"mailer": "mail"})
    source = with_constants(lab, CONSTANTS)
    item = installed.plan()
    assert item.status is Status.BLOCKED
    assert "smtp.relay.example" in item.reason

    lab.allow("replace", "wordpress")
    result = again(installed, lab).integrate()
    assert (result.status, result.reason) == (Status.APPLIED, "")
    text = lab.wp_config.read_text()
    assert "define( 'WPMS_MAILER', 'smtp' ); // since the move\n" in text
    assert "define('WPMS_SMTP_HOST',   'localhost');\n" in text
    assert "of-a-person" not in text
    assert changes(installed) == {}

    _, errors = installed.undo()
    assert errors == {}
    assert lab.wp_config.read_bytes() == source


def test_a_site_that_shall_send_nothing_is_left_alone(installed: Installation, lab: Lab) -> None:
    has(lab, active=True, general={"do_not_send": True})
    item = installed.plan()
    assert item.status is Status.BLOCKED
    assert "told to send no mail at all" in item.reason
    assert '"Do Not Send"' in item.reason
    assert installed.integrate().changes == []


def test_a_persons_other_settings_stay_through_apply_and_undo(installed: Installation, lab: Lab) -> None:
    general = {"summary_report_email_disabled": True, "uninstall": False}
    has(lab, active=True, general=general, logs={"enabled": True})
    assert installed.integrate().status is Status.APPLIED
    with lab.wordpress() as store:
        store["options"]["wp_mail_smtp"]["logs"] = {"enabled": False}
        assert store["options"]["wp_mail_smtp"]["general"] == general
    assert changes(installed) == {}
    installed.undo()
    with lab.wordpress() as store:
        assert store["options"]["wp_mail_smtp"]["logs"] == {"enabled": False}
        assert store["options"]["wp_mail_smtp"]["general"] == general
