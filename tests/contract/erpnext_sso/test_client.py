"""What our client does with keys, users and roles, on the stand-in and on a real ERPNext."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from agencystack.components.erpnext import ErpNextRefused, RoleChange, WantedRoles
from agencystack.stack.errors import ConfigurationError, Refused
from agencystack.stack.secrets import Secret
from tests.contract.erpnext_sso.sites import DESK, MANAGED, SECRET, Browser, Site, key_of


def test_a_key_is_never_given_its_own_mask_nor_overwritten(checked: Site) -> None:
    login = checked.erpnext.login
    with pytest.raises(ConfigurationError):
        login.update_key({}, client_secret=Secret("*****************"))
    with pytest.raises(ErpNextRefused) as there:
        login.insert_key(key_of(checked), client_secret=Secret(SECRET))
    assert there.value.kind == "DuplicateEntryError"
    read = login.key()
    assert read is not None
    with pytest.raises(ErpNextRefused) as stale:
        login.update_key({"sign_ups": "Deny"}, modified="2020-01-01 00:00:00.000000")
    assert stale.value.kind == "TimestampMismatchError"
    assert login.key() == read
    checked.provider.person = checked.person()
    login.update_key({"sign_ups": "Allow"})
    browser = Browser(checked)
    browser.login()
    assert browser.who() == checked.email("anna"), "the secret is still the one it was given"


def test_a_user_goes_with_its_contact(bare: Site) -> None:
    email = bare.email("probe")
    bare.erpnext.users.create(email, f"probe{bare.suffix}", roles=[DESK])
    made = _eventually(lambda: bare.erpnext.documents("Contact", filters=[["email_id", "=", email]]))
    removal = bare.erpnext.users.remove(email)
    assert (removal.user, [one["name"] for one in made]) == ("deleted", list(removal.contacts))
    assert removal.contacts, "a contact is made for each user; on a real site by its background workers"
    assert bare.erpnext.documents("Contact", filters=[["email_id", "=", email]]) == []
    assert bare.erpnext.users.remove(email).user == "absent"


def _eventually(read: Callable[[], list[Any]], seconds: float = 20) -> list[Any]:
    """Wait for what a background job makes on a real site."""
    until = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def test_the_user_of_our_own_key_is_never_removed(bare: Site) -> None:
    with pytest.raises(Refused, match="our own key"):
        bare.erpnext.users.remove(bare.erpnext.whoami().upper())
    assert bare.erpnext.whoami(), "the key still works"


def test_roles_are_synchronised_without_the_app(bare: Site) -> None:
    anna, bert = bare.email("anna"), bare.email("bert")
    bare.erpnext.users.create(anna, "Anna", roles=["Sales User", "Purchase User"])
    wanted = [WantedRoles(anna.upper(), frozenset({"Stock User"})), WantedRoles(bert, frozenset({DESK}))]
    changes = bare.erpnext.users.role_changes(wanted, MANAGED)
    assert changes == (
        RoleChange(anna, add=("Stock User",), remove=("Sales User",)),
        RoleChange(bert, add=(DESK,), absent=True),
    )
    assert set(bare.erpnext.users.apply(changes[0]).roles) == {"Stock User", "Purchase User"}
    assert bare.erpnext.users.role_changes(wanted[:1], MANAGED) == (), "a second run changes nothing"
    with pytest.raises(Refused, match="has no user"):
        bare.erpnext.users.apply(changes[1])
