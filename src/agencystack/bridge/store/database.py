"""The store: opens SQLite or PostgreSQL, brings its schema up to date, and gives transactions on one pairing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from agencystack.bridge.store.transaction import Transaction
from agencystack.stack.errors import ConfigurationError, Unavailable

BUSY_MILLISECONDS = 30_000
_MIGRATING = 5_270_511  # an advisory lock's number: any, but always the same


class Store:
    """Where the bridge keeps what it knows.

    Args:
        engine: the database, as :meth:`open` made it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a store and bring its schema up to date.

        Args:
            url: ``sqlite:////var/lib/.../bridge.db`` or ``postgresql+psycopg://...``.

        Raises:
            Unavailable: the database does not answer.
            ConfigurationError: its schema is of a newer version than this program.
        """
        store = cls(_engine(url))
        try:
            with store._connection(writes=True) as connection:
                _migrate(connection)
        except SQLAlchemyError as error:
            store.close()
            raise store._unavailable(error) from error
        except (ConfigurationError, Unavailable):
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def writing(self, pairing: str) -> Iterator[Transaction]:
        """Run one transaction that writes: committed at the end, rolled back when anything is raised."""
        with self._connection(writes=True) as connection:
            yield Transaction(connection, pairing)

    @contextmanager
    def reading(self, pairing: str) -> Iterator[Transaction]:
        """Run one transaction that only reads; on SQLite it waits for nobody."""
        with self._connection(writes=False) as connection:
            yield Transaction(connection, pairing)

    @contextmanager
    def _connection(self, *, writes: bool) -> Iterator[Connection]:
        with self._connected() as connection:
            connection = connection.execution_options(agencystack_writes=writes)
            with connection.begin():
                yield connection

    def _connected(self) -> Connection:
        try:
            return self.engine.connect()
        except OperationalError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: SQLAlchemyError) -> Unavailable:
        where = self.engine.url.render_as_string(hide_password=True)
        return Unavailable(
            f"the bridge's store {where} does not answer: {type(error.__cause__ or error).__name__}",
            remedy="start the database, or write where it is into stack.yaml",
        )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        _keep_private(Path(parsed.database))
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _keep_private(file: Path) -> None:
    """Have a file of ours that only its owner reads; SQLite gives what it writes beside it the same mode."""
    with suppress(OSError):  # SQLite says it better
        file.touch(mode=0o600)
        file.chmod(0o600)  # one that an earlier version made was readable by all


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, below: the driver's own begin too late
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an intended operation must outlive a power cut
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails under WAL when another wrote in between: it takes its turn.
    writes = connection.get_execution_options().get("agencystack_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "agencystack.bridge:migrations")
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise ConfigurationError(
            f"the bridge's store has schema {current}, which this version does not know",
            remedy="install the version of AgencyStack that wrote it, or a newer one",
        )
    if current != scripts.get_current_head():
        command.upgrade(config, "head")
