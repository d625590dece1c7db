"""Run a fleet for a while: people work, workers are killed, and then all must be right."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.entities.catalogue import ENTITIES
from agencystack.bridge.serving.connecting import connect
from agencystack.bridge.store import Store
from agencystack.stack.sharing import Sharing
from tests.bridge.fleet.judge import wrong
from tests.bridge.fleet.people import People
from tests.bridge.fleet.products import SHARING, Products
from tests.bridge.fleet.workers import Installation, kill, unrest

SERVE, WORKER = ("serve",), ("bridge", "worker")


@dataclass(frozen=True)
class Course:
    """How a run goes.

    Args:
        seconds: people work for so long.
        workers: processes; the first takes the products' calls.
        kills: how many of them are killed meanwhile, at even intervals.
        pairings: clients.
        pause: seconds between two acts of one client's people.
        rest: seconds within which all must have come to rest afterwards.
    """

    seconds: float
    workers: int
    kills: int
    pairings: int = 2
    pause: float = 0.2
    rest: float = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        wrong: what does not hold, in words.
        acts: what people did.
        kills: workers that were killed.
        writes: calls of the bridge that wrote.
        rested: seconds after the last act until all was at rest.
    """

    wrong: list[str]
    acts: int
    kills: int
    writes: int
    rested: float


def run(folder: Path, database: str, course: Course, seed: int, say: Callable[[str], None] = print) -> Outcome:
    """Run a fleet, and judge what it leaves."""
    chance = random.Random(seed)
    url = ""
    clients = [Products(f"client{number}", lambda: url) for number in range(course.pairings)]
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client.serving())
        installation = Installation(folder, clients, database)
        url = installation.url
        fleet = _Fleet(installation, course.workers)
        stack.callback(fleet.end)
        people = [People(client, seed + number) for number, client in enumerate(clients)]
        _work(course, chance, people, fleet, say)
        store = Store.open(installation.place.store_url)
        stack.callback(store.close)
        began = time.monotonic()
        found = _rest(store, clients, began + course.rest, fleet)
        rested = time.monotonic() - began
        for client, one in zip(clients, people, strict=True):
            connection = connect(client.pairing, client.accesses(), Sharing.model_validate(SHARING))
            stack.callback(connection.close)
            bridge = Bridge(store, client.pairing, connection.sides, ENTITIES, Sharing.model_validate(SHARING))
            found += wrong(client, one, bridge)
        writes = sum(len(client.applied) for client in clients)
        return Outcome(found, sum(one.done for one in people), fleet.kills, writes, rested)


class _Fleet:
    """Worker processes; one that ends by itself is a failure."""

    def __init__(self, installation: Installation, count: int) -> None:
        self._installation = installation
        self.kills = 0
        self._processes = [self._start(number) for number in range(count)]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        words = (*SERVE, "--places", "2") if number == 0 else WORKER
        return self._installation.start(*words, name=f"worker{number}")

    def kill(self, chance: random.Random) -> int:
        """Kill one, and start another in its place."""
        number = chance.randrange(len(self._processes))
        kill(self._processes[number])
        self._processes[number] = self._start(number)
        self.kills += 1
        return number

    def check(self) -> None:
        """Make sure that all run."""
        for number, process in enumerate(self._processes):
            assert process.poll() is None, f"worker {number} ended:\n{self._installation.log()[-3000:]}"

    def end(self) -> None:
        """End all, as systemd does."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)


def _work(
    course: Course, chance: random.Random, people: Sequence[People], fleet: _Fleet, say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    interval = course.seconds / (course.kills + 1)
    while (passed := time.monotonic() - began) < course.seconds:
        for one in people:
            one.act()
        fleet.check()
        if fleet.kills < course.kills and passed > interval * (fleet.kills + 1):
            number = fleet.kill(chance)
            say(f"{passed:.0f} s: killed worker {number}; {sum(one.done for one in people)} acts so far")
        time.sleep(course.pause * (0.5 + chance.random()))


def _rest(store: Store, clients: Sequence[Products], until: float, fleet: _Fleet) -> list[str]:
    """Wait until nothing is to be done; returns what still is when the patience ends."""
    while left := [
        f"I5: {one.pairing} does not come to rest: {what}" for one in clients if (what := unrest(store, one))
    ]:
        fleet.check()
        if time.monotonic() > until:
            return left
        time.sleep(0.2)
    return []
