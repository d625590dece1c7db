"""Commands that do one thing say with --json what they did, in the shape of their schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SCHEMA = json.loads((files("agencystack") / "schemas" / "done.schema.json").read_text())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stack.yaml").write_text("version: 1\n")
    return tmp_path


def run(home: Path, *words: str, given: str = "", code: int = 0) -> Any:
    environment = {**os.environ, "AGENCYSTACK_HOME": str(home), "AGENCYSTACK_KEY_FILE": str(home / "key")}
    argv = [sys.executable, "-m", "agencystack", *words, "--json"]
    finished = subprocess.run(argv, input=given, capture_output=True, text=True, env=environment, timeout=120)
    assert finished.returncode == code, finished.stderr
    return json.loads(finished.stdout)


def done(home: Path, *words: str, given: str = "") -> Any:
    output = run(home, *words, given=given)
    jsonschema.validate(output, SCHEMA)
    return output


def test_a_secret_is_sealed_listed_and_deleted_and_never_printed(home: Path) -> None:
    sealed = done(home, "secret", "set", "acme/erpnext/api-key", given="canary-5f1e\n")
    assert sealed == {"done": "sealed", "file": None, "names": ["acme/erpnext/api-key"], "notes": []}
    assert done(home, "secret", "list")["names"] == ["acme/erpnext/api-key"]
    assert "canary-5f1e" not in "".join(path.read_text() for path in home.rglob("*.sealed"))
    done(home, "secret", "delete", "acme/erpnext/api-key")
    assert done(home, "secret", "list")["names"] == []


def test_an_empty_secret_and_an_unknown_one_are_mistakes(home: Path) -> None:
    assert run(home, "secret", "set", "x", given="\n", code=2)["error"]["code"] == "usage"
    assert run(home, "secret", "delete", "x", code=2)["error"]["code"] == "usage"


def test_a_backup_is_written_and_put_back(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("backup") / "one.tar.gz"
    assert done(home, "backup", str(file))["file"] == str(file)
    (home / "stack.yaml").write_text("version: 1\nclients: {}\n")
    assert done(home, "restore", str(file))["done"] == "restored"
    assert (home / "stack.yaml").read_text() == "version: 1\n"


def test_init_writes_what_a_host_shows_and_names_what_is_lacking(tmp_path: Path) -> None:
    host, home = tmp_path / "host", tmp_path / "home"
    host.mkdir()
    (host / "config.env").write_text('PRIMARY_DOMAIN="agency.example"\nWORDPRESS_DOMAIN=shop.agency.example\n')
    written = done(home, "init", "--from", str(host), "--auto")
    assert written["file"] == str(home / "stack.yaml")
    assert any("exec" in note for note in written["notes"])
    assert run(home, "init", "--from", str(host), "--auto", code=2)["error"]["code"] == "configuration"


def test_eject_copies_a_built_in_that_then_replaces_it(home: Path) -> None:
    ejected = done(home, "integration", "eject", "email", "listmonk")
    assert Path(ejected["file"]).parent == home / "scripts" / "integration"
    again = run(home, "integration", "eject", "email", "listmonk", code=2)
    assert "already yours" in again["error"]["message"]
