"""WooCommerce's arithmetic: six digits inside, the shop's decimals outside, and which halves go which way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation

SIX = Decimal("0.000001")
ZERO = Decimal(0)


def amount(text: object) -> Decimal:
    """Return what WooCommerce makes of an amount: everything but digits, points and minus falls out.

    So ``"10,50"`` is 1050 (contract/wordpress/wc-money-total-comma.json), and text is nothing.
    """
    if isinstance(text, int | float):
        return Decimal(str(text))
    kept = re.sub(r"\.(?![^.]+$)|[^0-9.-]", "", str(text or ""))
    try:
        return Decimal(kept)
    except InvalidOperation:
        return ZERO


def price_text(text: object) -> str:
    """Return a price as a product keeps it: as typed, or empty where no number is left."""
    kept = re.sub(r"\.(?![^.]+$)|[^0-9.-]", "", str(text if text is not None else "").strip())
    try:
        Decimal(kept)
    except InvalidOperation:
        return ""
    return kept


@dataclass(frozen=True)
class Rounding:
    """How a shop rounds.

    Args:
        decimals: of its prices.
        inclusive: prices include tax; a half of a tax is then rounded down.
        at_subtotal: taxes and lines are rounded when they have been added up.
    """

    decimals: int = 2
    inclusive: bool = False
    at_subtotal: bool = False

    @property
    def unit(self) -> Decimal:
        """The smallest amount."""
        return Decimal(1).scaleb(-self.decimals)

    def shown(self, value: Decimal) -> str:
        """Return an amount as REST shows it."""
        text = str(value.quantize(self.unit, ROUND_HALF_UP))
        return text.lstrip("-") if not Decimal(text) and text.startswith("-") else text

    def rounded(self, value: Decimal) -> Decimal:
        """Return an amount of the shop's decimals."""
        return value.quantize(self.unit, ROUND_HALF_UP)

    def tax(self, value: Decimal) -> Decimal:
        """Return a tax of the shop's decimals."""
        return value.quantize(self.unit, ROUND_HALF_DOWN if self.inclusive else ROUND_HALF_UP)

    def line_tax(self, value: Decimal) -> Decimal:
        """Return a line's tax: rounded now, or not before it has been added up."""
        return value if self.at_subtotal else self.tax(value)

    def line(self, value: Decimal) -> Decimal:
        """Return a line's amount, likewise."""
        return value if self.at_subtotal else self.rounded(value)


@dataclass(frozen=True)
class Rate:
    """A tax rate.

    Args:
        id: its id.
        percent: how much.
        compound: it is put on what the others made.
    """

    id: int
    percent: Decimal
    compound: bool = False


def tax_on(net: Decimal, rates: Sequence[Rate]) -> dict[int, Decimal]:
    """Return the taxes on a net amount, by rate."""
    taxes = {rate.id: net * rate.percent / 100 for rate in rates if not rate.compound}
    for rate in rates:
        if rate.compound:
            taxes[rate.id] = (net + sum(taxes.values())) * rate.percent / 100
    return _six(taxes)


def tax_within(gross: Decimal, rates: Sequence[Rate]) -> dict[int, Decimal]:
    """Return the taxes within a gross amount, by rate."""
    taxes: dict[int, Decimal] = {}
    left = gross
    for rate in reversed([rate for rate in rates if rate.compound]):
        taxes[rate.id] = left - left / (1 + rate.percent / 100)
        left -= taxes[rate.id]
    plain = [rate for rate in rates if not rate.compound]
    whole = 1 + sum((rate.percent for rate in plain), ZERO) / 100
    for rate in plain:
        taxes[rate.id] = left * (rate.percent / 100) / whole
    return _six(taxes)


def total(values: Iterable[Decimal]) -> Decimal:
    """Add up."""
    return sum(values, ZERO)


def plain(value: Decimal) -> str:
    """Return a decimal as PHP prints a float: no zeros behind."""
    text = format(value.normalize(), "f")
    return "0" if text in {"-0", ""} else text


def php_float(value: Decimal | float) -> int | float:
    """Return a number as JSON shows PHP's: a whole one without a point."""
    as_float = float(value)
    return int(as_float) if as_float.is_integer() else as_float


def _six(taxes: dict[int, Decimal]) -> dict[int, Decimal]:
    return {rate: tax.quantize(SIX, ROUND_HALF_UP) for rate, tax in taxes.items()}
