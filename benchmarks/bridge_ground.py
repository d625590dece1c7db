"""Two products that take as long as the real ones, and the bridge between them as a pairing connects it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.entities.catalogue import ENTITIES
from agencystack.bridge.record import SideName
from agencystack.bridge.serving.connecting import connect
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.signing import SigningKey
from agencystack.bridge.store import Store
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Sharing
from benchmarks.bridge_products import COMPANY, PASSWORD, PRICES, WAREHOUSE, Place

FILL_SECONDS = 600.0
_BOOKS = {"company": COMPANY, "currency": "EUR", "price_list": PRICES, "warehouses": [WAREHOUSE], "time_zone": "UTC"}


@dataclass(frozen=True)
class Ground:
    """Running products.

    Args:
        places: of each pairing.
        key: shared with plugins and apps; None where there are none.
        control: tells the products what to hold.
    """

    places: Sequence[Place]
    key: SigningKey | None
    control: httpx.Client

    def accesses(self, place: int) -> Mapping[SideName, Access]:
        """Return how the two sides of a pairing are reached."""
        at = self.places[place]
        keys = (self.key,) if self.key else ()
        return {
            SideName.WORDPRESS: Access(at.shop, at.shop, keys, "admin", Secret(PASSWORD)),
            SideName.ERPNEXT: Access(at.erpnext, "http://erp.localhost", keys, at.api_key, Secret(at.api_secret)),
        }

    def fill(self, side: str, entity: str, count: int, *, place: int = 0, first: int = 0) -> None:
        """Have records made on a side (``shop``, ``erpnext``), as people would."""
        told = {"place": place, "side": side, "entity": entity, "count": count, "first": first}
        self.control.post("/fill", json=told).raise_for_status()

    def forget(self) -> None:
        """Count requests from here."""
        self.control.get("/forget").raise_for_status()

    def told(self, place: int = 0) -> Mapping[str, Any]:
        """Return what the products of a pairing were asked since: counts, writes and seconds, by product."""
        return dict(self.control.get("/told", params={"place": place}).raise_for_status().json())


@contextmanager
def ground(*, plugins: bool, places: int = 1, hooks: str = "") -> Iterator[Ground]:
    """Have the products of so many pairings, each with or without our plugin and app.

    Args:
        plugins: plugin and app are there.
        places: how many pairings; they are called ``bench0`` and so on.
        hooks: address of the bridge's listener.
    """
    secret = secrets.token_hex(32)
    command = [sys.executable, "-m", "benchmarks.bridge_products"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = {"key": secret, "plugins": plugins, "places": places, "hooks": hooks}
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        with httpx.Client(base_url=answer["control"], timeout=FILL_SECONDS, trust_env=False) as control:
            key = SigningKey("bench", Secret(secret)) if plugins else None
            yield Ground([Place(*one) for one in answer["places"]], key, control)
    finally:
        process.kill()
        process.wait()


def sharing(*entities: str) -> Sharing:
    """Return that entities are shared, both ways."""
    return Sharing.model_validate(
        {"entities": {name: {"direction": "both"} for name in entities}, "accounting": _BOOKS}
    )


@contextmanager
def bridge(over: Ground, shared: Sharing, *, place: int = 0, store: str = "") -> Iterator[Bridge]:
    """Have the bridge of a pairing, with a store of its own on disk.

    Args:
        over: the products.
        shared: what is shared.
        place: which pairing.
        store: address of the store; a new SQLite file when empty.
    """
    with tempfile.TemporaryDirectory(prefix="agencystack-bench-") as folder:
        opened = Store.open(store or f"sqlite:///{Path(folder)}/bridge.db")
        connection = connect(f"bench{place}", over.accesses(place), shared)
        try:
            yield Bridge(opened, f"bench{place}", connection.sides, ENTITIES, shared, worker="bench")
        finally:
            connection.close()
            opened.close()
