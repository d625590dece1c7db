"""What a benchmark found, beside the limit it must keep; and that one could not be made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class CannotMeasure(Exception):
    """This machine lacks what a benchmark needs; the message says what."""


@dataclass(frozen=True)
class Measured:
    """One figure; without a limit it is only shown.

    Args:
        what: what was measured, for a person.
        value: the figure.
        at_most: it must not be greater.
        unit: ``ratio``, ``s``, ``ms``, ``MB``, ``calls`` and so on.
        detail: what it was made from.
        at_least: it must not be smaller.
    """

    what: str
    value: float
    at_most: float | None = None
    unit: str = "ratio"
    detail: str = ""
    at_least: float | None = None

    @property
    def limits(self) -> str:
        """The limits for a person, empty where there is none."""
        signs = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {limit:g}" for sign, limit in signs if limit is not None)

    @property
    def kept(self) -> bool:
        """Say whether the limits were kept."""
        too_much = self.at_most is not None and self.value > self.at_most
        too_little = self.at_least is not None and self.value < self.at_least
        return not too_much and not too_little

    def as_json(self) -> dict[str, Any]:
        """Return it for ``results.json``."""
        return {
            "what": self.what,
            "value": round(self.value, 4),
            "unit": self.unit,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "kept": self.kept,
            "detail": self.detail,
        }
