"""The first thing an agency does, as issue and README promise it: integrate, again, verify, drift, undo."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from tests.e2e.lab import APPLICATIONS, Lab


def test_integrate_changes_something_and_applies_all_four(lab: Lab):
    done = lab.integrate()
    assert done.code == 0
    assert done.json["changes"] > 0
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied")


def test_a_second_run_changes_nothing_and_asks_no_product_for_a_change(applied: Lab):
    before, env_file = applied.products(), applied.env_file.stat()
    running = (applied.env_file.parent / "running-environment.json").stat()
    applied.forget_calls()
    done = applied.integrated()
    assert done.json["changes"] == 0
    assert applied.writes() == []
    assert applied.products() == before
    assert applied.env_file.stat().st_mtime_ns == env_file.st_mtime_ns
    assert (applied.env_file.parent / "running-environment.json").stat().st_mtime_ns == running.st_mtime_ns


def test_every_proof_passes_and_shows_what_it_saw(applied: Lab):
    done = applied.run("verify", "email", "--json")
    assert done.code == 0
    proofs = done.json["proofs"]
    assert {proof["component"] for proof in proofs} == set(APPLICATIONS)
    for proof in proofs:
        assert proof["ok"], proof
        address = f"{proof['component']}@acme.example"
        seen = proof["evidence"]
        assert (seen["from"], seen["envelope_sender"]) == (address, address)
        assert seen["dkim"].endswith("_domainkey.acme.example")
        assert "tls" in seen["submission"].lower()
        assert seen["seconds_to_arrive"] >= 0
    assert [user["email"] for user in applied.mailu("GET", "/user") if "probe" in user["email"]] == []


def in_wordpress(lab: Lab) -> None:
    with lab.wordpress() as store:
        store["options"]["wp_mail_smtp"]["mail"]["from_name"] = "Somebody else"


def in_erpnext(lab: Lab) -> None:
    lab.erpnext("PUT", "resource/Email Account/acme.example", always_use_account_name_as_sender_name=0)


def in_listmonk(lab: Lab) -> None:
    settings = lab.listmonk("GET", "settings")["data"]
    for server in settings["smtp"]:
        server["password"] = ""
    lab.listmonk("PUT", "settings", {**settings, "app.from_email": "Somebody <else@acme.example>"})


def in_chatwoot(lab: Lab) -> None:
    lab.change_env("SMTP_DOMAIN", "somebody.example")


def in_mailu(lab: Lab) -> None:
    lab.mailu("PATCH", "/user/wordpress@acme.example", enabled=False)


@pytest.mark.parametrize(
    ("edit", "application", "resource", "field"),
    [
        (in_wordpress, "wordpress", "acme/wordpress: mail settings", "from_name"),
        (
            in_erpnext,
            "erpnext",
            "acme/erpnext: Email Account that sends",
            "always_use_account_name_as_sender_name",
        ),
        (in_listmonk, "listmonk", "acme/listmonk: mail settings", "from_email"),
        (in_chatwoot, "chatwoot", "acme/chatwoot: mail variables", "SMTP_DOMAIN"),
        (in_mailu, "wordpress", "shared/mailu: user wordpress@acme.example", "enabled"),
    ],
    ids=["wordpress", "erpnext", "listmonk", "chatwoot", "mailu"],
)
def test_a_value_edited_by_hand_is_named_alone_and_mended(
    applied: Lab, edit: Callable[[Lab], None], application: str, resource: str, field: str
):
    edit(applied)
    status = applied.run("status", "email", "--json")
    assert status.statuses() == dict.fromkeys(APPLICATIONS, "applied") | {application: "drifted"}
    assert field in status.reason(application)
    plan = applied.plan()
    assert plan.code == 3
    assert plan.changed() == {resource: [field]}
    assert applied.integrated().json["changes"] == 1
    assert applied.plan().code == 0


def test_undo_makes_the_plan_what_it_was_and_puts_every_byte_back(lab: Lab):
    plan, before = lab.planned(), lab.products()
    lab.integrated()
    assert lab.products() != before
    undone = lab.undo()
    assert undone.code == 0
    assert undone.statuses() == dict.fromkeys(APPLICATIONS, "undone")
    assert lab.products() == before
    assert lab.planned() == plan
    assert lab.undo().json["changes"] == 0


def test_undo_of_drift_that_was_mended_goes_back_to_before_the_first_run(lab: Lab):
    before = lab.products()
    lab.integrated()
    for edit in (in_wordpress, in_erpnext, in_listmonk, in_chatwoot):
        edit(lab)
    lab.integrated()
    assert lab.undo().code == 0
    assert lab.products() == before


def test_undo_of_one_run_goes_back_to_before_that_run(applied: Lab):
    before = applied.products()
    applied.allow("sender_name=Acme shop", "listmonk")
    run = applied.integrated().json["run"]
    assert applied.products() != before
    assert applied.run("undo", "email", "--run", run, "--auto", "--json").code == 0
    assert applied.products() == before


def test_undo_leaves_what_a_person_changed_and_says_so(applied: Lab):
    applied.change_env("SMTP_DOMAIN", "somebody.example")
    undone = applied.undo("--component", "chatwoot")
    assert undone.code == 0
    assert "SMTP_DOMAIN" in undone.reason("chatwoot")
    text = applied.env_file.read_text()
    assert "SMTP_DOMAIN=somebody.example\n" in text
    assert "SMTP_ADDRESS=\n" in text


def test_undo_with_force_takes_a_persons_change_back_too(lab: Lab):
    before = lab.products()
    lab.integrated()
    lab.change_env("SMTP_DOMAIN", "somebody.example")
    assert lab.undo("--force").code == 0
    assert lab.products() == before


def test_a_mailbox_with_mail_in_it_is_disabled_and_its_mail_stays(applied: Lab):
    send(applied, "wordpress", "listmonk@acme.example")
    undone = applied.undo()
    assert undone.code == 0
    assert "disabled, not deleted" in undone.reason("listmonk")
    kept = applied.ours("listmonk")
    assert kept["user"]["enabled"] is False
    assert kept["user"]["quota_bytes_used"] > 0
    assert kept["tokens"] == []
    assert applied.ours("wordpress")["user"] is None


def test_a_disabled_mailbox_is_used_again_by_the_next_integrate(applied: Lab):
    send(applied, "wordpress", "listmonk@acme.example")
    assert applied.undo().code == 0
    applied.integrated()
    assert applied.ours("listmonk")["user"]["enabled"] is True
    assert len(applied.ours("listmonk")["tokens"]) == 1


def test_a_domain_that_is_missing_is_made_with_a_key_and_stays(lab: Lab):
    def another_domain(stack: dict) -> None:
        stack["clients"]["acme"]["domain"] = "new.example"

    lab.edit(another_domain)
    plan = lab.plan()
    assert plan.changed("wordpress")["shared/mailu: domain new.example"] == ["dkim_key"]
    assert lab.calls("mailu")
    assert lab.writes() == []
    lab.integrated()
    made = lab.mailu("GET", "/domain/new.example")
    assert made["dns_dkim"]
    undone = lab.undo()
    assert undone.code == 0
    assert any("never deleted" in undone.reason(name) for name in APPLICATIONS)
    assert lab.mailu("GET", "/domain/new.example")["dns_dkim"] == made["dns_dkim"]
    assert [user for user in lab.mailu("GET", "/user") if user["email"].endswith("@new.example")] == []


def test_another_sender_leaves_as_it_by_an_alias(lab: Lab):
    lab.allow("sender=shop@acme.example", "wordpress")
    lab.integrated()
    done = lab.run("verify", "email", "--component", "wordpress", "--json")
    assert [proof["evidence"]["from"] for proof in done.json["proofs"]] == ["shop@acme.example"]
    assert lab.mailu("GET", "/alias/shop@acme.example")["destination"] == ["wordpress@acme.example"]


def send(lab: Lab, application: str, to: str) -> None:
    """Send a mail with an application's own login and wait until Mailu holds it."""
    mail = EmailMessage()
    sender = f"{application}@acme.example"
    mail["From"], mail["To"], mail["Subject"] = sender, to, "Mail of a person"
    mail.set_content("Keep me.\n")
    with smtplib.SMTP_SSL("localhost", lab.ports["smtps"], context=lab.tls, timeout=10) as server:
        server.login(sender, lab.issued(application))
        server.send_message(mail)
    login = to.partition("@")[0]
    with imaplib.IMAP4_SSL("localhost", lab.ports["imaps"], ssl_context=lab.tls) as box:
        box.login(to, lab.issued(login))
        assert box.select("INBOX", readonly=True)[1] == [b"1"]
