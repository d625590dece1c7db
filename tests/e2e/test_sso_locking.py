"""Passwords are switched off after the proof alone, and the way back in is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.sso_lab import SsoLab

pytestmark = pytest.mark.real


@pytest.fixture
def lab(sso: SsoLab) -> Iterator[SsoLab]:
    sso.sso("wordpress", command="undo")
    yield sso
    sso.edit(lambda stack: stack["clients"]["acme"].pop("integrations", None))
    sso.edit(lambda stack: stack["shared"]["components"]["keycloak"].update(_internal(sso)))


def enforce(stack: Any) -> None:
    stack["clients"]["acme"]["integrations"] = {"sso": {"wordpress": {"settings": {"enforce": True}}}}


def _internal(lab: SsoLab) -> dict[str, str]:
    return {"internal_url": f"http://127.0.0.1:{lab.ports['keycloak']}"}


def refused(lab: SsoLab) -> bool:
    """Say whether passwords are refused, as the plan reads it from WordPress."""
    changed = lab.sso("wordpress", command="plan").changed("wordpress")
    return "acme/wordpress: password login" not in changed


def test_passwords_go_after_the_proof_and_come_back_with_undo(lab: SsoLab) -> None:
    lab.edit(enforce)
    assert not refused(lab)
    done = lab.sso("wordpress")
    assert done.statuses() == {"wordpress": "applied"}, done.out
    assert list(done.changed("wordpress"))[-1] == "acme/wordpress: password login"
    assert refused(lab)
    record = json.loads((lab.folder / "integrations/state/acme/sso/wordpress.json").read_text())
    back = record["proofs"][0]["evidence"]["way back in without Keycloak"]
    assert "agencystack-password" in back
    url = str(lab.stack.components("acme")["wordpress"][1].url)
    assert httpx.get(f"{url}/wp-login.php?agencystack-password", timeout=30).status_code == 200
    assert lab.sso("wordpress", command="undo").code == 0
    assert not refused(lab)


def test_where_the_proof_fails_no_password_was_ever_refused(lab: SsoLab) -> None:
    lab.edit(enforce)
    lab.edit(lambda stack: stack["shared"]["components"]["keycloak"].update(internal_url="http://127.0.0.1:1"))
    failed = lab.sso("wordpress")
    assert failed.code == 1
    log = sorted((lab.folder / "log/integrations").glob("*.jsonl"))[-1].read_text()
    written = [json.loads(line)["resource"] for line in log.splitlines() if json.loads(line)["event"] == "write"]
    assert "login settings" in written
    assert "password login" not in written
