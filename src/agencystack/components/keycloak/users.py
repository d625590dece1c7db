"""The people of a realm, as far as we make, find and remove probe users among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agencystack.components.keycloak.errors import Absent
from agencystack.components.keycloak.groups import RealmGroups
from agencystack.components.keycloak.models import User
from agencystack.stack.secrets import Secret


class RealmUsers(RealmGroups):
    """Users. Nothing of them is kept: they come and go beside us."""

    def user(self, username: str) -> User | None:
        """Return the user of exactly that name, or ``None``."""
        found = self._find(username=username, exact="true")
        return next((user for user in found if user.username == username.lower()), None)

    def users_with_email(self, email: str) -> tuple[User, ...]:
        """Return the users with exactly that address; several where the realm allows it."""
        return tuple(user for user in self._find(email=email, exact="true") if user.email == email.lower())

    def users_with_prefix(self, prefix: str) -> tuple[User, ...]:
        """Return the users whose name begins with ``prefix``, by name; none where the realm is absent."""
        found = (user for user in self._find(username=prefix) if user.username.startswith(prefix.lower()))
        return tuple(sorted(found, key=lambda user: user.username))

    def count_users(self) -> int:
        """Return how many people the realm has."""
        with self._understood():
            return int(self._admin.users_count())

    def has_members(self, path: str) -> bool:
        """Say whether somebody is in a group, or a group below it is there; no where it is absent."""
        found = self._by_path(path)
        if found is None:
            return False
        if found.get("subGroups") or self._count_below(found):
            return True
        with self._understood():
            return bool(self._admin.get_group_members(found["id"], {"first": 0, "max": 1}))

    def members(self, path: str) -> tuple[User, ...]:
        """Return everybody who is in a group itself, by name; none where it is absent."""
        found = self._by_path(path)
        if found is None:
            return ()
        address = f"admin/realms/{self._admin.connection.realm_name}/groups/{found['id']}/members"
        with self._understood():
            rows = self._all(address, briefRepresentation="true")
            people = [User.model_validate({k: v for k, v in row.items() if v is not None}) for row in rows]
        return tuple(sorted(people, key=lambda user: user.username))

    def create_user(
        self,
        username: str,
        *,
        email: str,
        first_name: str,
        last_name: str,
        password: Secret,
        groups: Iterable[str] = (),
        email_verified: bool = True,
    ) -> str:
        """Make a user who can log in at once and is asked for nothing; return Keycloak's id.

        Args:
            username: the name to log in with; Keycloak stores it in small letters.
            email: the address.
            first_name: needed, as Keycloak 24 and on asks for it at login where it is missing.
            last_name: likewise.
            password: no temporary one.
            groups: paths of groups that exist.
            email_verified: whether the address counts as proven.

        Raises:
            Refused: name or address is taken, or the realm's password policy declines the password.
            Absent: a group does not exist.
        """
        values = {
            "username": username,
            "email": email,
            "emailVerified": email_verified,
            "firstName": first_name,
            "lastName": last_name,
            "enabled": True,
            "groups": [self._existing_group(path).path for path in groups],
            "requiredActions": [],
            "credentials": [{"type": "password", "value": password.reveal(), "temporary": False}],
        }
        with self._understood():
            return self._admin.create_user(values)

    def delete_user(self, user_id: str) -> None:
        """Remove a user by Keycloak's id; nothing to do where there is none."""
        try:
            with self._understood():
                self._admin.delete_user(user_id)
        except Absent:
            return

    def user_groups(self, user_id: str) -> tuple[str, ...]:
        """Return the paths of the groups a user is in, sorted."""
        with self._understood():
            return tuple(sorted(str(group["path"]) for group in self._admin.get_user_groups(user_id)))

    def set_user_groups(self, user_id: str, paths: Iterable[str]) -> None:
        """Put a user into exactly the groups at ``paths``.

        Raises:
            Absent: there is no such user or group.
        """
        wanted = {self._existing_group(path).id for path in paths}
        with self._understood():
            current = {str(group["id"]) for group in self._admin.get_user_groups(user_id)}
            for group_id in wanted - current:
                self._admin.group_user_add(user_id, group_id)
            for group_id in current - wanted:
                self._admin.group_user_remove(user_id, group_id)

    def mail_link(self, user_id: str, action: str = "VERIFY_EMAIL") -> None:
        """Have Keycloak mail a user a link, now, through the realm's mail server.

        Args:
            user_id: Keycloak's id.
            action: the required action behind the link.

        Raises:
            Refused: the mail server is not set, or did not take the mail.
        """
        with self._understood():
            self._admin.send_update_account(user_id, [action])

    def logout_user(self, user_id: str) -> None:
        """End all sessions of a user.

        Raises:
            Absent: there is no such user.
        """
        with self._understood():
            self._admin.user_logout(user_id)

    def effective_client_roles(self, user_id: str, client_id: str) -> tuple[str, ...]:
        """Return the roles of a client that a user has by itself, through groups and through other roles, sorted."""
        known = self._existing(client_id)
        with self._understood():
            found = self._admin.get_composite_client_roles_of_user(user_id, known.id, brief_representation=True)
            return tuple(sorted(str(role["name"]) for role in found))

    def _find(self, **query: Any) -> list[User]:
        try:
            with self._understood():
                found = self._admin.get_users({**query, "briefRepresentation": "true"})
                return [User.model_validate({k: v for k, v in one.items() if v is not None}) for one in found]
        except Absent:
            return []
