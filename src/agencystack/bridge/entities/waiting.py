"""Records that wait for a person: one that cannot be written as it is says why, and what to do."""

from __future__ import annotations

from agencystack.bridge.side import Outcome, Result


class Waits(Exception):
    """A record waits for a person.

    Args:
        message: what is wrong.
        remedy: what to do now.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy

    def outcome(self, token: str) -> Outcome:
        """Return it as the outcome of an operation."""
        return Outcome(token, Result.REFUSED, message=self.message, remedy=self.remedy)
