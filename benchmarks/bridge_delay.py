"""How long a change takes from its commit on one side to the moment it is written on the other, with a real worker."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.worker import Rhythm
from benchmarks.bridge_ground import Ground, bridge, ground, sharing
from benchmarks.bridge_products import PASSWORD
from benchmarks.bridge_serving import Installation, installation, percentile
from benchmarks.measured import Measured
from benchmarks.sizes import sized

CHANGES = sized(24, 100)
HALF, MOST = 0.3, 1.0
MORE_THAN_A_POLL = 1.0
PATIENCE = 30.0
# A plugin calls at most once a second: changes that come faster wait for its next call, and are one.
_BETWEEN_WITH, _BETWEEN_WITHOUT = (0.55, 0.75), (0.3, 0.9)


@dataclass(frozen=True)
class Change:
    """One change that was made on a side.

    Args:
        side: where.
        word: what only this change writes.
    """

    side: SideName
    word: str


def measure() -> Iterator[Measured]:
    """Yield half of all delays and nearly all, with both plugins and without."""
    with_them = _delays(plugins=True)
    detail = f"{len(with_them)} changes, both ways; the slowest {max(with_them):.2f} s"
    yield Measured("change to visible on the other side, with both plugins: p50", percentile(with_them, 0.5), HALF, "s")
    yield Measured(
        "change to visible on the other side, with both plugins: p95", percentile(with_them, 0.95), MOST, "s", detail
    )
    without, poll = _delays(plugins=False), Rhythm().poll
    detail = (
        f"{len(without)} changes, both ways; p50 {percentile(without, 0.5):.2f} s, the sides are asked every {poll:g} s"
    )
    yield Measured(
        "change to visible on the other side, without plugins: p95, beside the poll interval and a second",
        percentile(without, 0.95) / (poll + MORE_THAN_A_POLL),
        1.0,
        detail=detail,
    )


def _delays(*, plugins: bool) -> list[float]:
    with installation() as made, ground(plugins=plugins, hooks=f"http://127.0.0.1:{made.port}" * plugins) as over:
        over.fill("erpnext", "product", CHANGES)
        made.join(over, sharing("product"))
        with bridge(over, sharing("product"), store=made.place.store_url) as ours:
            ours.backfill("product", SideName.ERPNEXT)
            ours.run()
        made.serve()
        over.forget()
        changes = _make_changes(over, _BETWEEN_WITH if plugins else _BETWEEN_WITHOUT)
        return _found(over, made, changes)


def _make_changes(over: Ground, between: tuple[float, float]) -> list[Change]:
    chance, place, changes = random.Random(1), over.places[0], []
    with httpx.Client(timeout=30, trust_env=False) as client:
        listed = client.get(
            f"{place.shop}/wp-json/wc/v3/products", params={"per_page": "100"}, auth=("admin", PASSWORD)
        )
        ids = {one["sku"]: one["id"] for one in listed.raise_for_status().json()}
        time.sleep(2 * between[1])
        for number, (sku, id_) in enumerate(sorted(ids.items())):
            side, word = list(SideName)[number % 2], f"Changed {number:03d}"
            if side is SideName.WORDPRESS:
                answer = client.put(
                    f"{place.shop}/wp-json/wc/v3/products/{id_}", json={"name": word}, auth=("admin", PASSWORD)
                )
            else:
                token = {"Authorization": f"token {place.api_key}:{place.api_secret}"}
                answer = client.put(f"{place.erpnext}/api/resource/Item/{sku}", json={"item_name": word}, headers=token)
            answer.raise_for_status()
            changes.append(Change(side, word))
            time.sleep(chance.uniform(*between))
    return changes


def _found(over: Ground, made: Installation, changes: list[Change]) -> list[float]:
    until = time.monotonic() + PATIENCE
    while True:
        told = over.told()
        journal = {SideName.WORDPRESS: told["shop"]["journal"], SideName.ERPNEXT: told["erpnext"]["journal"]}
        delays = []
        for one in changes:
            began = next(ended for ended, _, body in journal[one.side] if one.word in body)
            arrived = [ended - took for ended, took, body in journal[one.side.other] if one.word in body]
            delays += [min(arrived) - began] if arrived else []
        if len(delays) == len(changes):
            return delays
        if time.monotonic() > until:
            log = (made.home.root / "bridge.log").read_text()[-2000:]
            raise RuntimeError(f"{len(delays)} of {len(changes)} changes came across: {log}")
        time.sleep(0.2)
