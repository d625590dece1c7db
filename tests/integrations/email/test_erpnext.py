"""Given these Email Accounts, this plan: ERPNext's side of e-mail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agencystack.components.erpnext import EmailAccount
from agencystack.engine.planning import Status
from agencystack.integrations.email.erpnext import ErpNextEmail
from tests.integrations.email.fakes import FakeErpNext, Office, mailu_with_domain

pytestmark = pytest.mark.usefixtures("known_door")

ADDRESS = "erpnext@acme.example"
FACTORY = EmailAccount(name="Notifications", email_id="notifications@example.com", default_outgoing=True)


def of_a_person(**values: Any) -> EmailAccount:
    """An account that sends, as a person set it up."""
    given = {"name": "Relay", "email_id": "relay@acme.example", "enable_outgoing": True, "default_outgoing": True}
    return EmailAccount.model_validate({**given, "smtp_server": "smtp.relay.example", "password": "****", **values})


@pytest.fixture
def erpnext() -> FakeErpNext:
    return FakeErpNext()


@pytest.fixture
def office(tmp_path: Path, erpnext: FakeErpNext) -> Office:
    return Office(tmp_path, ErpNextEmail(), erpnext, mailu_with_domain())


def sending(erpnext: FakeErpNext) -> EmailAccount:
    [account] = [account for account in erpnext.email_accounts() if account.email_id == ADDRESS]
    return account


def test_a_fresh_site_gets_an_account_of_its_own_that_is_the_default(office: Office, erpnext: FakeErpNext) -> None:
    assert office.integrate().status is Status.APPLIED
    account = sending(erpnext)
    assert (account.smtp_server, account.smtp_port) == ("mail.acme.example", 465)
    assert (account.use_ssl_for_outgoing, account.use_tls) == (True, False)
    assert account.default_outgoing
    assert account.enable_outgoing
    assert account.always_use_account_email_id_as_sender
    assert erpnext.passwords == {account.name: office.mailu.values[1]}


def test_a_second_run_has_nothing_to_do(office: Office) -> None:
    office.integrate()
    assert office.planned() == {}
    assert (office.integrate().changes, office.proofs) == ([], 1)


def test_a_value_changed_by_hand_is_that_field_alone(office: Office, erpnext: FakeErpNext) -> None:
    office.integrate()
    account = sending(erpnext)
    erpnext.accounts[account.name] = account.model_copy(update={"smtp_port": 587})
    [(action, fields)] = office.planned().values()
    assert (action, fields) == ("update", ["smtp_port"])
    office.integrate()
    assert sending(erpnext).smtp_port == 465
    # The password was not meant to change, so it was not sent.
    assert list(erpnext.passwords.values()) == [office.mailu.values[1]]


def test_the_placeholder_every_site_is_born_with_is_nobodys(office: Office, erpnext: FakeErpNext) -> None:
    erpnext.accounts[FACTORY.name] = FACTORY
    assert office.integrate().status is Status.APPLIED
    assert not erpnext.accounts[FACTORY.name].default_outgoing
    office.undo()
    assert erpnext.accounts == {FACTORY.name: FACTORY}


class TestDefaultOfAPerson:
    """Mail leaves by an account a person set up."""

    @pytest.fixture(autouse=True)
    def _relay(self, erpnext: FakeErpNext) -> None:
        erpnext.accounts["Relay"] = of_a_person()

    def test_is_not_replaced_unasked(self, office: Office, erpnext: FakeErpNext) -> None:
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert "smtp.relay.example" in item.reason
        office.integrate()
        assert erpnext.accounts == {"Relay": of_a_person()}
        assert office.mailu.user_list == []

    def test_is_replaced_when_stack_yaml_says_so_and_given_back_by_undo(
        self, office: Office, erpnext: FakeErpNext
    ) -> None:
        office.told = {"replace": True}
        assert office.integrate().status is Status.APPLIED
        assert not erpnext.accounts["Relay"].default_outgoing
        assert sending(erpnext).default_outgoing
        assert office.undo() == []
        assert erpnext.accounts == {"Relay": of_a_person()}

    def test_that_does_not_send_by_default_is_left_alone(self, office: Office, erpnext: FakeErpNext) -> None:
        erpnext.accounts["Relay"] = of_a_person(default_outgoing=False)
        assert office.integrate().status is Status.APPLIED
        assert erpnext.accounts["Relay"] == of_a_person(default_outgoing=False)

    def test_that_became_the_default_again_is_drift(self, office: Office, erpnext: FakeErpNext) -> None:
        office.told = {"replace": True}
        office.integrate()
        ours = sending(erpnext)
        erpnext.accounts[ours.name] = ours.model_copy(update={"default_outgoing": False})
        erpnext.accounts["Relay"] = of_a_person()
        [(action, fields)] = office.planned().values()
        assert (action, set(fields)) == ("update", {"default_outgoing", "default instead of us"})


def test_an_account_of_a_person_with_our_address_is_not_overwritten(office: Office, erpnext: FakeErpNext) -> None:
    """Nobody can read its password, so nobody could put it back."""
    theirs = of_a_person(email_id=ADDRESS, default_outgoing=False)
    erpnext.accounts["Relay"] = theirs
    item = office.plan()
    assert item.status is Status.BLOCKED
    assert ADDRESS in item.reason
    assert "sender" in item.reason
    office.told = {"replace": True, "adopt": True}
    office.integrate()
    assert erpnext.accounts == {"Relay": theirs}


def test_another_sender_logs_in_as_the_mailbox(office: Office, erpnext: FakeErpNext) -> None:
    office.told = {"sender": "office@acme.example", "sender_name": "Acme Office"}
    assert office.integrate().status is Status.APPLIED
    [account] = erpnext.email_accounts()
    assert (account.name, account.email_id) == ("Acme Office", "office@acme.example")
    assert (account.login_id_is_different, account.login_id) == (True, ADDRESS)
    [alias] = office.mailu.alias_list
    assert (alias.email, alias.destination) == ("office@acme.example", (ADDRESS,))


def test_rotation_gives_it_the_new_password(office: Office, erpnext: FakeErpNext) -> None:
    office.integrate()
    assert office.rotate().status is Status.APPLIED
    assert list(erpnext.passwords.values()) == [office.mailu.values[2]]
    assert [token.id for token in office.mailu.token_list] == [2]


@pytest.mark.parametrize("taken", ["Relay", "RELAY"])
def test_a_sender_name_that_another_account_has_is_told_before_anything_changes(
    office: Office, erpnext: FakeErpNext, taken: str
) -> None:
    """The sender's name is the account's name, which ERPNext compares without case; links.json."""
    erpnext.accounts["Relay"] = of_a_person(default_outgoing=False)
    office.told = {"sender_name": taken}
    for _ in ("a new account", "a rename"):
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert "Email Account 'Relay'" in item.reason
        assert "sender_name" in item.reason
        assert office.integrate().changes == []
        office.told = {}
        office.integrate()
        office.told = {"sender_name": taken}


def test_a_sender_name_erpnext_would_refuse_is_told_before_anything_changes(office: Office) -> None:
    office.told = {"sender_name": 'Acme "<Shop>"'}
    item = office.plan()
    assert item.status is Status.BLOCKED
    assert "neither < nor >" in item.reason
    assert office.mailu.user_list == []


def test_our_own_name_in_other_case_is_a_rename(office: Office, erpnext: FakeErpNext) -> None:
    office.integrate()
    office.told = {"sender_name": "ACME.example"}
    assert office.integrate().status is Status.APPLIED
    assert list(erpnext.accounts) == ["ACME.example"]


def test_an_account_a_person_put_on_our_email_domain_stays_theirs(office: Office, erpnext: FakeErpNext) -> None:
    """The form offers every Email Domain; only the account that logs in as our mailbox is ours."""
    theirs = of_a_person(name="A first", email_id="info@acme.example", default_outgoing=False)
    theirs = theirs.model_copy(update={"domain": "AgencyStack acme.example"})
    erpnext.accounts["A first"] = theirs
    assert office.integrate().status is Status.APPLIED
    assert erpnext.accounts["A first"] == theirs
    assert sending(erpnext).default_outgoing
    [left] = office.undo()
    assert "Email Domain AgencyStack acme.example" in left
    assert "A first" in left
    assert erpnext.accounts == {"A first": theirs}


class TestAccountInUse:
    """A person's Notification sends by our account, so ERPNext does not let it go."""

    @pytest.fixture(autouse=True)
    def _named(self, known_door: None, office: Office, erpnext: FakeErpNext) -> None:
        erpnext.accounts["Relay"] = of_a_person()
        office.told = {"replace": True}
        office.integrate()
        erpnext.named_by["acme.example"] = "Notification Overdue"

    def test_is_switched_off_by_undo_which_says_what_names_it(self, office: Office, erpnext: FakeErpNext) -> None:
        left = "; ".join(office.undo())
        assert "Notification Overdue" in left
        ours = sending(erpnext)
        assert (ours.enable_outgoing, ours.default_outgoing) == (False, False)
        assert erpnext.accounts["Relay"] == of_a_person()

    def test_gives_the_default_back_however_often_it_is_integrated_and_undone(
        self, office: Office, erpnext: FakeErpNext
    ) -> None:
        office.undo()
        office.integrate()
        assert sending(erpnext).default_outgoing
        office.undo()
        assert not sending(erpnext).enable_outgoing
        assert erpnext.accounts["Relay"] == of_a_person()


def test_undo_says_that_mails_wait_for_an_account_that_goes(office: Office, erpnext: FakeErpNext) -> None:
    """ERPNext's queue keeps the account's name, and sends no mail whose account is gone; links.json."""
    office.integrate()
    erpnext.waiting["acme.example"] = 2
    [left] = office.undo()
    assert "mails that wait in ERPNext's queue" in left
    assert left.endswith(": 2")
