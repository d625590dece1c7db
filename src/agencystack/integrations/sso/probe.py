"""Probe users: people who exist for the minutes of a proof, and are swept where a proof died."""

from __future__ import annotations

import secrets as random_source
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from agencystack.components.keycloak import Realm
from agencystack.engine.resource import Change, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret, generate

PREFIX = "agencystack-probe-"
"""Begins the name of every probe user; then when it expires, in seconds since 1970, and a random word."""

LIFETIME = 900
"""Seconds. A proof takes a few; what is older was left by one that died."""


@dataclass(frozen=True)
class Probe:
    """One probe user.

    Args:
        username: tells by itself when it expires, as not every product keeps an attribute.
        email: at the client's domain, marked as verified; no mail is ever sent to it.
        user_id: Keycloak's id.
    """

    username: str
    email: str
    user_id: str
    password: Secret = field(repr=False)


@contextmanager
def probe(realm: Realm, domain: str, groups: Sequence[str]) -> Iterator[Probe]:
    """Have a person in Keycloak who is in ``groups``, and remove them whatever happens."""
    username = f"{PREFIX}{int(time.time()) + LIFETIME}-{random_source.token_hex(4)}"
    email, password = f"{username}@{domain}".lower(), generate(24)
    user_id = realm.create_user(
        username, email=email, first_name="AgencyStack", last_name="Probe", password=password, groups=groups
    )
    try:
        yield Probe(username, email, user_id, password)
    finally:
        realm.delete_user(user_id)


def expired(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that are probe users whose time is over, sorted."""
    return tuple(sorted(name for name in names if _expires(name) < time.time()))


def _expires(name: str) -> float:
    if not name.startswith(PREFIX):
        return float("inf")
    stamp = name.removeprefix(PREFIX).partition("-")[0]
    return float(stamp) if stamp.isdecimal() else float("inf")


class LeftUsers(Resource):
    """Users of an application that proofs which died left; swept by the next run, and shown in its plan.

    Args:
        where: the application.
        find: reads how to remove each user, by name or address; at least those whose name begins with ``PREFIX``.
    """

    stays = ""  # what is gone is not made again

    def __init__(self, where: ComponentRef, find: Callable[[], Mapping[str, Callable[[], object]]]) -> None:
        self.component, self.key = where, "expired probe users"
        self._find = find

    def read(self) -> Reading:
        """Return the names of those whose time is over."""
        return Reading({"left": expired(map(_name, self._find()))})

    def wanted(self) -> Fields:
        """Want none."""
        return {"left": ()}

    def write(self, change: Change) -> None:
        """Remove them with what they left."""
        for known_as, remove in self._find().items():
            if expired([_name(known_as)]):
                remove()


def _name(known_as: str) -> str:
    """Return the name of a probe user of an application that knows people by their address."""
    return known_as.partition("@")[0]


class Leftovers(LeftUsers):
    """Probe users in Keycloak itself."""

    def __init__(self, realm: Realm) -> None:
        def find() -> dict[str, Callable[[], object]]:
            return {user.username: partial(realm.delete_user, user.id) for user in realm.users_with_prefix(PREFIX)}

        super().__init__(realm.where, find)
        self.key = f"expired probe users of realm {realm.name}"
