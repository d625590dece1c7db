"""The brake: a run that would remove too many records of an entity asks a person first."""

from __future__ import annotations

from dataclasses import replace

from agencystack.bridge.settings import Sharing
from agencystack.bridge.store.brakes import Brake

WINDOW = 3_600_000
"""A run, in milliseconds: removals that follow one another within it are counted together."""
FEW = 5
"""So many removals are never a mass deletion, however small the catalogue is."""
FEW_SOLD_OUT = 20
"""So many products that are sold out are none either: holding that back would oversell."""
CONFIRMED_FOR = 24 * 3_600_000
"""How long a confirmation holds, in milliseconds."""


def braked(brake: Brake, removals: int, links: int, sharing: Sharing, now: int, few: int = FEW) -> Brake:
    """Return the brake after a batch that wants to remove records: ``held`` when it must not.

    Args:
        brake: the entity's brake before.
        removals: how many records of it the batch would archive, delete or set to zero.
        links: how many pairs of it are linked.
        sharing: says how many are too many.
        now: the time, in milliseconds.
        few: so many are never too great a share.
    """
    if brake.state == "confirmed" and now < brake.until:
        return brake
    fresh = brake if brake.state != "confirmed" and now - brake.window < WINDOW else Brake(brake.entity, window=now)
    # What an earlier batch wanted and was not let is wanted by the same records again: it counts once.
    before = fresh.count if fresh.state == "open" else 0
    wanted = before + removals
    share = wanted * 100 > sharing.brake_percent * max(links, 1)
    too_many = wanted > sharing.brake_records or (wanted > few and share)
    if fresh.state == "held" or too_many:
        return replace(fresh, state="held", count=max(fresh.count, wanted))
    return replace(fresh, count=wanted)


def sold_out(entity: str) -> str:
    """Return the name of an entity's second brake: on setting stock to zero."""
    return f"{entity} stock"


def waits_for(entity: str) -> str:
    """Return the key under which removals wait for a person.

    Args:
        entity: name of an entity, or of its second brake.
    """
    return f"brake:{entity}"
