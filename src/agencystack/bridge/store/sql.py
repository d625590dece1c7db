"""What both databases understand, said once: upserts, chunks, times and values as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from agencystack.bridge.merge import Agreed, Base
from agencystack.bridge.record import Fields, Value, canonical, decoded, encoded, same

T = TypeVar("T")
CHUNK = 400
"""Rows of one statement: both databases bound the number of parameters (SQLite 32,766)."""


def chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield rows in parts that fit one statement."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say ``ON CONFLICT`` in this database."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Insert rows; one whose key is there already takes the new values."""
    if not rows:
        return
    statement = insert(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    # One statement with many rows of parameters: a statement that holds the rows is compiled anew each time.
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed)
        if changed
        else statement.on_conflict_do_nothing(index_elements=list(key)),
        [dict(row) for row in rows],
    )


def millis(when: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return int(when.timestamp() * 1000)


def moment(value: int) -> datetime:
    """Return milliseconds since 1970 as a time, UTC."""
    return datetime.fromtimestamp(value / 1000, UTC)


def written(value: Value) -> str:
    """Return a value as text for a column."""
    return canonical(value)


def read(text: str) -> Value:
    """Return the value of a column."""
    return decoded(json.loads(text))


def written_fields(fields: Fields) -> str:
    """Return fields as text for a column."""
    return canonical(dict(fields))


def read_fields(text: str) -> dict[str, Value]:
    """Return the fields of a column."""
    return {name: decoded(value) for name, value in json.loads(text).items()}


def written_base(base: Base) -> str:
    """Return agreed values as text for a column: one form where both sides write it alike, else both."""
    return json.dumps(
        {name: _forms(agreed) for name, agreed in base.items()},
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    )


def read_base(text: str) -> dict[str, Agreed]:
    """Return the agreed values of a column."""
    return {name: Agreed(decoded(forms[0]), decoded(forms[-1])) for name, forms in json.loads(text).items()}


def _forms(agreed: Agreed) -> list[object]:
    wordpress, erpnext = encoded(agreed.wordpress), encoded(agreed.erpnext)
    return [wordpress] if same(agreed.wordpress, agreed.erpnext) else [wordpress, erpnext]
