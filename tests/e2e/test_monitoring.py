"""Everything is watched by one command, proven, and given back: with a real Loki and a real Alloy."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from agencystack.sandbox.alloy import real_alloy
from agencystack.sandbox.plan import SandboxFolder
from tests.e2e.lab import Lab, Outcome

pytestmark = pytest.mark.real

APPLICATIONS = {"alloy", "chatwoot", "erpnext", "grafana", "listmonk", "loki", "mailu", "uptime-kuma", "wordpress"}
MOMENTS = (
    '"resource": "configuration file agencystack-acme-erpnext.alloy"',
    '"resource": "data source AgencyStack Loki"',
    '"resource": "dashboard as-acme-erpnext"',
    '"resource": "alert rules of acme/erpnext"',
    '"resource": "check acme/erpnext/front"',
    '"event": "proof"',
)


HUNG = "did not answer POST /-/reload"


def run(lab: Lab, command: str, *more: str) -> Outcome:
    """Run a command for monitoring; it must not ask anything."""
    auto = () if command in {"plan", "verify", "status"} else ("--auto",)
    words = (command, "monitoring", *auto, "--json", *more)
    done = lab.run(*words)
    if HUNG not in done.out + done.err:
        return done
    # As its operator does: Alloy 1.0.0 stops a tailer while it waits for the pipeline it is stopping, for ever.
    warnings.warn("Alloy hung while it read its configuration anew, and was restarted", stacklevel=2)
    alloy = real_alloy(SandboxFolder(lab.folder), lab.ports)
    alloy.stop()
    alloy.start()
    return lab.run(*words)


def planned(lab: Lab) -> dict[str, Any]:
    """Return what would be changed, by application."""
    results = run(lab, "plan").json["results"]
    return {line["component"]: (line["status"], line["changes"]) for line in results}


@pytest.fixture
def lab(watched: Lab) -> Iterator[Lab]:
    yield watched
    undone = run(watched, "undo")
    assert undone.code == 0, undone.out


def test_all_is_applied_and_proven_and_a_second_run_changes_nothing(lab: Lab) -> None:
    before = planned(lab)
    done = run(lab, "integrate")
    assert done.code == 0, done.out
    assert done.json["changes"] > 0
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied")
    assert run(lab, "integrate").json["changes"] == 0
    assert run(lab, "undo").code == 0
    assert planned(lab) == before


def test_every_proof_says_what_it_saw(lab: Lab) -> None:
    run(lab, "integrate")
    proofs = run(lab, "verify").json["proofs"]
    assert {proof["component"] for proof in proofs} == APPLICATIONS
    assert [proof for proof in proofs if not proof["ok"]] == []
    found = {p["component"]: p["evidence"] for p in proofs if p["name"] == "a unique event is found in the log store"}
    assert found.keys() >= {"erpnext", "mailu", "wordpress"}
    for component, seen in found.items():
        owner = "shared" if component == "mailu" else "acme"
        assert (seen["labels"]["client"], seen["labels"]["component"]) == (owner, component)
        assert seen["seconds"] < 30
    names = {(proof["component"], proof["name"]) for proof in proofs}
    assert ("wordpress", "a PHP fatal with a trace is one entry") in names
    for name in ("every panel's query answers", "each alert rule evaluates", "a test alert is delivered by mail"):
        assert ("wordpress", name) in names
    assert [user["email"] for user in lab.mailu("GET", "/user") if "probe" in user["email"]] == []


def test_a_value_edited_by_hand_is_named_alone_and_mended(lab: Lab) -> None:
    run(lab, "integrate")
    file = lab.folder / "sandbox/data/alloy/config.d/agencystack-acme-erpnext.alloy"
    ours = file.read_text()
    file.write_text(ours + "\n// a person was here\n")
    assert run(lab, "status").statuses()["erpnext"] == "drifted"
    assert run(lab, "plan").code == 3
    assert "configuration file agencystack-acme-erpnext.alloy" in json.dumps(run(lab, "plan").changed("erpnext"))
    assert run(lab, "integrate").statuses()["erpnext"] == "applied"
    assert file.read_text() == ours


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_is_ended_by_the_next_and_nothing_is_doubled(lab: Lab, moment: str) -> None:
    before = planned(lab)
    lab.kill_at(moment, "integrate", "monitoring", "--component", "erpnext", "--auto", "--json")
    done = run(lab, "integrate", "--component", "erpnext")
    assert done.statuses() == {"erpnext": "applied"}, done.out
    assert run(lab, "integrate", "--component", "erpnext").json["changes"] == 0
    assert run(lab, "undo").code == 0
    assert planned(lab) == before


def add_globex(stack: Any) -> None:
    """Write a second client that has nothing but what all share."""
    watched = dict(stack["clients"]["acme"]["integrations"]["monitoring"])
    stack["clients"]["globex"] = {"domain": "globex.example", "integrations": {"monitoring": watched}}


def test_a_client_that_goes_takes_what_is_its_own_and_nothing_else(lab: Lab) -> None:
    run(lab, "integrate")
    folder = lab.folder / "sandbox/data/alloy/config.d"
    assert any("acme" in path.name for path in folder.iterdir())
    lab.edit(add_globex)
    mine = run(lab, "integrate", "--client", "globex")
    assert mine.code == 0, mine.out
    undone = run(lab, "undo", "--client", "acme")
    assert undone.code == 0, undone.out
    left = sorted(path.name for path in folder.iterdir())
    assert not [name for name in left if "acme" in name]
    assert "agencystack-shared-mailu.alloy" in left
    assert set(run(lab, "status", "--client", "globex").statuses().values()) == {"applied"}
    lab.edit(lambda stack: stack["clients"].pop("globex") and None)
