"""Fragments for an Alloy that is not there yet: written where we live, with the steps a person takes then."""

from __future__ import annotations

from pathlib import Path

from agencystack.engine.context import Component
from agencystack.engine.integration import Manual
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef, ConfigurationError
from agencystack.stack.files import write_atomically
from agencystack.stack.model import SHARED
from agencystack.stack.paths import Home
from agencystack.stack.products import Alloy

ALLOY = ComponentRef(SHARED, "alloy")
"""The Alloy there should be."""

KEPT = "prepared file "
STEPS = "Alloy installed"
INSTALLING = "https://grafana.com/docs/alloy/latest/set-up/install/"


def folder(home: Home) -> Path:
    """Return where fragments are prepared."""
    return home.root / "integrations" / "alloy"


class PreparedFile(Resource):
    """One fragment, for a person to copy.

    Args:
        home: the installation.
        name: of the file.
        text: its content; empty for one that is not wanted any more.
    """

    def __init__(self, home: Home, name: str, text: str = "") -> None:
        self.component, self.key = ALLOY, f"{KEPT}{name}"
        self._path, self._text = folder(home) / name, text

    def read(self) -> Reading:
        """Return what the file holds."""
        try:
            return Reading({"text": self._path.read_text(errors="backslashreplace")})
        except FileNotFoundError:
            return ABSENT
        except OSError as error:
            raise ConfigurationError(
                f"cannot read {self._path}: {error.strerror}",
                component=self.component,
                remedy="run as its owner, or give it back to you",
            ) from error

    def wanted(self) -> Fields:
        """Want our text."""
        return {"text": self._text}

    def write(self, change: Change) -> None:
        """Write it."""
        write_atomically(self._path, str(change.target["text"]).encode(), mode=0o644)

    def remove(self, live: Reading, before: Image) -> str:
        """Remove it."""
        self._path.unlink(missing_ok=True)
        return ""


class StepsToTake(Resource):
    """What a person does, once: install Alloy and name it.

    Args:
        home: the installation.
    """

    stays = ""

    def __init__(self, home: Home) -> None:
        self.component, self.key = ALLOY, STEPS
        self._home = home

    def read(self) -> Reading:
        """Say what is to be done.

        Raises:
            Manual: always; with Alloy in ``stack.yaml`` this is not asked for.
        """
        raise Manual(
            "there is a Loki and nothing that writes to it; the configuration for Alloy is prepared",
            component=self.component,
            remedy=f"1. install Alloy where the logs are ({INSTALLING}); 2. copy {folder(self._home)}/*.alloy to "
            '/etc/alloy, write CONFIG_FILE="/etc/alloy" in /etc/default/alloy and restart it; 3. add to stack.yaml, at '
            "shared.components: `alloy: {url: http://127.0.0.1:12345, exec: {local: true}, config: /etc/alloy}`; "
            "4. run again",
        )

    def wanted(self) -> Fields:
        """Want it done."""
        return {"done": True}

    def write(self, change: Change) -> None:
        """Do nothing: nobody but a person can."""


class StepsTaken(StepsToTake):
    """The same once Alloy is there: nothing is left to do."""

    def read(self) -> Reading:
        """Say that there is no such thing any more."""
        return ABSENT


def planned() -> Component:
    """Return Alloy as it will be once a person took the steps."""
    here = Exec.model_validate({"local": True})
    return Component(ALLOY, Alloy(url="http://127.0.0.1:12345", exec=here, config="/etc/alloy"))
