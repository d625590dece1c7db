"""Refunds as WooCommerce keeps them: records of their own below an order, with negative lines or with none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Fields, Observed, Presence, Ref, Value
from agencystack.bridge.side import Operation, Outcome
from agencystack.bridge.sides.wordpress.form import WordPressForm
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records

_ORDER = "agencystack_order"
"""The order of a refund, laid beside it: the refund itself tells neither currency nor payment method."""


class RefundOnWordPress(WordPressForm):
    """WooCommerce's refunds.

    Args:
        records: the way to its records.
        site: the pairing's short name.
    """

    entity = "refund"
    kind = Kind.REFUND

    def __init__(self, records: Records, site: str) -> None:
        super().__init__(records)
        self.site = site

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each refund, with what its order says of it."""
        natives = self.records.fetch(self.kind, ids)
        orders = self.records.fetch(Kind.ORDER, sorted({order_of(one) for one in natives.values()} - {""}))
        known = {id_: {**one, _ORDER: orders.get(order_of(one), {})} for id_, one in natives.items()}
        return {id_: self.observed(id_, known.get(id_)) for id_ in ids}

    def presence(self, native: Native) -> Presence:
        """Return whether money was given back: WooCommerce also takes a refund of 0.00."""
        found = super().presence(native)
        if found is Presence.PRESENT and not native.get(_ORDER):
            return Presence.HALF
        nothing = not normal.number(native.get("amount"))
        return Presence.GONE if found is Presence.PRESENT and nothing else found

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a refund."""
        order: Native = native.get(_ORDER, {})
        currency = str(order.get("currency") or "").upper()
        digits = normal.digits_of(currency)
        return {
            "reference": f"WC-{self.site}-refund-{native['id']}",
            "order": Ref("order", order_of(native)),
            "amount": normal.money(native.get("amount"), digits),
            "currency": currency,
            "method": normal.line(order.get("payment_method")),
            "content": {
                "lines": tuple(_lines(native, digits)),
                "taxes": tuple(_taxes(native, order, digits)),
            },
            "reason": normal.text(native.get("reason")),
            "refunded": normal.utc(native.get("date_created_gmt")),
        }

    def values(self, fields: Fields, native: Native | None) -> Native:
        """Refunds are never written to a shop."""
        raise Waits("a refund is never written to the shop", "refund the order in WooCommerce by hand")

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Nothing is looked for: refunds are born in the shop."""
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Refuse: a refund written to a shop might make its gateway pay."""
        waits = Waits("a refund is never written to the shop", "refund the order in WooCommerce by hand")
        return {one.token: waits.outcome(one.token) for one in operations}


def order_of(native: Native) -> str:
    """Return the id of a refund's order; empty where it cannot be told."""
    told = native.get("parent_id") or native.get("agencystack", {}).get("parent")
    if told:
        return str(told)
    links = native.get("_links", {}).get("up", ())
    return str(links[0].get("href", "")).rstrip("/").rpartition("/")[2] if links else ""


def _lines(native: Native, digits: int) -> Iterator[dict[str, Value]]:
    for name, key in (("line_items", "line"), ("shipping_lines", "shipping"), ("fee_lines", "fee")):
        for one in native.get(name, ()):
            total = -(normal.number(one.get("total")) or Decimal(0))
            quantity = -(normal.number(one.get("quantity")) or Decimal(0)) if key == "line" else Decimal(1)
            if total or (key == "line" and quantity):
                yield {
                    "line": f"{key}:{_origin(one)}",
                    "product": _product(one),
                    "name": normal.line(one.get("name") or one.get("method_title")),
                    "quantity": normal.quantity(quantity),
                    "total": normal.money(total, digits),
                }


def _taxes(native: Native, order: Native, digits: int) -> Iterator[dict[str, Value]]:
    codes = {str(one.get("rate_id")): one.get("rate_code") for one in order.get("tax_lines", ())}
    sums: dict[str, Decimal] = {}
    for name in ("line_items", "shipping_lines", "fee_lines"):
        for one in native.get(name, ()):
            for tax in one.get("taxes", ()):
                amount = -(normal.number(tax.get("total")) or Decimal(0))
                sums[str(tax["id"])] = sums.get(str(tax["id"]), Decimal(0)) + amount
    for rate, amount in sums.items():
        if amount:
            yield {"code": normal.line(codes.get(rate)), "amount": normal.money(amount, digits)}


def _origin(one: Mapping[str, Any]) -> str:
    meta = one.get("meta_data", ())
    return next((str(each["value"]) for each in meta if each.get("key") == "_refunded_item_id"), "")


def _product(one: Mapping[str, Any]) -> Value:
    if one.get("variation_id"):
        return Ref("variation", str(one["variation_id"]))
    return Ref("product", str(one["product_id"])) if one.get("product_id") else None
