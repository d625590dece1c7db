"""Where the Loki, Alloy and Promtail of sandbox and tests are on this machine; ``go_build`` puts them there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GoProgram:
    """A product that is built for the sandbox from its Go module.

    Args:
        name: of the program.
        version: of the product, as people write it.
        script: what builds it.
    """

    name: str
    version: str
    script: str

    def path(self, environment: Mapping[str, str] | None = None) -> Path:
        """Return the file the program is in, or would be: in the user's cache folder."""
        environment = os.environ if environment is None else environment
        cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(cache) / "agencystack" / f"{self.name}-{self.version}" / self.name

    def obstacle(self) -> str | None:
        """Return why it cannot run here, None when it can."""
        path = self.path()
        return None if os.access(path, os.X_OK) else f"{self.name} is not in {path.parent}: run {self.script}"


LOKI = GoProgram("loki", "3.7.8", "scripts/sandbox-loki")
# The only Alloy whose modules are all published: later ones need a newer github.com/grafana/alloy/syntax than v0.1.0.
ALLOY = GoProgram("alloy", "1.0.0", "scripts/sandbox-alloy")
# The last Loki whose module has it. The sandbox runs none: it is for tests of the rules that are written for it.
PROMTAIL = GoProgram("promtail", "3.5.0", "scripts/sandbox-promtail")
