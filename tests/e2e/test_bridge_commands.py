"""`agencystack bridge ...` on a sandbox: what is printed is valid, what is wrong is said with what to do instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from agencystack.sandbox import api

SCHEMAS = files("agencystack") / "schemas"
AGENCYSTACK = str(Path(sys.executable).with_name("agencystack"))
LIMIT = 300
SOON = 60.0


class Installation:
    """A sandbox whose shop and ERPNext are joined, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, schema: str, *words: str, code: int = 0) -> Any:
        """Run a command with --json; its standard output must be one object, valid, and nothing else."""
        environment = os.environ | {
            "AGENCYSTACK_HOME": str(self.folder),
            "AGENCYSTACK_KEY_FILE": str(self.folder / "sandbox" / "key"),
            "AGENCYSTACK_LOG_DIR": str(self.folder / "log"),
        }
        command = [AGENCYSTACK, *words, "--json"]
        options: Any = {"capture_output": True, "text": True, "timeout": LIMIT, "stdin": subprocess.DEVNULL}
        done = subprocess.run(command, env=environment, check=False, **options)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        printed = json.loads(done.stdout)
        jsonschema.validate(printed, json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
        return printed

    def bridge(self, schema: str, *words: str, code: int = 0) -> Any:
        """Run a command of the bridge."""
        return self.run(schema, "bridge", *words, code=code)

    def until(self, holds: Any, schema: str, *words: str) -> Any:
        """Run a command until what it prints is as hoped for: a worker is at work beside it."""
        end = time.monotonic() + SOON
        while not holds(printed := self.bridge(schema, *words)):
            assert time.monotonic() < end, printed
            self.bridge("bridge-run", "run")
        return printed

    def make_customer(self, name: str, email: str = "") -> None:
        """Make a Customer, as the office does."""
        secrets = self.folder / "sandbox" / "credentials" / "acme" / "erpnext"
        key, secret = ((secrets / one).read_text().strip() for one in ("api-key", "api-secret"))
        ports = json.loads((self.folder / "sandbox" / "ports.json").read_text())
        url = f"http://localhost:{_port(ports, 'erpnext')}/api/resource/Customer"
        groups = {"customer_group": "Individual", "territory": "All Territories", "customer_type": "Individual"}
        told = {"customer_name": name, **groups, **({"email_id": email} if email else {})}
        httpx.post(url, json=told, headers={"Authorization": f"token {key}:{secret}"}, timeout=30).raise_for_status()


def _port(ports: Any, word: str) -> int:
    """Return the port a sandbox gave to a product, however deep it is written down."""
    found = [value for name, value in _flat(ports) if word in name and isinstance(value, int)]
    assert found, ports
    return found[0]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(one, f"{name}/{key}")
    else:
        yield name, value


@pytest.fixture(scope="module")
def joined() -> Iterator[Installation]:
    # Not below pytest's own folder: every pytest that starts closes that to the users products run as.
    with tempfile.TemporaryDirectory(prefix="agencystack-bridge-") as folder:
        Path(folder).chmod(0o711)
        made = Installation(Path(folder) / "stack")
        api.up(made.folder, real="none")
        try:
            applied = made.run("run", "integrate", "data-bridge", "--auto")
            assert {one["status"] for one in applied["results"]} == {"applied"}
            yield made
        finally:
            api.down(made.folder)


def test_a_walk_through_every_command(joined: Installation) -> None:
    """As a person goes: look, bring over, decide, pause, go on, forget; the states build on one another."""
    bridge = joined.bridge
    assert {one["entity"] for one in bridge("bridge-preview", "preview")["entities"]} >= {"customer", "order"}

    assert bridge("done", "pause", "--reason", "moving house")["done"] == "paused"
    joined.make_customer("Berta Büro", "berta@example.test")
    joined.make_customer("Ohne Adresse")
    seen = bridge("bridge-preview", "preview", "customer")["entities"][0]
    assert seen["created"]["wordpress"] >= 1
    assert bridge("bridge-status", "status")["state"] == "paused"
    for command in (["run"], ["backfill", "--auto"]):
        said = bridge("error", *command, code=2)["error"]
        assert "moving house" in said["message"]
        assert "resume" in said["remedy"]
    assert bridge("done", "resume")["done"] == "resumed"

    bridge("bridge-run", "backfill", "customer", "--auto")
    bridge("bridge-run", "backfill", "customer", "--auto")  # stopped or done, it can be said again
    bridge("bridge-run", "run")
    linked = joined.until(lambda one: one["linked"].get("customer", 0) >= 1, "bridge-status", "status")
    assert linked["state"] == "active"

    waiting = joined.until(lambda one: one["refused"], "bridge-conflicts", "conflicts")["refused"]
    letter = next(one for one in waiting if "e-mail" in one["message"])
    assert "add an e-mail address" in letter["remedy"]
    assert bridge("bridge-conflicts", "conflicts", "--refused")["conflicts"] == []
    assert bridge("done", "retry", str(_number(letter)))["done"] == "retried"

    story = bridge("bridge-story", "show", "Berta Büro")
    assert "Berta Büro" in json.dumps(story, ensure_ascii=False)
    assert bridge("bridge-reconcile", "reconcile", "customer", "--repair")["entities"][0]["entity"] == "customer"
    assert bridge("done", "allow", "customer")["names"] == ["customer"]
    assert bridge("done", "forget", "Berta Büro", "--auto")["done"] == "forgotten"
    log = (joined.folder / "log").glob("*")
    assert not [one for one in log if one.is_file() and b"berta@example.test" in one.read_bytes()]


def _number(letter: Any) -> int:
    return int(letter.get("number") or letter["id"])


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["preview", "unicorn"], "it shares"),
        (["backfill", "unicorn", "--auto"], "it shares"),
        (["reconcile", "unicorn"], "it shares"),
        (["allow", "unicorn"], "it shares"),
        (["resolve", "4711", "--choose", "wordpress"], ""),
        (["resolve", "1"], "bridge conflicts"),
        (["resolve", "1", "--choose", "erpnext", "--value", "x"], "bridge conflicts"),
        (["retry", "4711"], "bridge conflicts"),
        (["show", "12", "--side", "east"], "wordpress or erpnext"),
        (["status", "--client", "nobody"], ""),
        (["forget", "somebody@example.test"], ""),
        (["backfill"], ""),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_told_with_what_to_write(joined: Installation, words: list[str], remedy: str) -> None:
    said = joined.bridge("error", *words, code=2)["error"]

    assert said["code"] == "usage"
    assert said["message"]
    assert remedy in said["remedy"]


def test_without_a_bridge_it_says_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(
        "version: 1\nclients:\n  acme:\n    domain: acme.example\n    components: {}\n"
    )
    said = Installation(tmp_path).bridge("error", "status", code=2)["error"]

    assert "data bridge" in said["message"]
    assert "integrate data-bridge" in said["remedy"]
