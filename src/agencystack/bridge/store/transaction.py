"""One transaction on one pairing, with its tables by subject."""

from __future__ import annotations

from sqlalchemy import Connection

from agencystack.bridge.store.audits import Audits
from agencystack.bridge.store.brakes import Brakes, Breakers
from agencystack.bridge.store.conflicts import Conflicts
from agencystack.bridge.store.dead import DeadLetters
from agencystack.bridge.store.erasing import Erasing
from agencystack.bridge.store.inbox import Cursors, Inbox, Marks
from agencystack.bridge.store.leases import Leases
from agencystack.bridge.store.links import Bases, Links
from agencystack.bridge.store.observations import Observations
from agencystack.bridge.store.operations import Operations
from agencystack.bridge.store.pairings import Pairings


class Transaction:
    """What is read and written together.

    Args:
        connection: within a transaction.
        pairing: whose rows; no other's are ever seen.
    """

    def __init__(self, connection: Connection, pairing: str) -> None:
        self.connection = connection
        self.pairings = Pairings(connection, pairing)
        self.links = Links(connection, pairing)
        self.bases = Bases(connection)
        self.observations = Observations(connection, pairing)
        self.inbox = Inbox(connection, pairing)
        self.marks = Marks(connection, pairing)
        self.cursors = Cursors(connection, pairing)
        self.leases = Leases(connection, pairing)
        self.operations = Operations(connection, pairing)
        self.conflicts = Conflicts(connection, pairing)
        self.dead = DeadLetters(connection, pairing)
        self.audits = Audits(connection, pairing)
        self.erasing = Erasing(connection, pairing)
        self.breakers = Breakers(connection, pairing)
        self.brakes = Brakes(connection, pairing)
