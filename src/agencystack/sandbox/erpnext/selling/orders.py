"""Sales Orders: dates, what they reserve, how far they are (contract/erpnext/06, 34, 35, 39)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.erpnext.documents import Behaviour
from agencystack.sandbox.erpnext.errors import bold, invalid, not_found
from agencystack.sandbox.erpnext.selling.money import Totals
from agencystack.sandbox.erpnext.selling.naming import give_back, named
from agencystack.sandbox.erpnext.selling.sales import Sales
from agencystack.sandbox.erpnext.selling.settings import setting
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_WHOLE = 100.0


class Orders:
    """What Sales Orders do.

    Args:
        sales: what documents of sale share.
    """

    def __init__(self, sales: Sales) -> None:
        self._sales = sales

    def behaviour(self) -> Behaviour:
        """Return what they do when they are saved, submitted, cancelled and deleted."""
        return Behaviour(
            lambda one: str(one["name"]),
            named=_name,
            prepare=self._prepare,
            validate=self._check,
            on_submit=self.reserve,
            on_cancel=self._cancelled,
            on_trash=give_back,
            after_submit=self._changed,
        )

    def _prepare(self, work: Work, order: Document, before: Document | None) -> None:
        self._sales.prepare(work, order, before)
        order["order_type"] = order.get("order_type") or "Sales"
        order["title"] = "{customer_name}"
        for row in order["items"]:
            row["delivery_date"] = row.get("delivery_date") or order.get("delivery_date")
            row["transaction_date"] = order["transaction_date"]

    def _check(self, work: Work, order: Document, before: Document | None) -> None:
        dates = [str(row["delivery_date"]) for row in order["items"] if row.get("delivery_date")]
        if not dates:
            raise invalid("Please enter Delivery Date")
        order["delivery_date"] = max(dates)[:10]
        if order["delivery_date"] < str(order["transaction_date"]):
            text = "Expected Delivery Date should be after Sales Order Date"
            raise invalid(text, title="Invalid Delivery Date")
        self._check_purchase_order(work, order)
        self._sales.check(work, order, before)
        order["status"] = order.get("status") or "Draft"
        if before is not None and order["docstatus"] == 1:
            # An order that is made and submitted at once keeps "Draft" (35_status_dupes).
            order["status"] = status_of(order)

    def _check_purchase_order(self, work: Work, order: Document) -> None:
        if not order.get("po_no") or setting(work, "Selling Settings", "allow_against_multiple_purchase_orders"):
            return
        for other in work.transaction.having("Sales Order", "po_no", order["po_no"]):
            if other["customer"] == order["customer"] and other["docstatus"] < 2 and other["name"] != order["name"]:
                option = bold("'Allow Multiple Sales Orders Against a Customer's Purchase Order'")
                link = '<a href="/app/selling-settings/Selling%20Settings">Selling Settings</a>'
                text = (
                    f"Sales Order {bold(other['name'])} already exists against Customer's Purchase Order "
                    f"{bold(order['po_no'])}. To allow multiple Sales Orders, Enable {option} in {link}"
                )
                raise invalid(text)

    def reserve(self, work: Work, order: Document) -> None:
        """Count again what is reserved of each of its items."""
        for code, warehouse in {(row["item_code"], row.get("warehouse")) for row in order["items"]}:
            if code and warehouse and self._sales.stock.is_kept(work, code):
                self._sales.stock.reserve(work, code, warehouse)

    def _changed(self, work: Work, order: Document) -> None:
        """Work the delivery date out again: one that is sent for the whole order changes nothing (06_sales_order)."""
        order["delivery_date"] = max(str(row["delivery_date"]) for row in order["items"])
        work.transaction.put({key: value for key, value in order.items() if not key.startswith("__")})
        self.reserve(work, order)

    def _cancelled(self, work: Work, order: Document) -> None:
        freed = []
        for payment in work.transaction.having("Payment Entry", "references.reference_name", order["name"]):
            if payment["docstatus"] != 1:
                continue
            rows = [row for row in payment["references"] if row["reference_name"] != order["name"]]
            given = sum(row["allocated_amount"] for row in payment["references"] if row not in rows)
            allocated = payment["total_allocated_amount"] - given
            amounts = {"total_allocated_amount": allocated, "unallocated_amount": payment["paid_amount"] - allocated}
            work.transaction.put({**payment, "references": rows, **amounts, "modified": work.now()})
            freed.append(payment["name"])
        if freed:
            text = f"Payment Entries {', '.join(freed)} are un-linked"
            work.messages.append({"message": text, "title": "Message"})
        self.reserve(work, order)

    def update_status(self, work: Work, given: Mapping[str, Any]) -> None:
        """Close, hold or open an order, as ``sales_order.update_status`` does."""
        order = work.transaction.get("Sales Order", str(given.get("name")))
        if order is None:
            raise not_found("Sales Order", str(given.get("name")))
        work.require(work.meta("Sales Order"), "write")
        wanted = str(given.get("status"))
        order["status"] = status_of(order) if wanted in {"Draft", "Reopen"} else wanted
        order["modified"] = work.now()
        work.transaction.put(order)
        self.reserve(work, order)

    def change_rows(self, work: Work, given: Mapping[str, Any]) -> None:
        """Change quantities and rates of a submitted order (``update_child_qty_rate``)."""
        order = work.transaction.get("Sales Order", str(given.get("parent_doctype_name")))
        if order is None:
            raise not_found("Sales Order", str(given.get("parent_doctype_name")))
        work.require(work.meta("Sales Order"), "write")
        wanted = json.loads(given["trans_items"]) if isinstance(given["trans_items"], str) else given["trans_items"]
        rows = {row["name"]: row for row in order["items"]}
        for one in wanted:
            row = rows.get(str(one.get("docname")))
            if row is None:
                raise invalid(f"Sales Order Item {one.get('docname')} not found")
            if float(one["qty"]) < float(row.get("delivered_qty") or 0):
                raise invalid("Cannot set quantity less than delivered quantity")
            row["qty"], row["rate"] = float(one["qty"]), float(one["rate"])
            row["stock_qty"] = row["qty"] * float(row["conversion_factor"])
        kept = {str(one.get("docname")) for one in wanted}
        order["items"] = [row for row in order["items"] if row["name"] in kept]
        Totals(work, order).work_out()
        order["modified"] = work.now()
        work.transaction.put(order)
        self.reserve(work, order)


def _name(work: Work, order: Document) -> str:
    return named(work, order)


def status_of(order: Document) -> str:
    """Return the status of a submitted order by how much of it is delivered and billed."""
    delivered, billed = float(order.get("per_delivered") or 0), float(order.get("per_billed") or 0)
    if delivered >= _WHOLE and billed >= _WHOLE:
        return "Completed"
    if delivered >= _WHOLE:
        return "To Bill"
    return "To Deliver" if billed >= _WHOLE else "To Deliver and Bill"


def progress(work: Work, order_name: str) -> None:
    """Work out again how much of an order is delivered and billed, from the documents made of it."""
    order = work.transaction.get("Sales Order", order_name)
    if order is None:
        return
    delivered: dict[str, float] = {}
    billed: dict[str, float] = {}
    for note in work.transaction.having("Delivery Note", "items.against_sales_order", order_name):
        for row in note["items"] if note["docstatus"] == 1 else ():
            key = str(row.get("so_detail"))
            delivered[key] = delivered.get(key, 0.0) + row["qty"]
    for invoice in work.transaction.having("Sales Invoice", "items.sales_order", order_name):
        for row in invoice["items"] if invoice["docstatus"] == 1 else ():
            key = str(row.get("so_detail"))
            if not invoice.get("is_return") or invoice.get("update_billed_amount_in_sales_order"):
                billed[key] = billed.get(key, 0.0) + row["amount"]
            if invoice.get("update_stock"):
                delivered[key] = delivered.get(key, 0.0) + row["qty"]
    for row in order["items"]:
        row["delivered_qty"], row["billed_amt"] = delivered.get(row["name"], 0.0), billed.get(row["name"], 0.0)
    wanted = sum(row["qty"] for row in order["items"])
    done = sum(min(row["delivered_qty"], row["qty"]) for row in order["items"])
    order["per_delivered"] = round(done / wanted * _WHOLE, 6) if wanted else 0.0
    total = sum(abs(row["amount"]) for row in order["items"])
    paid = sum(min(abs(row["billed_amt"]), abs(row["amount"])) for row in order["items"])
    order["per_billed"] = round(paid / total * _WHOLE, 6) if total else (_WHOLE if billed else 0.0)
    order["delivery_status"] = _share(order["per_delivered"], "Delivered")
    order["billing_status"] = _share(order["per_billed"], "Billed")
    if order["status"] not in {"Closed", "On Hold"} and order["docstatus"] == 1:
        order["status"] = status_of(order)
    order["modified"] = work.now()
    work.transaction.put(order)


def _share(percent: float, word: str) -> str:
    if percent <= 0:
        return f"Not {word}"
    return f"Fully {word}" if percent >= _WHOLE else f"Partly {word}"
