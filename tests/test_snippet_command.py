"""`agencystack integration snippet` prints what can be copied, and says where there is nothing to copy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STACK = """\
version: 1
shared:
  components:
    keycloak: {url: https://id.agency.example}
    mailu: {url: https://mail.agency.example, api_token: env:NOT_NEEDED_HERE}
clients:
  acme: {domain: acme.example}
  beta: {domain: beta.example}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stack.yaml").write_text(STACK)
    return tmp_path


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AGENCYSTACK_HOME": str(home),
        "AGENCYSTACK_KEY_FILE": str(home / "key"),
        "AGENCYSTACK_LOG_DIR": str(home / "log"),
    }
    command = [sys.executable, "-m", "agencystack", "integration", "snippet", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_it_prints_one_for_each_client_with_their_addresses(home: Path) -> None:
    done = run(home, "sso", "mailu")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count('traefik.http.routers.mailu-login.rule: "Host(`mail.agency.example`)') == 2
    assert max(map(len, done.stdout.splitlines())) > 120, "a line that is broken cannot be copied"
    one = run(home, "sso", "mailu", "--client", "beta", "--json")
    said = json.loads(one.stdout)
    assert (said["done"], said["names"], len(said["notes"])) == ("snippet", ["beta/sso/mailu"], 1)
    assert "  beta:\n    groups:" in said["notes"][0]


def test_what_has_none_is_told_where_to_look(home: Path) -> None:
    done = run(home, "email", "mailu", "--json")
    assert done.returncode == 2
    assert "exists for component 'mailu'" in json.loads(done.stdout)["error"]["message"]
    (home / "stack.yaml").write_text(STACK.replace("keycloak: {url", "grafana: {url"))
    done = run(home, "sso", "mailu")
    assert done.returncode == 2
    assert "there is no snippet for sso mailu (acme/sso/mailu: there is no keycloak" in done.stderr
