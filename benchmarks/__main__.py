"""Runs all benchmarks, prints a table, writes results.json, and fails when a limit is missed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    bridge_backfill,
    bridge_delay,
    bridge_idle,
    bridge_memory,
    bridge_workers,
    log_rules,
    nothing_to_do,
    single_sign_on,
)
from benchmarks.many_clients import Cost, compare, cost
from benchmarks.measured import CannotMeasure, Measured
from benchmarks.stack import bench_stack

RESULTS = Path(__file__).with_name("results.json")
CLIENTS = (1, 10, 100)
SSO = "sso"
LOGS = "logs"
BRIDGE: Mapping[str, tuple[str, Callable[[], Iterator[Measured]]]] = {
    "bridge-idle": ("what an idle bridge costs, and how a difference is found ...", bridge_idle.measure),
    "bridge-memory": ("memory with very many links ...", bridge_memory.measure),
    "bridge-delay": ("how long a change takes to the other side ...", bridge_delay.measure),
    "bridge-backfill": ("a backfill beside a bare loader, and a loop inside the product ...", bridge_backfill.measure),
    "bridge-workers": ("1, 2 and 4 workers on eight pairings ...", bridge_workers.measure),
}
OTHERS = (SSO, LOGS, *BRIDGE)
ALL = (*map(str, CLIENTS), *OTHERS)


def show(found: Sequence[Measured]) -> None:
    """Print a table."""
    table = Table("What", "Found", "Limit", "", "From", box=None, pad_edge=False)
    for one in found:
        verdict = "" if not one.limits else "[green]kept[/]" if one.kept else "[red]missed[/]"
        table.add_row(one.what, f"{one.value:.3g} {one.unit}", one.limits or "-", verdict, one.detail)
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _email(numbers: Sequence[int], notes: Console) -> Iterator[Measured]:
    costs: list[Cost] = []
    for clients in numbers:
        notes.print(f"{clients} clients: applying everything once, then measuring with nothing to change ...")
        with bench_stack(clients) as stack:
            costs.append(cost(stack))
            yield from nothing_to_do.measure(stack)
    yield from compare(costs)


def _single_sign_on(notes: Console) -> Iterator[Measured]:
    notes.print("single sign-on: applying it once on a real Keycloak, then measuring with nothing to change ...")
    yield from single_sign_on.measure()


def _log_rules(notes: Console) -> Iterator[Measured]:
    notes.print("log rules: what each format costs in a real Alloy ...")
    yield from log_rules.measure()


def _bridge(word: str) -> Callable[[Console], Iterator[Measured]]:
    doing, measure = BRIDGE[word]

    def measured(notes: Console) -> Iterator[Measured]:
        notes.print(f"data bridge: {doing}")
        yield from measure()

    return measured


def main(argv: Sequence[str]) -> int:
    """Measure what ``argv`` names: e-mail for a number of clients, ``sso``, ``logs``, ``bridge-idle`` and so on.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, _end)  # so that a sandbox is taken down then, too
    notes = Console(stderr=True)
    words = argv or ALL
    found = list(_email([int(word) for word in words if word not in OTHERS], notes))
    skipped: list[str] = []
    others: dict[str, Callable[[Console], Iterator[Measured]]] = {SSO: _single_sign_on, LOGS: _log_rules}
    others |= {word: _bridge(word) for word in BRIDGE}
    for word, measure in others.items():
        try:
            found += measure(notes) if word in words else ()
        except CannotMeasure as reason:
            skipped.append(f"{word} was NOT MEASURED: {reason}")
    show(found)
    machine = {"processors": os.cpu_count(), "load": os.getloadavg()[0]}
    results = {"machine": machine, "results": [one.as_json() for one in found], "skipped": skipped}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    for words_of in skipped:
        notes.print(f"[yellow]*** {words_of}[/]")
    missed = [one.what for one in found if not one.kept]
    for what in missed:
        notes.print(f"[red]limit missed:[/] {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
