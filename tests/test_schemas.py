"""The shipped schemas are current, and what the commands really print is valid against them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agencystack.cli.schemas import ALL_OUTPUTS, as_text
from agencystack.stack.schema import as_text as stack_as_text

ROOT = Path(__file__).parents[1]
SCHEMAS = files("agencystack") / "schemas"
AGENCYSTACK = str(Path(sys.executable).with_name("agencystack"))


@pytest.mark.parametrize("name", ALL_OUTPUTS)
def test_the_shipped_schema_is_the_one_of_the_model(name: str) -> None:
    assert (SCHEMAS / f"{name}.schema.json").read_text() == as_text(name), "run: make schemas"


def test_there_is_no_schema_without_a_model() -> None:
    shipped = {path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir() if path.name.endswith(".json")}
    assert shipped == {*ALL_OUTPUTS, "stack"}
    assert (SCHEMAS / "stack.schema.json").read_text() == stack_as_text()


@pytest.mark.parametrize("name", ALL_OUTPUTS)
def test_schemas_refuse_keys_they_do_not_know(name: str) -> None:
    schema = json.loads(as_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"surprise": 1}, schema)


class Installation:
    """A sandbox of stand-ins, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, schema: str, *words: str, code: int = 0) -> Any:
        """Run a command with --json; its standard output must be one object, valid, and nothing else."""
        environment = os.environ | {
            "AGENCYSTACK_HOME": str(self.folder),
            "AGENCYSTACK_KEY_FILE": str(self.folder / "sandbox" / "key"),
            "AGENCYSTACK_LOG_DIR": str(self.folder / "log"),
        }
        done = subprocess.run(
            [AGENCYSTACK, *words, "--json"], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        printed = json.loads(done.stdout)
        jsonschema.validate(printed, json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
        return printed


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    # Not below pytest's own folder: every pytest that starts closes that to the users products run as.
    with tempfile.TemporaryDirectory(prefix="agencystack-schemas-") as folder:
        Path(folder).chmod(0o711)
        made = Installation(Path(folder) / "stack")
        made.run("sandbox", "sandbox", "up", "--dir", str(made.folder), "--real", "none")
        try:
            yield made
        finally:
            made.run("sandbox", "sandbox", "down", "--dir", str(made.folder))


def test_what_the_commands_print_is_valid(installation: Installation) -> None:
    """One walk through everything, as the states build on one another."""
    run = installation.run
    assert {item["component"] for item in run("components", "components")["components"]} >= {"mailu", "erpnext"}
    assert run("doctor", "doctor", "email", code=1)["findings"]
    planned = run("run", "plan", "email", code=3)
    assert planned["changes"] > 0
    applied = run("run", "integrate", "email", "--auto")
    assert {line["status"] for line in applied["results"]} == {"applied"}
    assert run("run", "integrate", "email", "--auto")["changes"] == 0
    assert all(proof["ok"] for proof in run("verify", "verify", "email")["proofs"])
    assert {line["status"] for line in run("status", "status", "email")["integrations"]} == {"applied"}
    rotated = run("run", "rotate", "email", "--auto", "--component", "listmonk")
    assert rotated["results"][0]["status"] == "applied"
    assert run("run", "undo", "email", "--auto")["changes"] > 0
    again = run("run", "plan", "email", code=3)
    assert again["results"] == planned["results"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["plan", "email", "--client", "nobody"], "usage"),
        (["plan", "e-mail"], "usage"),
        (["integrate", "email"], "usage"),
        (["undo"], "usage"),
        (["plan", "--no-such-option"], "usage"),
    ],
)
def test_errors_are_valid_too(installation: Installation, words: list[str], code: str) -> None:
    assert installation.run("error", *words, code=2)["error"]["code"] == code


def test_the_state_of_a_sandbox_is_valid(installation: Installation) -> None:
    folder = str(installation.folder)
    assert installation.run("sandbox", "sandbox", "status", "--dir", folder)["state"] == "up"
    assert installation.run("sandbox", "sandbox", "status", "--dir", f"{folder}/none")["state"] == "absent"


def test_the_wheel_holds_everything_that_is_read_at_run_time(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), ROOT],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        timeout=120,
    )
    [wheel] = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "src", "plugins"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    kept = [Path(line) for line in listed.stdout.split() if not line.endswith(".gitkeep")]
    wanted = {
        str(path.relative_to("src")) if path.parts[0] == "src" else f"agencystack/{path}"
        for path in kept
        if (ROOT / path).exists()
    }
    assert wanted, "this test needs a git checkout"
    assert wanted <= held
    assert not [name for name in held if name.endswith((".pyc", ".gitkeep"))]
