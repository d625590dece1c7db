"""Listmonk's users and roles as its API makes, changes and removes them (users.json)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agencystack.sandbox.listmonk.answers import Declined

SUPER_ADMIN = 1
ADMIN = "admin"
ALL = frozenset(
    {
        "settings:get",
        "settings:manage",
        "tx:send",
        "templates:get",
        "users:get",
        "users:manage",
        "roles:get",
        "roles:manage",
    }
)
PERMISSIONS = frozenset(
    f"{subject}:{verb}"
    for subject, verbs in {
        "lists": ("get_all", "manage_all"),
        "subscribers": ("get", "get_all", "manage", "import", "sql_query"),
        "tx": ("send",),
        "campaigns": ("get", "get_all", "get_analytics", "manage", "manage_all", "send"),
        "bounces": ("get", "manage"),
        "webhooks": ("post_bounce",),
        "media": ("get", "manage"),
        "templates": ("get", "manage"),
        "users": ("get", "manage"),
        "roles": ("get", "manage"),
        "settings": ("get", "manage", "maintain"),
    }.items()
    for verb in verbs
)
USERNAME = re.compile(r"[a-zA-Z0-9_\-.@]{3,2000}\Z")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
NO_SUPER = "User(s) couldn't be updated. There has to be at least one active Super Admin user."
NUMBERS = ("user_role_id", "list_role_id")


@dataclass(frozen=True)
class ApiUser:
    """An API user of the stand-in; with all permissions it is a super admin, else it has a role named as itself."""

    token: str
    permissions: frozenset[str] = ALL
    role: str = ""


@dataclass
class Tables:
    """What the real one has in its database."""

    roles: list[dict[str, Any]] = field(default_factory=list)
    list_roles: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    last_role: int = 0
    last_user: int = 0


class People:
    """Users and roles.

    Args:
        path: where they are kept.
        api_users: by name; made with the first start, their tokens are never stored.
        admin_password: of the first super admin, ``admin``; without one nobody knows it.
    """

    def __init__(self, path: Path, api_users: Mapping[str, ApiUser], admin_password: str | None) -> None:
        self._path = path
        if path.exists():
            self._tables = Tables(**json.loads(path.read_text()))
        else:
            self._tables = Tables()
            self._found(api_users, admin_password or secrets.token_urlsafe())
        self._save()

    def roles(self) -> list[dict[str, Any]]:
        """Return the user roles as the API shows them."""
        return [{**row, "type": "user", "lists": None} for row in self._tables.roles]

    def list_roles(self) -> list[dict[str, Any]]:
        """Return the list roles as the API shows them."""
        return [{**row, "lists": None} for row in self._tables.list_roles]

    def users(self) -> list[dict[str, Any]]:
        """Return all users as the API shows them."""
        return [self.shown(row) for row in self._tables.users]

    def stored(self) -> list[dict[str, Any]]:
        """Return all users as they are stored."""
        return self._tables.users

    def get(self, user_id: int) -> dict[str, Any]:
        """Return one user as stored; declines where there is none."""
        for row in self._tables.users:
            if row["id"] == user_id:
                return row
        raise Declined(404, "User not found")

    def find(self, **wanted: str) -> dict[str, Any] | None:
        """Return the user whose stored values are these."""
        return next((row for row in self._tables.users if wanted.items() <= row.items()), None)

    def may(self, user: Mapping[str, Any], permission: str) -> bool:
        """Say whether the role of ``user`` holds ``permission``."""
        role = self._role(user["user_role_id"])
        return not permission or role["id"] == SUPER_ADMIN or permission in role["permissions"]

    def shown(self, user: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``user`` as the API shows it."""
        hidden = {"password", "user_role_id", "list_role_id"}
        shown = {key: value for key, value in user.items() if key not in hidden}
        role, is_api = self._role(user["user_role_id"]), user["type"] == "api"
        shown |= {"password": None, "password_login": user["password_login"] or is_api}
        shown |= {"email": None if is_api else user["email"], "avatar": None, "twofa_type": "none"}
        shown["user_role"] = {key: role[key] for key in ("id", "name", "permissions")}
        shown["list_role"] = None
        if user["list_role_id"]:
            listed = next(row for row in self._tables.list_roles if row["id"] == user["list_role_id"])
            shown |= {"list_role_id": listed["id"], "list_role": {**_named(listed), "lists": None}}
        return shown

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make a user of what was sent and return it as stored."""
        row = self._checked(given)
        if row["type"] == "user" and row["password_login"] and len(given.get("password") or "") < 8:
            raise Declined(400, "Invalid fields: password")
        return self.insert({**row, "password": _hashed(given.get("password")) if row["password_login"] else None})

    def insert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a user that was checked; what the database refuses is declined with its words."""
        if row["status"] not in {"enabled", "disabled"}:
            raise Declined(500, f'Error creating User: pq: invalid input value for enum user_status: "{row["status"]}"')
        self._check_row(row, "creating")
        self._tables.last_user += 1
        user = {"id": self._tables.last_user, **_times(), **row, "loggedin_at": None}
        self._tables.users.append(user)
        self._save()
        return user

    def update(self, user_id: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a user to what was sent; empty texts and a role of 0 keep what is stored, nothing else does."""
        sent = self._checked(given)
        known = next((row for row in self._tables.users if row["id"] == user_id), None)
        has_password = bool(known and known["password"])
        if sent["type"] != "api" and sent["password_login"] and not given.get("password") and not has_password:
            raise Declined(400, "Invalid fields: password")
        if known is None or self._would_be_last(user_id, sent):
            raise Declined(400, NO_SUPER)
        kept = {key: value for key, value in known.items() if not sent.get(key) and key in _KEPT}
        new = {**known, **sent, **kept, "updated_at": _now()}
        if known["type"] != "api":
            new["password"] = self._new_password(known, given) if sent["password_login"] else None
        self._check_row(new, "updating", except_id=user_id)
        known.update(new)
        self._save()
        return known

    def delete(self, user_id: int) -> None:
        """Delete a user, unless nobody would be left to rule."""
        known = self.find_id(user_id)
        others = [row for row in self._supers() if row["id"] != user_id]
        if known is None or not others:
            raise Declined(400, NO_SUPER)
        self._tables.users.remove(known)
        self._save()

    def find_id(self, user_id: int) -> dict[str, Any] | None:
        """Return the user with this id, or None."""
        return next((row for row in self._tables.users if row["id"] == user_id), None)

    def logged_in(self, user: dict[str, Any]) -> None:
        """Note a login."""
        user["loggedin_at"] = _now()
        self._save()

    def knows(self, user: Mapping[str, Any], password: str) -> bool:
        """Say whether ``user`` may log in with ``password``."""
        allowed = user["status"] != "disabled" and user["password_login"] and user["type"] == "user"
        return bool(allowed and user["password"] and secrets.compare_digest(user["password"], _hashed(password) or ""))

    def create_role(self, given: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Make a user role or a list role."""
        table = self._tables.roles if kind == "user" else self._tables.list_roles
        for permission in given.get("permissions") or () if kind == "user" else ():
            if permission not in PERMISSIONS:
                raise Declined(400, f"Invalid fields: permission: {permission}")
        name = str(given.get("name") or "").strip()
        if any(row["name"] == name for row in table):
            words = f'violates unique constraint "idx_roles_name". Key (type, name)=({kind}, {name}) already exists.'
            raise Declined(500, f"Error creating Role: pq: duplicate key value {words}")
        self._tables.last_role += 1
        row = {"id": self._tables.last_role, **_times(), "name": name}
        if kind == "user":
            row["permissions"] = list(given.get("permissions") or ())
        table.append(row)
        self._save()
        return next(shown for shown in (*self.roles(), *self.list_roles()) if shown["id"] == row["id"])

    def delete_role(self, role_id: int) -> None:
        """Delete a role nobody has."""
        if role_id == SUPER_ADMIN:
            raise Declined(400, "invalid ID")
        for user in self._tables.users:
            for column in NUMBERS:
                if user[column] == role_id:
                    raise Declined(
                        500,
                        'Error deleting Role: pq: update or delete on table "roles" violates foreign key constraint '
                        f'"users_{column}_fkey" on table "users". Key (id)=({role_id}) is still referenced '
                        'from table "users".',
                    )
        self._tables.roles = [row for row in self._tables.roles if row["id"] != role_id]
        self._tables.list_roles = [row for row in self._tables.list_roles if row["id"] != role_id]
        self._save()

    def _found(self, api_users: Mapping[str, ApiUser], admin_password: str) -> None:
        self.create_role({"name": "Super Admin", "permissions": sorted(PERMISSIONS)}, "user")
        ids = {name: SUPER_ADMIN for name, user in api_users.items() if user.permissions >= ALL}
        for name, user in api_users.items():
            if name not in ids:
                role = {"name": user.role or name, "permissions": sorted(user.permissions)}
                ids[name] = self.create_role(role, "user")["id"]
        person = {"username": ADMIN, "name": ADMIN, "email": f"{ADMIN}@listmonk", "user_role_id": SUPER_ADMIN}
        self.insert({**_EMPTY, **person, "type": "user", "password_login": True, "password": _hashed(admin_password)})
        for name in api_users:
            machine = {"username": name, "name": name, "email": f"{name}@api", "user_role_id": ids[name]}
            self.insert({**_EMPTY, **machine, "type": "api"})

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        for number in NUMBERS:
            if isinstance(given.get(number), str):
                raise Declined(400, f"Unmarshal type error: expected=int, got=string, field={number}")
        username = str(given.get("username") or "").strip()
        email = str(given.get("email") or "").strip().lower()
        if not USERNAME.match(username):
            raise Declined(400, "Invalid fields: username")
        if given.get("type") != "api" and not EMAIL.match(email):
            raise Declined(400, "Invalid fields: email")
        return {
            "username": username,
            "name": str(given.get("name") or "").strip() or username,
            "email": email,
            "type": given.get("type") or "",
            "status": given.get("status") or "",
            "user_role_id": given.get("user_role_id") or 0,
            "list_role_id": given.get("list_role_id") or None,
            "password_login": bool(given.get("password_login")),
        }

    def _check_row(self, row: Mapping[str, Any], doing: str, *, except_id: int = 0) -> None:
        others = [user for user in self._tables.users if user["id"] != except_id]
        for column in ("username", "email"):
            if any(user[column] == row[column] for user in others):
                words = f'violates unique constraint "users_{column}_key". Key ({column})=({row[column]})'
                raise Declined(500, f"Error {doing} User: pq: duplicate key value {words} already exists.")
        if all(role["id"] != row["user_role_id"] for role in self._tables.roles):
            raise Declined(
                500,
                f'Error {doing} User: pq: null value in column "user_role_id" of relation "users" violates '
                "not-null constraint. Failing row contains (...).",
            )

    def _new_password(self, known: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
        return _hashed(given.get("password")) or known["password"]

    def _would_be_last(self, user_id: int, sent: Mapping[str, Any]) -> bool:
        stays = sent["user_role_id"] == SUPER_ADMIN and sent["status"] == "enabled"
        return not stays and all(row["id"] == user_id for row in self._supers())

    def _supers(self) -> list[dict[str, Any]]:
        people = (row for row in self._tables.users if row["type"] == "user" and row["status"] == "enabled")
        return [row for row in people if row["user_role_id"] == SUPER_ADMIN]

    def _role(self, role_id: int) -> dict[str, Any]:
        return next(row for row in self._tables.roles if row["id"] == role_id)

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._tables.__dict__, file, indent=1)
        draft.replace(self._path)


_KEPT = {"username", "name", "email", "type", "status", "user_role_id"}
_EMPTY = {"list_role_id": None, "status": "enabled", "password_login": False, "password": None}


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "name")}


def _hashed(password: str | None) -> str | None:
    return hashlib.sha256(password.encode()).hexdigest() if password else None


def _times() -> dict[str, str]:
    return {"created_at": _now(), "updated_at": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
