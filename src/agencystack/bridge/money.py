"""Amounts as whole smallest units, so that a sum is a sum: nothing here rounds without saying so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agencystack.bridge.normal import digits_of, number


class NotExact(ValueError):
    """An amount or quantity that cannot be written in whole smallest units; the text is a sentence for people."""


@dataclass(frozen=True)
class Unit:
    """The smallest amount of a currency.

    Args:
        currency: ISO code.
        digits: digits after the point: 2 for CHF, 0 for JPY.
    """

    currency: str
    digits: int

    @classmethod
    def of(cls, currency: str) -> Unit:
        """Return the smallest unit of a currency (ISO 4217)."""
        return cls(currency, digits_of(currency))

    def whole(self, amount: Any) -> int:
        """Return an amount in smallest units.

        Raises:
            NotExact: it is no number, or finer than the currency.
        """
        found = number(amount)
        if found is None:
            raise NotExact(f"{amount!r} is no amount")
        scaled = found.scaleb(self.digits)
        if scaled != scaled.to_integral_value():
            raise NotExact(f"{found} {self.currency} is finer than the currency's {self.digits} digits after the point")
        return int(scaled)

    def text(self, whole: int) -> str:
        """Return smallest units as canonical text: ``12.50``."""
        return f"{Decimal(whole).scaleb(-self.digits):.{self.digits}f}"

    def total(self, amounts: Iterable[Any]) -> int:
        """Return the sum of amounts in smallest units."""
        return sum(self.whole(one) for one in amounts)


@dataclass(frozen=True)
class Piece:
    """Pieces of a line that have one price.

    Args:
        quantity: how many.
        rate: price of one, in smallest units.
    """

    quantity: Decimal
    rate: int

    @property
    def amount(self) -> Decimal:
        """What they cost, in smallest units."""
        return self.quantity * self.rate


def split(total: int, quantity: Any) -> tuple[Piece, ...]:
    """Return at most two groups of pieces with whole prices whose amounts add up to a line's total.

    3 pieces for 10.00 are 2 at 3.33 and 1 at 3.34: ERPNext multiplies price and quantity, and has no field for the
    total of a line (``contract/erpnext/30_money.json``, "split").

    Args:
        total: of the line, in smallest units; not negative.
        quantity: of the line; a fraction of a piece is taken where the total is a whole multiple of it.

    Raises:
        NotExact: there is no such split: nothing was sold, or a fraction whose price is no whole number.
    """
    pieces = number(quantity)
    if pieces is None or pieces <= 0:
        raise NotExact(f"a quantity of {quantity} cannot be sold")
    if total < 0:
        raise NotExact("its total is below zero")
    if pieces != pieces.to_integral_value():
        price = Decimal(total) / pieces
        if price != price.to_integral_value():
            raise NotExact(f"{quantity} pieces for that total have no exact price")
        return (Piece(pieces, int(price)),)
    rate, dearer = divmod(total, int(pieces))
    groups = (Piece(pieces - dearer, rate), Piece(Decimal(dearer), rate + 1))
    return tuple(one for one in groups if one.quantity)
