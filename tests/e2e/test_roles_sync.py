"""`agencystack roles sync`: Keycloak's groups decide who is who in a product whose login gives no roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab import Outcome
from tests.e2e.sso_lab import REALM, SsoLab

pytestmark = pytest.mark.real

CAMPAIGNS = "Campaigns"


@pytest.fixture
def lab(sso: SsoLab) -> Iterator[SsoLab]:
    """A Listmonk with a role that staff has by its group, and its login applied."""
    roles = {role["name"] for role in sso.listmonk("GET", "roles/users")["data"]}
    if CAMPAIGNS not in roles:
        sso.listmonk("POST", "roles/users", {"name": CAMPAIGNS, "permissions": ["campaigns:get"]})

    def give(stack: Any) -> None:
        stack["clients"]["acme"]["groups"]["staff"]["listmonk"] = [CAMPAIGNS]

    sso.edit(give)
    assert sso.sso("listmonk").statuses() == {"listmonk": "applied"}
    yield sso
    sso.remove_people()
    sync(sso)
    sso.sso("listmonk", command="undo")
    sso.edit(lambda stack: stack["clients"]["acme"]["groups"]["staff"].pop("listmonk"))


def sync(lab: SsoLab, *more: str) -> Outcome:
    return lab.run("roles", "sync", "--component", "listmonk", "--auto", "--json", *more)


def people(lab: SsoLab) -> dict[str, str]:
    """The roles in Listmonk by e-mail address, of all who are people."""
    users = lab.listmonk("GET", "users")["data"]
    return {user["email"]: user["user_role"]["name"] for user in users if user["type"] == "user"}


def test_who_comes_into_a_group_gets_the_role_and_who_leaves_loses_it(lab: SsoLab) -> None:
    before = people(lab)
    anna = lab.person("anna", "/acme/staff")
    shown = sync(lab, "--dry-run")
    [change] = shown.json["changes"]
    assert (shown.code, change["person"], change["add"], change["done"]) == (
        3, "anna@acme.example", [CAMPAIGNS], False,
    )  # fmt: skip
    assert people(lab) == before
    done = sync(lab)
    assert (done.code, [one["done"] for one in done.json["changes"]]) == (0, [True])
    assert people(lab) == {**before, "anna@acme.example": CAMPAIGNS}
    assert sync(lab).json["changes"] == []
    lab.keycloak("DELETE", f"/{REALM}/users/{anna}/groups/{lab.group_id('/acme/staff')}")
    [taken] = sync(lab).json["changes"]
    assert (taken["add"], taken["remove"], taken["done"]) == ([], [CAMPAIGNS], True)
    assert people(lab) == before


def test_an_address_nobody_verified_gets_nothing_and_is_told(lab: SsoLab) -> None:
    lab.person("mallory", "/acme/staff", verified=False)
    done = sync(lab)
    assert done.json["changes"] == []
    assert any("mallory" in note and "not verified" in note for note in done.json["notes"])
    assert "mallory@acme.example" not in people(lab)


def test_whom_a_person_gave_the_role_by_hand_is_left_and_told(lab: SsoLab) -> None:
    role = next(one["id"] for one in lab.listmonk("GET", "roles/users")["data"] if one["name"] == CAMPAIGNS)
    byhand = {
        "type": "user", "username": "berta", "email": "berta@elsewhere.example", "name": "Berta", "status": "enabled",
        "password_login": False, "user_role_id": role, "list_role_id": None,
    }  # fmt: skip
    made = lab.listmonk("POST", "users", byhand)["data"]
    done = sync(lab)
    assert done.json["changes"] == []
    assert any("berta@elsewhere.example" in note and "not in Keycloak" in note for note in done.json["notes"])
    assert people(lab)["berta@elsewhere.example"] == CAMPAIGNS
    lab.listmonk("DELETE", f"users/{made['id']}")


def test_the_password_login_of_the_super_admin_stays(lab: SsoLab) -> None:
    admins = [email for email, role in people(lab).items() if role == "Super Admin"]
    name, _, domain = admins[0].partition("@")
    lab.person(name, "/acme/staff", email=f"{name}@{domain}")
    done = sync(lab)
    assert done.json["changes"] == []
    assert any("way back in" in note for note in done.json["notes"])
    assert people(lab)[admins[0]] == "Super Admin"
