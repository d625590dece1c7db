"""What every part of the heart works with: the store, the sides, the rules, the time."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from agencystack.bridge.entity import Entity
from agencystack.bridge.record import SideName
from agencystack.bridge.settings import EntitySharing, Sharing
from agencystack.bridge.side import Form, Side
from agencystack.bridge.store import Store
from agencystack.bridge.store.sql import millis
from agencystack.bridge.tokens import new_token

SECOND = 1000
LONGEST_PAUSE = 600 * SECOND
LEASE = 300 * SECOND
"""How long a batch may take between two signs of life; a dead worker's records wait no longer."""

log = structlog.get_logger("agencystack.bridge")


def broken_at(error: BaseException) -> dict[str, object]:
    """Return what a log may say of a defect: its kind and its lines. Never its text or variables: these hold values."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {"error": type(error).__name__, "at": [f"{frame.name}:{frame.lineno}" for frame in frames]}


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """What a pairing is worked on with.

    Args:
        store: where the bridge keeps what it knows.
        pairing: which pairing.
        sides: both sides.
        entities: the entities that are shared, with the rules that hold; those that others need come first.
        declared: the same, before the products' own screens narrow them.
        sharing: what the client shares.
        clock: the time, with its zone.
        randomness: gives that many random bytes as hex digits.
        worker: who works; a name nobody else uses at the same time.
    """

    store: Store
    pairing: str
    sides: Mapping[SideName, Side]
    entities: Mapping[str, Entity]
    sharing: Sharing = field(default_factory=Sharing)
    clock: Callable[[], datetime] = utc_now
    randomness: Callable[[int], str] = secrets.token_hex
    worker: str = "worker"
    declared: Mapping[str, Entity] = field(default_factory=dict)

    def now(self) -> int:
        """Return the time in milliseconds."""
        return millis(self.clock())

    def token(self) -> str:
        """Return a new op token."""
        return new_token(self.clock(), self.randomness)

    def pause(self, attempts: int) -> int:
        """Return how long to wait after so many attempts, in milliseconds: doubled each time, spread by chance."""
        longest = min(LONGEST_PAUSE, SECOND << min(attempts, 12))
        return longest // 2 + int(self.randomness(4), 16) * longest // 2 // 0xFFFFFFFF

    def form(self, side: SideName, entity: str) -> Form:
        """Return how a side keeps an entity."""
        return self.sides[side].form(entity)

    def sharing_of(self, entity: str) -> EntitySharing:
        """Return how an entity is shared."""
        return self.sharing.entities.get(entity, EntitySharing())
