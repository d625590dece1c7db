"""An entry on its way through the stages: what Alloy's stages hand to one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

REPLACEMENT = "\ufffd"
LOST_BYTE = "\U0010fffd"
"""Stands for each byte that is no UTF-8 while an entry is on its way, apart from a U+FFFD that was written."""

Value = str | float | bool | None


@dataclass
class Passing:
    """One entry. `time` is in nanoseconds since 1970, None as long as the text said none."""

    line: str
    labels: dict[str, str] = field(default_factory=dict)
    extracted: dict[str, Value] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    time: int | None = None

    @property
    def stream(self) -> frozenset[tuple[str, str]]:
        """The labels, by which Alloy keeps entries of several files apart."""
        return frozenset(self.labels.items())

    def text(self, name: str) -> str | None:
        """Return an extracted value as text, None where there is none (or null)."""
        value = self.extracted.get(name)
        return value if isinstance(value, str) else _text(value)

    def source(self, name: str | None) -> str | None:
        """Return the text a stage reads: the line, or the extracted value it names."""
        return self.line if name is None else self.text(name)

    def put(self, name: str, value: str) -> None:
        """Set an extracted value as a template does: no text removes it."""
        if value:
            self.extracted[name] = value
        else:
            self.extracted.pop(name, None)

    def valid(self, names: Iterable[str]) -> dict[str, str]:
        """Return extracted values as labels and metadata take them: Alloy skips text that is no UTF-8.

        A U+FFFD that was written becomes a space in Loki.
        """
        found = {name: text for name in names if (text := self.text(name)) is not None}
        return {name: text.replace(REPLACEMENT, " ") for name, text in found.items() if LOST_BYTE not in text}


def _text(value: float | bool | None) -> str | None:
    """Show a value as Go's `getString` does: numbers without exponent, the shortest that means the same."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = format(Decimal(repr(value)), "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def decoded(text: bytes) -> str:
    """Return bytes as text, one ``LOST_BYTE`` for each that is no UTF-8, as Go reads them."""
    loose = text.decode("utf-8", "surrogateescape")
    return loose if loose.isascii() else "".join(LOST_BYTE if "\udc80" <= each <= "\udcff" else each for each in loose)
