"""Which installations belong together: clones and restored backups are noticed before anything is written."""

from __future__ import annotations

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Identity


def suspicion(side: SideName, known: Identity | None, now: Identity) -> str:
    """Return why an installation is not the one that was paired; empty when it is.

    Args:
        side: which side.
        known: what it said of itself before; ``None`` for the first time.
        now: what it says now. A side that has no plugin or app any more says less, and that is no suspicion.
    """
    if known is None:
        return ""
    if _address(known.url) != _address(now.url):
        return f"{side} says it is {now.url}, and was {known.url}: is it a copy of the site, or did it move?"
    if known.instance and now.instance and known.instance != now.instance:
        return f"{side} is another installation at the same address ({now.instance}, was {known.instance})"
    if known.epoch is not None and now.epoch is not None and now.epoch < known.epoch:
        return f"{side} is at change {now.epoch} and already told change {known.epoch}: was a backup restored?"
    return ""


def remembered(known: Identity | None, now: Identity) -> Identity:
    """Return what is kept of an installation's identity: what it says now, and what it said where it says nothing."""
    if known is None:
        return now
    epoch = now.epoch if known.epoch is None else max(known.epoch, now.epoch or 0)
    return Identity(now.url, now.instance or known.instance, epoch)


def _address(url: str) -> str:
    return url.rstrip("/").removeprefix("https://").removeprefix("http://").lower()
