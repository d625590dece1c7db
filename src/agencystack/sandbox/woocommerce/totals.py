"""What an order adds up to: taxes of each line, what the order itself says, and where the two differ by a cent."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agencystack.sandbox.woocommerce.money import (
    ZERO,
    Rate,
    Rounding,
    amount,
    plain,
    tax_on,
    total,
)
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.wire import Json

LINE, SHIPPING, FEE, COUPON, TAX = "line", "shipping", "fee", "coupon", "tax"


class Totals:
    """Adds orders up as WooCommerce does (facts/woocommerce-in-depth.md section 1).

    Args:
        state: the shop's data.
        products: its products.
    """

    def __init__(self, state: State, products: Products) -> None:
        self._state = state
        self._products = products

    def add_up(self, order: Json) -> None:
        """Compute taxes and totals anew from the lines' net amounts."""
        rounding = self._state.rounding
        lines = total(rounding.line(amount(line["total"])) for line in of(order, LINE))
        before = total(rounding.line(amount(line["subtotal"])) for line in of(order, LINE))
        shipping = total(rounding.rounded(amount(line["total"])) for line in of(order, SHIPPING))
        fees = self._fees(order, lines, shipping, rounding)
        self._tax_lines(order, rounding)
        cart_tax, shipping_tax = self._collected(order, rounding)
        discounted_tax = total(
            amount(tax["subtotal"]) - amount(tax["total"]) for line in of(order, LINE) for tax in line["taxes"].values()
        )
        order["totals"] = {
            "discount_total": plain(rounding.rounded(before - lines)),
            "discount_tax": plain(rounding.tax(discounted_tax)),
            "shipping_total": plain(shipping),
            "shipping_tax": plain(shipping_tax),
            "cart_tax": plain(cart_tax),
            "total_tax": plain(rounding.rounded(cart_tax + shipping_tax)),
            "total": plain(rounding.rounded(lines + fees + shipping + cart_tax + shipping_tax)),
        }

    def location(self, order: Json) -> str:
        """Return the country an order is taxed for; the shop's own without an address."""
        based_on = self._state.setting("tax_based_on")
        country = order["shipping"]["country"] if based_on == "shipping" else ""
        if based_on != "base":
            country = country or order["billing"]["country"]
        return str(country or self._state.setting("default_country").partition(":")[0])

    def rates_of(self, order: Json, line: Json) -> list[Rate]:
        """Return the tax rates of a line."""
        if line["tax_status"] != "taxable" or self._state.setting("calc_taxes") != "yes":
            return []
        return self._state.rates(line["tax_class"], self.location(order))

    def _fees(self, order: Json, lines: Decimal, shipping: Decimal, rounding: Rounding) -> Decimal:
        fees = ZERO
        for fee in of(order, FEE):
            most = -rounding.rounded(lines + fees + shipping)
            if amount(fee["total"]) < most < 0:
                fee["total"] = plain(most)
            fees += amount(fee["total"])
        return fees

    def _tax_lines(self, order: Json, rounding: Rounding) -> None:
        for line in of(order, LINE):
            rates = self.rates_of(order, line)
            taxes, before = tax_on(amount(line["total"]), rates), tax_on(amount(line["subtotal"]), rates)
            if sum(before.values()) < sum(taxes.values()):
                before = taxes
            _set_taxes(line, taxes, before, rounding)
        for fee in of(order, FEE):
            if amount(fee["total"]) >= 0:
                taxes = tax_on(amount(fee["total"]), self.rates_of(order, fee))
            else:
                taxes = self._apportioned(order, fee)
            _set_taxes(fee, taxes, None, rounding)
        for line in of(order, SHIPPING):
            _set_taxes(line, tax_on(amount(line["total"]), self._shipping_rates(order)), None, rounding)

    def _apportioned(self, order: Json, fee: Json) -> dict[int, Decimal]:
        """Return the taxes of a negative fee: shares of what the order costs by tax class, whatever its own status."""
        costs: dict[str | None, Decimal] = {}
        for line in order["items"]:
            if line["kind"] in {LINE, FEE, SHIPPING} and amount(line["total"]) > 0:
                name = line["tax_class"] if line["tax_status"] == "taxable" else None
                costs[name] = costs.get(name, ZERO) + amount(line["total"])
        taxes: dict[int, Decimal] = {}
        whole = total(costs.values())
        for name, cost in costs.items():
            if name is None:
                continue
            share = amount(fee["total"]) * cost / whole
            for rate, tax in tax_on(share, self._state.rates(name, self.location(order))).items():
                taxes[rate] = taxes.get(rate, ZERO) + tax
        return taxes

    def _shipping_rates(self, order: Json) -> list[Rate]:
        """Return the rates of shipping: it takes the first class of what is shipped."""
        if self._state.setting("calc_taxes") != "yes":
            return []
        classes = {line["tax_class"] for line in of(order, LINE) if line["tax_status"] in {"taxable", "shipping"}}
        if not classes:
            return []
        return self._state.rates(min(classes), self.location(order), shipping=True)

    def _collected(self, order: Json, rounding: Rounding) -> tuple[Decimal, Decimal]:
        """Renew the order's tax lines, and return the tax of its cart and of its shipping."""
        cart = _by_rate(order, (LINE, FEE), rounding)
        shipping = _by_rate(order, (SHIPPING,), rounding)
        known = {line["rate_id"]: line for line in of(order, TAX)}
        order["items"] = [line for line in order["items"] if line["kind"] != TAX]
        for rate in dict.fromkeys((*cart, *shipping)):
            line = known.get(rate) or {"id": self._state.number("item"), "kind": TAX, "rate_id": rate, "meta_data": []}
            line |= {"tax": plain(cart.get(rate, ZERO)), "shipping_tax": plain(shipping.get(rate, ZERO))}
            order["items"].append(line)
        return total(cart.values()), total(shipping.values())


def of(order: Json, *kinds: str) -> list[Json]:
    """Return an order's lines of some kinds."""
    return [line for line in order["items"] if line["kind"] in kinds]


def _by_rate(order: Json, kinds: Iterable[str], rounding: Rounding) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for line in of(order, *kinds):
        for rate, tax in line["taxes"].items():
            found[int(rate)] = found.get(int(rate), ZERO) + rounding.line_tax(amount(tax["total"]))
    return found


def _set_taxes(line: Json, taxes: dict[int, Decimal], before: dict[int, Decimal] | None, rounding: Rounding) -> None:
    line["taxes"] = {
        str(rate): {"total": plain(tax), "subtotal": plain(before[rate]) if before is not None else ""}
        for rate, tax in taxes.items()
    }
    line["total_tax"] = plain(total(rounding.line_tax(tax) for tax in taxes.values()))
    if before is not None:
        line["subtotal_tax"] = plain(total(rounding.line_tax(tax) for tax in before.values()))
