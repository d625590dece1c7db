"""ERPNext as a side of a pairing: its forms, its identity, and what it says changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Changes, Form, Identity
from agencystack.bridge.sides.outbox import ChangeSource


class ErpNextSide:
    """One ERPNext.

    Args:
        forms: how it keeps each entity, by the entity's name.
        source: where its changes come from.
    """

    name: ClassVar[SideName] = SideName.ERPNEXT

    def __init__(self, forms: Mapping[str, Form], source: ChangeSource) -> None:
        self._forms = dict(forms)
        self._source = source

    def identity(self) -> Identity:
        """Return which installation answers."""
        return self._source.identity()

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed and was not acknowledged yet."""
        return self._source.changes(cursor, acknowledged, limit)

    def form(self, entity: str) -> Form:
        """Return how an entity is kept.

        Raises:
            KeyError: it is not.
        """
        return self._forms[entity]
