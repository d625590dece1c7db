"""Forget a pairing for good: every row of it, in every table."""

from __future__ import annotations

from sqlalchemy import delete, select

from agencystack.bridge.store import shifts
from agencystack.bridge.store.database import Store
from agencystack.bridge.store.tables import base, link, metadata, pairing


def purge(store: Store, name: str) -> int:
    """Remove all that is known of a pairing: links, bases, what was seen, conflicts, dead letters, the audit.

    A worker that is busy with it finds its leases gone, and stores nothing more.

    Args:
        store: the store.
        name: the pairing.

    Returns:
        How many links it had.
    """
    of_pairing = select(link.c.id).where(link.c.pairing == name)
    with store.writing(name) as writing:
        writing.connection.execute(delete(base).where(base.c.link.in_(of_pairing)))
        links = writing.connection.execute(delete(link).where(link.c.pairing == name)).rowcount
        for table in (shifts.calls, *metadata.sorted_tables):
            if "pairing" in table.c and table not in (base, link):
                writing.connection.execute(delete(table).where(table.c.pairing == name))
        writing.connection.execute(delete(pairing).where(pairing.c.id == name))
    return links
