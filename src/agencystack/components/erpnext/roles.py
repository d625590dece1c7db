"""Which roles people should have and have: what to add and remove, computed without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Frappe gives these to users by itself; they are no rows of a user (frappe/permissions.py AUTOMATIC_ROLES).
AUTOMATIC = frozenset({"Guest", "All", "Desk User", "Administrator"})


@dataclass(frozen=True)
class WantedRoles:
    """The roles one person should have.

    Args:
        email: the person; ERPNext's users are named by e-mail, in lower case.
        roles: roles out of the managed ones.
    """

    email: str
    roles: frozenset[str]


@dataclass(frozen=True)
class RoleChange:
    """What differs for one person.

    Args:
        email: the person, as the user is named.
        add: roles to add, sorted.
        remove: roles to remove, sorted.
        absent: ERPNext has no such user; nothing can be added then.
    """

    email: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    absent: bool = False


def role_changes(
    wanted: Iterable[WantedRoles], held: Mapping[str, Sequence[str]], managed: Iterable[str]
) -> tuple[RoleChange, ...]:
    """Return the changes that give each person the wanted ones of the managed roles, by e-mail; none for who has them.

    Args:
        wanted: persons and their roles; of several entries for one person the roles are united.
        held: the roles each user of ERPNext has, by e-mail in lower case.
        managed: the roles we add and remove; all others stay as they are.
    """
    ours = frozenset(managed) - AUTOMATIC
    united: dict[str, frozenset[str]] = {}
    for one in wanted:
        email = one.email.lower()
        united[email] = united.get(email, frozenset()) | (one.roles & ours)
    found = (_change(email, roles, held.get(email), ours) for email, roles in sorted(united.items()))
    return tuple(change for change in found if change is not None)


def _change(
    email: str, wanted: frozenset[str], held: Sequence[str] | None, managed: frozenset[str]
) -> RoleChange | None:
    if held is None:
        return RoleChange(email, add=tuple(sorted(wanted)), absent=True) if wanted else None
    has = frozenset(held) & managed
    if has == wanted:
        return None
    return RoleChange(email, add=tuple(sorted(wanted - has)), remove=tuple(sorted(has - wanted)))
