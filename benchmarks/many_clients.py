"""The same command for 1, 10 and 100 clients with nothing to change: cost of a client, calls and memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.measured import Measured
from benchmarks.stack import BenchStack

REPEATS = 2
MOST_MEMORY_MB = 200
# The same work takes this much longer now and then on a busy machine.
NOISE = 1.15


@dataclass(frozen=True)
class Cost:
    """What one run with nothing to change cost.

    Args:
        clients: how many clients.
        seconds: wall time of the command, start included.
        peak_mb: peak memory of the command.
        shared_calls: calls to what all clients share.
        own_calls: calls to the components of clients.
    """

    clients: int
    seconds: float
    peak_mb: float
    shared_calls: int
    own_calls: int


def cost(stack: BenchStack) -> Cost:
    """Measure the command on one stack."""
    runs = []
    for _ in range(REPEATS):
        stack.forget_calls()
        runs.append(stack.run("integrate", "email", "--auto"))
    changed = [change["resource"] for run in runs for line in run.output["results"] for change in line["changes"]]
    if changed:
        raise RuntimeError(f"there was something to change: {', '.join(sorted(set(changed)))}")
    calls = {ref: len(made) for ref, made in stack.calls().items()}
    shared = sum(count for ref, count in calls.items() if ref.startswith("shared/"))
    seconds, peak = min(run.seconds for run in runs), max(run.peak_mb for run in runs)
    return Cost(stack.clients, seconds, peak, shared, sum(calls.values()) - shared)


def compare(costs: list[Cost]) -> Iterator[Measured]:
    """Yield how the cost grows with the number of clients; ``costs`` in growing order."""
    for few, many in pairwise(costs):
        yield Measured(
            f"cost of a client: {many.clients} clients / {few.clients}",
            (many.seconds / many.clients) / (few.seconds / few.clients),
            NOISE,
            detail=f"{1000 * many.seconds / many.clients:.0f} ms / {1000 * few.seconds / few.clients:.0f} ms a client",
        )
        yield Measured(
            f"calls to a client's own components: {many.clients} clients / {few.clients}",
            (many.own_calls / many.clients) / (few.own_calls / few.clients),
            1,
            detail=f"{many.own_calls / many.clients:.1f} / {few.own_calls / few.clients:.1f} calls a client",
        )
        yield Measured(
            f"calls to what is shared: {many.clients} clients / {few.clients}",
            many.shared_calls / few.shared_calls,
            1,
            detail=f"{many.shared_calls} / {few.shared_calls} calls",
        )
    for one in costs:
        yield Measured(f"peak memory with {one.clients} clients", one.peak_mb, MOST_MEMORY_MB, "MB")
