"""Op tokens: the name of one intended remote effect, stored with what it makes so that it can be looked up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

_TIME_DIGITS = 12


def new_token(now: datetime, randomness: Callable[[int], str] = secrets.token_hex) -> str:
    """Return a new token: 12 hex digits of the time in milliseconds, and 20 random ones.

    A side that cannot search by token then looks only at what was made since.

    Args:
        now: the time, with its zone.
        randomness: gives that many bytes as hex digits.
    """
    return f"{int(now.timestamp() * 1000):012x}{randomness(10)}"


def token_time(token: str) -> datetime:
    """Return when a token was made, UTC.

    Raises:
        ValueError: it is not a token of ours.
    """
    if len(token) != _TIME_DIGITS + 20:
        raise ValueError(f"{token!r} is no op token")
    return datetime.fromtimestamp(int(token[:_TIME_DIGITS], 16) / 1000, UTC)
