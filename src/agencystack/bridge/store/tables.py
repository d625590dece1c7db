"""The bridge's tables: one schema for SQLite and PostgreSQL. Times are milliseconds since 1970, values are JSON text.

Unique constraints guard what must not happen twice (a record linked twice, a token used twice, two leases on one key);
nothing here is checked first and inserted then.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is called INTEGER

_Sorted = String(64).with_variant(String(64, collation="C"), "postgresql")  # byte by byte, as the sides compare


def _pairing() -> Column[str]:
    return Column("pairing", String(64), nullable=False)


pairing = Table(
    "pairing",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("wordpress_url", Text, nullable=False),
    Column("wordpress_instance", Text, nullable=False),
    Column("wordpress_epoch", BigInteger),
    Column("erpnext_url", Text, nullable=False),
    Column("erpnext_instance", Text, nullable=False),
    Column("erpnext_epoch", BigInteger),
    Column("sharing", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

link = Table(
    "link",
    metadata,
    Column("id", String(32), primary_key=True),
    _pairing(),
    Column("entity", String(64), nullable=False),
    Column("wordpress_id", String(190)),
    Column("erpnext_id", String(190)),
    Column("wordpress_created", Text, nullable=False),
    Column("erpnext_created", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("token", String(32), unique=True),
    Column("changed", BigInteger, nullable=False),
    UniqueConstraint("pairing", "entity", "wordpress_id"),
    UniqueConstraint("pairing", "entity", "erpnext_id"),
)

base = Table(
    "base",
    metadata,
    Column("link", String(32), primary_key=True),
    Column("fields", Text, nullable=False),
)

observation = Table(
    "observation",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("side", String(16), primary_key=True),
    Column("entity", String(64), primary_key=True),
    Column("record", String(190), primary_key=True),
    Column("presence", String(16), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("version", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("position", _Sorted, nullable=False),
    Column("row", String(32), nullable=False),
    Column("seen", BigInteger, nullable=False),
    Index(None, "pairing", "side", "entity", "position", "record"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    _pairing(),
    Column("side", String(16), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("record", String(190), nullable=False),
    Column("reason", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("waits_for", String(300)),
    Column("company", Integer, nullable=False, server_default="0"),
    Column("claimed_by", String(128)),
    Column("claimed_until", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    UniqueConstraint("pairing", "side", "entity", "record"),
    Index(None, "pairing", "not_before", "seq"),
    Index(None, "pairing", "waits_for"),
    sqlite_autoincrement=True,
)
_claimed = inbox.c.claimed_until > 0
Index("ix_inbox_claimed", inbox.c.pairing, inbox.c.claimed_until, sqlite_where=_claimed, postgresql_where=_claimed)

mark = Table(
    "mark",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("side", String(16), primary_key=True),
    Column("mark", String(190), primary_key=True),
)

cursor = Table(
    "cursor",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("stream", String(128), primary_key=True),
    Column("value", Text, nullable=False),
)

operation = Table(
    "operation",
    metadata,
    Column("token", String(32), primary_key=True),
    _pairing(),
    Column("link", String(32), nullable=False),
    Column("side", String(16), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("record", String(190), nullable=False),
    Column("action", String(16), nullable=False),
    Column("fields", Text, nullable=False),
    Column("across", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
    # What the same creation was asked with before, each time with something else.
    Column("earlier", Text, nullable=False, server_default="[]"),
    UniqueConstraint("link", "side"),
    Index(None, "pairing", "side", "record"),
)

lease = Table(
    "lease",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

fence = Table("fence", metadata, Column("id", Integer, primary_key=True), Column("value", BigInteger, nullable=False))

conflict = Table(
    "conflict",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    _pairing(),
    Column("entity", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("field", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("link", String(32)),
    Column("wordpress_id", String(190), nullable=False),
    Column("erpnext_id", String(190), nullable=False),
    Column("wordpress_value", Text, nullable=False),
    Column("erpnext_value", Text, nullable=False),
    Column("candidates", Text, nullable=False),
    Column("seen", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("decision", Text),
    Column("decided_by", Text),
    Column("since", BigInteger, nullable=False),
    UniqueConstraint("pairing", "subject", "field"),
    Index(None, "pairing", "state", "id"),
    Index(None, "link"),
    sqlite_autoincrement=True,
)

dead = Table(
    "dead",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    _pairing(),
    Column("entity", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("side", String(16), nullable=False),
    Column("wordpress_id", String(190), nullable=False),
    Column("erpnext_id", String(190), nullable=False),
    Column("fields", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("tried", String(32), nullable=False),
    Column("since", BigInteger, nullable=False),
    UniqueConstraint("pairing", "subject", "side"),
    Index(None, "pairing", "id"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    _pairing(),
    Column("at", BigInteger, nullable=False),
    Column("entity", String(64), nullable=False),
    Column("link", String(32)),
    Column("side", String(16), nullable=False),
    Column("record", String(190), nullable=False),
    Column("event", String(32), nullable=False),
    Column("fields", Text, nullable=False),
    Column("token", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Index(None, "pairing", "link", "id"),
    Index(None, "pairing", "side", "record", "id"),
    Index(None, "pairing", "at"),
    sqlite_autoincrement=True,
)

breaker = Table(
    "breaker",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("side", String(16), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
)

brake = Table(
    "brake",
    metadata,
    Column("pairing", String(64), primary_key=True),
    Column("entity", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("host", Text, nullable=False),
    Column("seen", BigInteger, nullable=False),
)
