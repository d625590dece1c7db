"""WordPress as a side of a pairing: its forms, its identity, and what it says changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Changes, Form, Identity, Mark
from agencystack.bridge.sides.outbox import ChangeSource

# An order's payment is read from the order: WooCommerce keeps none of its own.
_STANDS_FOR = {"order": ("payment",)}


class WordPressSide:
    """One WordPress.

    Args:
        forms: how it keeps each entity, by the entity's name; without the plugin it keeps no submissions.
        source: where its changes come from.
    """

    name: ClassVar[SideName] = SideName.WORDPRESS

    def __init__(self, forms: Mapping[str, Form], source: ChangeSource) -> None:
        self._forms = dict(forms)
        self._source = source

    def identity(self) -> Identity:
        """Return which installation answers."""
        return self._source.identity()

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed; a mark of an order is one of its payment too."""
        changes = self._source.changes(cursor, acknowledged, limit)
        return replace(changes, marks=tuple(self._widened(changes.marks)))

    def form(self, entity: str) -> Form:
        """Return how an entity is kept.

        Raises:
            KeyError: it is not.
        """
        return self._forms[entity]

    def _widened(self, marks: Sequence[Mark]) -> Iterator[Mark]:
        for mark in marks:
            yield mark
            for entity in _STANDS_FOR.get(mark.entity, ()):
                if entity in self._forms:
                    yield replace(mark, entity=entity)
