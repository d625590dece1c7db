"""The Makefile: what is typed after `make integrate-... --` reaches the command line tool as it was typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agencystack.engine.registry import drop_in_files
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.paths import Home

ROOT = Path(__file__).parents[1]
LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-build.lock"]
INTEGRATE = {
    "integrate-email": "email",
    "integrate-sso": "sso",
    "integrate-monitoring": "monitoring",
    "integrate-data-bridge": "data-bridge",
    "integrate-components": "all",
}
AS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")


class Checkout:
    """A folder with our Makefile, an environment that is ready, and an `agencystack` that only notes its arguments."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.noted = root / "noted.json"
        for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-build.lock"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        programs = root / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (programs / "python").chmod(0o755)
        self.program(programs / "agencystack")
        (root / ".venv" / ".agencystack-setup").touch()

    def program(self, path: Path) -> None:
        """Write a program that notes its arguments, prints one object, and ends as STATUS says."""
        path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            f"open({str(self.noted)!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
            "print(json.dumps({'ok': True}))\n"
            "sys.exit(int(os.environ.get('STATUS', '0')))\n"
        )
        path.chmod(0o755)

    def make(
        self, *words: str, status: int = 0, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run make with these words."""
        self.noted.unlink(missing_ok=True)
        environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
        return subprocess.run(
            ["make", *words],
            cwd=self.root,
            env=environment | {"STATUS": str(status)} | dict(variables or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def arguments(self) -> list[str]:
        """Return what the command line tool was given."""
        found: list[str] = json.loads(self.noted.read_text())[0]
        return found


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["integrate-components", "--", "--auto"], ["integrate", "all", "--auto"]),
        (["integrate-email", "--", "--auto", "--json"], ["integrate", "email", "--auto", "--json"]),
        (
            ["integrate-email", "--", "--client=acme", "--component", "wordpress"],
            ["integrate", "email", "--client=acme", "--component", "wordpress"],
        ),
        (["integrate-email"], ["integrate", "email"]),
        (["integrate-data-bridge", "--", "--yes"], ["integrate", "data-bridge", "--yes"]),
    ],
)
def test_what_is_typed_reaches_the_command_line_tool(checkout: Checkout, words: list[str], expected: list[str]) -> None:
    done = checkout.make(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.arguments() == expected
    assert json.loads(done.stdout) == {"ok": True}


@pytest.mark.parametrize(("target", "type_"), INTEGRATE.items())
def test_each_target_integrates_its_type(checkout: Checkout, target: str, type_: str) -> None:
    checkout.make(target, "--", "--auto")
    assert checkout.arguments() == ["integrate", type_, "--auto"]


def test_order_repetitions_and_values_are_kept(checkout: Checkout) -> None:
    words = ["--client=acme", "--client=widget", "--component", "wordpress", "--component=erpnext", "--auto"]
    checkout.make("integrate-email", "--", *words)
    assert checkout.arguments() == ["integrate", "email", *words]


@pytest.mark.parametrize(
    "odd",
    [
        "a b",
        "o'brien",
        '"quoted"',
        "$HOME",
        "$(shell touch pwned)",
        "`touch pwned`",
        "$$",
        "x; touch pwned",
        "a:b",
        "a%b",
        "#no comment",
        "*",
        "back\\slash",
        "line\nbreak",
        "ä€",
    ],
)
def test_odd_characters_mean_nothing_to_make_or_shell(checkout: Checkout, odd: str) -> None:
    words = ["--client", odd, f"--component={odd}"]
    done = checkout.make("integrate-email", "--", *words)
    assert done.returncode == 0, done.stderr
    assert checkout.arguments() == ["integrate", "email", *words]
    assert not (checkout.root / "pwned").exists()


@pytest.mark.parametrize("name", ["test", "setup", "scripts", "help", "Makefile", "environment"])
def test_a_value_that_is_also_a_target_or_a_file_is_only_a_value(checkout: Checkout, name: str) -> None:
    done = checkout.make("integrate-email", "--", "--component", name)
    assert checkout.arguments() == ["integrate", "email", "--component", name]
    assert json.loads(done.stdout) == {"ok": True}


def test_a_failure_of_the_tool_fails_make_and_leaves_standard_output_alone(checkout: Checkout) -> None:
    done = checkout.make("integrate-email", "--", "--json", status=4)
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"ok": True}
    assert "Error 4" in done.stderr


def test_a_mistyped_target_still_fails_with_makes_own_words(checkout: Checkout) -> None:
    done = checkout.make("tset")
    assert done.returncode == 2
    assert "No rule to make target 'tset'" in done.stderr
    assert not checkout.noted.exists()


def test_words_without_dashes_are_a_mistake_and_nothing_runs(checkout: Checkout) -> None:
    done = checkout.make("integrate-email", "acme")
    assert done.returncode == 2
    assert "make integrate-email -- acme" in done.stderr
    assert not checkout.noted.exists()


def test_options_before_the_dashes_are_makes_own(checkout: Checkout) -> None:
    done = checkout.make("integrate-email", "--auto")
    assert done.returncode == 2
    assert "unrecognized option '--auto'" in done.stderr
    assert not checkout.noted.exists()


def test_makes_own_variables_do_not_reach_the_tool(checkout: Checkout) -> None:
    checkout.make("integrate-email", "--", "--client=acme")
    environment = json.loads(checkout.noted.read_text())[1]
    assert not {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"} & set(environment)


def test_another_tool_can_be_named(checkout: Checkout) -> None:
    other = checkout.root / "other"
    checkout.program(other)
    (checkout.root / ".venv" / "bin" / "agencystack").write_text("#!/bin/sh\nexit 9\n")
    assert checkout.make("integrate-email", f"AGENCYSTACK={other}", "--", "--auto").returncode == 0


@pytest.fixture
def sandbox() -> Iterator[dict[str, str]]:
    """A sandbox of stand-ins: the variables that lead to it."""
    tool = Path(sys.executable).with_name("agencystack")
    # Not below pytest's own folder: every pytest that starts closes that to the users products run as.
    with tempfile.TemporaryDirectory(prefix="agencystack-make-") as outer:
        Path(outer).chmod(0o711)
        folder = f"{outer}/stack"
        subprocess.run([tool, "sandbox", "up", "--dir", folder, "--real", "none"], check=True, capture_output=True)
        try:
            yield {
                "AGENCYSTACK_HOME": folder,
                "AGENCYSTACK_KEY_FILE": f"{folder}/sandbox/key",
                "AGENCYSTACK_LOG_DIR": f"{folder}/log",
            }
        finally:
            subprocess.run([tool, "sandbox", "down", "--dir", folder], check=True, capture_output=True)


def test_the_real_tool_on_a_sandbox(checkout: Checkout, sandbox: dict[str, str]) -> None:
    tool = Path(sys.executable).with_name("agencystack")
    words = ["integrate-email", f"AGENCYSTACK={tool}", "--", "--component=listmonk", "--auto", "--json"]
    first = checkout.make(*words, variables=sandbox)
    assert first.returncode == 0, first.stderr
    assert [line["status"] for line in json.loads(first.stdout)["results"]] == ["applied"]
    assert json.loads(checkout.make(*words, variables=sandbox).stdout)["changes"] == 0
    wrong = checkout.make("integrate-email", f"AGENCYSTACK={tool}", "--", "--client", "nobody", variables=sandbox)
    assert wrong.returncode == 2
    assert "nobody" in wrong.stderr


def test_help_names_every_target_a_person_calls(checkout: Checkout) -> None:
    shown = checkout.make("help").stdout
    for target in [*INTEGRATE, "setup", "demo", "test", "test-live", "bench", "lint", "sandbox-deps", "help"]:
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE), target
    assert checkout.make().stdout == shown


@pytest.mark.skipif(not AS_ROOT, reason="only root can be root")
def test_root_uses_an_environment_of_somebody_else_and_leaves_nothing_there(checkout: Checkout) -> None:
    for path in [checkout.root, *checkout.root.rglob("*")]:
        os.lchown(path, 65534, 65534)
    done = checkout.make("integrate-email", "--", "--auto")
    assert (done.returncode, done.stderr) == (0, "")
    environment = json.loads(checkout.noted.read_text())[1]
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    owners = {path.name: path.lstat().st_uid for path in checkout.root.rglob("*") if path != checkout.noted}
    assert set(owners.values()) == {65534}, owners


@pytest.mark.skipif(not AS_ROOT, reason="only root can be root")
def test_under_sudo_the_callers_own_integrations_are_run_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path, tmp_path / "log", tmp_path / "key")
    home.scripts_dir.mkdir(parents=True, mode=0o755)
    os.chown(home.scripts_dir, 65534, 65534)
    monkeypatch.setenv("SUDO_UID", "65534")
    list(drop_in_files(home))
    monkeypatch.setenv("SUDO_UID", "1234")
    with pytest.raises(ConfigurationError, match="belongs to neither root nor you"):
        list(drop_in_files(home))


def test_setup_takes_the_groups_right_to_write_from_integrations(checkout: Checkout) -> None:
    module = checkout.root / "scripts" / "integration" / "mine.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text("")
    module.chmod(0o664)
    checkout.make("setup")
    assert module.stat().st_mode & 0o777 == 0o644


def test_setup_is_quiet_and_does_nothing_when_nothing_changed(checkout: Checkout) -> None:
    done = checkout.make("setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock", "pyproject.toml"])
def test_setup_runs_again_when_what_it_is_made_of_changed(checkout: Checkout, name: str) -> None:
    newer = (checkout.root / ".venv" / ".agencystack-setup").stat().st_mtime + 10
    os.utime(checkout.root / name, (newer, newer))
    done = checkout.make("setup", f"PYTHON={checkout.root / 'no-python'}", "VENV=.other")
    assert done.returncode == 2
    assert (done.stdout, "is no Python 3.11" in done.stderr) == ("", True)


def test_an_old_python_is_named_with_what_to_do(checkout: Checkout) -> None:
    old = checkout.root / "old" / "python3"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    for name in ("dirname", "stat", "id", "cat"):
        (old.parent / name).symlink_to(str(shutil.which(name)))
    shutil.rmtree(checkout.root / ".venv")
    done = subprocess.run(
        ["/bin/sh", "scripts/setup"],
        cwd=checkout.root, env={"PATH": str(old.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, and there is Python 3.9.2" in done.stderr
    assert "apt install python3" in done.stderr
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_versions_and_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-{1,2}(i|f|e|index|extra-index|find-links|trusted|editable)", text, re.MULTILINE)
    pinned = re.findall(r"^([a-z0-9][a-z0-9._-]*)==\S+((?: \\\n    --hash=sha256:[0-9a-f]{64})+)", text, re.MULTILINE)
    named = re.findall(r"^[a-z0-9][^\s=]*", text, re.MULTILINE)
    assert [name for name, _ in pinned] == named


def test_locks_name_everything_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *extras["sandbox"], *extras["dev"]]
    names = {re.split(r"[<>=\[; ]", line)[0].lower().replace("_", "-").replace(".", "-") for line in asked}
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCKS[0].read_text(), re.MULTILINE))
    assert names <= {name.replace(".", "-") for name in locked}
    building = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCKS[1].read_text(), re.MULTILINE))
    assert {"pip", *project["build-system"]["requires"]} <= building


def tools(folder: Path, *names: str) -> dict[str, str]:
    """Return an environment whose PATH holds these programs and no other."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(folder)}


def test_lint_says_loudly_that_php_is_missing(tmp_path: Path) -> None:
    without = tools(tmp_path / "bin", "sh", "dirname", "find", "sort")
    done = subprocess.run([ROOT / "scripts/lint-php"], env=without, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "*** SKIPPED: no PHP file was checked" in done.stderr


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no php on this machine")
@pytest.mark.parametrize(("content", "status"), [("<?php echo 1;\n", 0), ("<?php echo 1\nelse;\n", 1)])
def test_lint_fails_on_php_that_cannot_be_parsed(checkout: Checkout, content: str, status: int) -> None:
    for name in ("plugins", "src", "tests"):
        (checkout.root / name).mkdir()
    (checkout.root / "src" / "page.php").write_text(content)
    done = subprocess.run([checkout.root / "scripts/lint-php"], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert ("page.php" in done.stderr) == bool(status)


@pytest.mark.parametrize(("content", "status"), [("#!/bin/sh\ntrue\n", 0), ("#!/bin/bash\nif true; then\n", 1)])
def test_lint_fails_on_shell_that_cannot_be_parsed(checkout: Checkout, content: str, status: int) -> None:
    for name in (".ci", "src", "plugins", "tests"):
        (checkout.root / name).mkdir()
    (checkout.root / "src" / "script").write_text(content)
    done = subprocess.run([checkout.root / "scripts/lint-shell"], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr


def test_tests_of_real_products_need_a_stack(checkout: Checkout) -> None:
    done = checkout.make("test-live", variables={"AGENCYSTACK_TEST_STACK": ""})
    assert done.returncode == 2
    assert "AGENCYSTACK_TEST_STACK=/path/to/stack.yaml make test-live" in done.stderr


@pytest.mark.parametrize(("outcome", "status"), [("1 failed, 3 passed in 0.10s", 2), ("4 passed in 0.10s", 0)])
def test_ci_ends_with_pytests_closing_line_and_its_outcome(tmp_path: Path, outcome: str, status: int) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    environment = tools(tmp_path / "bin", "bash", "env", "dirname", "mktemp", "rm", "tee", "grep", "tail")
    make = tmp_path / "bin" / "make"
    make.write_text(f"#!/usr/bin/env bash\necho \"$@\"; echo '===== {outcome} ====='\necho more; exit {status}\n")
    make.chmod(0o755)
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[0] == "lint test"
    assert done.stdout.splitlines()[-1] == f"===== {outcome} ====="
