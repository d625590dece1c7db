"""Build the server of a real Grafana from its published Go module into the user's cache folder.

Called by ``scripts/sandbox-grafana``. Go fetches the module by the user's own settings; it is checked against the
checksum written here, and what it needs against its own go.sum. Its pages are no part of it: they are built with
Node.js, and no test of ours opens one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from agencystack.sandbox.go_programs import GoProgram
from agencystack.stack.errors import AgencyStackError

GRAFANA = GoProgram("grafana", "10.0.0", "scripts/sandbox-grafana")
# The one version of Grafana 8 to 13 whose module the public proxy has whole: of 9 June 2023, the day of 10.0.0.
MODULE = "github.com/grafana/grafana@v1.9.2-0.20230609164553-81d85ce8028d"
CHECKSUM = "h1:nEQOIzFVY/zsD915THCfkl+HIvGW+AounbAQ61ejFcs="
TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.20.14"
"""The Go of its days; what generates part of it does not understand a newer one."""

WIRE = "github.com/google/wire/cmd/wire@v0.5.0"
BUILD_SECONDS = 5400
TAIL = 15
NEEDED = ("conf", "public/views", "public/emails")
"""Folders it reads at its start, beside the descriptions of its plugins."""


def install() -> None:
    """Build it; nothing to do when it is there.

    Raises:
        AgencyStackError: the module cannot be fetched, is not what is expected, or cannot be built.
    """
    target = GRAFANA.path().parent
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{target.name}.lock")):
        if GRAFANA.obstacle() is None:
            return
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}-draft-") as draft:
            folder = Path(draft)
            fetched, environment = _fetched(folder), _toolchain(folder)
            source, made = folder / "source", folder / "made"
            shutil.copytree(fetched, source, copy_function=shutil.copyfile)
            for path in (source, *(found for found in source.rglob("*") if found.is_dir())):
                path.chmod(0o755)  # Go keeps modules read-only
            _build(source, made, environment)
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)


def _fetched(folder: Path) -> Path:
    """Return the folder Go keeps the module in; asked where no go.mod of somebody else's is."""
    told = _downloaded(MODULE, folder)
    if told["Sum"] != CHECKSUM:
        raise AgencyStackError(f"what Go fetched as {MODULE} is not what is expected: {told['Sum']}")
    return Path(told["Dir"])


def _toolchain(folder: Path) -> Mapping[str, str]:
    """Return the environment in which ``go`` is the Go of Grafana's days; its checksum is Go's own affair."""
    machine = "-".join(_go(["env", "GOOS", "GOARCH"], folder, os.environ).split())
    root = Path(_downloaded(f"{TOOLCHAIN}.{machine}", folder)["Dir"])
    for tool in (*(root / "bin").iterdir(), *(root / "pkg" / "tool").rglob("*")):
        if tool.is_file():
            tool.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "GOROOT": str(root),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=mod -buildvcs=false",
    }


def _build(source: Path, made: Path, environment: Mapping[str, str]) -> None:
    """Generate how its parts are put together, which its authors do not publish, and build the server."""
    _go(["run", WIRE, "gen", "-tags", "oss", "./pkg/server"], source, environment)
    options = f"-s -w -X main.version={GRAFANA.version}"
    made.mkdir()
    program = str(made / GRAFANA.name)
    _go(
        ["build", "-tags", "oss", "-trimpath", "-ldflags", options, "-o", program, "./pkg/cmd/grafana"],
        source,
        environment,
    )
    for name in NEEDED:
        shutil.copytree(source / name, made / name)
    for description in (source / "public/app/plugins").rglob("plugin.json"):
        copy = made / description.relative_to(source)
        copy.parent.mkdir(parents=True)
        shutil.copyfile(description, copy)


def _downloaded(module: str, folder: Path) -> dict[str, str]:
    told: dict[str, str] = json.loads(_go(["mod", "download", "-json", module], folder, os.environ))
    return told


def _go(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    ended = subprocess.run(
        ["go", *words],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if ended.returncode:
        tail = ended.stderr.splitlines()[-TAIL:]
        raise AgencyStackError("\n  ".join([f"go {' '.join(words[:2])} failed", *tail]))
    return ended.stdout


def main() -> int:
    """Build it; print why not."""
    try:
        install()
    except (AgencyStackError, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the script's user
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
