"""Have Alloy check, load and run its configuration, and say what it made of it (1.9 to 1.11)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agencystack.components.alloy.folder import Folder, packed
from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor
from agencystack.stack.secrets import redact

VALIDATION_SECONDS = 60.0
RELOAD_SECONDS = 60.0
SETTLING_SECONDS = 10.0
"""How long components may take to say how they are after a reload; they do at once, but on a loaded machine."""
POLL_SECONDS = 0.1
MOST_WORDS = 800

_NO_ALLOY, _NO_FOLDER = 90, 91
# Experimental components are a person's own business; ours are all generally available.
_VALIDATE = """
command -v alloy >/dev/null 2>&1 || exit 90
alloy validate --help >/dev/null 2>&1 || exit 90
folder=$(mktemp -d) || exit 91
trap 'rm -rf -- "$folder"' EXIT
tar -x -f - -C "$folder" 2>/dev/null || exit 91
cd -- "$folder" || exit 91
alloy validate --stability.level=experimental --feature.community-components.enabled=true . >&2
"""

_HASH = re.compile(r'^alloy_config_hash\{[^}]*sha256="([0-9a-f]{64})"[^}]*\} 1$', re.MULTILINE)
_VERSION = re.compile(r'^alloy_build_info\{[^}]*\bversion="v?([^"]+)"', re.MULTILINE)


class _State(BaseModel):
    state: str
    message: str = ""


class Health(BaseModel):
    """How one component of the running configuration is.

    Args:
        name: as it is referred to: ``loki.write.agencystack``.
        state: ``healthy``, ``unhealthy``, ``unknown`` (not started yet) or ``exited``.
        message: what Alloy says of it.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(alias="localID")
    health: _State

    @property
    def failed(self) -> bool:
        """Say that it does not work."""
        return self.health.state in {"unhealthy", "exited"}

    @property
    def settled(self) -> bool:
        """Say that it is known how it is."""
        return self.health.state != "unknown"


class Alloy:
    """One Alloy, started with a folder of configuration files.

    Args:
        where: the component, for error messages.
        url: its HTTP interface as we reach it.
        executor: runs programs where Alloy lives.
        folder: its configuration.
        ca_file: authority of its certificate, where it has TLS.
    """

    def __init__(
        self, where: ComponentRef, url: str, executor: Executor, folder: Folder, *, ca_file: Path | None = None
    ) -> None:
        self.where, self.folder = where, folder
        self._api = HttpApi(where, url, ca_file=ca_file)
        self._executor = executor
        self._metrics: str | None = None
        self._components: dict[str, Health] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def forget(self) -> None:
        """Ask anew at the next question."""
        self.folder.forget()
        self._metrics = self._components = None

    def answers(self) -> bool:
        """Say whether it can be reached and has loaded a configuration."""
        try:
            return self._api.send("GET", "/-/ready").is_success
        except Unavailable:
            return False

    def version(self) -> str | None:
        """Return its version, None where it does not tell."""
        found = _VERSION.search(self._exposed())
        return found.group(1) if found else None

    def runs_folder(self) -> bool:
        """Say whether what it last read is exactly what stands in the folder.

        An Alloy that shows no hash of its configuration is believed.
        """
        found = _HASH.search(self._exposed())
        return found is None or found.group(1) == self.folder.hash()

    def components(self) -> dict[str, Health]:
        """Return how the components of its own configuration (not those inside modules) are, by name.

        Raises:
            BadAnswer: it answers what its interface does not contain.
        """
        if self._components is None:
            answer = self._api.call("GET", "/api/v0/web/components")
            try:
                listed = [Health.model_validate(item) for item in answer if not item.get("moduleID")]
            except (ValidationError, AttributeError, TypeError) as error:
                raise BadAnswer(
                    "listed its components in a form we do not know",
                    component=self.where,
                    remedy="use Alloy 1.9 or newer",
                ) from error
            self._components = {component.name: component for component in listed}
        return self._components

    def matched(self, label: str) -> tuple[str, ...] | None:
        """Return the files a ``local.file_match`` finds, as Alloy sees them; None where there is no such component."""
        answer = self._api.send("GET", f"/api/v0/web/components/local.file_match.{label}")
        if answer.status_code == 404:
            return None
        exports = {str(value["name"]): _plain(value["value"]) for value in self._api.decode(answer).get("exports", [])}
        return tuple(str(target["__path__"]) for target in exports.get("targets") or ())

    def validate(self, name: str, text: str) -> bool:
        """Have Alloy check the folder as it would be with a file changed; return whether there was an Alloy to ask.

        What it finds in files of others is left to the reload: its own checks know less than the running Alloy.

        Raises:
            Refused: it finds fault with that file.
        """
        files = {**self.folder.files(), name: text.encode()}
        try:
            finished = self._executor.run(["sh", "-c", _VALIDATE], stdin=packed(files), timeout=VALIDATION_SECONDS)
        except ConfigurationError:
            return False  # programs of products are not run as root
        words = redact(finished.stderr.decode(errors="replace")).strip()
        if finished.returncode == 0:
            return True
        if finished.returncode in {_NO_ALLOY, _NO_FOLDER} or name not in words:
            return False
        raise Refused(
            f"does not accept {name}: {words[:MOST_WORDS]}",
            component=self.where,
            remedy="nothing was written; report this with the version of Alloy",
        )

    def reload(self) -> None:
        """Have Alloy read its folder again.

        Raises:
            Refused: it found fault; what it runs now is partly new where the fault was found late.
            Unavailable: it cannot be reached, so whether it read the folder is not known.
        """
        self.forget()
        try:
            answer = self._api.send("POST", "/-/reload", timeout=RELOAD_SECONDS)
        except Unavailable as error:
            # A `loki.write` that is changed or removed first delivers what it holds, for as long as that takes
            # (internal/component/common/loki/client, Manager.StopWithDrain).
            error.remedy += "; an Alloy that holds entries for a Loki that is gone waits for it: restart Alloy then"
            raise
        if not answer.is_success:
            raise Refused(
                f"does not load its configuration: {redact(answer.text).strip()[:MOST_WORDS]}", component=self.where
            )

    def check_running(self, names: Collection[str]) -> None:
        """Make sure that it runs with the folder, and that the named components are there and well.

        Raises:
            Refused: they are not.
            ConfigurationError: it is started with something else than the folder.
        """
        self.forget()
        if not self.runs_folder():
            raise ConfigurationError(
                f"reads another configuration than {self.folder.path}",
                component=self.where,
                remedy=f"start it with that folder instead of a file (`alloy run {self.folder.path}`; "
                "CONFIG_FILE in /etc/default/alloy), or correct config in stack.yaml",
            )
        deadline = time.monotonic() + SETTLING_SECONDS
        while any(not health.settled for health in self._named(names)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            self._components = None
        fault = self.fault(names)
        if fault:
            raise Refused(f"runs its configuration, but {fault}", component=self.where)

    def fault(self, names: Collection[str]) -> str:
        """Return what is wrong with the named components of the running configuration; empty for nothing."""
        absent = [name for name in names if name not in self.components()]
        failed = [f"{h.name} is {h.health.state}: {h.health.message}" for h in self._named(names) if h.failed]
        return redact("; ".join([f"{name} is not there" for name in absent] + failed))[:MOST_WORDS]

    def _named(self, names: Collection[str]) -> list[Health]:
        return [health for name, health in self.components().items() if name in names]

    def _exposed(self) -> str:
        if self._metrics is None:
            answer = self._api.send("GET", "/metrics")
            if not answer.is_success:
                raise BadAnswer(f"answered {answer.status_code} to GET /metrics", component=self.where)
            self._metrics = answer.text
        return self._metrics


def _plain(value: Any) -> Any:
    """Return a value of Alloy's syntax, which its interface shows with its type."""
    if value["type"] == "array":
        return [_plain(item) for item in value["value"]]
    if value["type"] == "object":
        return {member["key"]: _plain(member["value"]) for member in value["value"]}
    return value.get("value")


def change_file(alloy: Alloy, name: str, text: str | None, names: Callable[[str], Collection[str]]) -> None:
    """Change a file of the folder and have Alloy run with it; where Alloy refuses, put back what was there.

    Killed at any point, the next call finishes or takes back: what the file was is kept beside it until the end.

    Args:
        alloy: whose folder.
        name: of the file.
        text: what it shall hold; None removes it.
        names: returns the components that a file's text makes.

    Raises:
        Refused, ConfigurationError: Alloy does not run with the change; the file is what it was before, and Alloy too.
        Unavailable: Alloy cannot be reached; the change is finished, or taken back, by the next call.
    """
    folder = alloy.folder
    if folder.kept(name) is not None and not alloy.answers():
        _put_back(alloy, name)
        raise Unavailable(
            f"cannot be reached, and has never accepted {name}, which an earlier run wrote; it was taken back",
            component=alloy.where,
            remedy="start it, then run again",
        )
    if text is not None:
        alloy.validate(name, text)
    folder.keep(name)
    folder.store(name, text)
    try:
        alloy.reload()
        alloy.check_running(names(text or ""))
    except (Refused, ConfigurationError) as error:
        error.remedy = "; ".join(filter(None, (error.remedy, _taken_back(alloy, name))))
        raise
    folder.drop(name)


def _taken_back(alloy: Alloy, name: str) -> str:
    """Put the file back and have Alloy run with it; return what a person should know of that."""
    _put_back(alloy, name, finished=False)
    try:
        alloy.reload()
    except Refused as error:
        alloy.folder.drop(name)
        return f"{name} is as it was before, and Alloy has something to say of that, too: {error.message}"
    alloy.folder.drop(name)
    return f"{name} is as it was before, and Alloy runs with that"


def _put_back(alloy: Alloy, name: str, *, finished: bool = True) -> None:
    alloy.folder.store(name, alloy.folder.kept(name) or None)
    if finished:
        alloy.folder.drop(name)
