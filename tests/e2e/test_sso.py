"""One login for every application, on a real Keycloak: applied, proven, broken by hand, healed, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.sso_lab import REALM, SsoLab

pytestmark = pytest.mark.real

ROLES = "people log in with the roles of their groups"
APPLIED = {"wordpress": "applied", "erpnext": "applied"}


@pytest.fixture
def lab(sso: SsoLab) -> SsoLab:
    return sso


@pytest.fixture
def applied(lab: SsoLab) -> SsoLab:
    """WordPress and ERPNext applied and proven, whatever the test before left."""
    done = lab.sso("wordpress", "erpnext")
    assert (done.code, done.statuses()) == (0, APPLIED), done.out
    return lab


def test_a_realm_of_a_persons_own_is_after_undo_what_it_was(lab: SsoLab) -> None:
    lab.keycloak("POST", "", {"realm": REALM, "enabled": True, "verifyEmail": True})
    lab.keycloak("POST", f"/{REALM}/groups", {"name": "acme"})
    lab.keycloak("POST", f"/{REALM}/clients", {"clientId": "somebody-elses", "redirectUris": ["http://other/*"]})
    try:
        before = lab.export()
        assert lab.sso("wordpress", "erpnext").statuses() == APPLIED
        assert lab.export() != before
        undone = lab.sso("wordpress", "erpnext", command="undo")
        assert undone.code == 0, undone.out
        assert _comparable(lab.export()) == _comparable(before)
    finally:
        lab.keycloak("DELETE", f"/{REALM}")


def test_integrate_applies_and_proves_and_a_second_run_changes_nothing(lab: SsoLab) -> None:
    first = lab.sso("wordpress", "erpnext")
    assert first.statuses() == APPLIED, first.out
    assert first.json["changes"] > 0
    settled = lab.export()
    second = lab.sso("wordpress", "erpnext")
    assert (second.code, second.json["changes"], second.statuses()) == (0, 0, APPLIED)
    assert lab.export() == settled


def test_verify_names_user_role_and_the_applications_answer(applied: SsoLab) -> None:
    done = applied.sso("wordpress", "erpnext", command="verify")
    assert done.code == 0, done.out
    proofs = done.json["proofs"]
    assert {proof["component"] for proof in proofs} == set(APPLIED)
    assert all(proof["ok"] for proof in proofs)
    for application, role in {"wordpress": "editor", "erpnext": "Sales User"}.items():
        seen = next(p["evidence"] for p in proofs if (p["component"], p["name"]) == (application, ROLES))
        staff = seen["/acme/staff"]
        assert staff["roles"] == [role]
        assert staff["email"].startswith("agencystack-probe-")
        assert staff["way"]
        assert seen["not tried, as they rule the application"] == ["/acme/owners"]
    assert applied.probes() == []


def _disabled(lab: SsoLab) -> None:
    lab.change_client("acme-wordpress", enabled=False)


def _new_secret(lab: SsoLab) -> None:
    lab.keycloak("POST", f"/{REALM}/clients/{lab.client_of('acme-wordpress')['id']}/client-secret")


def _no_mapper(lab: SsoLab) -> None:
    client = lab.client_of("acme-wordpress")
    mapper = next(m for m in client["protocolMappers"] if m["name"] == "roles")
    lab.keycloak("DELETE", f"/{REALM}/clients/{client['id']}/protocol-mappers/models/{mapper['id']}")


def _no_role(lab: SsoLab) -> None:
    lab.take_role("/acme/staff", "acme-wordpress", "editor")


def _no_redirect(lab: SsoLab) -> None:
    lab.change_client("acme-wordpress", redirectUris=[])


BROKEN: list[tuple[Callable[[SsoLab], None], str]] = [
    (_disabled, "Client disabled"),
    (_new_secret, "unauthorized_client"),
    (_no_mapper, "no role on this site"),
    (_no_role, "no role on this site"),
    (_no_redirect, "redirect_uri"),
]


@pytest.mark.parametrize(("damage", "cause"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_world_broken_by_hand_fails_its_proof_and_is_healed(
    applied: SsoLab, damage: Callable[[SsoLab], None], cause: str
) -> None:
    damage(applied)
    proof = applied.proof("wordpress", ROLES)
    assert proof["ok"] is False
    assert cause.lower() in proof["reason"].lower()
    # Another secret is another wish: Keycloak's, which the application does not have yet.
    noticed = "pending" if damage is _new_secret else "drifted"
    assert applied.sso("wordpress", command="status").statuses() == {"wordpress": noticed}
    healed = applied.sso("wordpress")
    assert healed.statuses() == {"wordpress": "applied"}, healed.out
    assert healed.json["changes"] > 0
    assert applied.proof("wordpress", ROLES)["ok"] is True


def test_where_the_application_cannot_reach_keycloak_everything_is_taken_back(lab: SsoLab) -> None:
    lab.sso("wordpress", "erpnext", command="undo")

    def inside(stack: Any) -> None:
        stack["shared"]["components"]["keycloak"]["internal_url"] = "http://127.0.0.1:1"

    def back(stack: Any) -> None:
        stack["shared"]["components"]["keycloak"]["internal_url"] = f"http://127.0.0.1:{lab.ports['keycloak']}"

    lab.edit(inside)
    try:
        failed = lab.sso("wordpress")
    finally:
        lab.edit(back)
    assert failed.code == 1
    assert "the application did not let" in failed.reason("wordpress")
    assert "Couldn't connect to server" in failed.reason("wordpress")
    assert failed.reason("wordpress").endswith("what was changed is taken back")
    assert lab.sso("wordpress", command="status").statuses() == {"wordpress": "pending"}


def test_a_client_of_a_persons_blocks_until_it_may_be_adopted_and_keeps_what_they_set(lab: SsoLab) -> None:
    lab.sso("wordpress", "erpnext", command="undo")
    lab.keycloak("POST", "", {"realm": REALM, "enabled": True, "verifyEmail": True})
    theirs = {"clientId": "acme-wordpress", "description": "ours since 2019", "attributes": {"theirs": "yes"}}
    lab.keycloak("POST", f"/{REALM}/clients", theirs)
    try:
        blocked = lab.sso("wordpress")
        assert blocked.statuses() == {"wordpress": "blocked"}
        assert "acme-wordpress exists" in blocked.reason("wordpress")

        def adopt(stack: Any) -> None:
            stack["clients"]["acme"]["integrations"] = {"sso": {"wordpress": {"adopt": True}}}

        lab.edit(adopt)
        assert lab.sso("wordpress").statuses() == {"wordpress": "applied"}
        live = lab.client_of("acme-wordpress")
        assert (live["description"], live["attributes"]["theirs"]) == ("ours since 2019", "yes")
        lab.sso("wordpress", command="undo")
        live = lab.client_of("acme-wordpress")
        assert (live["description"], live["attributes"]["theirs"]) == ("ours since 2019", "yes")
        assert "agencystack.owner" not in live["attributes"]
    finally:
        lab.edit(lambda stack: stack["clients"]["acme"].pop("integrations", None))
        lab.keycloak("DELETE", f"/{REALM}")


def test_keycloak_down_is_unreachable_and_nothing_is_taken_for_absent(applied: SsoLab) -> None:
    def elsewhere(stack: Any) -> None:
        stack["shared"]["components"]["keycloak"]["api_url"] = "http://127.0.0.1:1"

    applied.edit(elsewhere)
    try:
        done = applied.sso("wordpress")
        assert done.code == 4
        assert done.statuses() == {"wordpress": "blocked"}
        assert "cannot be reached" in done.reason("wordpress")
    finally:
        applied.edit(lambda stack: stack["shared"]["components"]["keycloak"].pop("api_url"))


def test_a_rotated_secret_is_new_on_both_sides_and_the_old_one_is_worth_nothing(applied: SsoLab) -> None:
    before = applied.client_of("acme-wordpress")["secret"]
    done = applied.run("rotate", "sso", "--component", "wordpress", "--auto", "--json")
    assert (done.code, done.statuses()) == (0, {"wordpress": "applied"}), done.out
    after = applied.client_of("acme-wordpress")["secret"]
    assert after != before
    assert applied.sso("wordpress").json["changes"] == 0
    everything = (
        done.out
        + done.err
        + "".join(path.read_text(errors="replace") for path in applied.folder.glob("log/**/*") if path.is_file())
    )
    assert before not in everything
    assert after not in everything


def test_a_rotation_whose_proof_fails_goes_back_and_is_over(applied: SsoLab) -> None:
    before = applied.client_of("acme-wordpress")["secret"]
    inside = f"http://127.0.0.1:{applied.ports['keycloak']}"
    applied.edit(lambda stack: stack["shared"]["components"]["keycloak"].update(internal_url="http://127.0.0.1:1"))
    try:
        failed = applied.run("rotate", "sso", "--component", "wordpress", "--auto", "--json")
    finally:
        applied.edit(lambda stack: stack["shared"]["components"]["keycloak"].update(internal_url=inside))
    assert failed.code == 1, failed.out
    assert applied.client_of("acme-wordpress")["secret"] == before
    assert applied.sso("wordpress").json["changes"] == 0
    _new_secret(applied)
    by_hand = applied.client_of("acme-wordpress")["secret"]
    assert applied.sso("wordpress").statuses() == {"wordpress": "applied"}
    assert applied.client_of("acme-wordpress")["secret"] == by_hand, "nothing of the rotation is wished for any more"


def test_what_a_proof_that_died_left_is_swept_and_shown(applied: SsoLab) -> None:
    left = {"username": "agencystack-probe-1700000000-dead", "enabled": True}
    applied.keycloak("POST", f"/{REALM}/users", left)
    person = {"username": "agencystack-probed-by-hand", "enabled": True}
    applied.keycloak("POST", f"/{REALM}/users", person)
    planned = applied.sso("wordpress", command="plan")
    assert planned.changed("wordpress") == {"shared/keycloak: expired probe users of realm agencystack": ["left"]}
    assert applied.sso("wordpress").statuses() == {"wordpress": "applied"}
    names = [user["username"] for user in applied.keycloak("GET", f"/{REALM}/users")]
    assert names == ["agencystack-probed-by-hand"]
    [user] = applied.keycloak("GET", f"/{REALM}/users")
    applied.keycloak("DELETE", f"/{REALM}/users/{user['id']}")


def test_a_realm_with_people_in_it_is_not_deleted_by_undo(applied: SsoLab) -> None:
    applied.keycloak("POST", f"/{REALM}/users", {"username": "anna", "enabled": True})
    undone = applied.sso("wordpress", "erpnext", command="undo")
    assert undone.code == 0, undone.out
    assert "1 people" in undone.out
    [user] = applied.keycloak("GET", f"/{REALM}/users")
    assert user["username"] == "anna"
    applied.keycloak("DELETE", f"/{REALM}")


def _comparable(exported: dict[str, Any]) -> dict[str, Any]:
    """Return an export without the order of what Keycloak lists in any."""
    text = dict(exported)
    for name in ("clients", "groups", "roles"):
        if isinstance(text.get(name), list):
            text[name] = sorted(text[name], key=str)
    return text
