"""The rosters of ERPNext without our app, and of Listmonk."""

from __future__ import annotations

from collections.abc import Collection

from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.roles import RoleChange, WantedRoles
from agencystack.components.listmonk import Listmonk
from agencystack.integrations.sso.probe import PREFIX
from agencystack.integrations.sso.roster import Comparison, People, PersonChange, Roster


class ErpNextRoster(Roster):
    """ERPNext's users: named by e-mail address, with any number of roles.

    Args:
        erpnext: the site.
        managed: the roles of stack.yaml; all others stay.
    """

    def __init__(self, erpnext: ErpNext, managed: Collection[str]) -> None:
        self._erpnext, self._managed = erpnext, tuple(managed)

    def holders(self) -> tuple[str, ...]:
        """Return the users with a managed role."""
        return tuple(name for name in self._erpnext.users.holders(self._managed) if not name.startswith(PREFIX))

    def compare(self, people: People, gone: Collection[str]) -> Comparison:
        """Compare the managed roles of each person."""
        wanted = [WantedRoles(email, roles) for email, roles in people.roles.items()]
        wanted += [WantedRoles(email, frozenset()) for email in gone]
        changes = self._erpnext.users.role_changes(wanted, self._managed)
        return Comparison(
            tuple(
                PersonChange(one.email, people.names.get(one.email, ""), one.add, one.remove, new=one.absent)
                for one in changes
            )
        )

    def apply(self, change: PersonChange) -> None:
        """Make the user, without a mail to them, or change the roles."""
        if change.new:
            self._erpnext.users.create(change.person, change.name or change.person, roles=change.add)
        else:
            self._erpnext.users.apply(RoleChange(change.person, change.add, change.remove))


class ListmonkRoster(Roster):
    """Listmonk's users: one role each. Who loses it is deleted, as a switched-off user still gets in by Keycloak.

    Source: ``tests/contract/recordings/listmonk/oidc_login.json``.
    """

    def __init__(self, listmonk: Listmonk, managed: Collection[str]) -> None:
        self._people, self._managed = listmonk.people, frozenset(managed)

    def holders(self) -> tuple[str, ...]:
        """Return the people with a managed role."""
        people = (user for user in self._people.users() if user.type == "user" and user.email)
        found = {(user.email or "").lower() for user in people if user.user_role.name in self._managed}
        return tuple(sorted(email for email in found if not email.startswith(PREFIX)))

    def compare(self, people: People, gone: Collection[str]) -> Comparison:
        """Compare the one role of each person; who has a password of their own and may do all is left alone."""
        known = {(user.email or "").lower(): user for user in self._people.users() if user.type == "user"}
        changes, notes = [], []
        for email, roles in sorted(people.roles.items()):
            role, user = sorted(roles)[0], known.get(email)
            if len(roles) > 1:
                notes.append(f"{email} has several roles by groups; Listmonk gives one: {role}")
            if user is None:
                changes.append(PersonChange(email, people.names.get(email, ""), (role,), new=True))
            elif user.is_break_glass and user.user_role.name != role:
                notes.append(f"{email} is a super admin with a password, the way back in: left")
            elif user.user_role.name != role:
                changes.append(PersonChange(email, user.name, (role,), (user.user_role.name,)))
        for email in sorted(gone):
            if known[email].is_break_glass:
                notes.append(f"{email} is a super admin with a password, the way back in: left")
            else:
                changes.append(PersonChange(email, known[email].name, (), (known[email].user_role.name,)))
        return Comparison(tuple(changes), tuple(notes))

    def apply(self, change: PersonChange) -> None:
        """Make the user, set the role, or delete who has none any more."""
        user = self._people.by_email(change.person)
        if user is not None and not change.add:
            self._people.delete(user)
        elif user is not None:
            self._people.set_role(user, self._people.role(change.add[0]))
        elif change.add:
            role = self._people.role(change.add[0])
            self._people.create(username=change.person, email=change.person, name=change.name, role=role)
