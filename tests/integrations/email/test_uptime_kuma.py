"""Uptime Kuma's mail: conformance on the sandbox, and what of a notification is people's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agencystack.components.mailbox import Mailbox
from agencystack.components.uptime_kuma import Notification, UptimeKuma
from agencystack.engine.planning import Status
from agencystack.integrations.email.uptime_kuma import UptimeKumaEmail
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from agencystack.testing.conformance import ConformanceSuite
from agencystack.testing.installation import Installation
from tests.e2e.lab import WEB, Lab

KEY, MAIL = "notification AgencyStack acme", "mail of AgencyStack acme"
THEIRS = {"name": "AgencyStack acme", "type": "smtp", "smtpHost": "smtp.elsewhere.example", "smtpTo": "me@acme.example"}


class KumaMailBench(Bench):
    """The sandbox's Uptime Kuma.

    Args:
        lab: the sandbox, freshly installed.
    """

    def __init__(self, lab: Lab) -> None:
        self.integration, self._lab = UptimeKumaEmail(), lab
        self._resolver = SecretResolver(lab.sealed)
        self.secrets = [self.resolve(reference) for reference in lab.stack.secret_references().values()]
        ref, settings = lab.stack.components("acme")["uptime-kuma"]
        assert ref == ComponentRef("shared", "uptime-kuma")
        self.hand = UptimeKuma(ref, settings.url, user="admin", password=self.resolve(settings.admin_password))

    @property
    def stack(self) -> Stack:  # type: ignore[override]
        """What stack.yaml says now."""
        return self._lab.stack

    def resolve(self, reference: Any) -> Secret:
        return self._resolver.resolve(reference)

    def state(self) -> object:
        return self._lab.products(), [one.config for one in self.hand.notifications()]

    def calls(self) -> int:
        return sum(len(self._lab.calls(name)) for name in WEB)

    def saved(self) -> Notification:
        [one] = [one for one in self.hand.notifications() if one.name == "AgencyStack acme"]
        return one

    def change(self, **settings: object) -> None:
        self.hand.save_notification({**self.saved().config, **settings}, self.saved().id)

    def edit(self) -> Edit:
        self.change(smtpTo="me@acme.example")
        return Edit(MAIL, "smtpTo", lambda: self.saved().config["smtpTo"] == "me@acme.example")

    def foreign(self) -> str:
        self.hand.save_notification(THEIRS)
        return KEY

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        self.hand.close()
        self._lab.fault("uptime-kuma", {"status": 503, "times": 0})
        try:
            yield
        finally:
            httpx.delete(f"{self._lab.url('uptime-kuma')}/__sandbox__/faults")

    @contextmanager
    def failing_proof(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Mailbox, "wait_for", lambda *_: None)
            yield

    def close(self) -> None:
        self.hand.close()


@pytest.fixture
def bench(lab: Lab) -> Iterator[KumaMailBench]:
    made = KumaMailBench(lab)
    yield made
    made.close()


@pytest.fixture
def installed(bench: KumaMailBench, tmp_path: Path) -> Installation:
    return Installation(bench, tmp_path / "agencystack")


class TestConforms(ConformanceSuite):
    @pytest.fixture
    def bench(self, lab: Lab) -> Iterator[KumaMailBench]:
        made = KumaMailBench(lab)
        yield made
        made.close()


def test_what_is_made(bench: KumaMailBench, installed: Installation) -> None:
    result = installed.integrate()
    assert (result.status, result.reason) == (Status.APPLIED, "")
    config = bench.saved().config
    assert (config["smtpHost"], config["smtpSecure"], config["smtpIgnoreTLSError"]) == ("localhost", True, False)
    assert (config["smtpUsername"], config["smtpTo"]) == ("uptime-kuma@acme.example", "admin@sandbox.test")
    assert config["smtpFrom"] == '"acme.example" <uptime-kuma@acme.example>'
    [proof] = result.proofs
    assert proof.evidence["from"] == "uptime-kuma@acme.example"
    assert proof.evidence["uptime_kuma_said"] == "Sent Successfully."


def test_what_people_add_to_it_stays(bench: KumaMailBench, installed: Installation) -> None:
    installed.integrate()
    bench.change(customSubject="Wake up", smtpCC="boss@acme.example", smtpIgnoreTLSError=True)
    assert {step.resource.key: set(step.change.names) for step in installed.plan().changes if step.change} == {
        MAIL: {"smtpIgnoreTLSError"}
    }
    assert installed.integrate().status is Status.APPLIED
    config = bench.saved().config
    assert (config["customSubject"], config["smtpCC"]) == ("Wake up", "boss@acme.example")


def test_a_persons_notification_is_put_back_as_it_was(bench: KumaMailBench, installed: Installation, lab: Lab) -> None:
    bench.foreign()
    before = dict(bench.saved().config)
    lab.allow("adopt", "uptime-kuma")
    assert installed.integrate().status is Status.APPLIED
    assert bench.saved().config["smtpHost"] == "localhost"
    _, errors = installed.undo()
    assert errors == {}
    assert bench.saved().config == before


def test_nobody_to_tell_is_a_step_for_a_person(installed: Installation, lab: Lab) -> None:
    lab.edit(lambda stack: stack["shared"].pop("alerts_to"))
    item = installed.plan()
    assert item.status is Status.MANUAL
    assert "nobody is named" in item.reason


def test_the_plan_says_who_can_read_the_password(installed: Installation) -> None:
    warnings = installed.plan().warnings
    assert any("logged in to Uptime Kuma can read the password of uptime-kuma@acme.example" in one for one in warnings)
    assert any("NODE_EXTRA_CA_CERTS" in one for one in warnings)
