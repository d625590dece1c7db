"""How fast a pairing is written to, where a client says so: the host of a small shop is not to be overrun."""

from __future__ import annotations

from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.context import SECOND, Context

WINDOW = 10 * SECOND
"""What is written within it is counted: writes are spread over the minute."""
_MINUTE = 60 * SECOND
WRITES = ("create", "update", "retire")
"""Events of the audit that wrote to a product."""


def room(context: Context, transaction: Transaction, limit: int) -> int:
    """Return how many records may be taken now, at most ``limit``; what others have taken counts as written."""
    most = _most(context)
    if most is None:
        return limit
    written, _ = transaction.audits.since(context.now() - WINDOW, WRITES)
    return max(0, min(limit, most - written - transaction.inbox.taken(context.worker, context.now())))


def full_until(context: Context, transaction: Transaction) -> int:
    """Return when something may be written again, in milliseconds; 0 when it may now."""
    most = _most(context)
    if most is None:
        return 0
    written, first = transaction.audits.since(context.now() - WINDOW, WRITES)
    return first + WINDOW + 1 if written >= most else 0


def _most(context: Context) -> int | None:
    a_minute = context.sharing.writes_per_minute
    return None if a_minute is None else max(1, a_minute * WINDOW // _MINUTE)
