"""Coupons: how a discount is spread over an order's lines, cent by cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_DOWN, Decimal
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.money import ZERO, amount, plain, tax_on, tax_within, total
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.texts import folded
from agencystack.sandbox.woocommerce.totals import COUPON, LINE, Totals, of
from agencystack.sandbox.woocommerce.wire import Json, RestError

_CHECKS: Mapping[str, schema.Check] = {
    "code": schema.string,
    "amount": schema.string,
    "discount_type": schema.one_of("percent", "fixed_cart", "fixed_product"),
}
_CENT = Decimal("0.01")


class Coupons:
    """The coupons of a shop.

    Args:
        state: the shop's data.
        totals: adds orders up.
    """

    def __init__(self, state: State, totals: Totals) -> None:
        self._state = state
        self._totals = totals

    def create(self, body: Mapping[str, Any]) -> Json:
        """Make a coupon."""
        schema.check_all(_CHECKS, body)
        if not body.get("code"):
            raise RestError("rest_missing_callback_param", "Missing parameter(s): code", params=["code"])
        now, code = self._state.second(), str(body["code"]).lower()
        if self._with_code(code):
            raise RestError("woocommerce_rest_coupon_code_already_exists", "The coupon code already exists")
        made = {
            "id": self._state.number("post"),
            "code": code,
            "amount": str(body.get("amount", "0")),
            "discount_type": body.get("discount_type", "fixed_cart"),
            "product_ids": list(body.get("product_ids", ())),
            "created": now,
            "modified": now,
            "meta_data": self._state.merged_meta([], body.get("meta_data")),
        }
        self._state.data.coupons[str(made["id"])] = made
        return made

    def show(self, coupon: Json) -> Json:
        """Return a coupon as REST shows it."""
        shown = {name: value for name, value in coupon.items() if name not in {"created", "modified"}}
        return {**shown, **self._state.both("created", coupon["created"]), "status": "publish"}

    def apply(self, order: Json, lines: Sequence[Mapping[str, Any]]) -> None:
        """Put coupons on an order, and take off those that are not named.

        Raises:
            RestError: ``woocommerce_rest_invalid_coupon``; the order that was begun stays behind as a draft.
        """
        wanted: list[Json] = []
        for line in lines:
            coupon = self._with_code(str(line.get("code", "")))
            if coupon is None:
                raise RestError(
                    "woocommerce_rest_invalid_coupon",
                    f"Coupon &quot;{line.get('code', '')}&quot; cannot be applied because it does not exist.",
                    new_draft_order_id=order["id"],
                )
            wanted.append(coupon)
        had = {line["code"]: line for line in of(order, COUPON)}
        order["items"] = [line for line in order["items"] if line["kind"] != COUPON]
        for line in of(order, LINE):
            if had:
                line["total"] = line["subtotal"]
        for coupon in wanted:
            self._apply_one(order, coupon, had.get(coupon["code"]))
        self._totals.add_up(order)

    def _apply_one(self, order: Json, coupon: Json, known: Json | None) -> None:
        left = {line["id"]: self._price(order, line) for line in of(order, LINE)}
        spread = _Spread(order, {id_: price / _CENT for id_, price in left.items()}, coupon["product_ids"])
        cut = {
            id_: cents * _CENT for id_, cents in spread.cut(coupon["discount_type"], amount(coupon["amount"])).items()
        }
        inclusive, rounding = order["prices_include_tax"], self._state.rounding
        discount, discount_tax = total(cut.values()), ZERO
        for line in of(order, LINE):
            off = cut.get(line["id"], ZERO)
            rates = self._totals.rates_of(order, line)
            taxes = total((tax_within if inclusive else tax_on)(off, rates).values())
            net = off - taxes if inclusive else off
            line["total"] = plain(max(ZERO, amount(line["total"]) - net))
            taxes = rounding.line_tax(taxes)
            discount_tax += taxes
            discount -= taxes if inclusive else ZERO
        order["items"].append(
            {
                "id": known["id"] if known else self._state.number("item"),
                "kind": COUPON,
                "code": coupon["code"],
                "discount": plain(discount),
                "discount_tax": plain(discount_tax),
                "discount_type": coupon["discount_type"],
                "nominal": coupon["amount"],
                "coupon": coupon["id"],
                "meta_data": [],
            }
        )

    def _price(self, order: Json, line: Json) -> Decimal:
        price = amount(line["subtotal"])
        return price + amount(line["subtotal_tax"]) if order["prices_include_tax"] else price

    def _with_code(self, code: str) -> Json | None:
        return next((one for one in self._state.data.coupons.values() if folded(one["code"]) == folded(code)), None)


class _Spread:
    """Spreads one discount over lines, in cents: the dearest line first, what is left over piece by piece."""

    def __init__(self, order: Json, prices: Mapping[int, Decimal], products: Sequence[int]) -> None:
        lines = {line["id"]: line for line in of(order, LINE)}
        meant = [
            id_
            for id_ in prices
            if not products or {lines[id_]["product_id"], lines[id_]["variation_id"]} & set(products)
        ]
        self._ids = sorted(meant, key=lambda id_: -prices[id_])
        self._quantity = {id_: max(int(lines[id_]["quantity"]), 0) for id_ in meant}
        self._left = {id_: prices[id_] for id_ in meant}
        self._cut = dict.fromkeys(meant, ZERO)

    def cut(self, kind: str, value: Decimal) -> dict[int, Decimal]:
        """Return what each line loses."""
        if kind == "percent":
            self._percent(value)
        elif kind == "fixed_product":
            self._each(value / _CENT)
        else:
            self._whole(value / _CENT)
        return self._cut

    def _percent(self, percent: Decimal) -> None:
        whole, given = ZERO, ZERO
        for id_ in self._ids:
            price = self._left[id_].quantize(Decimal(1))
            whole += price
            given += self._take(id_, (price * percent / 100).to_integral_value(ROUND_FLOOR))
        meant = (whole * percent / 100).quantize(Decimal(1), ROUND_HALF_DOWN)
        if given < meant:
            self._remainder(meant - given)

    def _each(self, cents: Decimal) -> Decimal:
        return total(self._take(id_, cents * self._quantity[id_]) for id_ in self._ids)

    def _whole(self, cents: Decimal) -> None:
        pieces = sum(self._quantity[id_] for id_ in self._ids if self._left[id_] > 0)
        if not pieces or cents <= 0:
            return
        each = (cents / pieces).to_integral_value(ROUND_FLOOR)
        if each > 0:
            given = self._each(each)
            if 0 < given < cents:
                self._whole(cents - given)
        else:
            self._remainder(cents)

    def _remainder(self, cents: Decimal) -> None:
        for id_ in self._ids:
            for _ in range(self._quantity[id_]):
                cents -= self._take(id_, Decimal(1))
                if cents <= 0:
                    return

    def _take(self, id_: int, cents: Decimal) -> Decimal:
        taken = min(self._left[id_], cents)
        self._left[id_] -= taken
        self._cut[id_] += taken
        return taken
