"""Make of a fetched Keycloak what the sandbox starts quickly: built for its database, its loaded classes in a file.

Called by ``scripts/sandbox-keycloak`` as ``python -m agencystack.sandbox.keycloak_build VERSION ARCHIVE``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from agencystack.sandbox import keycloak_program
from agencystack.sandbox.keycloak import PORTS, KeycloakService
from agencystack.sandbox.keycloak_java import keycloak_command
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.secrets import generate

BUILD_SECONDS = 600
TAIL = 15


def install(version: str, archive: Path) -> None:
    """Unpack and build a Keycloak into the user's cache folder.

    Raises:
        AgencyStackError: there is no Java for it, or it cannot be built.
    """
    java = keycloak_program.find_java(version)
    if java is None:
        raise AgencyStackError(keycloak_program.no_java(version))
    target = keycloak_program.distribution(version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="keycloak-draft-") as draft:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(draft)
        _build(version, Path(draft) / f"keycloak-{version}", java)
        (Path(draft) / f"keycloak-{version}").rename(target)
    _collect_classes(version, java)


def _build(version: str, program: Path, java: Path) -> None:
    options = ["--db=dev-file", "--health-enabled=true"]
    if keycloak_program.major(version) < 25:  # since then the kind of cache is named when it is started
        options.append("--cache=local")
    command = keycloak_command(program, java, ["build", *options], home=program)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if ended.returncode:
        tail = (ended.stdout + ended.stderr).splitlines()[-TAIL:]
        raise AgencyStackError("\n  ".join(["it could not be built", *tail]))


def _collect_classes(version: str, java: Path) -> None:
    """Run it once and keep what Java has loaded by then: from that file it starts in two thirds of the time."""
    target = keycloak_program.shared_classes(version, java)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="first-run-") as draft:
        folder = SandboxFolder(Path(draft))
        for path in (folder.run, folder.log, folder.data):
            path.mkdir(parents=True)
        ensure_certificates(folder.tls)
        ports, collected = ensure_ports(folder.ports_file, PORTS), Path(draft) / "classes.jsa"
        service = KeycloakService(folder, ports, generate(), version, java, collect_classes=collected)
        service.start()
        service.stop()
        if collected.exists():
            collected.rename(target)


def main() -> int:
    """Install what the command line names; print why not."""
    version, archive = sys.argv[1:]
    try:
        install(version, Path(archive))
    except AgencyStackError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the script's user
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
