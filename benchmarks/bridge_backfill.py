"""Backfill: records a second of the bridge against a bare loader, or against a loop inside the product."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from agencystack.bridge.record import SideName
from benchmarks.bridge_ground import Ground, bridge, ground, sharing
from benchmarks.bridge_products import PASSWORD
from benchmarks.measured import Measured
from benchmarks.sizes import sized

ENTITY = "product"
RECORDS = sized(600, 3000)
LARGEST = 100
"""Records of a batch; WooCommerce takes no more."""
CLIENTS = 4
"""Of the bare loader: with four each product is busy, more change nothing (facts: 1 and 4 clients were measured)."""
OF_THE_LOADER, OF_THE_LOOP = 0.9, 0.8
MOST_CPU_MS = 3.0
_HOME = {SideName.WORDPRESS: "shop", SideName.ERPNEXT: "erpnext"}
_TITLE = {SideName.WORDPRESS: "WooCommerce", SideName.ERPNEXT: "ERPNext"}


@dataclass(frozen=True)
class Filled:
    """A backfill that ran.

    Args:
        seconds: wall time.
        processor: seconds of processor time in our process.
        loop: seconds a loop in one process of the product would have taken for the same.
        written: method, path and body of each write by REST.
    """

    seconds: float
    processor: float
    loop: float
    written: Sequence[tuple[str, str, str]]

    @property
    def rate(self) -> float:
        """Records a second."""
        return RECORDS / self.seconds


def measure() -> Iterator[Measured]:
    """Yield rates as ratios, and the bridge's own work."""
    for side in SideName:
        for plugins in (False, True):
            yield from _one(side, plugins=plugins)


def _one(to: SideName, *, plugins: bool) -> Iterator[Measured]:
    with ground(plugins=plugins) as over:
        done = _backfilled(over, to)
    how = "with plugin and app" if plugins else "by REST alone"
    if plugins:
        against, limit, whose = done.loop, OF_THE_LOOP, "a loop inside the product"
    else:
        with ground(plugins=False) as over:
            against, limit, whose = _loaded(over, to, _whole(done.written)), OF_THE_LOADER, "a bare loader"
    yield Measured(
        f"backfill of products to {_TITLE[to]} {how}: records/s, beside {whose}",
        against / done.seconds,
        at_least=limit,
        detail=f"{done.rate:.1f} / {RECORDS / against:.1f} records a second",
    )
    requests = f", {len(done.written)} requests that write" if done.written else ""
    yield Measured(
        f"backfill of products to {_TITLE[to]} {how}: the bridge's own processor time a record",
        1000 * done.processor / RECORDS,
        MOST_CPU_MS,
        "ms",
        f"{RECORDS} records{requests}",
    )


def _backfilled(over: Ground, to: SideName) -> Filled:
    over.fill(_HOME[to.other], ENTITY, RECORDS)
    with bridge(over, sharing(ENTITY)) as ours:
        over.forget()
        began, worked = time.perf_counter(), time.process_time()
        progress = ours.backfill(ENTITY, to.other)
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
    if progress.created != RECORDS:
        raise RuntimeError(f"{progress.created} of {RECORDS} records came across: {progress}")
    told = over.told()[_HOME[to]]
    return Filled(seconds, worked, told["seconds"]["loop"], told["written"])


def _whole(written: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the same writes in the largest batches there are, which are the fastest."""
    batches: dict[str, list[object]] = {}
    for _, path, body in written:
        if path.endswith("/batch"):
            batches.setdefault(path, []).extend(json.loads(body)["create"])
    alone = [one for one in written if not one[1].endswith("/batch")]
    return alone + [
        ("POST", path, json.dumps({"create": creates[at : at + LARGEST]}))
        for path, creates in batches.items()
        for at in range(0, len(creates), LARGEST)
    ]


def _loaded(over: Ground, to: SideName, written: Sequence[tuple[str, str, str]]) -> float:
    """Send the same bodies with no thought at all; returns how long that takes."""
    place = over.places[0]
    url = place.shop if to is SideName.WORDPRESS else place.erpnext
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    credential = f"Basic {basic}" if to is SideName.WORDPRESS else f"token {place.api_key}:{place.api_secret}"
    headers = {"Authorization": credential, "Content-Type": "application/json"}
    with httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as client:

        def send(one: tuple[str, str, str]) -> None:
            method, path, body = one
            client.request(method, path, content=body.encode()).raise_for_status()

        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            # What others refer to comes first: Items before their prices.
            for path in dict.fromkeys(path for _, path, _ in written):
                list(pool.map(send, [one for one in written if one[1] == path]))
        return time.perf_counter() - began
