"""Death and Ctrl-C before every lasting effect of a run: the next one converges, nothing is doubled, undo restores."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agencystack.sandbox import api
from tests.e2e.dying import NEVER, Run, Server
from tests.e2e.lab import Lab

PROBE = "agencystack-probe-"
INTERRUPTED = 130


@dataclass
class Bench:
    """One application of a client of its own, driven to its death again and again.

    What is wrong is collected instead of raised, so that one run shows every step that is.
    """

    lab: Lab
    application: str
    server: Server
    before: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)

    def run(self, command: str, at: int = NEVER, number: int = signal.SIGKILL) -> Run:
        arguments = [command, "email", "--auto", "--json", "--client", self.lab.client, "--component", self.application]
        return self.server.run(arguments, self.lab.environment, at=at, signal_number=number)

    def state(self) -> dict[str, Any]:
        """What the products hold, without what belongs to other clients and probes of the dead."""
        domain = f"@{self.lab.stack.clients[self.lab.client].domain}"
        found = self.lab.products()
        for kind in ("users", "tokens", "aliases"):
            mine = [row for row in found[kind] if str(row["email"]).endswith(domain)]
            found[kind] = [row for row in mine if not str(row["email"]).startswith(PROBE)]
        return found

    def expect(self, what: str, good: bool, seen: object = "") -> None:
        if not good:
            self.wrong.append(f"{what}: {seen}")

    def converges(self, step: str) -> None:
        """Run again to the end: applied, one of everything, and then nothing to do."""
        again = self.run("integrate").outcome
        self.expect(f"{step}; integrate", again.code == 0, again)
        ours = self.lab.ours(self.application)
        self.expect(f"{step}; an enabled mailbox", bool(ours["user"] and ours["user"]["enabled"]), ours["user"])
        self.expect(f"{step}; one token", len(ours["tokens"]) == 1, ours["tokens"])
        self.expect(f"{step}; one of ours", self.in_application() == 1, self.in_application())

    def in_application(self) -> int:
        """How many objects of ours the application holds, of those it could hold twice."""
        address = f"{self.application}@{self.lab.stack.clients[self.lab.client].domain}"
        if self.application == "erpnext":
            return sum(account["email_id"] == address for account in self.lab.documents("Email Account"))
        if self.application == "listmonk":
            servers = self.lab.listmonk("GET", "settings")["data"]["smtp"]
            return sum(server["username"] == address for server in servers)
        if self.application == "chatwoot":
            return self.lab.env_file.read_text().count("\nSMTP_PASSWORD=")
        return 1

    def restored(self, step: str) -> None:
        """Undo, and compare with the very first state; what is not restored would spoil every later step."""
        undone = self.run("undo").outcome
        self.expect(f"{step}; undo", undone.code == 0, undone)
        now = self.state()
        different = [part for part, value in self.before.items() if now[part] != value]
        for part in different:
            self.expect(f"{step}; {part}", False, f"{now[part]} instead of {self.before[part]}")
        records = sorted(p.name for p in (self.lab.folder / "integrations/state" / self.lab.client).rglob("*.json"))
        self.expect(f"{step}; no record is left", records == [], records)
        if undone.code or different or records:
            raise AssertionError("\n".join(self.wrong))

    def die_at_each_effect(self, command: str, chosen: Callable[[int, str], bool], number: int) -> None:
        """Let a command die before each of the chosen effects.

        Args:
            command: ``integrate``, or ``undo`` of what was integrated.
            chosen: is given number and description of an effect.
            number: the signal.
        """
        if command == "undo":
            assert self.run("integrate").outcome.code == 0
        effects = self.run(command).effects
        if command == "integrate":
            self.restored("a whole run")
        for at in [n for n, effect in enumerate(effects, 1) if chosen(n, effect)]:
            if command == "undo":
                assert self.run("integrate").outcome.code == 0
            ended = self.run(command, at, number)
            step = f"{self.application}: {command} ended by {signal.Signals(number).name} before {at} {effects[at - 1]}"
            expected = INTERRUPTED if number == signal.SIGINT else -number
            self.expect(step, ended.outcome.code == expected, ended.outcome)
            if command == "integrate" and at % 3 == 0:
                self.restored(f"{step}; undone at once")
            self.converges(step)
            self.restored(step)
            self.steps[command] = self.steps.get(command, 0) + 1


class Clinic:
    """A sandbox with several clients: one application of each dies, all at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.benches: list[Bench] = []

    def bench(self, number: int, application: str) -> Bench:
        """Return the bench of an application of a client."""
        lab = Lab(self.folder / "home", self.folder, f"client-{number}")
        found = Bench(lab, application, Server(self.folder / f"server-{len(self.benches)}"))
        self.benches.append(found)
        found.before = found.state()
        return found


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    folder = Path(tempfile.mkdtemp(prefix="e2e-"))
    folder.chmod(0o755)
    api.up(folder / "home", real="none", clients=5)
    made = Clinic(folder)
    try:
        yield made
    finally:
        for bench in made.benches:
            bench.server.close()
        api.down(folder / "home")
        shutil.rmtree(folder)


def after_mailbox() -> Callable[[int, str], bool]:
    """Choose the effects after the token was issued: those before it are the same for every application."""
    issued = False

    def chosen(_: int, effect: str) -> bool:
        nonlocal issued
        issued = issued or effect == "file mailu-token.sealed"
        return issued

    return chosen


def before_mailbox() -> Callable[[int, str], bool]:
    """Choose the effects of undo before the token is revoked: those after it are the same for every application."""
    revoked = False

    def chosen(_: int, effect: str) -> bool:
        nonlocal revoked
        revoked = revoked or effect.startswith("DELETE /token/")
        return not revoked

    return chosen


def every_second(which: int, of: Callable[[int, str], bool]) -> Callable[[int, str], bool]:
    return lambda number, effect: of(number, effect) and number % 2 == which


def everything(_: int, __: str) -> bool:
    return True


def test_kill_9_before_every_effect(clinic: Clinic):
    plans = [
        (clinic.bench(1, "erpnext"), everything),
        (clinic.bench(2, "listmonk"), after_mailbox()),
        (clinic.bench(3, "chatwoot"), after_mailbox()),
        (clinic.bench(4, "wordpress"), every_second(0, after_mailbox())),
        (clinic.bench(5, "wordpress"), every_second(1, after_mailbox())),
    ]
    with ThreadPoolExecutor(len(plans)) as pool:
        done = [pool.submit(bench.die_at_each_effect, "integrate", chosen, signal.SIGKILL) for bench, chosen in plans]
    for future in done:
        future.result()
    assert [mistake for bench, _ in plans for mistake in bench.wrong] == []
    assert sum(bench.steps["integrate"] for bench, _ in plans) > 50


def test_kill_9_before_every_effect_of_undo(clinic: Clinic):
    plans = [
        (clinic.bench(1, "erpnext"), everything),
        (clinic.bench(2, "listmonk"), before_mailbox()),
        (clinic.bench(3, "chatwoot"), before_mailbox()),
        (clinic.bench(4, "wordpress"), every_second(0, before_mailbox())),
        (clinic.bench(5, "wordpress"), every_second(1, before_mailbox())),
    ]
    with ThreadPoolExecutor(len(plans)) as pool:
        done = [pool.submit(bench.die_at_each_effect, "undo", chosen, signal.SIGKILL) for bench, chosen in plans]
    for future in done:
        future.result()
    assert [mistake for bench, _ in plans for mistake in bench.wrong] == []
    assert sum(bench.steps["undo"] for bench, _ in plans) > 25


def test_ctrl_c_before_every_second_effect(clinic: Clinic):
    bench = clinic.bench(1, "erpnext")
    bench.die_at_each_effect("integrate", every_second(1, everything), signal.SIGINT)
    assert bench.wrong == []
    assert bench.steps["integrate"] > 8


WRITES = [
    ("erpnext", "mailu", "POST", "/user$"),
    ("erpnext", "mailu", "POST", "/token$"),
    ("erpnext", "erpnext", "POST", "resource/Email( |%20)Domain"),
    ("erpnext", "erpnext", "POST", "resource/Email( |%20)Account"),
    ("listmonk", "listmonk", "PUT", "/settings$"),
]


@pytest.mark.parametrize("fault", [{"after_write": True}, {"drop": "after"}, {"drop": "before"}], ids=str)
@pytest.mark.parametrize(("application", "where", "method", "path"), WRITES, ids=lambda value: str(value))
def test_a_write_whose_answer_is_lost(
    clinic: Clinic, application: str, where: str, method: str, path: str, fault: dict[str, Any]
):
    bench = clinic.bench(1, application)
    bench.lab.fault(where, {"method": method, "path": path, **fault})
    failed = bench.run("integrate").outcome
    bench.lab.forgive([where])
    assert failed.code in (1, 4), failed
    ref = "shared/mailu" if where == "mailu" else f"client-1/{where}"
    assert ref in failed.reason(application)
    bench.converges("after a lost answer")
    bench.restored("after a lost answer")
    assert bench.wrong == []
