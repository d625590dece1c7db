"""The bridge's store in memory: made once, emptied for every history, and a boundary at every commit that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from agencystack.bridge.store import Store
from agencystack.bridge.store.tables import metadata


class MemoryStore:
    """A store that can be emptied faster than a new one is made.

    Attributes:
        store: the bridge's store.
        on_commit: called before every commit of a transaction that may have written.
    """

    def __init__(self) -> None:
        self.on_commit: Callable[[], None] = lambda: None
        self._raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        engine = create_engine("sqlite://", creator=lambda: self._raw, poolclass=StaticPool)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "commit", self._commit)
        with engine.begin() as connection:
            metadata.create_all(connection)
        self._empty = self._raw.serialize()
        self.store = Store(engine)

    def empty(self) -> Store:
        """Return the store without a row in it."""
        self.on_commit = lambda: None
        if self._raw.in_transaction:
            self._raw.rollback()
        self._raw.deserialize(self._empty)
        return self.store

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query answers, past the bridge."""
        return self._raw.execute(query, values).fetchall()

    @staticmethod
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("agencystack_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def _commit(self, connection: Connection) -> None:
        if connection.get_execution_options().get("agencystack_writes"):
            self.on_commit()
