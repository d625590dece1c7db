"""What it costs when nothing happens: an idle look, a comparison of equal sides, and one difference nobody told of."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from agencystack.bridge.record import SideName
from benchmarks.bridge_many import Linked, linked, made_one
from benchmarks.measured import Measured

COUNTS = (1_000, 10_000, 100_000)
LOOKS = 40
MOST_REQUESTS = 2
NOISE = 1.5
MOST_BYTES = 100.0
SHARE_OF_A_WALK = 0.02
_PAGE = 100


@dataclass(frozen=True)
class Quiet:
    """What a bridge between equal sides costs.

    Args:
        links: how many records are linked.
        requests: of one idle look, to each side.
        milliseconds: of one idle look, everything but the products.
        comparing: requests of a comparison of both sides.
        kilobytes: of the same, both ways.
        mending: requests until one difference was found and mended.
    """

    links: int
    requests: int
    milliseconds: float
    comparing: int
    kilobytes: float
    mending: int


def measure() -> Iterator[Measured]:
    """Yield requests, bytes, and how both grow with the number of links."""
    like = made_one()
    found = []
    for count in COUNTS:
        with (
            tempfile.TemporaryDirectory(prefix="agencystack-bench-") as folder,
            linked(count, like, f"sqlite:///{folder}/bridge.db") as pairs,
        ):
            found.append(_quiet(pairs, count))
    few, many = found[0], found[-1]
    times = " / ".join(f"{one.milliseconds:.1f}" for one in found)
    yield Measured(
        f"an idle look with {many.links:,} linked records: requests to a side", many.requests, MOST_REQUESTS, "calls"
    )
    yield Measured(
        f"an idle look: the bridge's own time with {many.links:,} / {few.links:,} linked records",
        many.milliseconds / few.milliseconds,
        NOISE,
        detail=f"{times} ms with {' / '.join(f'{one.links:,}' for one in found)}",
    )
    walk = 2 * 2 * many.links / _PAGE  # a page of ids, and the records of the page, of both sides
    yield Measured(f"equal sides with {many.links:,} records compared: bytes", many.kilobytes, MOST_BYTES, "kB")
    yield Measured(
        f"equal sides with {many.links:,} records compared: requests, beside a walk over all of them",
        many.comparing / walk,
        SHARE_OF_A_WALK,
        detail=f"{many.comparing} / {walk:.0f} requests",
    )
    yield Measured(
        f"1 of {many.links:,} records differs and nobody told: requests until mended, beside 1 of {few.links:,}",
        many.mending / few.mending,
        math.log(many.links) / math.log(few.links),
        detail=f"{' / '.join(str(one.mending) for one in found)} requests; the limit is the ratio of the logarithms",
    )


def _quiet(pairs: Linked, count: int) -> Quiet:
    bridge = pairs.bridge
    bridge.poll()
    pairs.forget()
    seconds = [_timed(pairs) for _ in range(LOOKS)]
    requests = max(one.requests for one in pairs.products.values()) / LOOKS
    pairs.forget()
    compared = bridge.reconcile("product", repair=True)
    if compared.hinted:
        raise RuntimeError(f"{compared.hinted} of {count} equal records were taken for different")
    comparing, kilobytes = _asked(pairs), sum(one.bytes for one in pairs.products.values()) / 1000
    pairs.forget()
    pairs.products[SideName.WORDPRESS].names[count // 2 + 7] = "Changed behind everybody's back"
    bridge.reconcile("product", repair=True)
    bridge.run()
    if list(pairs.products[SideName.ERPNEXT].names.values()) != ["Changed behind everybody's back"]:
        raise RuntimeError(f"the difference was not mended: {bridge.dead_letters()}")
    return Quiet(count, round(requests), 1000 * statistics.median(seconds), comparing, kilobytes, _asked(pairs))


def _asked(pairs: Linked) -> int:
    return sum(one.requests for one in pairs.products.values())


def _timed(pairs: Linked) -> float:
    began = time.thread_time()
    pairs.bridge.poll()
    pairs.bridge.next_due()
    return time.thread_time() - began
