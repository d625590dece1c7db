"""From which order on a shop's orders may hold pieces that ERPNext does not count yet: what is older is left alone.

A shop of a million orders is asked about the last few. An order that nobody told the bridge of yet has a mark in the
plugin's outbox, and the plugin counts those by itself; orders from before the bridge are history for both sides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from agencystack.bridge.sides.erpnext.documents import Documents
from agencystack.bridge.store import Store
from agencystack.bridge.store.sql import millis
from agencystack.bridge.store.uncounted import Uncounted
from agencystack.bridge.work.context import SECOND, utc_now

NONE = 1 << 62
"""Beyond the id of any order."""
KEPT = 60.0
"""Seconds for which an answer of ERPNext is kept; longer where it takes longer than a second."""
_PAGE = 200
_SALES_ORDER = "Sales Order"


class OrdersSince:
    """Tells the lowest id of an order that ERPNext may not count.

    Args:
        store: knows the orders that are on their way.
        pairing: whose; it is in the names of its Sales Orders.
        documents: the way to ERPNext's documents.
        marked: our plugin counts what it has not told yet; else orders beyond the newest known one count.
        seconds: time that only goes on.
        now: the time, with its zone.
    """

    def __init__(
        self,
        store: Store,
        pairing: str,
        documents: Documents,
        *,
        marked: bool,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store, self._pairing, self._documents, self._marked = store, pairing, documents, marked
        self._seconds, self._now = seconds, now
        self._draft: int | None = None
        self._asked = self._until = float("-inf")

    def __call__(self) -> str:
        """Return the id.

        Raises:
            Unavailable: ERPNext is not well.
        """
        draft = self._oldest_draft()
        # What was made since ERPNext was asked may be a draft it did not tell of.
        lately = millis(self._now()) - int(self._seconds() - self._asked + KEPT) * SECOND
        with self._store.reading(self._pairing) as transaction:
            orders = Uncounted(transaction.connection, self._pairing)
            found = [draft, orders.oldest(lately)]
            found += [] if self._marked else [orders.newest() + 1]
        return str(min((one for one in found if one is not None), default=NONE))

    def _oldest_draft(self) -> int | None:
        """Return the lowest order among the oldest Sales Orders of this pairing that are not submitted."""
        if self._seconds() >= self._until:
            self._asked = self._seconds()
            ours, found = f"WC-{self._pairing}-", list[str]()
            for column in ("name", "po_no"):
                drafts: list[Sequence[object]] = [["docstatus", "=", 0], [column, "like", f"{ours}%"]]
                names = self._documents.walk(_SALES_ORDER, drafts, "", _PAGE).ids
                if column == "name" or not names:
                    found += names
                else:
                    rows = self._documents.select(_SALES_ORDER, [["name", "in", list(names)]], [column])
                    found += [str(row[column]) for row in rows]
            numbers = [re.match(r"\d+", one.removeprefix(ours)) for one in found if one.startswith(ours)]
            self._draft = min((int(one[0]) for one in numbers if one), default=None)
            self._until = self._asked + KEPT * max(1.0, self._seconds() - self._asked)
        return self._draft
