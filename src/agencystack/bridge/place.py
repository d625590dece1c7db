"""Where the bridge of one installation keeps what it knows."""

from __future__ import annotations

from dataclasses import dataclass

from agencystack.bridge.keyring import Keyring
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret


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

    @property
    def keyring(self) -> Keyring:
        """How the bridge reaches its sides."""
        return Keyring(self.home.bridge_dir / "keys", self.home.bridge_key_file)
