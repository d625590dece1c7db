"""The bridge's store: links, bases, observations, hints, operations, leases, conflicts, dead letters, audit."""

from agencystack.bridge.store.database import Store

__all__ = ["Store"]
