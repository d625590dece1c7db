"""Which orders of a shop may be on their way into ERPNext: by their ids, as the store knows them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from agencystack.bridge.record import SideName
from agencystack.bridge.store.tables import audit, conflict, dead, inbox, link, observation

ORDER = "order"
BACKFILL = "backfill"


class Uncounted:
    """The orders of one pairing's WordPress that nobody has finished with.

    Args:
        connection: within a transaction.
        pairing: whose.
    """

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection, self._pairing = connection, pairing

    def oldest(self, lately: int) -> int | None:
        """Return the lowest id of an order that is to be looked at, was refused, waits for a person, or was just made.

        What a backfill has still to look at is history: its pieces left the shelf before the bridge came.

        Args:
            lately: what was written since, in milliseconds, counts as just made.
        """
        waits = (inbox.c.pairing == self._pairing, inbox.c.side == SideName.WORDPRESS, inbox.c.entity == ORDER)
        made = (audit.c.pairing == self._pairing, audit.c.at >= lately, audit.c.entity == ORDER)
        found = [
            self._lowest(inbox.c.record, *waits, inbox.c.reason != BACKFILL),
            *(
                self._lowest(table.c.wordpress_id, table.c.pairing == self._pairing, table.c.entity == ORDER)
                for table in (dead, conflict)
            ),
            self._lowest(link.c.wordpress_id, link.c.id == audit.c.link, *made),
        ]
        return min((one for one in found if one is not None), default=None)

    def newest(self) -> int:
        """Return the highest id of an order that was ever seen; 0 when none was."""
        query = select(func.max(observation.c.position)).where(
            observation.c.pairing == self._pairing,
            observation.c.side == SideName.WORDPRESS,
            observation.c.entity == ORDER,
        )
        return _number(self._connection.execute(query).scalar()) or 0

    def _lowest(self, column: ColumnElement[str], *where: ColumnElement[bool]) -> int | None:
        # Ids are text: of two the shorter is the lower.
        query = select(column).where(*where, column.is_not(None), column != "")
        return _number(self._connection.execute(query.order_by(func.length(column), column).limit(1)).scalar())


def _number(text: Any) -> int | None:
    return int(text) if text and str(text).isdigit() else None
