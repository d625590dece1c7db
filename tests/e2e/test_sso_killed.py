"""A run that is killed between Keycloak and the application leaves nothing that the next run does not set right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.executors import executor_for
from tests.contract.wordpress_browsers import make_user
from tests.contract.wordpress_sites import Site
from tests.e2e.sso_lab import REALM, SsoLab

pytestmark = pytest.mark.real

MOMENTS = (
    '"resource": "group /acme/staff"',
    '"resource": "client acme-wordpress"',
    '"resource": "roles of acme-wordpress"',
    '"resource": "login settings"',
    '"event": "proof"',
)


@pytest.fixture
def lab(sso: SsoLab) -> Iterator[SsoLab]:
    """A realm of a person's own, in which nothing of ours is."""
    sso.sso("wordpress", "erpnext", command="undo")
    sso.keycloak("POST", "", {"realm": REALM, "enabled": True, "verifyEmail": True})
    yield sso
    sso.sso("wordpress", command="undo")
    sso.keycloak("DELETE", f"/{REALM}")


def kill_at(lab: SsoLab, moment: str) -> None:
    """Start a run for WordPress's login and kill it at a moment."""
    lab.kill_at(moment, "integrate", "sso", "--component", "wordpress", "--auto", "--json")


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_run_ends_what_was_begun_and_undo_still_gives_everything_back(lab: SsoLab, moment: str) -> None:
    before = realm_of(lab)
    kill_at(lab, moment)
    done = lab.sso("wordpress")
    assert done.statuses() == {"wordpress": "applied"}, done.out
    assert lab.sso("wordpress").json["changes"] == 0
    undone = lab.sso("wordpress", command="undo")
    assert undone.code == 0, undone.out
    assert realm_of(lab) == before


def test_a_run_killed_in_its_proof_is_taken_back_by_the_next_one_whose_proof_fails(lab: SsoLab) -> None:
    before = realm_of(lab)
    kill_at(lab, '"event": "proof"')
    # Not a setting of the application: nothing differs from what is wanted, and still nobody gets in.
    lab.change_client("acme-wordpress", authenticationFlowBindingOverrides={"browser": direct_grant(lab)})
    failed = lab.sso("wordpress")
    assert failed.code == 1, failed.out
    assert failed.reason("wordpress").endswith("what was changed is taken back")
    assert realm_of(lab) == before
    assert lab.sso("wordpress", command="status").statuses() == {"wordpress": "pending"}


def test_the_account_a_killed_proof_made_in_wordpress_is_shown_and_swept_when_its_time_is_over(lab: SsoLab) -> None:
    if (lab.folder / "sandbox/data/wordpress/acme/store.json").is_file():
        pytest.skip("the sandbox's WordPress is a stand-in")
    assert lab.sso("wordpress").statuses() == {"wordpress": "applied"}
    path = lab.folder / "sandbox/data/wordpress/acme/site"
    executor = executor_for(ComponentRef("acme", "wordpress"), Exec(local=True, path=str(path)))
    for name in ("agencystack-probe-1700000000-dead", "agencystack-probed-by-hand"):
        make_user(Site(path, lab.url("wordpress"), executor), name, "editor")
    planned = lab.sso("wordpress", command="plan")
    assert planned.changed("wordpress") == {"acme/wordpress: expired probe users": ["left"]}
    done = lab.sso("wordpress")
    assert (done.statuses(), done.json["changes"]) == ({"wordpress": "applied"}, 1), done.out
    assert lab.sso("wordpress").json["changes"] == 0


def direct_grant(lab: SsoLab) -> str:
    """Return the id of a flow that shows no form."""
    flows = lab.keycloak("GET", f"/{REALM}/authentication/flows")
    return str(next(flow["id"] for flow in flows if flow["alias"] == "direct grant"))


def realm_of(lab: SsoLab) -> dict[str, Any]:
    """Return what undo must give back: clients, groups and people, by name."""
    clients = sorted(client["clientId"] for client in lab.keycloak("GET", f"/{REALM}/clients"))
    groups = sorted(group["name"] for group in lab.keycloak("GET", f"/{REALM}/groups"))
    people = [name for name in names(lab) if not name.startswith("agencystack-probe-")]
    return {"clients": clients, "groups": groups, "people": people}


def names(lab: SsoLab) -> list[str]:
    return sorted(user["username"] for user in lab.keycloak("GET", f"/{REALM}/users?max=100"))
