"""A stand-in for Listmonk: settings, restarts, mail, users and logins, as recorded of Listmonk 6.2.0.

Source: ``tests/contract/recordings/listmonk``. While the real one restarts it refuses connections for some 50 ms; this
one answers 503 then, as a proxy in front of it does, and for good after values the real one cannot start with.
"""

from agencystack.sandbox.listmonk.app import ListmonkStandIn
from agencystack.sandbox.listmonk.people import ADMIN, ALL, ApiUser

__all__ = ["ADMIN", "ALL", "ApiUser", "ListmonkStandIn"]
