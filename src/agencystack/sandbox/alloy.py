"""A real Alloy as one service of the sandbox, started with a folder of ``*.alloy`` files, as integrations need it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agencystack.sandbox.go_programs import ALLOY
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK

PORTS = ("alloy",)
BASE = "agencystack-sandbox.alloy"
BASE_TEXT = """// The sandbox's own; integrations add files beside it.
logging {
  level  = "info"
  format = "logfmt"
}
"""


def config_folder(folder: SandboxFolder) -> Path:
    """Return the folder of ``*.alloy`` files it is started with."""
    return folder.data / "alloy" / "config.d"


def real_alloy(folder: SandboxFolder, ports: Mapping[str, int], *, program: Path | None = None) -> GoService:
    """Return the service of a sandbox.

    Args:
        folder: the sandbox.
        ports: port by name, with those in ``PORTS``.
        program: file of the program; default: the one in the user's cache folder.
    """
    home, config = folder.data / "alloy", config_folder(folder)
    return GoService(
        name="alloy",
        folder=folder,
        program=program or ALLOY.path(),
        arguments=(
            "run",
            f"--server.http.listen-addr={LOOPBACK}:{ports['alloy']}",
            f"--storage.path={home / 'storage'}",
            "--disable-reporting",
            str(config),
        ),
        port=ports["alloy"],
        ready="/-/ready",
        folders=(home, config),
        files={config / BASE: BASE_TEXT},
    )
