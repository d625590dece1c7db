"""Durable dispatch: what is due is worked off, retried, and picked up from a worker that died."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dbos import DBOS

from agencystack.bridge.serving import dispatch
from agencystack.bridge.serving.dispatch import MOST_BATCHES, Dispatcher, Engine
from agencystack.stack.errors import ComponentRef, Unavailable


class Desk:
    """Has so many batches for each pairing; some fail first."""

    def __init__(self, batches: dict[str, int], down: int = 0) -> None:
        self.left, self.down = Counter(batches), down
        self.drained: Counter[str] = Counter()
        self.reconciled: Counter[str] = Counter()
        self.pruned: Counter[str] = Counter()

    def pairings(self) -> list[str]:
        return list(self.left)

    def drain(self, pairing: str) -> bool:
        if self.down:
            self.down -= 1
            raise Unavailable("does not answer", component=ComponentRef(pairing, "erpnext"))
        self.drained[pairing] += 1
        self.left[pairing] -= 1
        return self.left[pairing] > 0

    def reconcile(self, pairing: str) -> None:
        self.reconciled[pairing] += 1

    def prune(self, pairing: str) -> None:
        self.pruned[pairing] += 1


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/dispatch.sqlite"


@pytest.fixture
def stopped() -> Iterator[list[Dispatcher]]:
    made: list[Dispatcher] = []
    yield made
    for dispatcher in made:
        dispatcher.stop(patience=60)


def started(desk: Desk, url: str, made: list[Dispatcher], executor: str = "one") -> Dispatcher:
    dispatcher = Dispatcher(desk, Engine(url, executor, "1"))
    made.append(dispatcher)
    dispatcher.start()
    return dispatcher


def test_a_burst_goes_on_until_nothing_is_due(url: str, stopped: list[Dispatcher]) -> None:
    desk = Desk({"acme": 3, "bell": 1})
    dispatcher = started(desk, url, stopped)
    assert dispatcher.drain("acme") == 3
    assert desk.drained == {"acme": 3}


def test_a_side_that_is_away_for_a_moment_is_tried_again(url: str, stopped: list[Dispatcher]) -> None:
    desk = Desk({"acme": 1}, down=1)
    assert started(desk, url, stopped).drain("acme") == 1
    assert desk.drained == {"acme": 1}


def test_every_pairing_is_reconciled_once_a_night(url: str, stopped: list[Dispatcher]) -> None:
    desk = Desk({"acme": 0, "bell": 0})
    started(desk, url, stopped)
    DBOS.trigger_schedule("reconcile").get_result()
    comparisons = DBOS.list_workflows(name="bridge.reconcile")
    for workflow in comparisons:
        DBOS.retrieve_workflow(workflow.workflow_id).get_result()
    assert len(comparisons) == 2
    assert desk.reconciled == desk.pruned == {"acme": 1, "bell": 1}


DIES = """
import os, sys
from agencystack.bridge.serving.dispatch import Dispatcher, Engine

class Desk:
    def pairings(self): return ["acme"]
    def reconcile(self, pairing): pass
    def prune(self, pairing): pass
    def drain(self, pairing): os._exit(9)

dispatcher = Dispatcher(Desk(), Engine(sys.argv[1], "dead", "1"))
dispatcher.start()
dispatcher.drain("acme")
"""


def test_what_a_dead_worker_left_is_continued_by_another(url: str, stopped: list[Dispatcher]) -> None:
    died = subprocess.run([sys.executable, "-c", DIES, url], check=False, timeout=60, capture_output=True)
    assert died.returncode == 9, died.stderr.decode()
    desk = Desk({"acme": 2})
    dispatcher = started(desk, url, stopped, executor="alive")
    assert dispatcher.recover("dead") == 1
    for workflow in DBOS.list_workflows(name="bridge.burst"):
        assert DBOS.retrieve_workflow(workflow.workflow_id).get_result() == 2
    assert desk.drained == {"acme": 2}


def test_the_nightly_clear_forgets_what_ended_long_ago_and_what_nobody_will_continue(
    url: str, stopped: list[Dispatcher]
) -> None:
    subprocess.run([sys.executable, "-c", DIES, url], check=False, timeout=60, capture_output=True)
    desk = Desk({"acme": 700})
    dispatcher = started(desk, url, stopped)
    for _ in range(3):
        dispatcher.drain("acme")
    now = datetime.now(UTC)
    dispatch._clear((now - timedelta(days=1)).isoformat())
    assert len(DBOS.list_workflows()) == 4, "what is young is kept, to be looked at"
    dispatch._clear((now + timedelta(days=1)).isoformat())
    assert DBOS.list_workflows() == []
    database = sqlite3.connect(url.removeprefix("sqlite:///"))
    tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
    left = {name: database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}
    database.close()
    assert not {name: count for name, count in left.items() if count > 20}, "nothing of a workflow stays behind"
    assert desk.drained == {"acme": 3 * MOST_BATCHES}
