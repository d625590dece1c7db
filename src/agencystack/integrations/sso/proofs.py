"""What shows that a login works: people get in with exactly their roles, others do not, and out is out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from agencystack.engine.integration import Evidence, Proof
from agencystack.integrations.sso.door import ChecksTokens, Visitor
from agencystack.integrations.sso.logging_in import Arrival, Entrance
from agencystack.integrations.sso.probe import Probe
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.secrets import generate

ROLES = "people log in with the roles of their groups"
STRANGER = "a person without a group is refused"
PASSWORD = "a wrong password is refused"  # noqa: S105 - the name of a proof
LOGOUT = "logging out ends the session"
FORGED = "a token signed with another key is refused"


def proofs_of(entrance: Entrance, *, prove_admin: bool) -> Iterator[Proof]:
    """Yield every proof of a login.

    Args:
        entrance: the application and Keycloak.
        prove_admin: groups whose roles rule the application are tried, too.
    """
    yield RolesProof(entrance, prove_admin=prove_admin)
    yield StrangerProof(entrance)
    yield PasswordProof(entrance)
    yield LogoutProof(entrance, prove_admin=prove_admin)
    if isinstance(entrance.door, ChecksTokens):
        yield ForgedTokenProof(entrance, entrance.door)


class _LoginProof(Proof):
    def __init__(self, entrance: Entrance, *, prove_admin: bool = False) -> None:
        self._entrance, self._prove_admin = entrance, prove_admin

    def _groups(self) -> dict[str, tuple[str, ...]]:
        """Return the groups a probe may be in, with the application's roles they give."""
        rulers = self._entrance.door.administrators
        groups = self._entrance.registration.roles_by_group
        return {path: roles for path, roles in groups.items() if self._prove_admin or not rulers & set(roles)}

    def _left_out(self) -> dict[str, Any]:
        left = sorted(set(self._entrance.registration.roles_by_group) - set(self._groups()))
        return {"not tried, as they rule the application": left} if left else {}


class RolesProof(_LoginProof):
    """A probe user of each group logs in, and the application says who that is and with which roles."""

    name = ROLES

    def run(self) -> Evidence:
        """Log in once a group, in a new browser each."""
        groups = self._groups()
        if not groups:
            return Evidence(
                ok=False,
                seen=self._left_out(),
                reason="every group of stack.yaml rules the application, and nobody gets such a role unasked: "
                "run again with --prove-admin, or map a group to a lesser role",
            )
        seen: dict[str, Any] = {}
        for path, roles in groups.items():
            found, reason = self._try(path, self._entrance.door.expected(roles))
            seen[path] = found
            if reason:
                return Evidence(ok=False, seen=seen, reason=f"group {path}: {reason}")
        back = {"way back in without Keycloak": self._entrance.door.way_back}
        return Evidence(ok=True, seen={**seen, **self._left_out(), **back})

    def _try(self, path: str, expected: tuple[str, ...]) -> tuple[Mapping[str, Any], str]:
        with self._entrance.visit([path]) as (person, browser):
            arrival = self._entrance.log_in(browser, person)
            visitor = None if arrival.at_keycloak else self._entrance.door.visitor(browser, person)
            return _seen(arrival, visitor), _wrong(arrival, visitor, person, expected)


class StrangerProof(_LoginProof):
    """Somebody whom Keycloak knows and no group of ours has: the right password, and no way in."""

    name = STRANGER

    def run(self) -> Evidence:
        """Log in without a group."""
        with self._entrance.visit([]) as (person, browser):
            arrival = self._entrance.log_in(browser, person)
            visitor = None if arrival.at_keycloak else self._entrance.door.visitor(browser, person)
            if visitor is None:
                return Evidence(ok=True, seen={"user": person.username, "answer": arrival.said})
            return Evidence(
                ok=False,
                seen=_seen(arrival, visitor),
                reason=f"{visitor.name} was let in with the roles {', '.join(visitor.roles) or 'none'} "
                "although no group of stack.yaml has them",
            )


class PasswordProof(_LoginProof):
    """The right name, another password."""

    name = PASSWORD

    def run(self) -> Evidence:
        """Log in with a password that is not theirs, once: more could lock the account."""
        group = next(iter(self._entrance.registration.roles_by_group))
        with self._entrance.visit([group]) as (person, browser):
            arrival = self._entrance.log_in(browser, person, generate(24))
            seen = {"user": person.username, "answer": arrival.said}
            if arrival.at_keycloak:
                return Evidence(ok=True, seen=seen)
            return Evidence(ok=False, seen=seen, reason="Keycloak let somebody through with a wrong password")


class LogoutProof(_LoginProof):
    """After logging out neither the application nor Keycloak takes the browser's owner for anybody."""

    name = LOGOUT

    def run(self) -> Evidence:
        """Log in, log out, look again, and start again: Keycloak must ask for the password."""
        entrance = self._entrance
        groups = self._groups() or entrance.registration.roles_by_group
        if not self._groups():
            return Evidence(ok=False, seen=self._left_out(), reason="no group may be tried; see the first proof")
        with entrance.visit([next(iter(groups))]) as (person, browser):
            arrival = entrance.log_in(browser, person)
            if arrival.at_keycloak or entrance.door.visitor(browser, person) is None:
                return Evidence(ok=False, reason=f"nobody got in to log out: {arrival.said}")
            left = entrance.door.leave(browser)
            seen: dict[str, Any] = {"user": person.username, "way out": list(left.way)}
            if entrance.door.visitor(browser, person) is not None:
                return Evidence(ok=False, seen=seen, reason="the application still knows them after logging out")
            if not entrance.door.ends_keycloak_session():
                seen["Keycloak"] = "its own session stays: the application ends only the one it has"
                return Evidence(ok=True, seen=seen)
            try:
                entrance.log_in(browser, person)
            except AgencyStackError as error:
                seen["starting again"] = str(error)
                reason = "Keycloak's session outlives the logout: starting again asks for no password"
                return Evidence(ok=False, seen=seen, reason=reason)
            return Evidence(ok=True, seen={**seen, "starting again": "asks for the password"})


class ForgedTokenProof(_LoginProof):
    """A token that says all the right things, signed by somebody else."""

    name = FORGED

    def __init__(self, entrance: Entrance, keeper: ChecksTokens) -> None:
        super().__init__(entrance)
        self._keeper = keeper

    def run(self) -> Evidence:
        """Show it to the application."""
        refusal = self._keeper.refusal(self._forged())
        if refusal:
            return Evidence(ok=True, seen={"answer": refusal})
        return Evidence(ok=False, reason="a token that Keycloak never signed was accepted")

    def _forged(self) -> str:
        registration = self._entrance.registration
        keys = registration.realm.jwks()["keys"]
        known = next((key for key in keys if key.get("use") == "sig"), keys[0])
        now = int(time.time())
        claims = {
            "iss": registration.endpoints.issuer,
            "aud": registration.client_id,
            "azp": registration.client_id,
            "sub": "agencystack-probe",
            "preferred_username": "agencystack-probe",
            "email": f"agencystack-probe@{registration.site.domain}",
            "email_verified": True,
            "roles": list(registration.managed_roles),
            "iat": now,
            "exp": now + 60,
        }
        # The key id of a real key: what gives the forger away is the signature alone.
        token = JWT(header={"alg": "RS256", "kid": known["kid"]}, claims=claims)
        token.make_signed_token(JWK.generate(kty="RSA", size=2048))
        return str(token.serialize())


def _seen(arrival: Arrival, visitor: Visitor | None) -> dict[str, Any]:
    if visitor is None:
        return {"answer": arrival.said, "way": list(arrival.page.way)}
    return {"user": visitor.name, "email": visitor.email, "roles": list(visitor.roles), "way": list(arrival.page.way)}


def _wrong(arrival: Arrival, visitor: Visitor | None, person: Probe, expected: tuple[str, ...]) -> str:
    """Return what is wrong with how a login ended, empty when nothing is."""
    if arrival.at_keycloak:
        return f"Keycloak did not let {person.username} through: {arrival.said}"
    if visitor is None:
        return f"the application did not let {person.username} in: {arrival.said}"
    if visitor.email.lower() != person.email:
        return f"the application takes {person.email} for {visitor.name} <{visitor.email}>"
    if visitor.roles != expected:
        has, should = (", ".join(roles) or "none" for roles in (visitor.roles, expected))
        return f"{person.username} has the roles {has} instead of {should}"
    return ""
