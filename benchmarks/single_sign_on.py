"""Single sign-on with nothing to change, on a real Keycloak: our command, and Ansible doing the same reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox import keycloak_program
from agencystack.stack.load import load
from agencystack.stack.products import Keycloak
from benchmarks import ansible
from benchmarks.admin_api import AdminApi
from benchmarks.ansible import Checked
from benchmarks.counting import STRAIGHT_ON, counting_proxy
from benchmarks.measured import CannotMeasure, Measured
from benchmarks.playbook import Task, as_written, tasks
from benchmarks.stack import BenchStack, Run, bench_sandbox

REPEATS = 3
TIMES_FASTER = 5
REALM = "agencystack"
CLIENT = "acme"
APPLICATIONS = ("wordpress", "erpnext")
COMMAND = ("integrate", "sso", *(word for name in APPLICATIONS for word in ("--component", name)), "--auto")


@dataclass(frozen=True)
class Found:
    """What the three ways of asking the same Keycloak cost; times in seconds, the best of :data:`REPEATS`.

    Args:
        ours: our command.
        ansible: Ansible's play.
        bare: a login and the GETs our command makes, one after the other, on one connection.
        our_calls: requests of our command to Keycloak.
        ansible_calls: requests of Ansible to Keycloak.
        reads: GETs among ``our_calls`` that need a login.
        tasks: names of Ansible's tasks.
        our_changes: how many changes our command found to be necessary, all runs together.
        ansible_changed: names of Ansible's tasks that found something to change in any run.
        ansible_changed_as_written: the same, where the clients are declared as they were written.
    """

    ours: float
    ansible: float
    bare: float
    our_calls: int
    ansible_calls: int
    reads: int
    tasks: tuple[str, ...]
    our_changes: int
    ansible_changed: frozenset[str]
    ansible_changed_as_written: tuple[str, ...]


def measure() -> Iterator[Measured]:
    """Yield the figures.

    Raises:
        CannotMeasure: there is no Keycloak for the sandbox here, or no Ansible.
    """
    if reason := keycloak_program.obstacle():
        raise CannotMeasure(reason)
    playbook = ansible.installed()
    with bench_sandbox(real=("keycloak",)) as stack:
        stack.apply(*COMMAND)
        with _Bench.on(stack, playbook) as bench:
            yield from _figures(bench.compare())


class _Bench:
    """The ways of asking one Keycloak."""

    def __init__(self, stack: BenchStack, playbook: Path, keycloak: AdminApi, play: Sequence[Task]) -> None:
        self._stack, self._playbook, self._keycloak, self._play = stack, playbook, keycloak, play

    @classmethod
    @contextmanager
    def on(cls, stack: BenchStack, playbook: Path) -> Iterator[_Bench]:
        """Have them for a sandbox in which single sign-on is applied."""
        components = load(stack.home.stack_file).all_components().values()
        [settings] = [component for component in components if isinstance(component, Keycloak)]
        password = (stack.folder / "sandbox/credentials/keycloak/admin-password").read_text().strip()
        with AdminApi(settings.reached_by_us(), password) as keycloak:
            keycloak.login()
            play = tuple(tasks(keycloak, REALM, CLIENT, [f"{CLIENT}-{name}" for name in APPLICATIONS]))
            yield cls(stack, playbook, keycloak, play)

    def compare(self) -> Found:
        """Count the requests of both, then measure in turns, so that a busy moment of the machine hits all."""
        with counting_proxy() as proxy:
            first_run, our_calls = self._ours(proxy.variables), proxy.calls(self._keycloak.url)
        with counting_proxy() as proxy:
            first_play, ansible_calls = self._ansible(self._play, proxy.variables), proxy.calls(self._keycloak.url)
        reads = [path for method, path in our_calls if method == "GET" and path.startswith("/admin/")]
        runs, plays, bare = [], [], []
        for _ in range(REPEATS):
            runs.append(self._ours())
            plays.append(self._ansible(self._play))
            bare.append(self._keycloak.seconds(reads))
        return Found(
            ours=min(run.seconds for run in runs),
            ansible=min(play.seconds for play in plays),
            bare=min(bare),
            our_calls=len(our_calls),
            ansible_calls=len(ansible_calls),
            reads=len(reads),
            tasks=first_play.tasks,
            our_changes=sum(run.output["changes"] for run in (first_run, *runs)),
            ansible_changed=frozenset(name for play in (first_play, *plays) for name in play.changed),
            ansible_changed_as_written=self._ansible(tuple(as_written(self._play))).changed,
        )

    def _ours(self, way: Mapping[str, str] = STRAIGHT_ON) -> Run:
        return self._stack.run(*COMMAND, more=way)

    def _ansible(self, play: Sequence[Task], way: Mapping[str, str] = STRAIGHT_ON) -> Checked:
        login = {
            "auth_keycloak_url": self._keycloak.url,
            "auth_realm": "master",
            "auth_client_id": "admin-cli",
            "auth_username": "admin",
            "auth_password": self._keycloak.password,
        }
        return ansible.check(self._playbook, play, login, way)


def _figures(found: Found) -> Iterator[Measured]:
    what = "SSO, nothing to change"
    yield Measured(
        f"{what}: time of ansible-playbook --check / ours",
        found.ansible / found.ours,
        at_least=TIMES_FASTER,
        detail=f"{found.ansible:.2f} s for {len(found.tasks)} tasks / {found.ours:.2f} s, best of {REPEATS}",
    )
    yield Measured(f"{what}: changed by us", found.our_changes, 0, "changes", f"in {REPEATS + 1} runs")
    for declared, changed in {
        "declared as read back": found.ansible_changed,
        "clients declared as written": found.ansible_changed_as_written,
    }.items():
        names = ", ".join(sorted(changed)) or "none"
        yield Measured(f"{what}: Ansible's false changed, {declared}", len(changed), unit="tasks", detail=names)
    yield Measured(
        f"{what}: calls to Keycloak, Ansible's / ours",
        found.ansible_calls / found.our_calls,
        detail=f"{found.ansible_calls} / {found.our_calls} calls, logins included",
    )
    yield Measured(
        f"{what}: ours / bare reads of the same one after the other",
        found.ours / found.bare,
        detail=f"{found.ours:.2f} s / {found.bare:.2f} s for {found.reads} reads and a login in a running program",
    )
    costs = {
        "ours": (found.ours, found.our_calls),
        "Ansible's": (found.ansible, found.ansible_calls),
        "bare": (found.bare, found.reads + 1),
    }
    for whose, (seconds, calls) in costs.items():
        yield Measured(f"{what}: whole run by requests to Keycloak, {whose}", 1000 * seconds / calls, unit="ms")
