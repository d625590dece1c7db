"""Two runs at once: one a client, and what all clients share is changed by one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agencystack.engine import locks
from agencystack.engine.locks import Busy, Locks
from agencystack.engine.planning import Status
from agencystack.engine.session import Wish
from tests.engine.fakes import Thing, World, make_integration

HOLDER = """
    import sys
    from pathlib import Path
    from agencystack.engine.locks import Locks

    held = Locks(Path(sys.argv[1]))
    with held.clients(["acme"], "agencystack undo email") if sys.argv[2] == "client" else held.shared("other"):
        print("held", flush=True)
        sys.stdin.readline()
"""


@contextmanager
def another_process(state: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock in another process until it is told to let go, or killed."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(state), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate("\n")


def test_a_second_run_on_a_client_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with another_process(tmp_path, "client") as holder:
        with pytest.raises(Busy) as refused, Locks(tmp_path).clients(["acme"], "agencystack integrate"):
            pytest.fail("two runs held one lock")
        assert f"agencystack undo email, process {holder.pid}, since" in refused.value.message
    with Locks(tmp_path).clients(["acme"], "agencystack integrate"):
        pass


def test_another_client_is_free(tmp_path: Path) -> None:
    with another_process(tmp_path, "client"), Locks(tmp_path).clients(["beta"], "agencystack integrate"):
        assert (tmp_path / "beta" / ".lock.holder").exists()


def test_of_several_clients_none_is_held_when_one_is_busy(tmp_path: Path) -> None:
    with another_process(tmp_path, "client"):
        with pytest.raises(Busy), Locks(tmp_path).clients(["acme", "aaa"], "agencystack integrate"):
            pytest.fail("two runs held one lock")
        with Locks(tmp_path).clients(["aaa"], "agencystack integrate"):
            pass


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    with another_process(tmp_path, "client") as holder:
        holder.kill()
        holder.wait(10)
        with Locks(tmp_path).clients(["acme"], "agencystack integrate"):
            note = json.loads((tmp_path / "acme" / ".lock.holder").read_text())
    assert note["pid"] == os.getpid()


def test_the_shared_part_is_waited_for_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SHARED_WAIT", 0.2)
    with another_process(tmp_path, "shared"):
        with pytest.raises(Busy), Locks(tmp_path).shared("agencystack integrate"):
            pytest.fail("two runs held one lock")
        with Locks(tmp_path).clients(["acme"], "agencystack integrate"):
            pass


def test_a_plan_needs_no_lock(world: World) -> None:
    world.wants(Thing(world.app, "mail", {"a": 1}))
    with another_process(world.home.state_dir, "client"):
        assert world.plan().changes == 1
        with pytest.raises(Busy):
            world.integrate()
    assert world.app.things == {}


def test_two_runs_of_two_clients_share_one_component(two_clients: World) -> None:
    """Each run waits for the other's write, and neither loses what the other recorded."""
    world = two_clients
    inside, most = 0, 0
    meeting = threading.Barrier(2)

    def effect(what: str) -> None:
        nonlocal inside, most
        inside += 1 if what.startswith("before") else -1
        most = max(most, inside)

    world.hub.effect = effect
    world.add(
        make_integration(
            lambda site: [
                Thing(world.hub, "realm", {"name": "agency"}),
                Thing(world.hub, f"user of {site.client}", {"name": site.client}),
                Thing(world.apps[site.client], "mail", {"client": site.client}),
            ]
        )
    )
    statuses: dict[str, Status] = {}

    def run(client: str) -> None:
        with world.session() as opened, opened.locked([client]):
            made = opened.plan(opened.select(Wish(clients=(client,))))
            meeting.wait(10)
            [result] = opened.integrate(made)
            statuses[client] = result.status

    runs = [threading.Thread(target=run, args=(client,)) for client in world.clients]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(30)
    if Status.PENDING in statuses.values():
        # One saw in its plan that the realm is missing and found it made: it says so, and the next run goes on.
        world.integrate()
    assert most == 1
    assert set(world.hub.things) == {"realm", "user of acme", "user of beta"}
    assert {item.status for item in world.plan().integrations} == {Status.APPLIED}
    for client in world.clients:
        world.undo(Wish(clients=(client,)))
    assert world.hub.things == {}
