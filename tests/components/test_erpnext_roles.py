"""Which roles are added and removed where our app is not installed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agencystack.components.erpnext import RoleChange, WantedRoles, role_changes

ROLES = ("Sales User", "Stock User", "Accounts User", "Purchase User")
ANNA = "anna@acme.example"


def wanted(*roles: str, email: str = ANNA) -> WantedRoles:
    return WantedRoles(email, frozenset(roles))


def test_only_managed_roles_change() -> None:
    changes = role_changes(
        [wanted("Sales User", "Alien")], {ANNA: ["Stock User", "Kept"]}, ["Sales User", "Stock User"]
    )
    assert changes == (RoleChange(ANNA, add=("Sales User",), remove=("Stock User",)),)


def test_who_has_the_right_roles_is_left_alone() -> None:
    assert role_changes([wanted("Sales User")], {ANNA: ["Sales User", "Kept"]}, ["Sales User"]) == ()


def test_who_should_have_none_loses_the_managed_ones() -> None:
    assert role_changes([wanted()], {ANNA: ["Sales User", "Kept"]}, ["Sales User"]) == (
        RoleChange(ANNA, remove=("Sales User",)),
    )


def test_a_person_without_a_user_is_named_only_where_there_is_something_to_give() -> None:
    assert role_changes([wanted("Sales User"), wanted(email="b@acme.example")], {}, ["Sales User"]) == (
        RoleChange(ANNA, add=("Sales User",), absent=True),
    )


def test_two_groups_of_one_person_are_united_whatever_the_case() -> None:
    both = [wanted("Sales User"), wanted("Stock User", email="Anna@ACME.example")]
    assert role_changes(both, {ANNA: []}, ["Sales User", "Stock User"]) == (
        RoleChange(ANNA, add=("Sales User", "Stock User")),
    )


def test_roles_everybody_has_are_never_managed() -> None:
    assert role_changes([wanted("All", "Administrator")], {ANNA: ["Guest"]}, ["All", "Administrator", "Guest"]) == ()


@given(st.sets(st.sampled_from(ROLES)), st.sets(st.sampled_from(ROLES)), st.sets(st.sampled_from(ROLES)))
def test_applied_once_nothing_is_left_to_do(wants: set[str], has: set[str], managed: set[str]) -> None:
    changes = role_changes([wanted(*wants)], {ANNA: sorted(has)}, managed)
    after = set(has)
    for change in changes:
        after = (after | set(change.add)) - set(change.remove)
    assert after & managed == wants & managed
    assert after - managed == has - managed
    assert role_changes([wanted(*wants)], {ANNA: sorted(after)}, managed) == ()
