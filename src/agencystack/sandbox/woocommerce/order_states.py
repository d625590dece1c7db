"""What entering a state does to an order: its stock, its dates, a refund of the whole, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable

from agencystack.sandbox.woocommerce.money import amount
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.stock import GIVING, TAKING, Stock
from agencystack.sandbox.woocommerce.wire import Json

STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")
PAID = frozenset({"processing", "completed"})
_WAITING = frozenset({"pending", "failed", "cancelled"})

Tell = Callable[[str, str], None]
Stage = Callable[[str, Json], None]
Refund = Callable[[Json], None]


class OrderStates:
    """Every state may follow every other; the last one written is (contract/wordpress/wc-state-matrix.json).

    Args:
        state: the shop's data.
        stock: moves stock.
        tell: sends a mail: to whom, and its subject.
        refund: makes the refund of a whole order.
        stage: told how far a change has come.
    """

    def __init__(self, state: State, stock: Stock, tell: Tell, refund: Refund, stage: Stage) -> None:
        self._state = state
        self._stock = stock
        self._tell = tell
        self._refund = refund
        self._stage = stage

    def enter(self, order: Json, status: str) -> None:
        """Put an order into a state."""
        before, now = order["status"], self._state.second()
        if before == status:
            return
        order["status"] = status
        if status in PAID and not order["paid"]:
            order["paid"] = now
        if status == "completed" and not order["completed"]:
            order["completed"] = now
        self._stage("status", order)
        if status in TAKING:
            self._stock.take(order)
        elif status in GIVING:
            self._stock.give_back(order)
        self._stage("stock", order)
        if status == "refunded":
            self._refund(order)
        self._mail(order, before, status)

    def pay(self, order: Json, transaction: str) -> None:
        """Take a payment for complete."""
        if order["status"] not in {"pending", "on-hold", "failed", "cancelled"}:
            return
        if transaction:
            order["transaction_id"] = transaction
        if not order["paid"]:
            order["paid"] = self._state.second()
        self.enter(order, "processing")

    def _mail(self, order: Json, before: str, status: str) -> None:
        customer, number = order["billing"]["email"], order["id"]
        if status in {"processing", "on-hold", "completed"} and before in _WAITING and not order["announced"]:
            order["announced"] = True
            self._tell("admin", f"You've got a new order: #{number}")
        if (status == "processing" and before in {*_WAITING, "on-hold"}) or (
            status == "on-hold" and before in _WAITING
        ):
            self._tell(customer, "Your order has been received!")
        if status == "completed":
            self._tell(customer, "Your order is on its way!")
        if status == "cancelled" and before in {"processing", "on-hold"}:
            self._tell("admin", f"Order #{number} has been cancelled")
        if status == "failed":
            self._tell(customer, "Your order was unsuccessful")
            if before in {"pending", "on-hold"}:
                self._tell("admin", f"Order #{number} has failed")
        if status == "refunded" and amount(order["totals"]["total"]) >= 0:
            self._tell(customer, f"Your order #{number} has been refunded")
