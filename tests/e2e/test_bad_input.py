"""Wrong command lines and wrong stack files: said in words, with exit code 2, before any product is called."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.lab import COMMAND, Lab, Outcome

CANARY = "canary-literal-9f3b7c"
COMMANDS = [
    ["plan"],
    ["integrate", "--auto"],
    ["integrate", "--dry-run"],
    ["verify"],
    ["status"],
    ["undo", "email", "--auto"],
    ["rotate", "email", "--auto"],
    ["components"],
    ["doctor"],
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def run(home: Path, *arguments: str) -> Outcome:
    """Run a command on an installation without products."""
    environment = {"PATH": os.environ["PATH"], "AGENCYSTACK_HOME": str(home), "AGENCYSTACK_KEY_FILE": str(home / "key")}
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def written(home: Path, text: str) -> None:
    (home / "stack.yaml").write_text(text)


STACK = """\
version: 1
shared:
  components:
    mailu: {url: "http://127.0.0.1:9", api_token: "env:NO_SUCH_TOKEN"}
clients:
  acme:
    domain: acme.example
    components:
      erpnext: {url: "http://127.0.0.1:9", api_key: "env:NO_SUCH_KEY", api_secret: "secret:acme/erpnext/api-secret"}
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_stack_yaml_every_command_says_so_as_one_object(home: Path, command: list[str]):
    done = run(home, *command, "--json")
    assert done.code == 2
    assert done.error["code"] == "configuration"
    assert str(home / "stack.yaml") in done.error["message"]
    assert "agencystack init" in done.error["remedy"]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--json", "--no-such-option"],
        ["plam", "--json"],
        ["undo", "--json"],
        ["rotate", "--json"],
        ["sandbox", "up", "--json", "--clients", "none"],
        ["--json"],
        ["--json", "plan"],
        ["init", "--json", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_object_too(home: Path, arguments: list[str]):
    written(home, STACK)
    done = run(home, *arguments)
    assert done.code == 2
    assert done.error["code"] == "usage"
    assert "Traceback" not in done.err


def test_an_unknown_key_is_named_with_its_line_and_what_is_known(home: Path):
    written(home, STACK.replace("    domain: acme.example", "    domian: acme.example"))
    done = run(home, "plan", "--json")
    assert done.code == 2
    assert "line 7" in done.error["message"]
    assert "domian" in done.error["message"]
    assert "domain" in done.error["message"].replace("domian", "")


def test_a_literal_secret_is_refused_and_never_repeated(home: Path):
    written(home, STACK.replace("env:NO_SUCH_TOKEN", CANARY))
    for command in (["plan", "--json"], ["plan"], ["doctor"]):
        done = run(home, *command)
        assert done.code == 2
        assert CANARY not in done.out + done.err
        assert "api_token" in done.out + done.err
    assert [path for path in home.rglob("*") if path.is_file() and CANARY in path.read_text()] == [home / "stack.yaml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--client", "acm"], ["acm", "acme"]),
        (["--component", "wordpres"], ["wordpres", "wordpress"]),
        (["--component", "listmonk"], ["listmonk", "acme"]),
        (["e-mail"], ["e-mail", "email"]),
    ],
    ids=["client", "component", "absent component", "type"],
)
def test_a_name_nobody_knows_is_refused_with_those_that_are_known(home: Path, arguments: list[str], words: list[str]):
    written(home, STACK)
    done = run(home, "plan", "--json", *arguments)
    assert (done.code, done.error["code"]) == (2, "usage")
    said = f"{done.error['message']} {done.error['remedy']}"
    assert all(word in said for word in words), said


def test_auto_lists_everything_that_is_missing_at_once_and_reads_no_standard_input(lab: Lab):
    def without_credentials(stack: dict) -> None:
        lab.component(stack, "mailu")["api_token"] = "env:NO_SUCH_TOKEN"
        lab.component(stack, "erpnext")["api_secret"] = "secret:acme/erpnext/api-secret"
        lab.component(stack, "listmonk")["api_token"] = "file:/no/such/file"

    lab.edit(without_credentials)
    reading, writing = os.pipe()
    os.write(writing, b"unread\n")
    os.close(writing)
    with os.fdopen(reading, "rb") as standard_input:
        done = lab.integrate(stdin=standard_input)
        assert standard_input.read() == b"unread\n"
    assert done.code == 2
    assert sorted(done.error["missing"]) == [
        "clients.acme.components.erpnext.api_secret",
        "clients.acme.components.listmonk.api_token",
        "shared.components.mailu.api_token",
    ]
    assert [lab.calls(name) for name in ("mailu", "erpnext", "listmonk")] == [[], [], []]


@pytest.mark.parametrize("command", [["integrate"], ["undo", "email"], ["rotate", "email"]], ids=" ".join)
def test_a_command_that_asks_refuses_where_nobody_can_answer(applied: Lab, command: list[str]):
    before = applied.products()
    applied.allow("sender_name=Acme shop", "listmonk")
    done = applied.run(*command, "--json")
    assert (done.code, done.error["code"]) == (2, "usage")
    assert "--auto" in done.error["remedy"]
    assert applied.products() == before


def test_json_of_every_command_that_works_is_one_object(applied: Lab):
    for command in (
        *(["plan"], ["status"], ["verify"], ["components"], ["doctor"], ["integrate", "--auto"]),
        *(["integrate", "--dry-run"], ["rotate", "email", "--auto"], ["undo", "email", "--auto"]),
        *(["sandbox", "status"], ["sandbox", "up"]),
    ):
        done = applied.run(*command, "--json")
        assert isinstance(json.loads(done.out), dict), command
