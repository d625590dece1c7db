"""Refunds: records of their own with negative lines; the order they belong to keeps its totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.money import ZERO, amount, plain, total
from agencystack.sandbox.woocommerce.order_lines import line_shown
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.stock import Stock
from agencystack.sandbox.woocommerce.totals import FEE, LINE, SHIPPING, TAX, of
from agencystack.sandbox.woocommerce.wire import Json, RestError

_CHECKS: Mapping[str, schema.Check] = {
    "amount": schema.string,
    "reason": schema.string,
    "api_refund": schema.boolean,
    "api_restock": schema.boolean,
    "line_items": schema.items(id=schema.integer, quantity=schema.integer, refund_total=schema.number),
    "meta_data": schema.items(key=schema.string),
}

Tell = Callable[[str, str], None]
Enter = Callable[[Json, str], None]


class Refunds:
    """The refunds of a shop (facts/woocommerce-in-depth.md section 1, "Refunds").

    Args:
        state: the shop's data.
        products: its products.
        stock: moves stock.
        tell: sends a mail.
    """

    def __init__(self, state: State, products: Products, stock: Stock, tell: Tell) -> None:
        self._state = state
        self._products = products
        self._stock = stock
        self._tell = tell

    def of_order(self, order: Json) -> list[Json]:
        """Return the refunds of an order."""
        return [one for one in self._state.data.refunds.values() if one["parent_id"] == order["id"]]

    def left(self, order: Json) -> Decimal:
        """Return what of an order is not refunded yet."""
        return amount(order["totals"]["total"]) - total(amount(one["amount"]) for one in self.of_order(order))

    def create(self, order: Json, body: Mapping[str, Any]) -> Json:
        """Refund a part of an order; what was sold is not checked, only what is left to refund.

        Raises:
            RestError: as the product words it, mostly with status 500.
        """
        schema.check_all(_CHECKS, body)
        lines = [self._line(order, one) for one in body.get("line_items") or ()]
        of_lines = total(amount(one["total"]) + amount(one["total_tax"]) for one in lines)
        asked = amount(body["amount"]) if body.get("amount") is not None else -of_lines
        if asked < 0:
            raise _refusal("woocommerce_rest_invalid_order_refund", "Refund amount must be greater than zero.", 400)
        if asked > self.left(order):
            raise _refusal("woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.", 500)
        if body.get("api_refund") is None or schema.truth(body["api_refund"]):
            said = "The payment gateway for this order does not support automatic refunds."
            raise _refusal("woocommerce_rest_cannot_create_order_refund", said, 500)
        made = self._made(order, asked, str(body.get("reason") or ""), lines)
        made["meta_data"] = self._state.merged_meta(made["meta_data"], body.get("meta_data"))
        if body.get("api_restock") is None or schema.truth(body["api_restock"]):
            self._restock(order, body.get("line_items") or ())
        self._close(order)
        return made

    def whole(self, order: Json) -> None:
        """Refund what is left, without lines, as entering the state "refunded" does."""
        if (left := self.left(order)) > 0:
            self._made(order, left, "Order fully refunded.", [])

    def remove(self, refund: Json) -> None:
        """Delete a refund; the order's date_modified does not move."""
        del self._state.data.refunds[str(refund["id"])]

    def show(self, refund: Json, *, listed: bool = False) -> Json:
        """Return a refund as REST shows it; the list of all tells its order."""
        state, link = self._state, f"{self._state.url}/wp-json/wc/v3/orders/{refund['parent_id']}"
        lines = {
            name: [line_shown(state, self._products, line) for line in of(refund, kind)]
            for name, kind in (
                ("line_items", LINE),
                ("shipping_lines", SHIPPING),
                ("tax_lines", TAX),
                ("fee_lines", FEE),
            )
        }
        return {
            "id": refund["id"],
            **({"parent_id": refund["parent_id"]} if listed else {}),
            **state.both("created", refund["created"]),
            "amount": state.rounding.shown(amount(refund["amount"])),
            "reason": refund["reason"],
            "refunded_by": refund["refunded_by"],
            "refunded_payment": False,
            "meta_data": [dict(one) for one in refund["meta_data"]],
            **lines,
            "_links": {
                "self": [{"href": f"{link}/refunds/{refund['id']}", "targetHints": {"allow": ["GET", "DELETE"]}}],
                "collection": [{"href": f"{link}/refunds"}],
                "up": [{"href": link}],
            },
        }

    def _made(self, order: Json, asked: Decimal, reason: str, lines: list[Json]) -> Json:
        now = self._state.second()
        full = asked >= self.left(order)
        made: Json = {
            "id": self._state.number("post"),
            "parent_id": order["id"],
            "created": now,
            "modified": now,
            "amount": plain(asked),
            "reason": reason,
            "refunded_by": 1,
            "meta_data": self._state.merged_meta([], [{"key": "_refund_type", "value": "full" if full else "partial"}]),
            "items": lines,
        }
        made["items"] = [*lines, *self._tax_lines(lines)]
        self._state.data.refunds[str(made["id"])] = made
        return made

    def _line(self, order: Json, sent: Mapping[str, Any]) -> Json:
        sold = next((line for line in order["items"] if line["id"] == int(sent.get("id") or 0)), None)
        if sold is None:
            raise _refusal("woocommerce_rest_cannot_create_order_refund", "Invalid order item.", 500)
        taxes = {str(one["id"]): -amount(one.get("refund_total", 0)) for one in sent.get("refund_tax") or ()}
        net = plain(-amount(sent.get("refund_total", 0)))
        line = {
            **sold,
            "id": self._state.number("item"),
            "total": net,
            "total_tax": plain(total(taxes.values())),
            "taxes": {
                rate: {"total": plain(tax), "subtotal": plain(tax) if sold["kind"] == LINE else ""}
                for rate, tax in taxes.items()
            },
            "meta_data": self._state.merged_meta([], [{"key": "_refunded_item_id", "value": str(sold["id"])}]),
        }
        if sold["kind"] == LINE:
            line |= {"quantity": -int(sent.get("quantity") or 0), "subtotal": net, "subtotal_tax": line["total_tax"]}
        return line

    def _tax_lines(self, lines: list[Json]) -> list[Json]:
        found: dict[str, dict[str, Decimal]] = {}
        for line in lines:
            name = "shipping_tax" if line["kind"] == SHIPPING else "tax"
            for rate, tax in line["taxes"].items():
                sums = found.setdefault(rate, {"tax": ZERO, "shipping_tax": ZERO})
                sums[name] += amount(tax["total"])
        return [
            {
                "id": self._state.number("item"),
                "kind": TAX,
                "rate_id": int(rate),
                "tax": plain(sums["tax"]),
                "shipping_tax": plain(sums["shipping_tax"]),
                "meta_data": [],
            }
            for rate, sums in found.items()
        ]

    def _restock(self, order: Json, lines: Sequence[Mapping[str, Any]]) -> None:
        for sent in lines:
            sold = next(line for line in order["items"] if line["id"] == int(sent["id"]))
            pieces = int(sent.get("quantity") or 0)
            if sold["kind"] == LINE and pieces > 0:
                self._stock.restock(sold, pieces)

    def _close(self, order: Json) -> None:
        order["modified"] = self._state.second()
        customer, number = order["billing"]["email"], order["id"]
        if self.left(order) <= 0:
            order["status"] = "refunded"
            self._tell(customer, f"Your order #{number} has been refunded")
        else:
            self._tell(customer, f"Your order #{number} has been partially refunded")


def _refusal(code: str, message: str, data: int) -> RestError:
    """Return the refusal of a refund: whatever is wrong, it is a 500 whose ``data`` is a bare number."""
    return RestError(code, message, 500, data=data)
