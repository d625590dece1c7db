"""Two clients in one realm: neither sees the other's groups, and what changes for one is nothing to the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agencystack.sandbox import keycloak_program
from tests.e2e.sso_lab import REALM, SsoLab, sso_lab

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def lab() -> Iterator[SsoLab]:
    obstacle = keycloak_program.obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    with sso_lab(clients=2) as made:
        done = made.sso("wordpress", "erpnext")
        assert {line["status"] for line in done.json["results"]} == {"applied"}, done.out
        yield made


def test_each_client_has_groups_and_clients_of_its_own(lab: SsoLab) -> None:
    groups = {group["name"] for group in lab.keycloak("GET", f"/{REALM}/groups")}
    assert {"client-1", "client-2"} <= groups
    clients = {client["clientId"] for client in lab.keycloak("GET", f"/{REALM}/clients")}
    assert {f"client-{n}-{name}" for n in (1, 2) for name in ("wordpress", "erpnext")} <= clients


def test_another_domain_of_one_client_changes_its_logins_alone(lab: SsoLab) -> None:
    def move(stack: Any, domain: str) -> None:
        stack["clients"]["client-1"]["domain"] = domain

    lab.edit(lambda stack: move(stack, "moved.example"))
    try:
        planned = lab.sso("wordpress", "erpnext", command="plan").json
        changing = {(line["client"], line["component"]) for line in planned["results"] if line["changes"]}
        assert changing == {("client-1", "wordpress"), ("client-1", "erpnext")}
    finally:
        lab.edit(lambda stack: move(stack, "client-1.example"))
    assert lab.sso("wordpress", "erpnext", command="plan").json["changes"] == 0


def test_undo_for_one_client_leaves_the_other_and_the_realm(lab: SsoLab) -> None:
    undone = lab.sso("wordpress", "erpnext", command="undo", more=("--client", "client-1"))
    assert undone.code == 0, undone.out
    clients = {client["clientId"] for client in lab.keycloak("GET", f"/{REALM}/clients")}
    assert "client-2-wordpress" in clients
    assert "client-1-wordpress" not in clients
    verified = lab.run("verify", "sso", "--client", "client-2", "--component", "wordpress", "--json")
    assert all(proof["ok"] for proof in verified.json["proofs"])


@pytest.mark.parametrize("login", ["miniorange", "openid-connect-generic"])
def test_a_plugin_that_carries_the_login_is_told_proven_and_undone(lab: SsoLab, login: str) -> None:
    one = ("--client", "client-2")
    lab.sso("wordpress", command="undo", more=one)
    lab.edit(lambda stack: stack["clients"]["client-2"]["components"]["wordpress"].update(login=login))
    try:
        planned = lab.sso("wordpress", command="plan", more=one).changed("wordpress")
        done = lab.sso("wordpress", more=one)
        assert done.statuses() == {"wordpress": "applied"}, done.out
        assert f"client-2/wordpress: login plugin {login}" in done.changed("wordpress")
        assert lab.sso("wordpress", more=one).json["changes"] == 0
        assert lab.sso("wordpress", command="undo", more=one).code == 0
        assert lab.sso("wordpress", command="plan", more=one).changed("wordpress") == planned
    finally:
        lab.edit(lambda stack: stack["clients"]["client-2"]["components"]["wordpress"].pop("login"))
