"""Histories: what happened, as short lines that are drawn at random, replayed exactly and shrunk."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Draw = Callable[[int], int]
"""Gives a whole number from 0 to less than the one it is given."""


@dataclass(frozen=True)
class Setup:
    """How the two products are installed.

    Args:
        plugin: WordPress has our plugin: an outbox, conditional writes, unique tokens.
        app: ERPNext has our app: an outbox, an order inserted and submitted at once.
        writes_on_read: reading a record of WordPress touches it (HPOS synchronisation does).
        seed: of what is random within.
    """

    plugin: bool = True
    app: bool = True
    writes_on_read: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Event:
    """Something happens.

    Args:
        name: what, a key of :data:`EVENTS`.
        a: first choice; what it chooses among depends on the event.
        b: second.
        c: third.
        after: at so many boundaries from now, in the middle of what a worker does; 0 is now.
    """

    name: str
    a: int = 0
    b: int = 0
    c: int = 0
    after: int = 0

    def __str__(self) -> str:
        late = f", after={self.after}" if self.after else ""
        return f'Event("{self.name}", {self.a}, {self.b}, {self.c}{late})'


@dataclass(frozen=True)
class History:
    """One history."""

    setup: Setup
    events: tuple[Event, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.setup}", *(f"    {one}," for one in self.events)])


EVENTS = {
    # people
    "create": 8,
    "twin": 3,
    "edit": 14,
    "meddle": 4,
    "silent": 1,
    "delete": 3,
    "order": 7,
    "advance": 6,
    "refund": 2,
    "half": 2,
    "finish": 2,
    "receive": 4,
    "type_stock": 1,
    "begin": 2,
    "commit": 2,
    # the bridge
    "poll": 10,
    "step": 22,
    "hint": 3,
    "drop": 1,
    "reconcile": 2,
    "wait": 3,
    # what goes wrong
    "fault": 8,
    "crash": 6,
    "takeover": 2,
    "disable": 1,
    # persons in charge
    "resolve": 3,
    "share": 1,
    "retry": 1,
}
"""What may happen, and how often."""

FROM_WITHIN = (
    "rename",
    "create",
    "edit",
    "meddle",
    "delete",
    "order",
    "advance",
    "receive",
    "step",
    "poll",
    "takeover",
    "commit",
    "finish",
)
"""What may happen in the middle of a worker's step."""

WITH_RENAMES = 1 << 41
"""Histories of these seeds and beyond rename documents, too; the others stay what they were before that could be."""

_NAMES = [name for name, weight in EVENTS.items() for _ in range(weight)]


def event(draw: Draw, names: Sequence[str] = _NAMES) -> Event:
    """Draw an event."""
    name = names[draw(len(names))]
    after = 1 + draw(12) if name in FROM_WITHIN and (name == "meddle" or draw(3) == 2) else 0
    return Event(name, draw(8), draw(8), draw(8), after)


def setup(draw: Draw) -> Setup:
    """Draw how the products are installed; with plugin and app most often."""
    return Setup(plugin=draw(4) != 3, app=draw(4) != 3, writes_on_read=draw(6) == 5, seed=draw(1 << 16))


def seeds(first: int, count: int) -> list[int]:
    """Return so many seeds from one on; in every eighth of their histories documents are renamed as well."""
    return [seed + (WITH_RENAMES if seed % 8 == 7 else 0) for seed in range(first, first + count)]


def history(seed: int, installed: Setup | None = None, more: Sequence[str] = ()) -> History:
    """Return the history of a seed.

    Args:
        seed: what it is drawn from.
        installed: how the products are installed; drawn as well by default.
        more: events that happen much more often than they do.
    """
    chance = random.Random(seed)
    drawn = setup(chance.randrange)
    more = more or (("rename",) if seed >= WITH_RENAMES else ())
    names = _NAMES + [name for name in more for _ in range(len(_NAMES) // 6)]
    events = tuple(event(chance.randrange, names) for _ in range(5 + chance.randrange(45)))
    return History(installed or drawn, events)


def shrunk(failing: History, fails: Callable[[History], bool]) -> History:
    """Return a history that still fails, of which no part can be left out."""
    events, size = list(failing.events), max(1, len(failing.events) // 2)
    while size:
        start = 0
        while start < len(events):
            fewer = events[:start] + events[start + size :]
            if fails(History(failing.setup, tuple(fewer))):
                events = fewer
            else:
                start += size
        size //= 2
    return History(failing.setup, tuple(events))
