"""Given these lines of an environment file, this plan: Chatwoot's side of e-mail, on the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.components.chatwoot import Chatwoot
from agencystack.engine.planning import Status
from agencystack.stack.errors import Unavailable
from agencystack.stack.secrets import Secret
from agencystack.testing import Installation
from tests.e2e.lab import Lab
from tests.integrations.email.bench import HANDS, SandboxBench


@pytest.fixture
def installed(lab: Lab, tmp_path: Path) -> Installation:
    return Installation(SandboxBench(lab, "chatwoot", tmp_path / "bench"), tmp_path / "installation")


def changes(installed: Installation) -> dict[str, set[str]]:
    return {step.resource.key: set(step.change.names) for step in installed.plan().changes if step.change}


def put(lab: Lab, name: str, value: str) -> None:
    """Write a line with an editor, and forget to restart."""
    lines = [line for line in lab.env_file.read_text().splitlines() if not line.startswith(f"{name}=")]
    lab.env_file.write_text("\n".join([*lines, f"{name}={value}"]) + "\n")


def test_only_its_mail_variables_change_and_every_other_byte_stays(installed: Installation, lab: Lab) -> None:
    put(lab, "# a comment, and a line nobody understands\nRAILS_SOMETHING", '"with = and # inside"')
    before = lab.env_file.read_text().splitlines()
    assert installed.integrate().status is Status.APPLIED
    after = lab.env_file.read_text().splitlines()
    mail = ("SMTP_", "MAILER_SENDER_EMAIL", "AGENCYSTACK_OWNER")
    assert [line for line in after if not line.startswith(mail)] == [
        line for line in before if not line.startswith(mail)
    ]
    assert "AGENCYSTACK_OWNER=acme/email/chatwoot" in after
    assert lab.running()["SMTP_ADDRESS"] == "localhost"
    assert changes(installed) == {}


def test_undo_puts_the_file_back_byte_for_byte_and_runs_with_it(installed: Installation, lab: Lab) -> None:
    file, running = lab.env_file.read_bytes(), lab.running()
    mode = lab.env_file.stat()
    installed.integrate()
    assert lab.env_file.read_bytes() != file
    _, errors = installed.undo()
    assert errors == {}
    assert lab.env_file.read_bytes() == file
    assert lab.running() == running
    now = lab.env_file.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (mode.st_mode, mode.st_uid, mode.st_gid)


def test_a_relay_of_a_person_is_replaced_only_when_stack_yaml_says_so(installed: Installation, lab: Lab) -> None:
    HANDS["chatwoot"].relay(lab)
    file = lab.env_file.read_bytes()
    item = installed.plan()
    assert item.status is Status.BLOCKED
    assert "mail goes through smtp.relay.example" in item.reason
    assert installed.integrate().changes == []
    assert lab.env_file.read_bytes() == file

    lab.allow("replace", "chatwoot")
    installed.bench.stack = lab.stack
    assert installed.integrate().status is Status.APPLIED
    assert lab.running()["SMTP_ADDRESS"] == "localhost"
    installed.undo()
    assert lab.env_file.read_bytes() == file


def test_a_password_changed_by_hand_is_drift_and_masked(installed: Installation, lab: Lab) -> None:
    installed.integrate()
    put(lab, "SMTP_PASSWORD", "typed-by-a-person")
    [step] = [step for step in installed.plan().changes if step.resource.key == "mail variables"]
    assert step.change is not None
    assert step.change.names == {"SMTP_PASSWORD"}
    assert step.change.fields[0].before == Secret("typed-by-a-person")
    assert installed.integrate().status is Status.APPLIED
    assert "typed-by-a-person" not in lab.env_file.read_text()


def test_drift_it_already_runs_with_is_mended_in_the_file_and_by_a_restart(installed: Installation, lab: Lab) -> None:
    installed.integrate()
    right = lab.env_file.read_bytes()
    lab.change_env("SMTP_DOMAIN", "somebody.example")
    assert lab.running()["SMTP_DOMAIN"] == "somebody.example"
    assert changes(installed)["mail variables"] == {"SMTP_DOMAIN"}
    assert installed.integrate().status is Status.APPLIED
    assert lab.env_file.read_bytes() == right
    assert lab.running()["SMTP_DOMAIN"] == "acme.example"


def test_a_death_between_mending_the_file_and_the_restart_is_made_up_for(
    installed: Installation, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.integrate()
    lab.change_env("SMTP_DOMAIN", "somebody.example")
    with monkeypatch.context() as patched:
        patched.setattr(Chatwoot, "restart", _die)
        assert installed.integrate().status is not Status.APPLIED
    assert "SMTP_DOMAIN=acme.example" in lab.env_file.read_text()
    assert lab.running()["SMTP_DOMAIN"] == "somebody.example"
    assert changes(installed) == {"running environment": {"variables"}}
    assert installed.integrate().status is Status.APPLIED
    assert lab.running()["SMTP_DOMAIN"] == "acme.example"
    assert changes(installed) == {}


def _die(_chatwoot: Chatwoot) -> None:
    raise Unavailable("the machine is gone")
