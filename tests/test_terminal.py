"""What a person reads of a plan."""

from __future__ import annotations

import pytest

from agencystack.cli.terminal import Terminal
from agencystack.engine.report import ChangeOutput, ResultOutput, RunOutput
from agencystack.engine.values import shown
from agencystack.stack.secrets import MASK, Secret

CHANGE = ChangeOutput(resource="acme/listmonk: mail settings", action="update", fields=["host"], values={})


def read(capsys: pytest.CaptureFixture[str], status: str, reason: str) -> str:
    result = ResultOutput(
        client="acme", type="email", component="listmonk", status=status, reason=reason, changes=[CHANGE]
    )
    Terminal(as_json=False).plan(RunOutput(run="20261122T000000000Z-0000", changes=1, results=[result]))
    return capsys.readouterr().out


def test_a_blocked_plan_says_why_although_some_changes_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    text = read(capsys, "blocked", "shared/mailu: answered 403 to GET /domain: Invalid API token")
    assert "Invalid API token" in text
    assert "acme/listmonk: mail settings" in text


@pytest.mark.parametrize("status", ["pending", "drifted"])
def test_a_plan_does_not_tell_its_changes_twice(capsys: pytest.CaptureFixture[str], status: str) -> None:
    text = read(capsys, status, "not applied yet: update mail settings (host)")
    assert "not applied yet" not in text


def test_a_secret_that_is_not_there_is_not_masked() -> None:
    assert shown(Secret("")) is None
    assert shown(Secret("mailbox-password")) == MASK
