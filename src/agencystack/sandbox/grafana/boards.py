"""Folders and dashboards with their versions (``pkg/api/folder.go``, ``pkg/api/dashboard.go``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agencystack.sandbox.grafana.answers import Declined
from agencystack.sandbox.grafana.kept import Kept


class Boards:
    """The folders and dashboards.

    Args:
        path: where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, "folders", "dashboards")

    @property
    def folders(self) -> dict[str, Any]:
        """The folders, by uid."""
        return self._kept["folders"]

    @property
    def dashboards(self) -> dict[str, Any]:
        """The dashboards with all their versions, by uid."""
        return self._kept["dashboards"]

    def folder(self, uid: str) -> dict[str, Any]:
        """Return a folder; declines where there is none."""
        if uid not in self.folders:
            raise Declined(404, "folder not found", "", "not-found")
        row: dict[str, Any] = self.folders[uid]
        return row

    def create_folder(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a folder."""
        uid, title = str(body.get("uid") or f"f{len(self.folders) + 1}"), str(body.get("title") or "")
        if not title:
            raise Declined(400, "folder title cannot be empty")
        if uid in self.folders:
            raise Declined(412, "the folder has been changed by someone else", "", "version-mismatch")
        self._must_be_free(uid, title)
        self.folders[uid] = {"uid": uid, "title": title, "version": 1}
        self._kept.save()
        return self.folder(uid)

    def rename_folder(self, uid: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give a folder its title."""
        row, title = self.folder(uid), str(body.get("title") or "")
        self._must_be_free(uid, title)
        row.update({"title": title, "version": row["version"] + 1})
        self._kept.save()
        return row

    def delete_folder(self, uid: str) -> None:
        """Delete a folder, and the dashboards in it."""
        for dashboard in [found for found, it in self.dashboards.items() if it["folder"] == uid]:
            del self.dashboards[dashboard]
        del self.folders[uid]
        self._kept.save()

    def search(self, folder: str) -> list[dict[str, Any]]:
        """Return what is in a folder, and the folder; everything where none is named."""
        found = [
            {"uid": row["uid"], "title": row["title"], "type": "dash-folder"}
            for row in self.folders.values()
            if folder in {"", row["uid"]}
        ]
        for uid, row in self.dashboards.items():
            if folder in {"", row["folder"]}:
                place = {"folderUid": row["folder"]} if row["folder"] else {}
                found.append({"uid": uid, "title": row["versions"][-1]["data"]["title"], "type": "dash-db", **place})
        return found

    def dashboard(self, uid: str) -> dict[str, Any]:
        """Return a dashboard with what is told about it."""
        row = self._row(uid)
        last = row["versions"][-1]
        meta = {
            "folderUid": row["folder"],
            "version": last["version"],
            "provisioned": row["provisioned"],
            "updatedBy": last["createdBy"],
        }
        return {"meta": meta, "dashboard": {**last["data"], "id": row["id"], "uid": uid, "version": last["version"]}}

    def versions(self, uid: str, limit: int) -> list[dict[str, Any]]:
        """Return the versions of a dashboard, the newest first; of the first its message is not told."""
        rows = self._row(uid)["versions"]
        shown = [{**row, "message": "Initial save" if row["version"] == 1 else row["message"]} for row in rows]
        return list(reversed(shown))[:limit] if limit else list(reversed(shown))

    def save(self, body: Mapping[str, Any], login: str) -> dict[str, Any]:
        """Save a dashboard."""
        data, folder = dict(body.get("dashboard") or {}), str(body.get("folderUid") or "")
        uid, title = str(data.get("uid") or f"d{len(self.dashboards) + 1}"), str(data.get("title") or "")
        if not title:
            raise Declined(400, "Dashboard title cannot be empty", "", "empty-name")
        if folder and folder not in self.folders:
            raise Declined(400, "Folder not found")
        known = self.dashboards.get(uid)
        if known and known["provisioned"]:
            raise Declined(400, "Cannot save provisioned dashboard")
        if known and not body.get("overwrite") and data.get("version") != known["versions"][-1]["version"]:
            raise Declined(412, "The dashboard has been changed by someone else", "", "version-mismatch")
        self._must_have_a_name_of_its_own(uid, title, folder)
        row = known or {"id": len(self.dashboards) + 1, "versions": [], "provisioned": False}
        version = len(row["versions"]) + 1
        saved = {
            "version": version,
            "message": str(body.get("message") or ""),
            "createdBy": login,
            "data": {name: value for name, value in data.items() if name not in {"id", "version"}},
        }
        self.dashboards[uid] = {**row, "folder": folder, "versions": [*row["versions"], saved]}
        self._kept.save()
        return {"id": row["id"], "status": "success", "uid": uid, "version": version}

    def delete(self, uid: str) -> dict[str, Any]:
        """Delete a dashboard."""
        row = self._row(uid)
        if row["provisioned"]:
            raise Declined(400, "provisioned dashboard cannot be deleted")
        del self.dashboards[uid]
        self._kept.save()
        title = row["versions"][-1]["data"]["title"]
        return {"id": row["id"], "message": f"Dashboard {title} deleted", "title": title}

    def provision(self, uid: str) -> None:
        """Have a dashboard come from a provisioning file from now on."""
        self._row(uid)["provisioned"] = True
        self._kept.save()

    def _row(self, uid: str) -> dict[str, Any]:
        if uid not in self.dashboards:
            raise Declined(404, "Dashboard not found")
        row: dict[str, Any] = self.dashboards[uid]
        return row

    def _must_be_free(self, uid: str, title: str) -> None:
        taken = {row["title"] for row in self.folders.values() if row["uid"] != uid}
        taken |= {row["versions"][-1]["data"]["title"] for row in self.dashboards.values() if not row["folder"]}
        if title in taken:
            raise Declined(409, "a folder or dashboard in the general folder with the same name already exists")

    def _must_have_a_name_of_its_own(self, uid: str, title: str, folder: str) -> None:
        for other, row in self.dashboards.items():
            if other != uid and row["folder"] == folder and row["versions"][-1]["data"]["title"] == title:
                raise Declined(412, "A dashboard with the same name in the folder already exists", "", "name-exists")
