"""Payments as WooCommerce knows them: an order that has a date of payment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agencystack.bridge import normal
from agencystack.bridge.entities import order_status
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.record import Fields, Presence, Ref
from agencystack.bridge.side import Operation, Outcome
from agencystack.bridge.sides.wordpress.form import WordPressForm
from agencystack.bridge.sides.wordpress.records import TOKEN_META, Kind, Native, Records

_LONGEST = 140  # of ERPNext's reference_no
ON_DELIVERY = ("cod",)
"""Methods that are paid when the order is completed: WooCommerce dates the payment when the order is placed."""


class PaymentOnWordPress(WordPressForm):
    """WooCommerce's payments.

    Args:
        records: the way to its records.
        site: the pairing's short name.
        on_delivery: payment methods that are paid when the order is completed.
    """

    entity = "payment"
    kind = Kind.ORDER

    def __init__(self, records: Records, site: str, on_delivery: Collection[str] = ON_DELIVERY) -> None:
        super().__init__(records)
        self.site, self.on_delivery = site, on_delivery

    def presence(self, native: Native) -> Presence:
        """Return whether anything was paid in the shop; an order that came from ERPNext is paid there."""
        found = super().presence(native)
        if found is not Presence.PRESENT:
            return found
        ends = {order_status.COMPLETED, order_status.REFUNDED}
        due = native.get("payment_method") in self.on_delivery and native.get("status") not in ends
        paid = native.get("date_paid_gmt") and (normal.number(native.get("total")) or 0) > 0
        return found if paid and not due and not _came_from_erpnext(native) else Presence.GONE

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a payment."""
        currency = str(native.get("currency") or "").upper()
        return {
            "reference": (normal.line(native.get("transaction_id")) or f"WC-{self.site}-{native['id']}")[:_LONGEST],
            "order": Ref("order", str(native["id"])),
            "amount": normal.money(native.get("total"), normal.digits_of(currency)),
            "currency": currency,
            "method": normal.line(native.get("payment_method")),
            "paid": normal.utc(native.get("date_paid_gmt")),
        }

    def values(self, fields: Fields, native: Native | None) -> Native:
        """Payments are never written to a shop."""
        raise Waits("a payment is never written to the shop", "enter it in WooCommerce by hand")

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Nothing is looked for: payments are born in the shop."""
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Refuse: payments are never written to a shop."""
        waits = Waits("a payment is never written to the shop", "enter it in WooCommerce by hand")
        return {one.token: waits.outcome(one.token) for one in operations}


def _came_from_erpnext(native: Native) -> bool:
    return any(one.get("key") == TOKEN_META and one.get("value") for one in native.get("meta_data", ()))
