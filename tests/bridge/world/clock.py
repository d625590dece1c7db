"""Time as the worlds tell it: it moves only when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MOMENT = 4.0
"""Seconds a request may be under way after its sender gave up waiting for it."""


class Clock:
    """A clock that stands until it is moved; each look at it costs a microsecond, so that no two looks are equal."""

    def __init__(self) -> None:
        self._now = START
        self.before_leap: list[Callable[[], None]] = []

    def __call__(self) -> datetime:
        """Return the time, UTC."""
        self._now += timedelta(microseconds=1)
        return self._now

    def seconds(self) -> float:
        """Return the time as seconds since 1970."""
        return self().timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass; before more than a moment of it passes, what is under way arrives."""
        if seconds > MOMENT:
            for arrive in self.before_leap:
                arrive()
        self._now += timedelta(seconds=seconds)
