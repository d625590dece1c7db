"""Moving windows: how often something happened in the last hour or day, as Mailu's rate limits count."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable


class MovingWindow:
    """Counts events by key and forgets those older than the window.

    Args:
        limit: events that fit into the window.
        seconds: length of the window.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._events: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def is_full(self, key: str) -> bool:
        """Say whether one more event would be too many."""
        with self._lock:
            return len(self._recent(key)) >= self._limit

    def add(self, key: str) -> bool:
        """Count an event; False, and not counted, where the window is full."""
        with self._lock:
            events = self._recent(key)
            if len(events) >= self._limit:
                return False
            events.append(self._clock())
            return True

    def _recent(self, key: str) -> deque[float]:
        events = self._events[key]
        while events and events[0] <= self._clock() - self._seconds:
            events.popleft()
        return events
