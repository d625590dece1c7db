"""Build Loki, Alloy and Promtail from their published Go modules into the user's cache folder.

Called by ``scripts/sandbox-go-program`` as ``python -m agencystack.sandbox.go_build NAME``.
Go fetches the modules by the user's own settings; each is checked against the checksums of the product's own go.sum,
and the product's module itself against the checksum written here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from agencystack.sandbox.go_programs import ALLOY, LOKI, PROMTAIL, GoProgram
from agencystack.stack.errors import AgencyStackError

# Five minutes where nothing else runs, with two cores.
BUILD_SECONDS = 2400
TAIL = 15


@dataclass(frozen=True)
class Lines:
    """Lines taken out of a file before the build.

    Args:
        file: below the module's folder.
        drop: a line goes when this regular expression is found in it, and ``keep`` is not.
    """

    file: str
    drop: str
    keep: str = r"(?!)"


@dataclass(frozen=True)
class Recipe:
    """How one program is built.

    Args:
        program: what it makes.
        module: path of the Go module and its version, as Go writes them.
        checksum: of the module, as a go.sum has it.
        package: folder of the program below the module's.
        apart: the module its archive leaves out, as it is a module of its own in the same repository.
        sums: lines of a go.sum for that module.
        variable: what the version is written into.
        settings: of Go, for the program that is built.
        without: what is not built, because no test uses it and it would take half of the time.
    """

    program: GoProgram
    module: str
    checksum: str
    package: str
    apart: str
    sums: tuple[str, ...]
    variable: str
    settings: tuple[str, ...] = ()
    without: tuple[Lines, ...] = ()


# Of Alloy's some 130 components those that collect logs and metrics here; each is the product's own.
ALLOY_COMPONENTS = (
    r"/component/(discovery/(docker|file|http|relabel)|local/file(_match)?|loki/(echo|process|relabel|write)|"
    r"loki/source/(api|docker|file|journal|syslog)|prometheus/(relabel|remotewrite|scrape|exporter/self)|"
    r'remote/http)"'
)
RECIPES = {
    "loki": Recipe(
        program=LOKI,
        module="github.com/grafana/loki/v3@v3.7.8",
        checksum="h1:bJ0WFWVOjgvG/jYmT9fIX15SYXXDwuEu/IMgTwMA97U=",
        package="./cmd/loki",
        apart="github.com/grafana/loki/pkg/push",
        sums=(
            "github.com/grafana/loki/pkg/push v0.0.0-20250630054201-94c0ba7b0952 "
            "h1:rLzoJGDnoXsZV2j/2atL6OVk9AHluTbDOD8Ls9trtIA=",
            "github.com/grafana/loki/pkg/push v0.0.0-20250630054201-94c0ba7b0952/go.mod "
            "h1:ny/0bFitf8KNZkZfweaI4hmwb5XPhaFD2d0kVcyKmjo=",
        ),
        variable="github.com/grafana/loki/v3/pkg/util/build.Version",
    ),
    "promtail": Recipe(
        program=PROMTAIL,
        module="github.com/grafana/loki/v3@v3.5.0",
        checksum="h1:WXv9EOTUrYXqrzgWT4srpp8HWrcHDVaEWDUd3UevyxY=",
        package="./clients/cmd/promtail",
        apart="github.com/grafana/loki/pkg/push",
        sums=(
            "github.com/grafana/loki/pkg/push v0.0.0-20240924133635-758364c7775f "
            "h1:NcS5dQXH/BtoMpQtA1d0+ftwyzdwQk5/8SCj9eHl8w8=",
            "github.com/grafana/loki/pkg/push v0.0.0-20240924133635-758364c7775f/go.mod "
            "h1:lJEF/Wh5MYlmBem6tOYAFObkLsuikfrEf8Iy9AdMPiQ=",
        ),
        variable="github.com/grafana/loki/v3/pkg/util/build.Version",
    ),
    "alloy": Recipe(
        program=ALLOY,
        module="github.com/grafana/alloy@v1.0.0",
        checksum="h1:fmMFboDV8KOIXLlAnoLV+1+G8pcz1yhbatvIUXqdO3c=",
        package=".",
        apart="github.com/grafana/alloy/syntax",
        sums=(
            "github.com/grafana/alloy/syntax v0.1.0 h1:+1xQakvQPH6N0y9+q2Fu5QePyzrve6i1wMNuXdWd1rQ=",
            "github.com/grafana/alloy/syntax v0.1.0/go.mod h1:8H9ToCc1M8F6A+je4rIH6saIe1MUCmjSk+Uje+LNLEo=",
        ),
        variable="github.com/grafana/alloy/internal/build.Version",
        # It is from the days of Go 1.21 and ends at once with two patterns that newer ones take for a conflict.
        settings=("httpmuxgo121=1",),
        without=(
            Lines("internal/component/all/all.go", drop="internal/component/", keep=ALLOY_COMPONENTS),
            Lines("main.go", drop=r'(discovery/consulagent|discovery/install|integrations/install)"'),
            # `alloy convert`, which would bring all components back.
            Lines("internal/converter/converter.go", drop=r"(otelcol|prometheus|promtail|static)convert|case Input"),
        ),
    ),
}


def install(recipe: Recipe) -> None:
    """Build a program into the user's cache folder; nothing to do when it is there.

    Raises:
        AgencyStackError: the module cannot be fetched, is not what is expected, or cannot be built.
    """
    target = recipe.program.path().parent
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(target.name + ".lock")):
        if recipe.program.obstacle() is None:
            return
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}-draft-") as draft:
            source, made = Path(draft) / "source", Path(draft) / "made"
            shutil.copytree(_fetch(recipe, Path(draft)), source, copy_function=shutil.copyfile)
            _prepare(recipe, source)
            _build(recipe, source, made)
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)


def _fetch(recipe: Recipe, folder: Path) -> Path:
    """Return the folder Go keeps the module in.

    Run where no go.mod of somebody else's is.
    """
    told = json.loads(_go(["mod", "download", "-json", recipe.module], folder))
    if told["Sum"] != recipe.checksum:
        raise AgencyStackError(f"what Go fetched as {recipe.module} is not what is expected: {told['Sum']}")
    return Path(told["Dir"])


def _prepare(recipe: Recipe, source: Path) -> None:
    """Name the module that lies beside this one in its repository by its version, and take out what is not built."""
    for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # Go keeps modules read-only
    settings = [f"-godebug={setting}" for setting in recipe.settings]
    _go(["mod", "edit", f"-dropreplace={recipe.apart}", *settings], source)
    with (source / "go.sum").open("a") as sums:
        sums.writelines(f"{line}\n" for line in recipe.sums)
    for lines in recipe.without:
        path = source / lines.file
        kept = [line for line in path.read_text().splitlines(keepends=True) if not _goes(line, lines)]
        path.write_text("".join(kept))


def _goes(line: str, lines: Lines) -> bool:
    return bool(re.search(lines.drop, line)) and not re.search(lines.keep, line)


def _build(recipe: Recipe, source: Path, made: Path) -> None:
    made.mkdir()
    options = f"-s -w -X {recipe.variable}={recipe.program.version}"
    program = made / recipe.program.name
    _go(["build", "-trimpath", "-buildvcs=false", "-ldflags", options, "-o", str(program), recipe.package], source)


def _go(words: Sequence[str], folder: Path) -> str:
    # Without cgo it needs no C compiler, and none of the headers of systemd.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    ended = subprocess.run(
        ["go", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if ended.returncode:
        tail = ended.stderr.splitlines()[-TAIL:]
        raise AgencyStackError("\n  ".join([f"go {words[0]} failed", *tail]))
    return ended.stdout


def main() -> int:
    """Build what the command line names; print why not."""
    try:
        install(RECIPES[sys.argv[1]])
    except (AgencyStackError, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the script's user
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
