"""ERPNext as a side of a pairing: its forms, its identity, and what it says changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Changes, Form, Identity, Mark, Narrowed
from agencystack.bridge.sides.erpnext.app import AppCalls
from agencystack.stack.errors import BadAnswer


class ChangeSource(Protocol):
    """Where an ERPNext's changes come from: our app's outbox, or polling."""

    def identity(self) -> Identity:
        """Return which installation answers."""

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed."""


class AppChanges:
    """Changes from the outbox our app keeps; it forgets what is acknowledged, in the same request.

    Args:
        calls: the app's signed calls.
    """

    def __init__(self, calls: AppCalls) -> None:
        self._calls = calls

    def identity(self) -> Identity:
        """Return which installation answers."""
        return self.changes("", (), 0).identity

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed and was not acknowledged yet, oldest first."""
        told = self._calls.ask("changes", {"acknowledge": list(acknowledged), "limit": limit})
        try:
            marks = tuple(Mark(str(one["mark"]), str(one["entity"]), str(one["id"])) for one in told["changes"])
            identity = Identity(str(told["url"]), str(told["instance"]), int(told["epoch"]))
            narrowed = Narrowed.told(told.get("narrowed"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(
                f"told its changes in a form that is not known ({error})",
                component=self._calls.exchange.where,
                remedy="run agencystack integrate data-bridge, which updates the app",
            ) from error
        return Changes(marks, identity, more=bool(told.get("more")), narrowed=narrowed)


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
