"""The arithmetic of selling documents: rates rounded first, taxes spread over rows, one discount, one rounded total.

As ERPNext 15.109 does it in floats (contract/erpnext/30, 31, 31b); each figure is rounded where the product rounds it,
as a cent that appears at another place is a cent that differs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

CURRENCY_DIGITS = 2
FLOAT_DIGITS = 3
_NET, _GRAND = "Net Total", "Grand Total"
_ROW_MONEY = ("price_list_rate", "rate", "net_rate", "amount", "net_amount")


def rounded(number: float, digits: int = CURRENCY_DIGITS) -> float:
    """Round half to even, where "half" allows for the error of floats (Banker's Rounding, System Settings)."""
    scaled = round(number * 10**digits, 12)
    if scaled == 0:
        return 0.0
    below = math.floor(scaled)
    error = 2.0 ** (math.log2(abs(scaled)) - 52)
    if abs(scaled - below - 0.5) < error:
        return float((below if below % 2 == 0 else below + 1) / 10**digits)
    return float(round(scaled) / 10**digits)


class Totals:
    """Works out one document in place.

    Args:
        work: the request.
        document: a Sales Order, Sales Invoice or Delivery Note with its rows.
        checked: whether it is being saved; else what does not fit is only shown.
    """

    def __init__(self, work: Work, document: Document, *, checked: bool = True) -> None:
        self._work = work
        self._document = document
        self._checked = checked
        self._discounted = False
        self._to_spread: float | None = None
        self._difference = 0.0
        self._metas: dict[str, DocType] = {}

    def work_out(self) -> None:
        """Set rows, taxes and totals."""
        if not self._items:
            return
        self._rows()
        self._once()
        self._discount()

    @property
    def _items(self) -> list[Document]:
        return list(self._document["items"])

    @property
    def _taxes(self) -> list[Document]:
        return list(self._document.get("taxes") or [])

    @property
    def _rate(self) -> float:
        return float(self._document.get("conversion_rate") or 1.0)

    def _digits(self, of: Document, field: str) -> int:
        doctype = str(of["doctype"])
        if doctype not in self._metas:
            self._metas[doctype] = self._work.meta(doctype)
        declared = self._metas[doctype].field(field)
        set_ = declared.digits if declared else "currency"
        if set_.isdigit():
            return int(set_)
        return CURRENCY_DIGITS if set_ == "currency" else FLOAT_DIGITS

    def _money(self, of: Document, field: str, value: float) -> float:
        return rounded(value, self._digits(of, field))

    def _in_base(self, of: Document, fields: Sequence[str]) -> None:
        for field in fields:
            base = f"base_{field}"
            of[base] = self._money(of, base, self._money(of, field, float(of.get(field) or 0)) * self._rate)

    def _rows(self) -> None:
        for row in self._items:
            row["qty"] = rounded(float(row.get("qty") or 0), FLOAT_DIGITS)
            for field in ("rate", "price_list_rate", "discount_amount"):
                row[field] = self._money(row, field, float(row.get(field) or 0))
            percent = float(row.get("discount_percentage") or 0)
            if percent == 100:
                row["rate"] = 0.0
            elif row["price_list_rate"] and not row["rate"]:
                row["rate"] = self._money(row, "rate", row["price_list_rate"] * (1 - percent / 100))
                row["discount_amount"] = row["price_list_rate"] * percent / 100
            if row["price_list_rate"] > 0:
                row["discount_amount"] = row["price_list_rate"] - row["rate"]
            row["net_rate"] = row["rate"]
            without = not row["qty"] and self._document.get("is_return")
            row["amount"] = self._money(row, "amount", -row["rate"] if without else row["rate"] * row["qty"])
            row["net_amount"] = row["amount"]
            row["stock_uom_rate"] = row["rate"] / float(row.get("conversion_factor") or 1)
            self._in_base(row, _ROW_MONEY)

    def _once(self) -> None:
        """Go through taxes and totals; done again once a discount was taken off the rows."""
        self._begin_taxes()
        self._take_included_out()
        self._net()
        self._spread_taxes()
        self._include_difference()
        self._sum_up()
        for tax in self._taxes:
            if not tax.get("dont_recompute_tax"):
                tax["item_wise_tax_detail"] = json.dumps(tax.pop("__detail"), separators=(",", ":"))
            tax.pop("__detail", None)

    def _keeps_tax_amounts(self) -> bool:
        return self._discounted and self._document.get("apply_discount_on") == _GRAND

    def _begin_taxes(self) -> None:
        for tax in self._taxes:
            tax["__detail"] = {}
            tax["tax_amount"] = self._money(tax, "tax_amount", float(tax.get("tax_amount") or 0))
            tax["total"] = tax["tax_amount_after_discount_amount"] = 0.0
            if tax["charge_type"] != "Actual" and not self._keeps_tax_amounts():
                tax["tax_amount"] = 0.0

    def _take_included_out(self) -> None:
        """Take taxes that are within the price out of the net amounts."""
        taxes = self._taxes
        if self._discounted or not any(tax.get("included_in_print_rate") for tax in taxes):
            return
        fraction, so_far = 0.0, 1.0
        fractions: list[tuple[float, float]] = []
        for tax in taxes:
            own = 0.0
            if tax.get("included_in_print_rate"):
                own = float(tax.get("rate") or 0) / 100
                before = (
                    fractions[int(tax.get("row_id") or 1) - 1]
                    if str(tax["charge_type"]).startswith("On Prev")
                    else None
                )
                own *= (before[0] if tax["charge_type"] == "On Previous Row Amount" else before[1]) if before else 1
            fraction, so_far = fraction + own, so_far + own
            fractions.append((own, so_far))
        for row in self._items if fraction else ():
            row["net_amount"] = self._money(row, "net_amount", row["amount"] / (1 + fraction))
            row["net_rate"] = self._money(row, "net_rate", row["net_amount"] / row["qty"]) if row["qty"] else 0.0
            self._in_base(row, ("net_rate", "net_amount"))

    def _net(self) -> None:
        document = self._document
        document["total_qty"] = sum(row["qty"] for row in self._items)
        for total, field in (
            ("total", "amount"),
            ("base_total", "base_amount"),
            ("net_total", "net_amount"),
            ("base_net_total", "base_net_amount"),
        ):
            document[total] = self._money(document, total, sum(row[field] for row in self._items))

    def _spread_taxes(self) -> None:
        self._difference = 0.0
        taxes, rows = self._taxes, self._items
        if not taxes:
            return
        left = {tax["idx"]: tax["tax_amount"] for tax in taxes if tax["charge_type"] == "Actual"}
        for at, row in enumerate(rows):
            on_row: list[tuple[float, float]] = []
            for tax in taxes:
                amount = self._tax_of_row(row, tax, on_row)
                if tax["idx"] in left:
                    left[tax["idx"]] -= amount
                    # What division lost is the last row's.
                    amount += left[tax["idx"]] if at == len(rows) - 1 else 0.0
                elif not self._keeps_tax_amounts():
                    tax["tax_amount"] += amount
                tax["tax_amount_after_discount_amount"] += amount
                on_row.append((amount, (on_row[-1][1] if on_row else row["net_amount"]) + amount))
        self._watch_grand_discount()
        for at, tax in enumerate(taxes):
            for field in ("tax_amount", "tax_amount_after_discount_amount"):
                tax[field] = self._money(tax, field, tax[field])
            self._in_base(tax, ("tax_amount", "tax_amount_after_discount_amount"))
            self._accumulate(at, tax)
            self._in_base(tax, ("total",))

    def _tax_of_row(self, row: Document, tax: Document, on_row: list[tuple[float, float]]) -> float:
        rate, kind = float(tax.get("rate") or 0), tax["charge_type"]
        if kind == "Actual":
            net = self._document["net_total"]
            amount = row["net_amount"] * tax["tax_amount"] / net if net else 0.0
        elif kind == "On Net Total":
            amount = rate / 100 * row["net_amount"]
        elif kind == "On Item Quantity":
            amount = rate * row["qty"]
        else:
            before = on_row[int(tax.get("row_id") or 1) - 1]
            amount = rate / 100 * (before[0] if kind == "On Previous Row Amount" else before[1])
        if not tax.get("dont_recompute_tax"):
            key = str(row.get("item_code") or row.get("item_name"))
            earlier = tax["__detail"].get(key, [rate, 0.0])[1]
            tax["__detail"][key] = [rate, float(amount * self._rate + earlier)]
        return float(amount)

    def _watch_grand_discount(self) -> None:
        document, taxes = self._document, self._taxes
        asked = document.get("discount_amount") or document.get("additional_discount_percentage")
        if document.get("apply_discount_on") != _GRAND or not (self._discounted or asked):
            return
        for at, tax in enumerate(taxes):
            if self._discounted:
                field = "tax_amount_after_discount_amount"
                tax[field] = self._money(tax, field, tax[field])
            self._accumulate(at, tax)
        if not self._discounted:
            self._to_spread = taxes[-1]["total"]
        else:
            hoped = (self._to_spread or 0.0) - document["discount_amount"]
            self._difference = self._money(document, "grand_total", hoped - taxes[-1]["total"])

    def _accumulate(self, at: int, tax: Document) -> None:
        before = self._taxes[at - 1]["total"] if at else self._document["net_total"]
        tax["total"] = self._money(tax, "total", before + tax["tax_amount_after_discount_amount"])

    def _include_difference(self) -> None:
        taxes, document = self._taxes, self._document
        if not any(tax.get("included_in_print_rate") for tax in taxes):
            return
        others = sum(tax["tax_amount_after_discount_amount"] for tax in taxes if not tax.get("included_in_print_rate"))
        difference = document["total"] + others - taxes[-1]["total"]
        if self._discounted:
            difference -= float(document.get("discount_amount") or 0)
        difference = self._money(document, "rounding_adjustment", difference)
        fits = abs(difference) <= 5.0 / 10 ** self._digits(taxes[-1], "tax_amount")
        self._difference = difference if fits else 0.0
        if self._to_spread is not None and not self._discounted:
            self._to_spread += self._difference

    def _sum_up(self) -> None:
        document, taxes = self._document, self._taxes
        grand = taxes[-1]["total"] + self._difference if taxes else document["net_total"]
        taxed = grand - document["net_total"] - self._difference if taxes else 0.0
        document["total_taxes_and_charges"] = self._money(document, "total_taxes_and_charges", taxed)
        self._in_base(document, ("total_taxes_and_charges",))
        document["grand_total"] = self._money(document, "grand_total", grand)
        base = grand * self._rate if document["total_taxes_and_charges"] else document["base_net_total"]
        document["base_grand_total"] = self._money(document, "base_grand_total", base)
        self._round()

    def _round(self) -> None:
        document = self._document
        if document.get("disable_rounded_total"):
            document["rounded_total"] = document["rounding_adjustment"] = 0.0
        else:
            currency = self._work.transaction.peek("Currency", str(document.get("currency") or "")) or {}
            smallest = float(currency.get("smallest_currency_fraction_value") or 0)
            document["rounded_total"] = to_smallest(document["grand_total"], smallest)
            adjusted = document["rounded_total"] - document["grand_total"]
            document["rounding_adjustment"] = self._money(document, "rounding_adjustment", adjusted)
        self._in_base(document, ("rounding_adjustment", "rounded_total"))

    def _discount(self) -> None:
        document = self._document
        of = document.get("apply_discount_on")
        if document.get("additional_discount_percentage"):
            total = document["net_total"] if of == _NET else document["grand_total"]
            document["discount_amount"] = rounded(total * document["additional_discount_percentage"] / 100)
        off = float(document.get("discount_amount") or 0)
        if self._checked and (off > document["grand_total"] >= 0 or off < document["grand_total"] < 0):
            before = f"the total before such discount ({formatted(document, document['grand_total'])})"
            text = f"Additional Discount Amount ({formatted(document, off)}) cannot exceed {before}"
            raise invalid(text, title="Invalid Discount Amount")
        document["base_discount_amount"] = self._money(document, "base_discount_amount", off * self._rate)
        total = self._discountable()
        if not off or not total:
            return
        self._take_off(off, total)
        self._discounted = True
        self._once()

    def _discountable(self) -> float:
        document, taxes = self._document, self._taxes
        if document.get("apply_discount_on") == _NET or not taxes:
            return float(document["net_total"])
        fixed = sum(tax["tax_amount"] for tax in taxes if tax["charge_type"] in {"Actual", "On Item Quantity"})
        whole = self._to_spread if self._to_spread is not None else document["grand_total"]
        return float(whole - fixed)

    def _take_off(self, off: float, total: float) -> None:
        exact = net = 0.0
        for row in self._items:
            part = off * row["net_amount"] / total
            exact += row["net_amount"] - part
            row["net_amount"] = self._money(row, "net_amount", row["net_amount"] - part)
            row["distributed_discount_amount"] = self._money(row, "distributed_discount_amount", part)
            net += row["net_amount"]
            lost = self._money(self._document, "net_total", exact - net)
            if lost:
                row["net_amount"] = self._money(row, "net_amount", row["net_amount"] + lost)
                row["distributed_discount_amount"] = self._money(row, "distributed_discount_amount", part + lost)
                net += lost
            row["net_rate"] = self._money(row, "net_rate", row["net_amount"] / row["qty"]) if row["qty"] else 0.0
            self._in_base(row, ("net_rate", "net_amount"))


def to_smallest(value: float, smallest: float) -> float:
    """Round to the smallest coin there is."""
    if not smallest:
        return rounded(rounded(value, 0))
    left = math.fmod(round(value * 100), round(smallest * 100)) / 100
    return rounded(value + smallest - left if left > smallest / 2 else value - left)


def formatted(document: Document, value: Any) -> str:
    """Return money as messages show it on a German site."""
    sign = {"EUR": "€", "USD": "$", "CHF": "Fr"}.get(str(document.get("currency")), str(document.get("currency")))
    text = f"{float(value):,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    return f"{sign} {text}"
