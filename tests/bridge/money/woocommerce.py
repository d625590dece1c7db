"""WooCommerce's arithmetic of orders, so that random ones can be made; checked against every recording of the real one.

Source: abstract-wc-order.php (calculate_taxes, update_taxes, calculate_totals), class-wc-tax.php and
class-wc-order-item*.php.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

PRECISION = 6


@dataclass(frozen=True)
class Rate:
    """A tax rate of the shop."""

    id: int
    code: str
    percent: Decimal
    compound: bool = False


@dataclass(frozen=True)
class Shop:
    """A shop's settings."""

    inclusive: bool = False
    at_subtotal: bool = False
    digits: int = 2
    currency: str = "CHF"

    def rounded(self, amount: Decimal) -> Decimal:
        """Round as prices are rounded."""
        return amount.quantize(Decimal(1).scaleb(-self.digits), rounding=ROUND_HALF_UP)

    def rounded_tax(self, amount: Decimal) -> Decimal:
        """Round as taxes are rounded: down at the half where prices include them."""
        rounding = ROUND_HALF_DOWN if self.inclusive else ROUND_HALF_UP
        return amount.quantize(Decimal(1).scaleb(-self.digits), rounding=rounding)


@dataclass
class Line:
    """A line, a shipping line or a fee: net amounts with all the digits WooCommerce keeps."""

    total: Decimal
    rates: Sequence[Rate] = ()
    quantity: int = 1
    subtotal: Decimal | None = None
    product: int = 0
    taxes: dict[int, Decimal] = field(default_factory=dict)


@dataclass
class Order:
    """An order before it is totalled."""

    shop: Shop
    lines: list[Line]
    shipping: list[Line] = field(default_factory=list)
    fees: list[Line] = field(default_factory=list)


def exclusive(amount: Decimal, rates: Sequence[Rate]) -> dict[int, Decimal]:
    """Return the taxes on a net amount (WC_Tax::calc_exclusive_tax)."""
    taxes = {rate.id: amount * rate.percent / 100 for rate in rates if not rate.compound}
    for rate in rates:
        if rate.compound:
            taxes[rate.id] = (amount + sum(taxes.values())) * rate.percent / 100
    return {id_: _precise(tax) for id_, tax in taxes.items()}


def net_of(gross: Decimal, rates: Sequence[Rate]) -> Decimal:
    """Return the net of a gross price (WC_Tax::calc_inclusive_tax)."""
    rest, taxes = gross, Decimal(0)
    for rate in reversed([one for one in rates if one.compound]):
        part = _precise(rest - rest / (1 + rate.percent / 100))
        taxes, rest = taxes + part, rest - part
    regular = sum((one.percent for one in rates if not one.compound), Decimal(0))
    for rate in rates:
        if not rate.compound:
            taxes += _precise(rest / (1 + regular / 100) * rate.percent / 100)
    return gross - taxes


def calculated(order: Order) -> dict[str, Any]:
    """Return an order as REST shows it once WooCommerce calculated its taxes and totals."""
    shop = order.shop
    cart = _cart(order)
    shipping = sum((shop.rounded(one.total) for one in order.shipping), Decimal(0))
    fees = Decimal(0)
    for fee in order.fees:
        if fee.total < 0:
            most = -shop.rounded(cart + fees + shipping)
            fee.total = most if fee.total < most < 0 else fee.total
        fees += fee.total
    for one in [*order.lines, *order.shipping]:
        one.taxes = exclusive(one.total, one.rates)
    for fee in order.fees:
        fee.taxes = exclusive(fee.total, fee.rates) if fee.total >= 0 else _apportioned(fee, order)
    cart_taxes = _summed(order.shop, [*order.lines, *order.fees], each=not shop.at_subtotal)
    shipping_taxes = _summed(order.shop, order.shipping, each=not shop.at_subtotal)
    cart_tax, shipping_tax = sum(cart_taxes.values(), Decimal(0)), sum(shipping_taxes.values(), Decimal(0))
    total = shop.rounded(cart + fees + shipping + cart_tax + shipping_tax)
    return _shown(order, cart_taxes, shipping_taxes, total)


def _cart(order: Order) -> Decimal:
    if order.shop.at_subtotal:
        return sum((one.total for one in order.lines), Decimal(0))
    return sum((order.shop.rounded(one.total) for one in order.lines), Decimal(0))


def _apportioned(fee: Line, order: Order) -> dict[int, Decimal]:
    """Negative fees lower the taxes of all that is sold, whatever their own tax status (WC_Order_Item_Fee)."""
    costs: dict[tuple[Rate, ...], Decimal] = {}
    for one in [*order.lines, *(other for other in order.fees if other.total > 0), *order.shipping]:
        costs[tuple(one.rates)] = costs.get(tuple(one.rates), Decimal(0)) + one.total
    whole = sum(costs.values(), Decimal(0))
    taxes: dict[int, Decimal] = {}
    for rates, cost in costs.items():
        if whole:
            for id_, tax in exclusive(fee.total * cost / whole, rates).items():
                taxes[id_] = taxes.get(id_, Decimal(0)) + tax
    return taxes


def _summed(shop: Shop, priced: Sequence[Line], *, each: bool) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = {}
    for one in priced:
        for id_, tax in one.taxes.items():
            sums[id_] = sums.get(id_, Decimal(0)) + (shop.rounded_tax(tax) if each else tax)
    return sums


def _shown(
    order: Order, cart_taxes: dict[int, Decimal], shipping_taxes: dict[int, Decimal], total: Decimal
) -> dict[str, Any]:
    shop = order.shop

    def text(amount: Decimal) -> str:
        return f"{shop.rounded(amount):.{shop.digits}f}"

    def item(at: int, one: Line) -> dict[str, Any]:
        own = [shop.rounded_tax(tax) if not shop.at_subtotal else tax for tax in one.taxes.values()]
        return {
            "id": 100 + at,
            "product_id": one.product,
            "variation_id": 0,
            "quantity": one.quantity,
            "name": f"Line {at}",
            "subtotal": text(one.total if one.subtotal is None else one.subtotal),
            "total": text(one.total),
            "total_tax": text(sum(own, Decimal(0))),
            "taxes": [{"id": id_, "total": text(tax)} for id_, tax in one.taxes.items()],
        }

    rates = {rate.id: rate for one in [*order.lines, *order.shipping, *order.fees] for rate in one.rates}
    tax_lines = [
        {
            "rate_id": id_,
            "rate_code": rate.code,
            "label": rate.code,
            "compound": rate.compound,
            "rate_percent": float(rate.percent),
            "tax_total": text(cart_taxes.get(id_, Decimal(0))),
            "shipping_tax_total": text(shipping_taxes.get(id_, Decimal(0))),
        }
        for id_, rate in sorted(rates.items())
    ]
    offset = len(order.lines)
    return {
        "currency": shop.currency,
        "prices_include_tax": shop.inclusive,
        "line_items": [item(at, one) for at, one in enumerate(order.lines)],
        "shipping_lines": [
            {**item(offset + at, one), "method_title": "Post", "method_id": "flat_rate"}
            for at, one in enumerate(order.shipping)
        ],
        "fee_lines": [item(offset + 50 + at, one) for at, one in enumerate(order.fees)],
        "coupon_lines": [],
        "tax_lines": tax_lines,
        "shipping_total": text(sum((shop.rounded(one.total) for one in order.shipping), Decimal(0))),
        "cart_tax": text(sum(cart_taxes.values(), Decimal(0))),
        "shipping_tax": text(sum(shipping_taxes.values(), Decimal(0))),
        "total": text(total),
        "total_tax": text(sum([*cart_taxes.values(), *shipping_taxes.values()], Decimal(0))),
    }


def _precise(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-PRECISION), rounding=ROUND_HALF_UP)
