"""Given these domains, mailboxes, aliases and tokens in Mailu, this plan: what an application's mailbox stands on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agencystack.components.mailu import Alias, Domain, Token, User
from agencystack.engine.planning import Status
from agencystack.integrations.email.listmonk import ListmonkEmail
from agencystack.integrations.email.tokens import MARK
from tests.integrations.email.fakes import DKIM, FakeListmonk, FakeMailu, Office

pytestmark = pytest.mark.usefixtures("known_door")

ADDRESS = "listmonk@acme.example"
OURS = f"{MARK}acme/email/listmonk"


@pytest.fixture
def mailu() -> FakeMailu:
    return FakeMailu()


@pytest.fixture
def office(tmp_path: Path, mailu: FakeMailu) -> Office:
    return Office(tmp_path, ListmonkEmail(), FakeListmonk(), mailu)


class TestDomain:
    """Made where missing, with a key; never deleted, and a key that is there is never made anew."""

    def test_missing(self, office: Office, mailu: FakeMailu) -> None:
        assert office.planned()["domain acme.example"] == ("create", ["dkim_key"])
        office.integrate()
        [domain] = mailu.domain_list
        assert (domain.name, domain.has_dkim) == ("acme.example", True)
        assert domain.comment.startswith(MARK)

    def test_without_a_key(self, office: Office, mailu: FakeMailu) -> None:
        mailu.domain_list = [Domain(name="acme.example", comment="of a person")]
        assert office.planned()["domain acme.example"] == ("update", ["dkim_key"])
        office.integrate()
        assert mailu.domain_list == [Domain(name="acme.example", comment="of a person", dns_dkim=DKIM)]

    def test_with_a_key(self, office: Office, mailu: FakeMailu) -> None:
        theirs = Domain(name="acme.example", dns_dkim="their key")
        mailu.domain_list = [theirs]
        assert "domain acme.example" not in office.planned()
        office.integrate()
        office.undo()
        assert mailu.domain_list == [theirs]

    def test_undo_leaves_it(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        office.undo()
        assert [domain.name for domain in mailu.domain_list] == ["acme.example"]


class TestMailboxOfAPerson:
    """A mailbox of our name that somebody else made."""

    THEIRS = User(email=ADDRESS, comment="Ann's")

    @pytest.fixture
    def mailu(self) -> FakeMailu:
        return FakeMailu([Domain(name="acme.example", dns_dkim=DKIM)], [self.THEIRS])

    def test_is_not_taken_unasked(self, office: Office, mailu: FakeMailu) -> None:
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert f"the mailbox {ADDRESS} exists and is not ours" in item.reason
        assert "`adopt: true`" in item.reason
        office.integrate()
        assert mailu.user_list == [self.THEIRS]

    def test_replace_is_not_adopt(self, office: Office) -> None:
        office.told = {"replace": True}
        assert office.plan().status is Status.BLOCKED

    def test_is_adopted_and_given_back(self, office: Office, mailu: FakeMailu) -> None:
        office.told = {"adopt": True}
        assert office.planned()[f"user {ADDRESS}"] == ("adopt", ["comment"])
        assert office.integrate().status is Status.APPLIED
        assert mailu.user_list == [User(email=ADDRESS, comment=OURS)]
        assert office.undo() == []
        assert mailu.user_list == [self.THEIRS]
        assert mailu.token_list == []


class TestOwnMailbox:
    """Ours is made, used, and taken back, unless somebody's mail is in it."""

    def test_is_deleted_by_undo(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        assert [user.comment for user in mailu.user_list] == [OURS]
        office.undo()
        assert mailu.user_list == []

    def test_with_mail_in_it_is_disabled_and_said(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        mailu.update_user(ADDRESS, quota_bytes_used=4711)
        notes = office.undo()
        [user] = mailu.user_list
        assert (user.email, user.enabled) == (ADDRESS, False)
        assert any("4711 bytes of mail" in note for note in notes)

    def test_that_was_disabled_is_drift(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        mailu.update_user(ADDRESS, enabled=False)
        assert office.planned() == {f"user {ADDRESS}": ("update", ["enabled"])}


class TestSender:
    """An application that sends as another address gets an alias for it."""

    @pytest.fixture(autouse=True)
    def _told(self, office: Office) -> None:
        office.told = {"sender": "news@acme.example"}

    def test_nobody_has_it(self, office: Office, mailu: FakeMailu) -> None:
        assert office.integrate().status is Status.APPLIED
        assert mailu.alias_list == [Alias(email="news@acme.example", destination=(ADDRESS,), comment=OURS)]
        office.undo()
        assert mailu.alias_list == []

    def test_a_mailbox_of_a_person_is_never_turned_into_an_alias(self, office: Office, mailu: FakeMailu) -> None:
        mailu.user_list = [User(email="news@acme.example")]
        office.told |= {"replace": True, "adopt": True}
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert "would take its mail away" in item.reason

    def test_an_alias_of_a_person_is_not_taken_unasked(self, office: Office, mailu: FakeMailu) -> None:
        theirs = Alias(email="news@acme.example", destination=("ann@acme.example",))
        mailu.alias_list = [theirs]
        item = office.plan()
        assert item.status is Status.BLOCKED
        assert "leads to ann@acme.example" in item.reason
        office.integrate()
        assert mailu.alias_list == [theirs]

    def test_an_adopted_alias_keeps_leading_where_it_led(self, office: Office, mailu: FakeMailu) -> None:
        theirs = Alias(email="news@acme.example", destination=("ann@acme.example",))
        mailu.alias_list = [theirs]
        office.told |= {"adopt": True}
        assert office.integrate().status is Status.APPLIED
        assert mailu.alias_list[0].destination == ("ann@acme.example", ADDRESS)
        office.undo()
        assert mailu.alias_list == [theirs]

    def test_our_own_address_needs_none(self, office: Office, mailu: FakeMailu) -> None:
        office.told = {"sender": ADDRESS}
        office.integrate()
        assert mailu.alias_list == []


class TestToken:
    """The token is limited to where the application sends from, and only we know its value."""

    def test_is_limited_to_the_networks_of_stack_yaml(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        [token] = mailu.token_list
        assert (token.email, token.comment, token.networks) == (ADDRESS, OURS, ("10.0.0.5/32",))

    def test_networks_changed_by_hand_are_drift_and_mended_without_a_new_token(
        self, office: Office, mailu: FakeMailu
    ) -> None:
        office.integrate()
        mailu.update_token(1, comment=OURS, networks=[])
        assert office.planned() == {f"token of {ADDRESS}": ("update", ["networks"])}
        office.integrate()
        assert [(token.id, token.networks) for token in mailu.token_list] == [(1, ("10.0.0.5/32",))]

    def test_a_lost_store_gets_a_new_one_and_the_old_one_goes_after_the_proof(
        self, office: Office, mailu: FakeMailu
    ) -> None:
        office.integrate()
        shutil.rmtree(office.home.secrets_dir)
        planned = office.planned()
        assert planned[f"token of {ADDRESS}"] == ("create", ["networks"])
        assert planned["mail settings"] == ("update", ["password"])
        office.proven = False
        assert office.integrate().status is Status.UNVERIFIED
        assert [token.id for token in mailu.token_list] == [1, 2]
        office.proven = True
        assert office.integrate().status is Status.APPLIED
        assert [token.id for token in mailu.token_list] == [2]
        assert office.planned() == {}

    def test_tokens_of_a_person_in_the_same_mailbox_stay(self, office: Office, mailu: FakeMailu) -> None:
        theirs = Token(id=77, email=ADDRESS, comment="my phone")
        mailu.token_list = [theirs]
        office.integrate()
        office.rotate()
        assert theirs in mailu.token_list
        assert [token.id for token in mailu.token_list if token.comment == OURS] == [2]

    def test_one_revoked_by_hand_is_issued_again(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        mailu.delete_token(1)
        assert office.planned()[f"token of {ADDRESS}"][0] == "create"
        assert office.integrate().status is Status.APPLIED
        assert [token.id for token in mailu.token_list] == [2]

    def test_a_rotation_whose_proof_fails_goes_back_to_the_old_one(self, office: Office, mailu: FakeMailu) -> None:
        office.integrate()
        office.proven = False
        assert office.rotate().status is Status.UNVERIFIED
        [ours, *_] = office.application.live.smtp
        assert office.application.passwords[ours.uuid] == mailu.values[1]
        office.proven = True
        assert office.integrate().status is Status.APPLIED
        assert [token.id for token in mailu.token_list] == [1]


def test_the_plan_says_when_a_token_is_good_from_anywhere(office: Office) -> None:
    assert not any("from anywhere" in warning for warning in office.plan().warnings)
