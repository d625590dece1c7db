"""New tokens without a gap, and an installation that lost its store, its records, or all of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import smtplib
import threading
import time
from pathlib import Path

from tests.e2e.lab import APPLICATIONS, Lab


def opens(lab: Lab, application: str, token: str) -> bool:
    """Say whether a token still is a login for submission."""
    with smtplib.SMTP_SSL("localhost", lab.ports["smtps"], context=lab.tls, timeout=10) as server:
        try:
            server.login(f"{application}@acme.example", token)
        except smtplib.SMTPAuthenticationError:
            return False
    return True


def in_use(lab: Lab) -> str:
    """The token that Chatwoot runs with; while it restarts, it has none for a moment."""
    while True:
        with contextlib.suppress(json.JSONDecodeError):
            return lab.running()["SMTP_PASSWORD"]


class Login:
    """Logs in with what the running Chatwoot holds, again and again, and counts what fails."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self.worked = 0
        self.tokens: set[str] = set()
        self.failed: list[str] = []

    def __enter__(self) -> Login:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._end.is_set():
            token = in_use(self._lab)
            if opens(self._lab, "chatwoot", token) or in_use(self._lab) != token:
                self.worked += 1
                self.tokens.add(token)
            else:
                self.failed.append(token[:4])
            time.sleep(0.02)


def test_rotate_puts_new_tokens_to_use_and_revokes_the_old_without_a_moment_between(applied: Lab):
    old = {name: applied.issued(name) for name in APPLICATIONS}
    with Login(applied) as polled:
        done = applied.run("rotate", "email", "--auto", "--json")
    assert done.code == 0, done.out
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied")
    assert polled.failed == []
    assert polled.worked > 5
    assert polled.tokens >= {old["chatwoot"]}
    for name in APPLICATIONS:
        new = applied.issued(name)
        assert new != old[name]
        assert opens(applied, name, new)
        assert not opens(applied, name, old[name])
        assert len(applied.ours(name)["tokens"]) == 1
    assert applied.run("verify", "email", "--json").code == 0
    assert applied.integrated().json["changes"] == 0


def test_rotate_goes_back_where_the_proof_fails(applied: Lab):
    old = applied.issued("listmonk")
    applied.fault("listmonk", {"path": "/api/tx", "status": 500, "times": 0})
    done = applied.run("rotate", "email", "--component", "listmonk", "--auto", "--json")
    applied.forgive()
    assert done.code == 1
    assert done.reason("listmonk").startswith("proof failed")
    assert applied.issued("listmonk") == old
    assert opens(applied, "listmonk", old)
    assert applied.integrate("--component", "listmonk").code == 0
    assert len(applied.ours("listmonk")["tokens"]) == 1
    assert applied.issued("listmonk") == old


def test_rotate_touches_only_what_was_applied(lab: Lab):
    done = lab.run("rotate", "email", "--auto", "--json")
    assert (done.code, done.json["changes"]) == (0, 0)
    assert lab.writes() == []


def lose(lab: Lab, *parts: str) -> None:
    lab.edit(lambda _: None)
    for part in parts:
        path = lab.folder / part
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def assert_single(lab: Lab) -> None:
    """Everything of ours is there once, and carries our mark."""
    for name in APPLICATIONS:
        ours = lab.ours(name)
        assert ours["user"]["comment"] == f"agencystack: acme/email/{name}"
        assert len(ours["tokens"]) == 1, ours
    assert len([a for a in lab.documents("Email Account") if a["email_id"] == "erpnext@acme.example"]) == 1
    servers = lab.listmonk("GET", "settings")["data"]["smtp"]
    assert len([server for server in servers if server["username"] == "listmonk@acme.example"]) == 1


def test_a_lost_sealed_store_is_said_in_the_plan_and_tokens_are_issued_again(applied: Lab):
    old = {name: applied.issued(name) for name in APPLICATIONS}
    lose(applied, "integrations/secrets")
    plan = applied.plan()
    assert plan.code == 3
    for name in APPLICATIONS:
        assert f"shared/mailu: token of {name}@acme.example" in plan.changed(name)
        assert f"shared/mailu: user {name}@acme.example" not in plan.changed(name)
    applied.integrated()
    assert_single(applied)
    assert [name for name in APPLICATIONS if opens(applied, name, old[name])] == []


def test_a_lost_state_folder_loses_history_and_never_ownership(applied: Lab):
    lose(applied, "integrations/state")
    done = applied.integrated()
    for line in done.json["results"]:
        assert all(change["action"] in {"update", "create"} for change in line["changes"])
        assert not any("user " in change["resource"] for change in line["changes"])
    assert_single(applied)
    assert applied.integrated().json["changes"] == 0


def test_a_lost_installation_is_made_again_from_what_the_products_say(applied: Lab):
    lose(applied, "integrations", "sandbox/key")
    applied.integrated()
    assert_single(applied)


def test_backup_wipe_restore_and_status(applied: Lab, tmp_path: Path):
    file = tmp_path / "backup.tar.gz"
    made = applied.run("backup", str(file), "--with-key")
    assert made.code == 0, made.err
    before = applied.run("status", "--json").json
    lose(applied, "integrations", "sandbox/key", "stack.yaml")
    assert applied.run("status", "--json").code == 2
    restored = applied.run("restore", str(file))
    assert restored.code == 0, restored.out + restored.err
    assert applied.run("status", "--json").json == before
    assert applied.integrated().json["changes"] == 0
    assert applied.undo().code == 0


def test_a_restored_backup_older_than_a_rotation_is_mended(applied: Lab, tmp_path: Path):
    file = tmp_path / "backup.tar.gz"
    assert applied.run("backup", str(file), "--with-key").code == 0
    assert applied.run("rotate", "email", "--auto", "--json").code == 0
    refused = applied.run("restore", str(file))
    assert (refused.code, "the data bridge is at work" in refused.err) == (2, True)
    applied.rest()
    assert applied.run("restore", str(file)).code == 0
    assert applied.plan().code == 3
    applied.integrated()
    assert_single(applied)
