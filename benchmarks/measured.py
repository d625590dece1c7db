"""What a benchmark found, beside the limit it must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """One figure.

    Args:
        what: what was measured, for a person.
        value: the figure.
        limit: it must not be greater; None where it is only shown.
        unit: ``ratio``, ``s``, ``MB``, ``calls``.
        detail: what it was made from.
    """

    what: str
    value: float
    limit: float | None = None
    unit: str = "ratio"
    detail: str = ""

    @property
    def kept(self) -> bool:
        """Say whether the limit was kept."""
        return self.limit is None or self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return it for ``results.json``."""
        return {"what": self.what, "value": round(self.value, 4), "unit": self.unit, "limit": self.limit,
                "kept": self.kept, "detail": self.detail}  # fmt: skip
