"""Given these SMTP servers, this plan: Listmonk's side of e-mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.components.listmonk import Smtp
from agencystack.engine.planning import Status
from agencystack.integrations.email.listmonk import ListmonkEmail
from tests.integrations.email.fakes import FakeListmonk, Office, mailu_with_domain

pytestmark = pytest.mark.usefixtures("known_door")

EXAMPLE = Smtp(uuid="e1", host="smtp.yoursite.com", port=25, username="username")
RELAY = Smtp(uuid="r1", host="smtp.relay.example", port=587, username="u", tls_type="STARTTLS")
ASIDE = Smtp(uuid="a1", host="smtp.aside.example", port=587, username="v", enabled=False)


@pytest.fixture
def listmonk() -> FakeListmonk:
    return FakeListmonk(EXAMPLE)


@pytest.fixture
def office(tmp_path: Path, listmonk: FakeListmonk) -> Office:
    return Office(tmp_path, ListmonkEmail(), listmonk, mailu_with_domain())


def on(listmonk: FakeListmonk) -> list[str]:
    return [server.host for server in listmonk.live.smtp if server.enabled]


def test_ours_is_added_and_is_the_only_one_in_use(office: Office, listmonk: FakeListmonk) -> None:
    assert office.integrate().status is Status.APPLIED
    ours, example = listmonk.live.smtp
    assert (ours.host, ours.port, ours.tls_type) == ("mail.acme.example", 465, "TLS")
    assert (ours.username, ours.tls_skip_verify) == ("listmonk@acme.example", False)
    assert listmonk.passwords == {ours.uuid: office.mailu.values[1]}
    assert listmonk.live.from_email == "acme.example <listmonk@acme.example>"
    assert (example.host, example.enabled) == ("smtp.yoursite.com", False)


def test_a_second_run_has_nothing_to_do(office: Office) -> None:
    office.integrate()
    assert office.planned() == {}
    assert (office.integrate().changes, office.proofs) == ([], 1)


def test_the_examples_of_a_new_listmonk_are_nobodys_and_come_back_by_undo(
    office: Office, listmonk: FakeListmonk
) -> None:
    before = listmonk.live
    office.integrate()
    assert office.undo() == []
    assert listmonk.live == before


class TestServerOfAPerson:
    """Mail leaves through servers a person set up."""

    @pytest.fixture
    def listmonk(self) -> FakeListmonk:
        return FakeListmonk(RELAY, ASIDE, from_email="Me <me@acme.example>")

    def test_is_not_replaced_unasked(self, office: Office, listmonk: FakeListmonk) -> None:
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert "smtp.relay.example" in item.reason
        assert "smtp.aside.example" not in item.reason
        office.integrate()
        assert listmonk.live.smtp == (RELAY, ASIDE)

    def test_is_switched_off_when_stack_yaml_says_so_and_on_again_by_undo(
        self, office: Office, listmonk: FakeListmonk
    ) -> None:
        office.told = {"replace": True}
        before = listmonk.live
        assert office.integrate().status is Status.APPLIED
        assert on(listmonk) == ["mail.acme.example"]
        assert len(listmonk.live.smtp) == 3
        assert office.undo() == []
        assert listmonk.live == before

    def test_that_a_person_switched_on_again_is_drift(self, office: Office, listmonk: FakeListmonk) -> None:
        office.told = {"replace": True}
        office.integrate()
        servers = [
            server.model_copy(update={"enabled": True}) if server.uuid == "r1" else server
            for server in listmonk.live.smtp
        ]
        listmonk.live = listmonk.live.model_copy(update={"smtp": tuple(servers)})
        assert office.planned() == {"mail settings": ("update", ["other servers in use"])}


def test_a_sender_changed_by_hand_is_that_field_alone_and_left_by_undo(office: Office, listmonk: FakeListmonk) -> None:
    office.integrate()
    listmonk.live = listmonk.live.model_copy(update={"from_email": "Somebody <else@acme.example>"})
    assert office.planned() == {"mail settings": ("update", ["from_email"])}
    notes = office.undo()
    assert listmonk.live.from_email == "Somebody <else@acme.example>"
    assert any("from_email was changed by somebody since" in note for note in notes)


def test_the_plan_warns_of_mailus_limit(office: Office) -> None:
    warnings = " ".join(office.plan().warnings)
    assert "200 recipients a day" in warnings
    assert "MESSAGE_RATELIMIT_EXEMPTION=listmonk@acme.example" in warnings


def test_rotation_sends_the_new_password_and_keeps_what_else_is_there(office: Office, listmonk: FakeListmonk) -> None:
    office.integrate()
    office.rotate()
    [ours, *_] = listmonk.live.smtp
    assert listmonk.passwords == {ours.uuid: office.mailu.values[2]}
