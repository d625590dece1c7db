"""An application nobody wrote an integration for: described in stack.yaml, and let in through a real Keycloak."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.sso_lab import SsoLab
from tests.serving import free_port

pytestmark = pytest.mark.real

DOUBLE = Path(__file__).parents[1] / "doubles/relying-party"
ROLES = "people log in with the roles of their groups"
STRANGER = "a person without a group is refused"
BEFORE = '# our wiki\nWIKI_TITLE="All we know" # not ours\nWIKI_OIDC_SCOPES=\n'
APPLIED = {"wiki": "applied"}


class Wiki:
    """The application, started and restarted by its own script."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.url = f"http://localhost:{self.port}"
        self.env = folder / "wiki.env"
        self.restart = [str(DOUBLE / "restart"), str(folder), sys.executable, str(self.port)]
        self.env.write_bytes(BEFORE.encode())
        self.env.chmod(0o600)
        subprocess.run(self.restart, check=True)

    def stop(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGTERM)

    def described(self) -> dict[str, Any]:
        words = ("issuer", "client_id", "client_secret", "redirect_uri", "logout_uri", "scopes")
        return {
            "custom": True,
            "url": self.url,
            "exec": {"local": True},
            "oidc": {
                "redirect_uris": [f"{self.url}/callback"],
                "logout_uris": [f"{self.url}/"],
                "env_file": {
                    "path": str(self.env),
                    "variables": {f"WIKI_OIDC_{word.upper()}": f"{{{word}}}" for word in words},
                },
                "restart": self.restart,
                "proof": {
                    "start": "/login",
                    "who": {"url": "/api/me", "name": "/user/login", "email": "/user/email", "roles": "/user/roles"},
                    "logout": "/logout",
                    "refusal": "no role in this wiki",
                    "administrators": ["owner"],
                },
            },
        }


@pytest.fixture(scope="module")
def lab(sso: SsoLab) -> SsoLab:
    return sso


@pytest.fixture(scope="module")
def wiki(lab: SsoLab) -> Iterator[Wiki]:
    folder = lab.folder.parent / "wiki"
    folder.mkdir()
    made = Wiki(folder)

    def describe(stack: Any) -> None:
        client = stack["clients"]["acme"]
        client["components"]["wiki"] = made.described()
        client["groups"]["staff"]["wiki"] = ["editor", "reader"]
        client["groups"]["owners"]["wiki"] = ["owner"]

    def forget(stack: Any) -> None:
        client = stack["clients"]["acme"]
        for part in (client["components"], client["groups"]["staff"], client["groups"]["owners"]):
            part.pop("wiki")

    try:
        lab.edit(describe)
        yield made
        lab.sso("wiki", command="undo")
        lab.edit(forget)
    finally:
        made.stop()


@pytest.fixture
def applied(lab: SsoLab, wiki: Wiki) -> SsoLab:
    done = lab.sso("wiki")
    assert (done.code, done.statuses()) == (0, APPLIED), done.out + done.err
    return lab


def test_it_is_applied_proven_idle_and_taken_back_byte_for_byte(lab: SsoLab, wiki: Wiki) -> None:
    first = lab.sso("wiki")
    assert (first.code, first.statuses()) == (0, APPLIED), first.out + first.err
    assert first.json["changes"] > 0
    text = wiki.env.read_bytes()
    assert text.startswith(b'# our wiki\nWIKI_TITLE="All we know" # not ours\n')
    assert wiki.env.stat().st_mode & 0o777 == 0o600
    second = lab.sso("wiki")
    assert (second.code, second.json["changes"], second.statuses()) == (0, 0, APPLIED)
    undone = lab.sso("wiki", command="undo")
    assert undone.code == 0, undone.out
    assert wiki.env.read_bytes() == BEFORE.encode()
    assert lab.sso("wiki", command="status").statuses() == {"wiki": "pending"}


def test_the_proofs_say_who_got_in_as_what_and_what_others_were_told(applied: SsoLab, wiki: Wiki) -> None:
    done = applied.sso("wiki", command="verify")
    assert done.code == 0, done.out
    seen = {proof["name"]: proof["evidence"] for proof in done.json["proofs"]}
    staff = seen[ROLES]["/acme/staff"]
    assert staff["roles"] == ["editor", "reader"]
    assert staff["user"].startswith("agencystack-probe-")
    assert seen[ROLES]["not tried, as they rule the application"] == ["/acme/owners"]
    assert "You have no role in this wiki." in seen[STRANGER]["answer"]
    assert applied.probes() == []


def test_a_line_changed_by_hand_is_one_field_of_drift_and_healed(applied: SsoLab, wiki: Wiki) -> None:
    text = wiki.env.read_text()
    wiki.env.write_text(text.replace("WIKI_OIDC_CLIENT_ID=acme-wiki", "WIKI_OIDC_CLIENT_ID=acme-wiki-2"))
    planned = applied.sso("wiki", command="plan")
    assert planned.changed() == {"acme/wiki: login variables in " + str(wiki.env): ["WIKI_OIDC_CLIENT_ID"]}
    assert applied.sso("wiki").statuses() == APPLIED
    assert wiki.env.read_text() == text


def test_a_new_secret_reaches_the_application_and_is_shown_nowhere(applied: SsoLab, wiki: Wiki) -> None:
    before = applied.client_of("acme-wiki")["secret"]
    done = applied.run("rotate", "sso", "--component", "wiki", "--auto", "--json")
    assert (done.code, done.statuses()) == (0, APPLIED), done.out
    after = applied.client_of("acme-wiki")["secret"]
    assert before != after
    assert f"WIKI_OIDC_CLIENT_SECRET={after}" in wiki.env.read_text()
    logged = "".join(path.read_text(errors="replace") for path in applied.folder.glob("log/**/*") if path.is_file())
    assert after not in done.out + done.err + logged


def test_another_client_of_a_persons_blocks(lab: SsoLab, wiki: Wiki) -> None:
    lab.sso("wiki", command="undo")
    wiki.env.write_bytes(BEFORE.encode() + b"WIKI_OIDC_CLIENT_ID=theirs\n")
    try:
        blocked = lab.sso("wiki")
        assert blocked.statuses() == {"wiki": "blocked"}
        assert "set by a person" in blocked.reason("wiki")
        assert wiki.env.read_bytes().endswith(b"=theirs\n")
    finally:
        wiki.env.write_bytes(BEFORE.encode())


def test_where_strangers_get_in_the_proof_says_so_and_stack_yaml_may_accept_it(lab: SsoLab, wiki: Wiki) -> None:
    def everybody(stack: Any) -> None:
        stack["clients"]["acme"]["components"]["wiki"]["oidc"]["proof"]["refuses_strangers"] = False

    lab.edit(everybody)
    try:
        done = lab.sso("wiki")
        assert done.statuses() == APPLIED, done.out
        assert any("lets in everybody" in text for text in done.json["results"][0]["warnings"])
        names = [proof["name"] for proof in lab.sso("wiki", command="verify").json["proofs"]]
        assert ROLES in names
        assert STRANGER not in names
    finally:
        lab.edit(lambda stack: stack["clients"]["acme"]["components"]["wiki"]["oidc"]["proof"].pop("refuses_strangers"))


def test_an_application_that_does_not_come_up_is_named_and_everything_taken_back(lab: SsoLab, wiki: Wiki) -> None:
    lab.sso("wiki", command="undo")

    def broken(stack: Any) -> None:
        stack["clients"]["acme"]["components"]["wiki"]["oidc"]["restart"] = ["false"]

    lab.edit(broken)
    try:
        failed = lab.sso("wiki")
    finally:
        lab.edit(lambda stack: stack["clients"]["acme"]["components"]["wiki"]["oidc"].update(restart=wiki.restart))
    assert failed.code != 0
    assert "false ended with 1" in failed.reason("wiki")
    assert httpx.get(wiki.url).status_code == 200
    assert lab.sso("wiki").statuses() == APPLIED
