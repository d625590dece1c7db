"""Orders as WooCommerce keeps them. Amounts of lines, shipping and fees are net, whatever the shop's prices are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from agencystack.bridge import normal
from agencystack.bridge.entities import order_status
from agencystack.bridge.entities.guests import accounts_of
from agencystack.bridge.entities.order import rows, total
from agencystack.bridge.entities.order_shop import ADDRESS, address, content, customer, email_of, looks_half_written
from agencystack.bridge.entities.shared import Custom, meta_of, of_custom
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.money import NotExact, Unit
from agencystack.bridge.record import Fields, Observed, Presence, Ref, Value
from agencystack.bridge.settings import Guests
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.form import WordPressForm
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records, Write, Written

DRAFT = "checkout-draft"
"""Nobody sees such an order, nothing is mailed or taken from stock, and WooCommerce deletes what stays in it."""

_UNCOUNTED = {"key": "_order_stock_reduced", "value": "yes"}
"""The Sales Order has taken the stock already, and ERPNext's stock reaches the shop by itself."""

_MOST_ACCOUNTS = 10_000


class OrderOnWordPress(WordPressForm):
    """WooCommerce's orders.

    Args:
        records: the way to its records.
        site: the pairing's short name; names of Sales Orders begin with it.
        guests: who an order without an account belongs to.
        custom: further fields, by canonical name.
    """

    entity = "order"
    kind = Kind.ORDER

    def __init__(
        self, records: Records, site: str, guests: Guests | None = None, *, custom: Custom | None = None
    ) -> None:
        super().__init__(records)
        self.custom = dict(custom or {})
        self.site = site
        self.guests = guests or Guests()
        self._accounts: dict[str, str] = {}

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each order; whose account a guest's address is, is asked for once."""
        natives = self.records.fetch(self.kind, ids)
        self._learn_accounts(list(natives.values()))
        return {id_: self.observed(id_, natives.get(id_)) for id_ in ids}

    def presence(self, native: Native) -> Presence:
        """Return whether an order is whole: WooCommerce saves its parts one by one, and shows it meanwhile.

        Killed while it saved, an order stays with a total of 0.00 and lines that are worth more, or with none at all
        (``contract/wordpress/wc-kill9.json``); a gift is one whose lines are worth nothing too.
        """
        found = super().presence(native)
        if found is not Presence.PRESENT:
            return found
        unfinished = native.get("status") in order_status.UNFINISHED or looks_half_written(native)
        return Presence.HALF if unfinished else found

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of an order."""
        meta = meta_of(native) if self.custom else {}
        return {
            **{name: of_custom(meta.get(one.wordpress)) for name, one in self.custom.items()},
            "shop_id": str(native["id"]),
            "number": normal.line(native.get("number")),
            "customer": customer(native, self.guests, self._accounts),
            "placed": normal.utc(native.get("date_created_gmt")),
            "currency": str(native.get("currency") or "").upper() or None,
            "prices_include_tax": bool(native.get("prices_include_tax")),
            "content": content(native),
            "payment": {
                "method": normal.line(native.get("payment_method")),
                "title": normal.line(native.get("payment_method_title")),
                "transaction": normal.line(native.get("transaction_id")),
                "paid": normal.utc(native.get("date_paid_gmt")),
            },
            "billing": address(native.get("billing")),
            "shipping_address": address(native.get("shipping")),
            "note": normal.text(native.get("customer_note")),
            "status": str(native.get("status") or "") or None,
        }

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Orders are found by their ids: see :meth:`candidates_of`."""
        return ()

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the order a Sales Order says it is."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return it for each of many."""
        ids = [str(one.get("shop_id") or "") for one in many]
        there = self.records.fetch(self.kind, sorted({*ids} - {""}))
        return [(id_,) if id_ in there else () for id_ in ids]

    def values(self, fields: Fields, native: Native | None) -> Native:
        """Return what REST is sent to make an order, or to change the given fields of one."""
        body: dict[str, Any] = {}
        if fields.get("currency"):
            body["currency"] = fields["currency"]
        if "customer" in fields:
            body["customer_id"] = _account(fields["customer"])
        for ours, theirs in (("billing", "billing"), ("shipping_address", "shipping")):
            if sent := _sent_address(fields.get(ours)):
                body[theirs] = sent
        if "note" in fields:
            body["customer_note"] = fields["note"] or ""
        if "status" in fields:
            body["status"] = fields["status"]
        own = [{"key": one.wordpress, "value": fields[name]} for name, one in self.custom.items() if name in fields]
        if native is None:
            return {**body, **_goods(fields["content"]), "status": DRAFT, "meta_data": [_UNCOUNTED, *own]}
        if own:
            body["meta_data"] = own
        if "content" in fields:
            raise Waits(
                "lines or amounts of this order were changed in ERPNext after it was placed in the shop",
                "edit the order in WooCommerce to the same lines, or take the change back in ERPNext",
            )
        return body

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; a new order is seen by nobody until its total is known to be equal to the cent."""
        outcomes: dict[str, Outcome] = {}
        writes = []
        for one in operations:
            try:
                writes.append(self.write_of(one))
            except Waits as waits:
                outcomes[one.token] = waits.outcome(one.token)
        written = self.records.write(writes) if writes else {}
        self._learn_accounts([one.native for one in written.values() if one.native is not None])
        done = [one for one in operations if one.token in written]
        made = {one.token: one for one in done if _is_draft(one, written[one.token])}
        for one in done:
            if one.token not in made:
                outcomes[one.token] = self._outcome(one, written[one.token])
        return {**outcomes, **self._decided(list(made.values()), written)}

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token; an order whose total was not compared yet is not made yet, nor one taken back."""
        found = super().find(tokens)
        natives = self.records.fetch(self.kind, list(found.values())) if found else {}
        made = {id_ for id_, native in natives.items() if native.get("status") != DRAFT}
        return {token: id_ for token, id_ in found.items() if id_ in made}

    def _learn_accounts(self, natives: Sequence[Native]) -> None:
        if self.guests.policy != "by_email":
            return
        emails = {email for one in natives if not one.get("customer_id") and (email := email_of(one))}
        known = {email: id_ for email, id_ in self._accounts.items() if email not in emails}
        found = accounts_of(self.records, sorted(emails)) if emails else {}
        self._accounts = {**(known if len(known) < _MOST_ACCOUNTS else {}), **found}

    def _decided(self, made: Sequence[Operation], written: Mapping[str, Written]) -> Mapping[str, Outcome]:
        decisions: dict[str, Outcome] = {}
        second: dict[str, tuple[Operation, Write]] = {}
        for one in made:
            native = cast(Native, written[one.token].native)
            try:
                _compare(one, native)
                status = str(one.fields.get("status") or order_status.ON_HOLD)
                write = self._next(one, native, "update", {"status": status})
            except Waits as waits:
                decisions[one.token] = waits.outcome(one.token)
                write = self._next(one, native, "delete", {})
            second[write.token] = (one, write)
        answers = self.records.write([write for _, write in second.values()]) if second else {}
        for token, (one, write) in second.items():
            if write.action == "update":
                decisions[one.token] = replace(self._outcome(one, answers[token]), token=one.token)
        return decisions

    def _next(self, operation: Operation, native: Native, action: str, values: Native) -> Write:
        token = operation.token[:12] + hashlib.sha256(f"{operation.token} {action}".encode()).hexdigest()[:20]
        return Write(token, self.kind, action, id=str(native["id"]), values=values, notify=operation.notify)


def _account(ref: Value) -> int:
    return int(ref.id) if isinstance(ref, Ref) and ref.id.isdigit() else 0


def _sent_address(told: Value) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        return {}
    return {name: told.get(name) or "" for name in ADDRESS if name in told and (name != "email" or told[name])}


def _goods(told: Value) -> dict[str, Any]:
    return {
        "line_items": [_sent_line(one) for one in rows(told, "lines")],
        "shipping_lines": [
            {"method_id": one.get("method") or "other", "method_title": one.get("title") or "", "total": one["total"]}
            for one in rows(told, "shipping")
        ],
        "fee_lines": [{"name": one.get("name") or "", "total": one["total"]} for one in rows(told, "fees")],
    }


def _sent_line(one: Mapping[str, Any]) -> dict[str, Any]:
    product = one.get("product")
    if not isinstance(product, Ref):
        raise Waits(
            f"the line “{one.get('name')}” names no product of the shop",
            "WooCommerce has no lines of free text: share its Item with the shop, or enter it as the fee item",
        )
    quantity = normal.number(one.get("quantity"))
    if quantity is None or quantity != quantity.to_integral_value():
        raise Waits(
            f"the line “{one.get('name')}” has the quantity {one.get('quantity')}",
            "WooCommerce sells whole pieces only: use a unit of which whole numbers are sold",
        )
    key = "variation_id" if product.entity == "variation" else "product_id"
    subtotal = one.get("subtotal") or one["total"]
    return {key: int(product.id), "quantity": int(quantity), "subtotal": subtotal, "total": one["total"]}


def _is_draft(operation: Operation, written: Written) -> bool:
    native = written.native
    created = operation.action is Action.CREATE and written.result is Result.DONE
    return created and native is not None and native.get("status") == DRAFT


def _compare(operation: Operation, native: Native) -> None:
    """Make sure WooCommerce, which taxes by its own rates, comes to the total of the Sales Order.

    Raises:
        Waits: it does not.
    """
    unit = Unit.of(str(operation.fields["currency"]))
    try:
        meant, came = total(operation.fields["content"], unit), unit.whole(native.get("total"))
    except NotExact as error:
        raise Waits(str(error), "correct the amount in ERPNext") from error
    if meant != came:
        raise Waits(
            f"the Sales Order's total is {unit.text(meant)} {unit.currency}, WooCommerce would make "
            f"{unit.text(came)} of it (tax {native.get('total_tax')})",
            "give the Sales Order the taxes the shop calculates for these products and this address, or correct the "
            "shop's tax rates; no order was left in the shop",
        )
