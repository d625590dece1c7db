"""What the stand-in keeps: monitors, tags, notifications, status pages, keys, and the one user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agencystack.stack.files import write_atomically

TABLES = ("monitors", "tags", "notifications", "pages", "api_keys")
HEARTBEATS_KEPT = 100


class State:
    """The database.

    Args:
        path: the file it is kept in; heartbeats are not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        stored: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self._next: dict[str, int] = stored.get("next", {})
        self.monitors, self.tags, self.notifications, self.pages, self.api_keys = (
            {int(id_): row for id_, row in stored.get(name, {}).items()} for name in TABLES
        )
        self.monitor_tags: list[dict[str, Any]] = stored.get("monitor_tags", [])
        self.uses_api_keys = bool(stored.get("uses_api_keys", False))
        self.heartbeats: dict[int, list[dict[str, Any]]] = {}
        self.saved_pages = 0

    def save(self) -> None:
        """Keep it all on disk."""
        tables: dict[str, Any] = {name: getattr(self, name) for name in TABLES}
        rest = {"next": self._next, "monitor_tags": self.monitor_tags, "uses_api_keys": self.uses_api_keys}
        write_atomically(self._path, json.dumps(tables | rest).encode(), 0o600)

    def next_id(self, table: str) -> int:
        """Return an id no row of a table ever had."""
        self._next[table] = self._next.get(table, 0) + 1
        return self._next[table]

    def children(self, monitor_id: int) -> list[dict[str, Any]]:
        """Return the monitors in a group."""
        return [row for row in self.monitors.values() if row["parent"] == monitor_id]

    def tags_of(self, monitor_id: int) -> list[dict[str, Any]]:
        """Return a monitor's tags, with name and colour of each; those of a deleted tag are gone."""
        return [
            {**row, "name": self.tags[row["tag_id"]]["name"], "color": self.tags[row["tag_id"]]["color"]}
            for row in self.monitor_tags
            if row["monitor_id"] == monitor_id and row["tag_id"] in self.tags
        ]

    def shown(self, monitor_id: int) -> dict[str, Any]:
        """Return a monitor as it is shown to who is logged in."""
        row = self.monitors[monitor_id]
        path = self._path_of(row)
        return {
            **row,
            "path": path,
            "pathName": " / ".join(path),
            "childrenIDs": [child["id"] for child in self.children(monitor_id)],
            "forceInactive": self._held(row),
            "notificationIDList": {str(id_): True for id_ in row["notificationIDList"]},
            "tags": self.tags_of(monitor_id),
            "maintenance": False,
            "screenshot": None,
            "includeSensitiveData": True,
        }

    def beat(self, monitor_id: int, beat: dict[str, Any]) -> None:
        """Keep a heartbeat."""
        kept = self.heartbeats.setdefault(monitor_id, [])
        kept.append(beat)
        del kept[:-HEARTBEATS_KEPT]

    def last_beat(self, monitor_id: int) -> dict[str, Any] | None:
        """Return the newest heartbeat."""
        kept = self.heartbeats.get(monitor_id)
        return kept[-1] if kept else None

    def delete_monitor(self, monitor_id: object) -> None:
        """Delete a monitor with what hangs on it; nothing happens where there is none."""
        if not isinstance(monitor_id, int):
            return
        self.monitors.pop(monitor_id, None)
        self.heartbeats.pop(monitor_id, None)
        self.monitor_tags = [row for row in self.monitor_tags if row["monitor_id"] != monitor_id]
        for page in self.pages.values():
            for group in page["groups"]:
                group["monitors"] = [row for row in group["monitors"] if row["id"] != monitor_id]
        self.show_pages_anew()
        self.save()

    def show_pages_anew(self) -> None:
        """Forget what the public was shown of status pages; else it is shown that for 5 minutes."""
        self.saved_pages += 1

    def page(self, slug: str) -> dict[str, Any] | None:
        """Return a status page by its slug."""
        return next((page for page in self.pages.values() if page["config"]["slug"] == slug), None)

    def _path_of(self, row: dict[str, Any]) -> list[str]:
        parent = self.monitors.get(row["parent"] or 0)
        return [*(self._path_of(parent) if parent else []), row["name"]]

    def _held(self, row: dict[str, Any]) -> bool:
        parent = self.monitors.get(row["parent"] or 0)
        return parent is not None and (not parent["active"] or self._held(parent))
