"""Folders and dashboards of ours in Grafana; a person's own are never touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.components.grafana import Alerting, Boards, Folder, Grafana
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, digest

CONTENT, FOLDER = "content", "folder"
DASHBOARD = "dashboard "
_NOTE = re.compile(r"agencystack ([0-9a-f]{32})")


class BoardFolder(Resource):
    """The folder of an owner's dashboards and alert rules."""

    def __init__(self, grafana: Grafana, uid: str, title: str) -> None:
        self.component, self.key = grafana.where, f"folder {uid}"
        self._boards, self._alerting = Boards(grafana.calls), Alerting(grafana.calls)
        self._folder = Folder(uid=uid, title=title)

    def read(self) -> Reading:
        """Return its title; by its uid it is ours."""
        found = self._boards.folder(self._folder.uid)
        if found is None:
            return ABSENT
        if found.managed_by:
            raise Blocked(
                f"the folder {found.uid} ({found.title}) is managed by {found.managed_by}, and only that may change it",
                component=self.component,
                remedy="take it out there, or give it another uid, so that ours can be made",
            )
        return Reading({"title": found.title})

    def wanted(self) -> Fields:
        """Want it titled after its owner."""
        return {"title": self._folder.title}

    def write(self, change: Change) -> None:
        """Make it, or give it its title."""
        if change.live.absent:
            self._boards.create_folder(self._folder)
        else:
            self._boards.rename_folder(self._folder.model_copy(update={"title": str(change.target["title"])}))

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, unless somebody keeps something in it."""
        left = (*self._boards.titles_in(self._folder.uid), *self._alerting.rules_in(self._folder.uid))
        if left:
            return f"holds {', '.join(left)}, which is not ours, and was therefore left"
        self._boards.delete_folder(self._folder.uid)
        return ""


class OurDashboard(Resource):
    """One dashboard. Which content of ours was saved last is noted beside its version; an edit has another note.

    Grafana adds to what it is given and brings old forms up to date, so that content itself cannot be compared.

    Args:
        grafana: where.
        uid: which makes it ours.
        folder_uid: the folder it is in.
        content: gives it; asked for late, as the data source may be made by apply.
    """

    def __init__(self, grafana: Grafana, uid: str, folder_uid: str, content: Callable[[], Mapping[str, Any]]) -> None:
        self.component, self.key = grafana.where, DASHBOARD + uid
        self._boards, self._uid, self._folder_uid, self._content = Boards(grafana.calls), uid, folder_uid, content

    def read(self) -> Reading:
        """Return where it is, and which content of ours it has, or who edited it since."""
        found = self._boards.dashboard(self._uid)
        if found is None:
            return ABSENT
        if found.meta.provisioned:
            raise Blocked(
                f"the dashboard {self._uid} comes from a provisioning file, and only that may change it",
                component=self.component,
                remedy="take it out there, or give it another uid, so that ours can be made",
            )
        saved = self._boards.last_saved(self._uid)
        note = _NOTE.fullmatch(saved.message) if saved else None
        who = f"edited by {saved.created_by} (version {saved.version})" if saved else "edited by somebody"
        fields = {FOLDER: found.meta.folder_uid, CONTENT: note[1] if note else who}
        return Reading(fields, {"dashboard": found.content})

    def wanted(self) -> Fields:
        """Want our content in our folder."""
        return {FOLDER: self._folder_uid, CONTENT: digest(self._content())}

    def write(self, change: Change) -> None:
        """Save our content."""
        self._save(self._content(), self._folder_uid)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it."""
        self._boards.delete(self._uid)
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Save what was there."""
        folder = str((before.fields or {}).get(FOLDER) or self._folder_uid)
        note = str((before.fields or {}).get(CONTENT) or "")
        self._save(before.extra["dashboard"], folder, note)

    def _save(self, content: Mapping[str, Any], folder_uid: str, note: str = "") -> None:
        message = f"agencystack {note or digest(content)}"
        # Of a first version Grafana (before 12) shows "Initial save" in place of the note, so there is a second.
        if self._boards.save(content, folder_uid, message) == 1:
            self._boards.save(content, folder_uid, message)
