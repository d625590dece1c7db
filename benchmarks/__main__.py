"""Runs all benchmarks, prints a table, writes results.json, and fails when a limit is missed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.many_clients import Cost, compare, cost
from benchmarks.measured import Measured
from benchmarks.nothing_to_do import measure
from benchmarks.stack import bench_stack

RESULTS = Path(__file__).with_name("results.json")
CLIENTS = (1, 10, 100)


def show(found: Sequence[Measured]) -> None:
    """Print a table."""
    table = Table("What", "Found", "At most", "", "From", box=None, pad_edge=False)
    for one in found:
        limit = "-" if one.limit is None else f"{one.limit:g}"
        verdict = "" if one.limit is None else "[green]kept[/]" if one.kept else "[red]missed[/]"
        table.add_row(one.what, f"{one.value:.3g} {one.unit}", limit, verdict, one.detail)
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    """Measure for the numbers of clients in ``argv``, by default 1, 10 and 100; return the exit code."""
    signal.signal(signal.SIGTERM, _end)  # so that a sandbox is taken down then, too
    notes = Console(stderr=True)
    found: list[Measured] = []
    costs: list[Cost] = []
    for clients in [int(word) for word in argv] or CLIENTS:
        notes.print(f"{clients} clients: applying everything once, then measuring with nothing to change ...")
        with bench_stack(clients) as stack:
            costs.append(cost(stack))
            found += measure(stack)
    found += compare(costs)
    show(found)
    machine = {"processors": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps({"machine": machine, "results": [one.as_json() for one in found]}, indent=2) + "\n")
    missed = [one.what for one in found if not one.kept]
    for what in missed:
        notes.print(f"[red]limit missed:[/] {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
