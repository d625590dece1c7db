"""The worked example of a drop-in conforms, and is used through the command line as a user would."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.registry import load
from agencystack.stack.load import load as load_stack
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from agencystack.testing.conformance import ConformanceSuite
from tests.guestbook import FACTORY, Guestbook
from tests.serving import served

EXAMPLE = Path(__file__).parents[1] / "scripts" / "integration" / "guestbook.py"
TOKEN = "canary-token-93ab"
PASSWORD = "canary-password-93ab"

STACK = """
version: 1
clients:
  acme:
    domain: acme.example
    components:
      guestbook:
        custom: true
        url: {url}
        credentials: {{token: "env:GUESTBOOK_TOKEN", mail_password: "env:GUESTBOOK_MAIL_PASSWORD"}}
        settings: {{mail_server: mail.acme.example, notices_to: owner@acme.example}}
"""


class GuestbookBench(Bench):
    """The example, and a guestbook that only this test uses."""

    secrets = (Secret(TOKEN), Secret(PASSWORD))

    def __init__(self, folder: Path, product: Guestbook, url: str) -> None:
        self.product = product
        self.integration = _example().GuestbookEmail()
        file = folder / "stack.yaml"
        file.write_text(STACK.format(url=url))
        self.stack = load_stack(file)

    def state(self) -> object:
        # Undo cannot put a password back that nobody can read; without its server it is of no use.
        return self.product._shown()

    def calls(self) -> int:
        return self.product.calls

    def edit(self) -> Edit:
        mail = self.product.settings["mail"]
        mail["notices_to"] = "somebody@else.example"
        return Edit("mail settings", "notices_to", lambda: bool(mail["notices_to"] == "somebody@else.example"))

    def unreachable(self) -> Any:
        return self.product.out_of_order()

    def failing_proof(self) -> Any:
        return self.product.losing_mail()

    def foreign(self) -> str:
        self.product.settings["mail"] |= {"server": "smtp.elsewhere.example", "sender": "me@elsewhere.example"}
        return "mail settings"

    def resolve(self, reference: Any) -> Secret:
        return Secret({"GUESTBOOK_TOKEN": TOKEN, "GUESTBOOK_MAIL_PASSWORD": PASSWORD}[reference.name])


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("guestbook_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class TestGuestbookConforms(ConformanceSuite):
    """Twelve tests for one fixture."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        product = Guestbook(TOKEN)
        with served(product.app) as url:
            yield GuestbookBench(tmp_path, product, url)


@dataclass
class Command:
    """The real command line on a home with a guestbook."""

    home: Path
    product: Guestbook

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        program = [sys.executable, "-m", "agencystack", *arguments, "--json"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AGENCYSTACK_HOME": str(self.home),
            "AGENCYSTACK_KEY_FILE": str(self.home / "key"),
            "GUESTBOOK_TOKEN": TOKEN,
            "GUESTBOOK_MAIL_PASSWORD": PASSWORD,
        }
        done = subprocess.run(
            program,
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert TOKEN not in done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    product = Guestbook(TOKEN)
    with served(product.app) as url:
        (tmp_path / "stack.yaml").write_text(STACK.format(url=url))
        yield Command(tmp_path, product)


def test_it_is_used_like_a_built_in_one(command: Command) -> None:
    code, plan = command.run("plan", "email")
    [line] = plan["results"]
    assert (code, line["component"], line["status"]) == (3, "guestbook", "pending")
    assert line["changes"][0]["values"]["password"] == {"before": None, "after": "********"}

    code, done = command.run("integrate", "email", "--auto")
    assert (code, done["changes"], done["results"][0]["status"]) == (0, 1, "applied")
    assert command.product.settings["mail"] == {
        "server": "mail.acme.example",
        "port": 465,
        "sender": "guestbook@acme.example",
        "notices_to": "owner@acme.example",
        "password": PASSWORD,
    }
    assert command.run("integrate", "email", "--auto")[1]["changes"] == 0

    code, seen = command.run("verify", "email")
    [proof] = seen["proofs"]
    assert (code, proof["ok"], proof["evidence"]["answer"]) == (0, True, "250 queued")

    command.product.settings["mail"]["port"] = 2525
    code, plan = command.run("plan", "email")
    assert (code, plan["results"][0]["changes"][0]["fields"]) == (3, ["port"])
    assert command.run("status")[1]["integrations"][0]["status"] == "drifted"

    command.product.settings["mail"]["port"] = 465
    assert command.run("undo", "email", "--auto")[0] == 0
    assert {**command.product.settings["mail"], "password": None} == FACTORY["mail"]


def test_all_that_stack_yaml_lacks_is_named_at_once(command: Command) -> None:
    file = command.home / "stack.yaml"
    text = file.read_text().replace("mail_server: mail.acme.example, ", "")
    file.write_text(text.replace(', mail_password: "env:GUESTBOOK_MAIL_PASSWORD"', ""))
    code, answer = command.run("integrate", "email", "--auto")
    where = "clients.acme.components.guestbook"
    assert code == 2
    assert answer["error"]["missing"] == [f"{where}.settings.mail_server", f"{where}.credentials.mail_password"]
    assert command.product.calls == 0


def test_a_stack_without_a_guestbook_never_sees_it(command: Command) -> None:
    file = command.home / "stack.yaml"
    file.write_text("version: 1\nclients: {acme: {domain: acme.example}}\n")
    code, plan = command.run("plan", "email")
    assert (code, plan["results"], plan["skipped"]) == (0, [], [])
    assert command.run("status", "email")[1] == {"integrations": [], "skipped": []}


def test_a_copy_in_the_home_is_what_runs(command: Command, tmp_path: Path) -> None:
    """Who copies the example to change it means the copy."""
    folder = tmp_path / "scripts" / "integration"
    folder.mkdir(parents=True, mode=0o755)
    copied = folder / "guestbook.py"
    shutil.copy(EXAMPLE, copied)
    copied.chmod(0o644)
    copied.write_text(copied.read_text().replace('"guestbook@', '"my-guestbook@'))
    _, plan = command.run("plan", "email")
    assert plan["results"][0]["changes"][0]["values"]["sender"]["after"] == "my-guestbook@acme.example"
    [found] = [item for item in load(Home(tmp_path, tmp_path, tmp_path)).all if item.name == "email/guestbook"]
    assert found.source == copied
