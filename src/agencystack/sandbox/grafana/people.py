"""Grafana's users, their roles in its one organisation, and by whom each was made known."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agencystack.sandbox.grafana.answers import Declined

ADMIN = "admin"
ORGANISATION = {"id": 1, "name": "Main Org."}
AUTO_ASSIGNED = "Viewer"


class People:
    """The users.

    Args:
        path: where they are kept.
        admin_password: of the server administrator ``admin``.
    """

    def __init__(self, path: Path, admin_password: str) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        if not self._rows:
            admin = {"login": ADMIN, "email": f"{ADMIN}@localhost", "name": "", "is_admin": True, "role": "Admin"}
            self._add({**admin, "auth_id": None, "password": _hashed(admin_password)})

    def add_viewer(self, login: str, email: str, password: str) -> None:
        """Make a user who may look, and change nothing; as an administrator does in Grafana."""
        row = {"login": login, "email": email, "name": "", "is_admin": False, "role": AUTO_ASSIGNED, "auth_id": None}
        self._add({**row, "password": _hashed(password)})

    def get(self, user_id: int) -> dict[str, Any]:
        """Return one user; declines where there is none."""
        for row in self._rows:
            if row["id"] == user_id:
                return row
        raise Declined(404, "user not found", "user.not-found")

    def named(self, login_or_email: str) -> dict[str, Any]:
        """Return the user of that login or address; declines where there is none."""
        wanted = login_or_email.lower()
        for row in self._rows:
            if wanted in {row["login"].lower(), row["email"].lower()}:
                return row
        raise Declined(404, "user not found", "user.not-found")

    def all(self) -> list[dict[str, Any]]:
        """Return all users as stored."""
        return self._rows

    def search(self, words: str) -> list[dict[str, Any]]:
        """Return the users with these words anywhere in login, name or address, in the order of their logins."""
        wanted = words.lower()
        found = [
            row for row in self._rows if any(wanted in (row[part] or "").lower() for part in ("login", "name", "email"))
        ]
        return sorted(found, key=lambda row: str(row["login"]))

    def with_password(self, login: str, password: str) -> dict[str, Any] | None:
        """Return the user who may log in with that password; those the provider made have none."""
        for row in self._rows:
            if login.lower() in {row["login"].lower(), row["email"].lower()} and row["password"]:
                return row if secrets.compare_digest(row["password"], _hashed(password)) else None
        return None

    def sync(self, person: Mapping[str, Any], *, allow_sign_up: bool) -> dict[str, Any]:
        """Return the user of that provider's id, made or brought up to date; addresses alone match nobody."""
        known = next((row for row in self._rows if row["auth_id"] == person["auth_id"]), None)
        if known is None:
            if not allow_sign_up:
                raise Declined(401, "Sign up is disabled", "user.sync.signup-disabled")
            self._must_be_free(person)
            known = self._add({"role": AUTO_ASSIGNED, "is_admin": False, "password": None, **_given(person)})
        known.update({**_given(person), "updated": _now()})
        self._save()
        return known

    def delete(self, user_id: int) -> None:
        """Delete a user; declines where there is none."""
        self._rows.remove(self.get(user_id))
        self._save()

    def _must_be_free(self, person: Mapping[str, Any]) -> None:
        taken = {value.lower() for row in self._rows for value in (row["login"], row["email"])}
        if {person["login"].lower(), person["email"].lower()} & taken:
            raise Declined(500, "User sync failed", "user.sync.internal")

    def _add(self, row: Mapping[str, Any]) -> dict[str, Any]:
        number = max((known["id"] for known in self._rows), default=0) + 1
        made = {"id": number, **row, "created": _now(), "updated": _now()}
        self._rows.append(made)
        self._save()
        return made

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._rows, file, indent=1)
        draft.replace(self._path)


def profile(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user as ``/api/user`` and ``/api/users/lookup`` show it."""
    return {
        "id": row["id"],
        "uid": f"user{row['id']}",
        "email": row["email"],
        "name": row["name"] or "",
        "login": row["login"],
        "theme": "",
        "orgId": ORGANISATION["id"],
        "isGrafanaAdmin": row["is_admin"],
        "isDisabled": False,
        "isExternal": row["auth_id"] is not None,
        "isExternallySynced": row["auth_id"] is not None,
        "isGrafanaAdminExternallySynced": False,
        "authLabels": ["Generic OAuth"] if row["auth_id"] is not None else [],
        "updatedAt": row["updated"],
        "createdAt": row["created"],
        "avatarUrl": f"/avatar/{row['id']}",
    }


def hit(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user as the search shows it."""
    shown = profile(row)
    same = {
        name: shown[name] for name in ("id", "uid", "name", "login", "email", "avatarUrl", "isDisabled", "authLabels")
    }
    return {**same, "isAdmin": row["is_admin"], "lastSeenAt": row["updated"], "lastSeenAtAge": "< 1 minute"}


def memberships(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the organisations of a user."""
    return [{"orgId": ORGANISATION["id"], "name": ORGANISATION["name"], "role": row["role"]}]


def members(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the users of the organisation as ``/api/orgs/1/users`` shows them."""
    return [
        {
            "orgId": ORGANISATION["id"],
            "userId": row["id"],
            "email": row["email"],
            "name": row["name"] or "",
            "login": row["login"],
            "role": row["role"],
            "authLabels": profile(row)["authLabels"],
            "isDisabled": False,
            "isExternallySynced": row["auth_id"] is not None,
        }
        for row in rows
    ]


def _given(person: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the provider decides; roles are not among it where they are not synchronised."""
    return {name: value for name, value in person.items() if value is not None}


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
