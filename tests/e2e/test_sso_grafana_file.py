"""A Grafana that only its environment file can tell: people walk in through a real Keycloak, and all is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sso_lab import SsoLab
from tests.grafana_machine import ENV, Machine
from tests.serving import free_port, served

pytestmark = pytest.mark.real

ROLES = "people log in with the roles of their groups"
APPLIED = {"grafana": "applied"}


@pytest.fixture
def grafana(sso: SsoLab, tmp_path: Path) -> Iterator[Machine]:
    """Put an old Grafana in the place of the sandbox's."""
    assert sso.sso("grafana", command="undo").code == 0
    made = Machine(tmp_path / "machine", sso.credential("grafana/admin-password"))
    with served(made) as url:
        made.root_url = url.replace("127.0.0.1", "localhost")
        told = {"exec": {"local": True}, "env_file": str(made.env), "restart": made.restart}
        before: dict[str, Any] = {}

        def replace(stack: Any) -> None:
            components = stack["shared"]["components"]
            before.update(components["grafana"])
            components["grafana"] = {**before, "url": made.root_url, **told}

        def put_back(stack: Any) -> None:
            stack["shared"]["components"]["grafana"] = before

        sso.edit(replace)
        yield made
        sso.sso("grafana", command="undo")
        sso.edit(put_back)


def test_people_walk_in_with_their_role_and_undo_leaves_no_byte(sso: SsoLab, grafana: Machine) -> None:
    first = sso.sso("grafana")
    assert (first.code, first.statuses()) == (0, APPLIED), first.out + first.err
    assert grafana.env.read_text().startswith(ENV)
    second = sso.sso("grafana")
    assert (second.code, second.json["changes"], grafana.starts) == (0, 0, 1)
    agency = sso.proof("grafana", ROLES)["evidence"]["/acme/agency"]
    assert agency["roles"] == ["Editor"]
    assert sso.probes() == []
    undone = sso.sso("grafana", command="undo")
    assert undone.code == 0, undone.out
    assert grafana.env.read_text() == ENV


def test_where_the_proof_fails_the_file_is_what_it_was(sso: SsoLab, grafana: Machine) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    _, keycloak = sso.stack.required_component("acme", "keycloak")

    def reach(stack: Any, address: str) -> None:
        stack["shared"]["components"]["keycloak"]["internal_url"] = address

    sso.edit(lambda stack: reach(stack, nowhere))
    try:
        done = sso.sso("grafana")
    finally:
        sso.edit(lambda stack: reach(stack, keycloak.reached_by_components()))
    assert done.code != 0, done.out
    assert done.statuses() != APPLIED
    assert (grafana.env.read_text(), grafana.starts) == (ENV, 2)
