"""The peak memory of a process whose bridge holds very many links: it looks, compares, works and tells how it is."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from agencystack.bridge.record import SideName
from benchmarks.bridge_many import linked, made_one
from benchmarks.measured import CannotMeasure, Measured
from benchmarks.postgres import postgres
from benchmarks.sizes import sized

LINKS = sized(100_000, 1_000_000)
MOST_MB = 250
_CHANGED = 1000


def measure() -> Iterator[Measured]:
    """Yield peaks, on SQLite and, where it is there, on PostgreSQL.

    Raises:
        CannotMeasure: there is no PostgreSQL; what SQLite needs is measured before.
    """
    with tempfile.TemporaryDirectory(prefix="agencystack-bench-") as folder:
        yield _peak("SQLite", f"sqlite:///{folder}/bridge.db")
    with postgres() as url:
        yield _peak("PostgreSQL", url)


def _peak(kind: str, url: str) -> Measured:
    told = json.dumps({"url": url, "links": LINKS})
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.bridge_memory"], input=told, stdout=subprocess.PIPE, text=True, check=True
    )
    peak = json.loads(run.stdout.splitlines()[-1])["peak_mb"]
    detail = f"with {_CHANGED} changes at once, both sides compared; the products' answers are made in it as well"
    return Measured(f"peak memory of a bridge with {LINKS:,} links on {kind}", peak, MOST_MB, "MB", detail)


def main() -> None:
    """Do what a worker does with a store of many links, and print the peak of it."""
    told = json.loads(sys.stdin.read())
    with linked(told["links"], made_one(), told["url"]) as pairs:
        bridge = pairs.bridge
        bridge.poll()
        pairs.products[SideName.WORDPRESS].names.update({number: f"Changed {number}" for number in range(1, _CHANGED)})
        bridge.reconcile("product", repair=True)
        bridge.run()
        if len(pairs.products[SideName.ERPNEXT].names) != _CHANGED - 1:
            raise RuntimeError(f"not every change came across: {bridge.dead_letters()[:1]}")
        bridge.status()
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    try:
        main()
    except CannotMeasure as reason:
        sys.exit(str(reason))
