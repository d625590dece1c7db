"""A file of ours in Alloy's configuration folder: written, loaded and running, or as it was before."""

from __future__ import annotations

from collections.abc import Collection

from agencystack.components.alloy import Alloy, change_file
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.monitoring.collected import component_names
from agencystack.stack.errors import ComponentRef

KEY = "configuration file "
USE = "use of "
TEXT, RUNNING, YES = "text", "running", "yes"
MARK = "// AgencyStack keeps this file"


def file_name(ref: ComponentRef) -> str:
    """Return the name of a component's fragment; our two names hold no dot, so others of ours can be told from it."""
    return f"agencystack-{ref.client}-{ref.name}.alloy"


def written(what: str, blocks: Collection[str]) -> str:
    """Return the text of a fragment.

    Args:
        what: what it is for, such as ``acme/wordpress``; stands in the mark on its first line.
        blocks: of Alloy's syntax, each ending with a line break.
    """
    return "\n".join([f"{_first_line(what)}\n", *blocks])


def _first_line(what: str) -> str:
    return f"{MARK} for {what}: what is changed here goes at its next run, what is changed in stack.yaml comes."


class Fragment(Resource):
    """One file. Writing it has Alloy run with it, and puts back what was there where Alloy refuses.

    Args:
        alloy: whose folder.
        name: of the file.
        text: its content; empty for one that is not wanted any more.
    """

    def __init__(self, alloy: Alloy, name: str, text: str = "") -> None:
        self.component, self.key = alloy.where, f"{KEY}{name}"
        self.name = name
        self._alloy, self._text = alloy, text

    def read(self) -> Reading:
        """Return what the file holds; one without our mark is a person's."""
        text = self._alloy.folder.text(self.name)
        if text is None:
            # A removal that was cut off is none before Alloy runs without the file.
            return Reading({TEXT: None}) if self.unfinished else ABSENT
        foreign = None
        if not self._is_ours(text):
            foreign = Foreign(f"{self._alloy.folder.path}/{self.name} is somebody else's", Permission.REPLACE)
        return Reading({TEXT: text}, foreign=foreign)

    def wanted(self) -> Fields:
        """Want our text."""
        return {TEXT: self._text}

    def write(self, change: Change) -> None:
        """Write the text and have Alloy run with it."""
        self.bring(str(change.target[TEXT]))

    def remove(self, live: Reading, before: Image) -> str:
        """Remove the file and have Alloy run without it."""
        self.bring(None)
        return ""

    @property
    def unfinished(self) -> bool:
        """Say that an earlier run changed the file and was cut off before Alloy accepted that."""
        return self._alloy.folder.kept(self.name) is not None

    def bring(self, text: str | None) -> None:
        """Make the file hold ``text``, or be absent, and Alloy run with that; else leave both as they were."""
        change_file(self._alloy, self.name, text, component_names)

    def trouble(self) -> str:
        """Return why Alloy does not run with what the file holds; empty where it does, or where there is no file."""
        text = self._alloy.folder.text(self.name)
        if self.unfinished:
            return "an earlier run was cut off before Alloy accepted it"
        if text is None:
            return ""
        if not self._alloy.runs_folder():
            return "Alloy has not loaded what stands in its folder"
        return self._alloy.fault(component_names(text))

    def _is_ours(self, text: str) -> bool:
        first = text.partition("\n")[0]
        return first == self._text.partition("\n")[0] or (not self._text and first.startswith(MARK))


class Running(Resource):
    """That Alloy runs with a file of ours. A file somebody wrote, or a crash left, is loaded by nobody else.

    Args:
        fragment: the file.
        alloy: what runs it.
    """

    stays = ""  # undo of the file has Alloy run without it

    def __init__(self, fragment: Fragment, alloy: Alloy) -> None:
        self.component, self.key = fragment.component, f"{USE}{fragment.name}"
        self._fragment, self._alloy = fragment, alloy

    def read(self) -> Reading:
        """Return what is wrong; what is not there yet is the file's own matter."""
        return Reading({RUNNING: self._fragment.trouble() or YES})

    def wanted(self) -> Fields:
        """Want it in use."""
        return {RUNNING: YES}

    def write(self, change: Change) -> None:
        """Have Alloy load the folder; an earlier change that it refuses is put back."""
        self._fragment.bring(self._alloy.folder.text(self._fragment.name))
