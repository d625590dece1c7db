"""Where the bridge of one installation keeps what it knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agencystack.bridge.serving.keyring import Keyring
from agencystack.stack import bridge_files
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret

if TYPE_CHECKING:
    from agencystack.bridge.store import Store


@dataclass(frozen=True)
class Place:
    """The bridge's store, the books of its dispatch, and its keyring.

    Args:
        home: the installation.
        database: address of a PostgreSQL; None for SQLite, which serves one host.
    """

    home: Home
    database: Secret | None = None

    @property
    def store_url(self) -> str:
        """The store; may hold a password."""
        return self.database.reveal() if self.database else f"sqlite:///{self.home.bridge_dir}/bridge.db"

    @property
    def dispatch_url(self) -> str:
        """Where DBOS keeps its books: beside the store."""
        return self.database.reveal() if self.database else f"sqlite:///{self.home.bridge_dir}/dispatch.db"

    @property
    def exists(self) -> bool:
        """Say whether there is a store; one in PostgreSQL is made when it is first opened."""
        return self.database is not None or (self.home.bridge_dir / "bridge.db").exists()

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Open the store, and close it afterwards.

        Raises:
            Unavailable: the database does not answer.
            ConfigurationError: its schema is of a newer version than this program.
        """
        # SQLAlchemy takes half a second to import, and most commands never look into the store.
        from agencystack.bridge.store import Store

        store = Store.open(self.store_url)
        try:
            yield store
        finally:
            store.close()

    def restored(self) -> list[str]:
        """Return the pairings whose store is older than what was last done: everything of them is to be compared."""
        return bridge_files.asked(self.home.bridge_dir)

    def compared(self, pairing: str) -> None:
        """Note that everything of a pairing is compared, or will be whatever comes."""
        bridge_files.answered(self.home.bridge_dir, pairing)

    @property
    def keyring(self) -> Keyring:
        """How the bridge reaches its sides."""
        return Keyring(self.home.bridge_dir / "keys", self.home.bridge_key_file)
