"""Grafana's folders and dashboards, and who saved a dashboard last.

Source: ``pkg/api/folder.go``, ``pkg/api/dashboard.go`` of Grafana.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agencystack.components.grafana.calls import Calls

PAGE = 1000


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Folder(_Row):
    """A folder of dashboards and alert rules.

    Attributes:
        managed_by: what else decides about it (a file, a repository); empty for none. Versions before 12 do not say.
    """

    uid: str
    title: str
    managed_by: str = ""


class Meta(_Row):
    """What Grafana says about a dashboard beside it.

    Attributes:
        provisioned: it comes from a file, and only that may change it.
    """

    folder_uid: str = ""
    version: int = 0
    provisioned: bool = False
    updated_by: str = ""


class Dashboard(_Row):
    """A dashboard.

    Attributes:
        content: the dashboard itself, as Grafana keeps it.
    """

    content: dict[str, Any] = Field(alias="dashboard")
    meta: Meta


class Saved(_Row):
    """One time a dashboard was saved.

    Attributes:
        message: what whoever saved it noted; Grafana before 12 shows its own words for the very first time.
        created_by: their login.
    """

    version: int
    message: str = ""
    created_by: str = ""


class Boards:
    """The folders and dashboards of the organisation the credential belongs to.

    Args:
        calls: into that Grafana.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def folder(self, uid: str) -> Folder | None:
        """Return a folder, or None."""
        row = self._calls.get(f"/api/folders/{quote(uid, safe='')}")
        return None if row is None else self._calls.parsed(Folder.model_validate, row)

    def create_folder(self, folder: Folder) -> None:
        """Make a folder; raises Refused where the title is taken (409, 412)."""
        self._calls.send("POST", "/api/folders", {"uid": folder.uid, "title": folder.title})

    def rename_folder(self, folder: Folder) -> None:
        """Give a folder its title."""
        body = {"title": folder.title, "overwrite": True}
        self._calls.send("PUT", f"/api/folders/{quote(folder.uid, safe='')}", body)

    def delete_folder(self, uid: str) -> None:
        """Delete a folder with everything in it; nothing to do where it is gone."""
        self._calls.delete(f"/api/folders/{quote(uid, safe='')}")

    def titles_in(self, folder_uid: str) -> tuple[str, ...]:
        """Return the titles of the dashboards and folders in a folder."""
        # Versions before 10 know folders by number alone; all of them accept the uid beside it.
        found = self._calls.get("/api/search", {"folderUIDs": folder_uid, "limit": str(PAGE)}) or ()
        return tuple(str(row.get("title", "")) for row in found if row.get("folderUid") == folder_uid)

    def dashboard(self, uid: str) -> Dashboard | None:
        """Return a dashboard, or None."""
        answer = self._calls.get(f"/api/dashboards/uid/{quote(uid, safe='')}")
        return None if answer is None else self._calls.parsed(Dashboard.model_validate, answer)

    def last_saved(self, uid: str) -> Saved | None:
        """Return who saved a dashboard last, and what they noted.

        Raises:
            AuthenticationFailed: the credential may not change that dashboard; only who may is told.
        """
        answer = self._calls.get(f"/api/dashboards/uid/{quote(uid, safe='')}/versions", {"limit": "1"})
        # A list up to Grafana 11.
        rows = answer.get("versions") if isinstance(answer, dict) else answer
        return self._calls.parsed(Saved.model_validate, rows[0]) if rows else None

    def save(self, content: Mapping[str, Any], folder_uid: str, message: str) -> int:
        """Save a dashboard under its ``uid``, whatever is there, and return the version it has now.

        Args:
            content: the dashboard.
            folder_uid: the folder it shall be in.
            message: kept beside the version.
        """
        known = {name: value for name, value in content.items() if name not in {"id", "version"}}
        body = {"dashboard": known, "folderUid": folder_uid, "message": message, "overwrite": True}
        answer = self._calls.send("POST", "/api/dashboards/db", body)
        return self._calls.parsed(lambda said: int(said["version"]), answer)

    def delete(self, uid: str) -> None:
        """Delete a dashboard; nothing to do where it is gone."""
        self._calls.delete(f"/api/dashboards/uid/{quote(uid, safe='')}")
