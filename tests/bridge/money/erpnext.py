"""ERPNext's arithmetic of Sales Orders (taxes_and_totals.py), checked against recordings, and an ERPNext made of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from agencystack.bridge.side import Page, Result
from agencystack.bridge.sides.erpnext.documents import Group, Made, Saved, Step


def totalled(document: Mapping[str, Any], digits: int = 2) -> dict[str, Any]:
    """Return a document with the totals ERPNext gives it: rows, then the discount over them, then Actual taxes."""
    unit = Decimal(1).scaleb(-digits)

    def money(amount: Decimal) -> Decimal:
        return amount.quantize(unit, rounding=ROUND_HALF_EVEN)

    items = []
    for row in document["items"]:
        rate = Decimal(0) if row.get("discount_percentage") == 100 else money(_number(row.get("rate")))
        amount = money(rate * _number(row["qty"]))
        items.append({**row, "rate": float(rate), "amount": float(amount), "net": amount})
    total = sum((row["net"] for row in items), Decimal(0))
    _discount(items, _number(document.get("discount_amount")), total, money)
    net = sum((row["net"] for row in items), Decimal(0))
    taxes, running = [], net
    for row in document.get("taxes", ()):
        amount = money(_number(row["tax_amount"]))
        running += amount
        taxes.append({**row, "tax_amount_after_discount_amount": float(amount), "total": float(running)})
    for row in items:
        row["net_amount"] = float(row.pop("net"))
    return {
        **document,
        "items": items,
        "taxes": taxes,
        "total": float(total),
        "net_total": float(net),
        "total_taxes_and_charges": float(running - net),
        "grand_total": float(running),
        "rounded_total": 0.0,
    }


def _discount(items: Sequence[dict[str, Any]], discount: Decimal, total: Decimal, money: Any) -> None:
    expected = reached = Decimal(0)
    for row in items if discount and total else ():
        adjusted = row["net"] - discount * row["net"] / total
        expected += adjusted
        row["net"] = money(adjusted)
        reached += row["net"]
        if difference := money(expected - reached):
            row["net"] += difference
            reached += difference


def _number(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value or 0))


@dataclass
class Books:
    """An ERPNext without a network: what forms ask of it, with totals by :func:`totalled`.

    Args:
        tables: documents by type and name.
    """

    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    digits: int = 2
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def fetch(self, doctype: str, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Return documents by name."""
        there = self.tables.get(doctype, {})
        return {name: there[name] for name in names if name in there}

    def select(
        self, doctype: str, filters: Sequence[Sequence[Any]], fields: Sequence[str], *, parent: str = ""
    ) -> Sequence[dict[str, Any]]:
        """Return rows that fit the filters."""
        rows = list(self.tables.get(doctype, {}).values())
        if parent:
            parents = self.tables.get(parent, {}).values()
            rows = [
                {**row, "parent": one["name"], "docstatus": one["docstatus"]} for one in parents for row in one["items"]
            ]
        return [{name: row.get(name) for name in fields} for row in rows if all(_fits(row, one) for one in filters)]

    def find(self, doctype: str, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return names by token."""
        there = self.tables.get(doctype, {}).values()
        return {str(one["agencystack_token"]): one["name"] for one in there if one.get("agencystack_token") in tokens}

    def save(self, groups: Sequence[Group]) -> Mapping[str, Saved]:
        """Carry groups out."""
        self.groups += groups
        return {group.token: self._saved(group) for group in groups}

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        """Return every name."""
        return Page(tuple(self.tables.get(doctype, {})))

    def summaries(self, doctype: str, ranges: Sequence[Any]) -> None:
        """It cannot."""

    def rows(self, doctype: str, within: Any) -> Mapping[str, str]:
        """It cannot."""
        return {}

    def _saved(self, group: Group) -> Saved:
        made: dict[str, str] = {}
        for at, step in enumerate(group.steps):
            name = made.get(step.name.step, "") if isinstance(step.name, Made) else step.name
            name = self._step(step, name, group.token if at == 0 else f"{group.token}-{step.called}", made)
            if step.called:
                made[step.called] = name
        return Saved(group.token, Result.DONE, name=made.get(group.main, ""))

    def _mapped(self, method: str, source: str, arguments: dict[str, Any]) -> dict[str, Any]:
        told = {"mapped_from": source, "arguments": arguments, "customer": "Anna"}
        if not method.endswith("make_sales_invoice"):
            paid = self.tables[arguments["dt"]][source].get("grand_total", 0)
            kind = "Receive" if paid >= 0 else "Pay"
            return {**told, "payment_type": kind, "party_type": "Customer", "paid_amount": abs(paid), "items": []}
        order = self.tables["Sales Order"][source]
        names = ("customer", "currency", "conversion_rate", "selling_price_list", "plc_conversion_rate", "taxes")
        rows = [
            {**row, "name": f"{source} invoiced {at}", "so_detail": row.get("name"), "sales_order": source}
            for at, row in enumerate(order["items"])
        ]
        return {**told, **{name: order.get(name) for name in names}, "items": rows, "outstanding_amount": 1}

    def _step(self, step: Step, name: str, token: str, made: Mapping[str, str]) -> str:
        there = self.tables.setdefault(step.doctype, {})
        if step.action in ("insert", "map"):
            values = dict(step.values)
            if step.action == "map":
                source = made[step.source.step] if isinstance(step.source, Made) else step.source
                values |= self._mapped(step.method, source, dict(step.arguments))
            name = str(values.get("name") or f"{step.doctype} {next(self._numbers)}")
            values |= {"name": name, "docstatus": 0, "agencystack_token": token, "creation": name, "modified": "1"}
            values = {key: _named(value, made) for key, value in values.items()}
            values["items"] = [{"name": f"{name} {at}", **row} for at, row in enumerate(values.get("items", ()))]
            there[name] = totalled(values, self.digits) if values.get("items") else values
        elif step.action == "update":
            document = {**there[name], **step.values}
            there[name] = totalled(document, self.digits) if document.get("items") else document
        elif step.action == "delete":
            there.pop(name)
        else:
            there[name]["docstatus"] = {"submit": 1, "cancel": 2}[step.action]
        return name


def _named(value: Any, made: Mapping[str, str]) -> Any:
    if isinstance(value, Made):
        return made[value.step]
    if isinstance(value, Mapping):
        return {key: _named(one, made) for key, one in value.items()}
    return [_named(one, made) for one in value] if isinstance(value, list) else value


def _fits(row: Mapping[str, Any], told: Sequence[Any]) -> bool:
    name, how, value = told
    have = row.get(name)
    match how:
        case "=":
            return bool(have == value)
        case "in":
            return have in value
        case "is":
            return bool(have) == (value == "set")
        case "<" | ">":
            number = float(have or 0)
            return number < value if how == "<" else number > value
        case "like":
            return str(have or "").startswith(str(value).removesuffix("%"))
    raise AssertionError(how)
