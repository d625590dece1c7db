"""Who should have which role in an application whose login gives none: what `agencystack roles sync` compares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agencystack.components.keycloak import Realm, User
from agencystack.integrations.sso.probe import PREFIX
from agencystack.integrations.sso.registration import Registration


@dataclass(frozen=True)
class PersonChange:
    """What is to be done for one person.

    Args:
        person: e-mail address.
        name: for people.
        add: roles to give, sorted; to somebody the application does not know, an account is made.
        remove: roles to take, sorted.
        new: the application does not know them yet.
    """

    person: str
    name: str = ""
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    new: bool = False


@dataclass(frozen=True)
class Comparison:
    """What differs between Keycloak's groups and an application's roles.

    Args:
        changes: by person.
        notes: who was left as they are, and why.
    """

    changes: tuple[PersonChange, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class People:
    """The people of a client as Keycloak has them.

    Args:
        roles: the application's roles by e-mail address, small letters.
        names: for people, by address.
        left_out: who is in a group and cannot be matched, and why.
    """

    roles: Mapping[str, frozenset[str]]
    names: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


class Roster(ABC):
    """The people of one application and their roles in it."""

    @abstractmethod
    def compare(self, people: People, gone: Collection[str]) -> Comparison:
        """Return what differs; changes nothing.

        Args:
            people: who should have which roles.
            gone: of :meth:`holders`, those whom Keycloak knows and no group gives a role any more.
        """

    @abstractmethod
    def holders(self) -> tuple[str, ...]:
        """Return the addresses of all who have a role we manage, probe users left out."""

    @abstractmethod
    def apply(self, change: PersonChange) -> None:
        """Carry one change out."""


def people_of(registration: Registration) -> People:
    """Return who is in the client's groups; only a verified address of an enabled person says who somebody is."""
    roles: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    left_out: list[str] = []
    for path, given in registration.roles_by_group.items():
        for user in registration.realm.members(path):
            reason = _unusable(user)
            if reason:
                left_out.append(f"{user.username} in {path}: {reason}")
            elif not user.username.startswith(PREFIX):
                roles.setdefault(user.email.lower(), set()).update(given)
                names[user.email.lower()] = f"{user.first_name} {user.last_name}".strip() or user.username
    return People({email: frozenset(of) for email, of in roles.items()}, names, tuple(left_out))


def compare(registration: Registration, roster: Roster) -> Comparison:
    """Return what `agencystack roles sync` would do; changes nothing.

    Whoever has a role and is not in Keycloak at all was given it by a person, in the application: they are told of
    and left.
    """
    people = people_of(registration)
    unnamed = [email for email in roster.holders() if email not in people.roles]
    gone = [email for email in unnamed if _knows(registration.realm, email)]
    found = roster.compare(people, gone)
    strangers = [f"{email} has a role and is not in Keycloak: left" for email in unnamed if email not in gone]
    return Comparison(found.changes, (*people.left_out, *found.notes, *strangers))


def _unusable(user: User) -> str:
    if not user.enabled:
        return "is switched off in Keycloak"
    if not user.email:
        return "has no e-mail address in Keycloak"
    return "" if user.email_verified else "the e-mail address is not verified in Keycloak"


def _knows(realm: Realm, email: str) -> bool:
    return bool(realm.users_with_email(email))
