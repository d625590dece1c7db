"""Who may use Listmonk, and with which role.

Source: ``tests/contract/recordings/listmonk/users.json`` (Listmonk 6.2.0). A change of a user replaces everything but
empty texts, so it is read first: without ``password_login`` the password is gone, without ``list_role_id`` the list
role. A disabled user still logs in through an OpenID provider (``oidc_login.json``): to keep somebody out, delete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agencystack.components.listmonk.api import ListmonkApi
from agencystack.stack.errors import BadAnswer, ConfigurationError

Row = TypeVar("Row")
SUPER_ADMIN = 1
"""Id of the user role that may do everything; every Listmonk has it."""


class Role(BaseModel):
    """A user role."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    permissions: tuple[str, ...] = ()


class ListRole(BaseModel):
    """What a user may do with single lists."""

    model_config = ConfigDict(frozen=True)

    id: int


class User(BaseModel):
    """A user: a person (``user``) or a program with a token (``api``)."""

    model_config = ConfigDict(frozen=True)

    id: int
    username: str
    name: str
    type: Literal["user", "api"]
    status: Literal["enabled", "disabled"]
    email: str | None
    password_login: bool
    user_role: Role
    list_role: ListRole | None = None

    @property
    def is_break_glass(self) -> bool:
        """Say whether this person gets in with a password and may do everything, whatever the provider does."""
        person = self.type == "user" and self.status == "enabled"
        return person and self.password_login and self.user_role.id == SUPER_ADMIN


class People:
    """Users and roles of one Listmonk; its API user needs ``users:get``, ``users:manage`` and ``roles:get``."""

    def __init__(self, api: ListmonkApi) -> None:
        self._api = api

    def roles(self) -> tuple[Role, ...]:
        """Return all user roles.

        Raises:
            AuthenticationFailed: the role of the API user lacks ``roles:get``.
        """
        return tuple(self._read(Role.model_validate, row) for row in self._api.read("/api/roles/users"))

    def role(self, name: str) -> Role:
        """Return the user role of that name.

        Raises:
            ConfigurationError: there is none.
        """
        known = self.roles()
        for role in known:
            if role.name == name:
                return role
        raise ConfigurationError(
            f"has no user role {name!r}",
            component=self._api.where,
            remedy=f"make it under Users, User roles, or name one of: {', '.join(role.name for role in known)}",
        )

    def users(self) -> tuple[User, ...]:
        """Return all users, those of programs too.

        Raises:
            AuthenticationFailed: the role of the API user lacks ``users:get``.
        """
        return tuple(self._read(User.model_validate, row) for row in self._api.read("/api/users"))

    def by_email(self, email: str) -> User | None:
        """Return the person an OpenID provider's ``email`` leads to, or None; case does not matter."""
        wanted = email.lower()
        people = (user for user in self.users() if user.type == "user")
        return next((user for user in people if (user.email or "").lower() == wanted), None)

    def create(self, *, username: str, email: str, name: str, role: Role) -> User:
        """Make a person who has no password and can log in through the provider only.

        Args:
            username: three characters or more of ``A-Z a-z 0-9 _ - . @``; an e-mail address is one.
            email: by which the provider's person is matched; stored in lower case.
            name: shown; the user name when empty.
            role: what the person may do.

        Raises:
            Refused: name or address are taken or not allowed.
        """
        body = {
            "type": "user",
            "username": username,
            "name": name,
            "email": email,
            "password_login": False,
            "user_role_id": role.id,
            "list_role_id": None,
            "status": "enabled",
        }
        return self._read(User.model_validate, self._api.data("POST", "/api/users", body))

    def set_role(self, user: User, role: Role) -> User:
        """Give ``user`` another user role and leave all else as it is.

        Raises:
            Refused: it is the last enabled super admin, or no longer there.
        """
        body = {
            "type": user.type,
            "username": user.username,
            "name": user.name,
            "email": user.email,
            # Without a password Listmonk keeps the stored one, but only where password login is said to be on.
            "password_login": user.password_login,
            "user_role_id": role.id,
            "list_role_id": user.list_role.id if user.list_role else None,
            "status": user.status,
        }
        return self._read(User.model_validate, self._api.data("PUT", f"/api/users/{user.id}", body))

    def delete(self, user: User) -> None:
        """Delete ``user``, whose sessions end with it.

        Raises:
            Refused: it is the last enabled super admin, or no longer there.
        """
        self._api.data("DELETE", f"/api/users/{user.id}")

    def _read(self, parse: Callable[[Any], Row], row: Any) -> Row:
        try:
            return parse(row)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise BadAnswer(
                f"has a user or role of an unknown form: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                component=self._api.where,
                remedy="tested with Listmonk 6.2",
            ) from error
