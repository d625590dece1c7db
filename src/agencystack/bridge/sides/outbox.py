"""What a side says changed: from the outbox that our plugin and our app keep, or by whoever polls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agencystack.bridge.side import Changes, Identity, Mark, Narrowed
from agencystack.stack.errors import BadAnswer, ComponentRef


class ChangeSource(Protocol):
    """Where a side's changes come from: an outbox of ours, or polling."""

    def identity(self) -> Identity:
        """Return which installation answers."""

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed."""


class SignedCalls(Protocol):
    """The signed calls of our plugin, or of our app."""

    @property
    def where(self) -> ComponentRef:
        """The product it is installed in."""

    def ask(self, call: str, asked: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Ask for something that bears being asked again."""


class OutboxChanges:
    """Changes from the outbox our plugin or app keeps; it forgets what is acknowledged, in the same request.

    Args:
        calls: its signed calls.
    """

    def __init__(self, calls: SignedCalls) -> None:
        self._calls = calls

    def identity(self) -> Identity:
        """Return which installation answers."""
        return self.changes("", (), 0).identity

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed and was not acknowledged yet, oldest first.

        Raises:
            BadAnswer: it tells it in a form that is not known.
        """
        told = self._calls.ask("changes", {"acknowledge": list(acknowledged), "limit": limit})
        try:
            marks = tuple(Mark(str(one["mark"]), str(one["entity"]), str(one["id"])) for one in told["changes"])
            identity = Identity(str(told["url"]), str(told["instance"]), int(told["epoch"]))
            narrowed = Narrowed.told(told.get("narrowed"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(
                f"told its changes in a form that is not known ({error})",
                component=self._calls.where,
                remedy="run agencystack integrate data-bridge, which updates our part in it",
            ) from error
        return Changes(marks, identity, more=bool(told.get("more")), narrowed=narrowed)
