"""Grafana's side of e-mail: its environment file, on its stand-in and a mail server of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.grafana import Alerting, Grafana
from agencystack.components.mailu import Mailu
from agencystack.engine.context import Component
from agencystack.engine.planning import Status
from agencystack.integrations.email.grafana import GrafanaEmail
from agencystack.integrations.monitoring.contact import contact_name
from agencystack.integrations.monitoring.grafana_proofs import AlertArrives, Recipient
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit, Installation
from tests.grafana_machine import ENV, Machine
from tests.mail_fixtures import API_TOKEN, Mail, mail_server
from tests.serving import served

ADMIN, PASSWORD = "admin", "a-password-of-the-admin"
DOMAIN = "client1.test"


class MachineBench(Bench):
    """Grafana on a machine with an environment file, and Mailu."""

    secrets = (Secret(PASSWORD), API_TOKEN)

    def __init__(self, url: str, machine: Machine, mail: Mail) -> None:
        self.integration = GrafanaEmail()
        self.url, self.machine, self.mail = url, machine, mail
        self.told: dict[str, Any] = {
            "env_file": str(machine.env),
            "restart": machine.restart,
            "exec": {"local": True},
        }
        self.settings: dict[str, Any] = {"sender_name": "Client One"}
        self.submission: dict[str, Any] = {"host": "localhost", "port": mail.starttls_port, "security": "starttls"}

    @property
    def stack(self) -> Stack:  # type: ignore[override]
        """What stack.yaml says now."""
        mailu = {
            "url": str(self.mail.api.base_url).removesuffix("/api/v1/"),
            "api_token": "env:MAILU",
            "hostname": "localhost",
            "ca_file": str(self.mail.certificates.ca),
            "submission": self.submission,
            "imap": {"port": self.mail.imap_port},
        }
        grafana = {"url": self.url, "admin_password": "env:GRAFANA", **self.told}
        client = {"domain": DOMAIN, "integrations": {"email": {"grafana": self.settings}}}
        shared = {"components": {"mailu": mailu, "grafana": grafana}}
        return Stack.model_validate({"version": 1, "shared": shared, "clients": {"acme": client}})

    def resolve(self, reference: Any) -> Secret:
        return API_TOKEN if "MAILU" in str(reference) else Secret(PASSWORD)

    def state(self) -> object:
        return self.machine.env.read_bytes()

    def calls(self) -> int:
        return 0

    def edit(self) -> Edit:
        raise NotImplementedError

    def unreachable(self) -> AbstractContextManager[None]:
        return nullcontext()

    def failing_proof(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MachineBench]:
    with ExitStack() as stack:
        mail = stack.enter_context(mail_server(tmp_path / "mail"))
        machine = Machine(tmp_path / "machine", PASSWORD, ca_file=mail.certificates.ca)
        yield MachineBench(stack.enter_context(served(machine)), machine, mail)


def test_its_mail_leaves_from_its_own_mailbox_and_undo_leaves_no_byte(bench: MachineBench, tmp_path: Path) -> None:
    here = Installation(bench, tmp_path / "installation")
    result = here.integrate()
    [proof] = result.proofs
    assert proof.ok, proof.reason
    assert (proof.evidence["from"], proof.evidence["from_name"]) == (f"grafana@{DOMAIN}", "Client One")
    assert result.status is Status.APPLIED
    text = bench.machine.env.read_text()
    assert "# ours, see the wiki\nGF_SECURITY_ADMIN_USER=admin   # stays\n" in text
    assert "GF_SMTP_STARTTLS_POLICY=MandatoryStartTLS" in text
    assert bench.machine.starts == 1
    assert here.integrate().changes == []
    assert bench.machine.starts == 1
    _, errors = here.undo()
    assert errors == {}
    assert bench.machine.env.read_text() == ENV
    assert bench.machine.starts == 2


def test_a_mail_server_of_a_person_is_replaced_only_when_stack_yaml_says_so(
    bench: MachineBench, tmp_path: Path
) -> None:
    bench.machine.add("GF_SMTP_ENABLED=true\nGF_SMTP_HOST=smtp.relay.example:587\nGF_SMTP_USER=them\n")
    before = bench.machine.env.read_bytes()
    here = Installation(bench, tmp_path / "installation")
    item = here.plan()
    assert item.status is Status.BLOCKED
    assert "mail goes through smtp.relay.example:587, set by a person" in item.reason
    assert here.integrate().changes == []
    assert bench.machine.env.read_bytes() == before
    bench.settings = {**bench.settings, "replace": True}
    assert here.integrate().status is Status.APPLIED
    here.undo()
    assert bench.machine.env.read_bytes() == before


def test_without_a_file_a_person_is_told_what_to_write(bench: MachineBench, tmp_path: Path) -> None:
    bench.told = {}
    item = Installation(bench, tmp_path / "installation").plan()
    assert item.status is Status.MANUAL
    assert "write env_file, restart and exec of shared.components.grafana in stack.yaml" in item.reason


def test_tls_from_the_first_byte_at_another_port_than_465_is_named(bench: MachineBench, tmp_path: Path) -> None:
    bench.submission = {"host": "localhost", "port": bench.mail.tls_port, "security": "tls"}
    item = Installation(bench, tmp_path / "installation").plan()
    assert item.status is Status.BLOCKED
    assert "takes TLS from the first byte on port 465 alone" in item.reason


def test_a_restart_that_changes_nothing_is_no_success(bench: MachineBench, tmp_path: Path) -> None:
    bench.told = {**bench.told, "restart": ["true"]}
    result = Installation(bench, tmp_path / "installation").integrate()
    assert result.status is not Status.APPLIED
    assert "was restarted and still sends no mail" in result.reason


def test_a_test_alert_of_monitoring_arrives_and_where_it_cannot_be_sent_that_is_said(
    bench: MachineBench, tmp_path: Path
) -> None:
    here = Installation(bench, tmp_path / "installation")
    grafana = Grafana(ComponentRef("shared", "grafana"), bench.url, user=ADMIN, password=Secret(PASSWORD))
    settings = bench.stack.shared.components.mailu
    assert settings is not None
    component = Component(ComponentRef("shared", "mailu"), settings)
    mailu = Mailu(component.ref, settings.url, API_TOKEN)
    recipient = Recipient(mailu, component, DOMAIN)
    proof = AlertArrives(Alerting(grafana.calls), contact_name("acme"), {"agencystack": "acme"}, recipient)
    failed = proof.run()
    assert not failed.ok
    assert "Grafana could not send it" in failed.reason
    assert "SMTP not configured" in failed.reason
    assert here.integrate().status is Status.APPLIED
    seen = proof.run()
    assert seen.ok, seen.reason
    assert seen.seen["from"] == f"grafana@{DOMAIN}"
    mailu.forget()
    assert [user.email for user in mailu.users() if user.email.startswith("agencystack-probe-")] == []
    grafana.close()
