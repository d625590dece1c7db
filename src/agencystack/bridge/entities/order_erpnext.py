"""Orders as ERPNext keeps them: Sales Orders whose totals are the shop's to the cent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities import order_status
from agencystack.bridge.entities.invoices import Invoice, invoices_of
from agencystack.bridge.entities.order import total
from agencystack.bridge.entities.order_address import PLACES, as_text, from_document, no_other_address, printed_on
from agencystack.bridge.entities.order_amendments import STANDS_FOR, amendments
from agencystack.bridge.entities.order_document import Rates, amounts, day, goods_of, header, po_no
from agencystack.bridge.entities.order_invoice import invoice_steps
from agencystack.bridge.entities.order_kept import KEPT_FIELD, kept, recalled
from agencystack.bridge.entities.order_lookup import Filters, Lookup
from agencystack.bridge.entities.order_read import content, customer_of
from agencystack.bridge.entities.shared import Custom, of_custom
from agencystack.bridge.entities.waiting import Waits
from agencystack.bridge.entities.waiting_erpnext import WaitingErpNextForm
from agencystack.bridge.money import Unit
from agencystack.bridge.record import Fields, Observed, Presence, Ref
from agencystack.bridge.settings import Accounting, Guests
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Documents, Group, Made, Step
from agencystack.bridge.sides.erpnext.form import Native, Watch

NOTE_FIELD = "agencystack_note"
_NOTE_BYTES = 60_000
_THE_REST = " … (the rest is in the shop)"
_SALES_ORDER = "Sales Order"
_TAKEN = frozenset({order_status.ON_HOLD, order_status.PROCESSING, order_status.COMPLETED, order_status.REFUNDED})
"""Orders that bind goods: the others may still be paid, or never will."""


class OrderOnErpNext(WaitingErpNextForm):
    """ERPNext's Sales Orders.

    Args:
        documents: the way to its documents.
        accounting: how the books are kept.
        site: the pairing's short name: Sales Orders of the shop are ``WC-<site>-<id>``.
        guests: who an order without an account belongs to.
        custom: further fields, by canonical name.
    """

    entity = "order"
    doctype = _SALES_ORDER
    watched = (
        Watch("Delivery Note", "items.against_sales_order"),
        Watch("Sales Invoice", "items.sales_order"),
        Watch(_SALES_ORDER, "amended_from"),
    )

    def __init__(
        self,
        documents: Documents,
        accounting: Accounting,
        site: str,
        guests: Guests | None = None,
        *,
        custom: Custom | None = None,
    ) -> None:
        super().__init__(documents)
        self.custom = dict(custom or {})
        self.accounting, self.site = accounting, site
        self.guests = guests or Guests()
        self.which = (("company", "=", accounting.company),)
        self.lookup = Lookup(documents, accounting)
        self._invoices: Mapping[str, Sequence[Invoice]] = {}

    # Reading. -----------------------------------------------------------------------------------------------------

    def natives(self, names: Sequence[str]) -> Mapping[str, Native]:
        """Return Sales Orders by name, each as its newest amendment says."""
        found = super().natives(names)
        return {**found, **amendments(self.documents, found, super().natives)}

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return which of their items are variants, and their addresses."""
        return self.lookup.related(documents)

    def presence(self, native: Native) -> Presence:
        """Return whether an order is there: a draft somebody types in ERPNext is none yet, a cancelled one is still.

        An amendment stands for the document it amends, not for itself. What another company of the same ERPNext sells,
        or another shop sent to it, is no business of this shop.
        """
        document = native.document
        theirs = born_in_shop(document) or document.get("company") != self.accounting.company
        if theirs and not self._shop_id(document):
            return Presence.GONE
        if document.get("amended_from") and not document.get(STANDS_FOR):
            return Presence.GONE
        typed = not born_in_shop(document) and int(document.get("docstatus") or 0) == 0
        return Presence.GONE if typed else Presence.PRESENT

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a Sales Order."""
        document = native.document
        shop = born_in_shop(document)
        still = recalled(document) if shop else {}
        return {
            "shop_id": self._shop_id(document),
            "number": _number(document, self._shop_id(document)),
            "customer": customer_of(document, self.guests),
            "placed": normal.day(document.get("transaction_date")),
            "currency": document.get("currency"),
            "prices_include_tax": None,
            "content": None if "content" in still else content(native, self.accounting),
            "payment": None,
            "billing": from_document(native, "customer_address", "address_display", as_it_is=shop),
            "shipping_address": from_document(native, "shipping_address_name", "shipping_address", as_it_is=shop),
            "note": normal.text(document.get(NOTE_FIELD)),
            "status": order_status.said_by(document, shop, self.accounting.statuses),
            **{name: of_custom(document.get(one.erpnext)) for name, one in self.custom.items()},
            **still,
        }

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Sales Orders are found for many orders at once: see :meth:`candidates_of`."""
        return ()

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return Sales Orders that may be an order of the shop."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return them for each of many: by our name, else by what they keep as the customer's number.

        A series names what is made by REST alone. An amendment is its origin's.
        """
        keys = [self.key(str(one["shop_id"])) if one.get("shop_id") else "" for one in many]
        numbers = [po_no(key, one) if key else "" for key, one in zip(keys, many, strict=True)]
        wanted = [*filter(None, keys)]
        if not wanted:
            return [()] * len(many)
        found: dict[str, list[str]] = {}
        for column, values in (("name", wanted), ("po_no", [*wanted, *filter(None, numbers)])):
            filters: Filters = [[column, "in", sorted(set(values))], ["amended_from", "is", "not set"]]
            for one in self.documents.select(self.doctype, filters, ["name", column]):
                names = found.setdefault(str(one[column]), [])
                names += [str(one["name"])] if str(one["name"]) not in names else []
        return [found.get(key) or found.get(number) or () for key, number in zip(keys, numbers, strict=True)]

    def key(self, shop_id: str) -> str:
        """Return what a Sales Order of the shop is called."""
        return f"WC-{self.site}-{shop_id}"

    # Writing. -----------------------------------------------------------------------------------------------------

    def prepare(self, operations: Sequence[Operation], natives: Mapping[str, Native]) -> None:
        """Look up exchange rates, price lists and item prices once for all operations."""
        self.lookup.load([one.fields for one in operations if one.fields])
        touched = [one.id for one in operations if "status" in one.fields or one.action is Action.RETIRE]
        names = {str(natives[id_].document["name"]) for id_ in touched if id_ in natives}
        self._invoices = invoices_of(self.documents, names)

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done for an operation."""
        if operation.action is Action.CREATE:
            return self._creation(operation.fields)
        if native is None:
            raise Waits("the Sales Order is not there any more", "look at its history and decide which side is right")
        if operation.action is Action.RETIRE:
            return self._retirement(operation, native.document)
        return [*self._changes(operation, native), *self._status_steps(operation, native)]

    def checked(self, operation: Operation, after: Observed | None) -> None:
        """Make sure the document's total is the order's."""
        if "content" not in operation.fields or after is None or not after.fields:
            return
        unit = Unit.of(str(operation.fields.get("currency") or after.fields["currency"]))
        meant, came = total(operation.fields["content"], unit), total(after.fields["content"], unit)
        if meant != came:
            raise Waits(
                f"ERPNext makes {unit.text(came)} {unit.currency} of an order over {unit.text(meant)}",
                "look for what adds to Sales Orders there (a tax template, a pricing rule, currency_precision in "
                "System Settings), then retry",
            )

    def take_back(self, operation: Operation, name: str) -> Group | None:
        """Return the steps that undo a Sales Order whose total came out wrong."""
        document = self.documents.fetch(self.doctype, [name]).get(name)
        if document is None:
            return None
        steps = [Step("delete", self.doctype, name, called="main")]
        if int(document.get("docstatus") or 0) == 1:
            steps.insert(0, Step("cancel", self.doctype, name))
        return Group(f"{operation.token[:12]}{operation.token[12:][::-1]}", tuple(steps))

    def _creation(self, fields: Fields) -> list[Step]:
        status, target = self._target(fields)
        key = self.key(str(fields["shop_id"]))
        currency = str(fields["currency"])
        goods = amounts(fields["content"], Unit.of(currency), self.accounting)
        self.lookup.guard_prices([str(row["item_code"]) for row in goods["items"]], currency)
        rates: Rates = self.lookup.rates(currency, day(str(fields["placed"]), self.accounting))
        values = {
            "name": key,
            "customer": self._customer(fields),
            **header(fields, self.accounting, key, rates),
            **goods,
            **no_other_address(fields),
            **self._texts(fields),
            **self._own(fields),
            order_status.STATUS_FIELD: status,
        }
        values[KEPT_FIELD] = kept(fields, values)
        steps = [Step("insert", self.doctype, values=values, called="main")]
        if self.accounting.submit and target in _TAKEN:
            steps.append(Step("submit", self.doctype, Made("main")))
            if target == order_status.COMPLETED and self.accounting.invoice == "on_completed":
                steps += invoice_steps(Made("main"), self.accounting, printed_on(values))
        return steps

    def _changes(self, operation: Operation, native: Native) -> list[Step]:
        fields, document = operation.fields, native.document
        draft = int(document.get("docstatus") or 0) == 0
        values: dict[str, Any] = {}
        if "content" in fields or "currency" in fields:
            values |= self._new_goods(fields, native, draft)
        if "customer" in fields and fields["customer"] is not None:
            values |= self._new_customer(fields, document, draft)
        texts = self._texts(fields)
        changed = {name: text for name, text in texts.items() if text != (document.get(name) or "")}
        if not draft and set(changed) - {NOTE_FIELD}:
            raise Waits(
                "the address of this order was changed in the shop after its Sales Order was submitted",
                "amend the Sales Order (Cancel, Amend), or tell those who deliver",
            )
        values |= changed | self._own(fields)
        if "status" in fields:
            values[order_status.STATUS_FIELD] = self._target(fields)[0]
        if int(document.get("docstatus") or 0) == 2:
            return []
        if born_in_shop(document):
            values |= _kept_anew(fields, {**document, **values})
        if not values:
            return []
        version = operation.expected.version if operation.expected else ""
        return [Step("update", self.doctype, str(document["name"]), values, called="main", modified=version)]

    def _new_goods(self, fields: Fields, native: Native, draft: bool) -> dict[str, Any]:
        document = native.document
        currency = str(fields.get("currency") or document.get("currency"))
        if currency != document.get("currency"):
            raise Waits(
                f"the order's currency was changed from {document.get('currency')} to {currency}",
                "delete or cancel the Sales Order and retry: it is made again in the new currency",
            )
        if "content" not in fields:
            return {}
        unit = Unit.of(currency)
        goods = amounts(fields["content"], unit, self.accounting)
        if goods_of(document) == goods_of(goods):
            return {}
        if draft:
            return goods
        name, before = document["name"], total(content(native, self.accounting), unit)
        now = total(fields["content"], unit)
        raise Waits(
            f"lines or amounts were changed in the shop after Sales Order {name} was submitted: its total was "
            f"{unit.text(before)} {currency} and is {unit.text(now)}",
            f"amend {name} (Cancel, Amend, the new lines, Submit) and retry, or take the change back in the shop",
        )

    def _new_customer(self, fields: Fields, document: Document, draft: bool) -> dict[str, Any]:
        customer = self._customer(fields)
        if customer == document.get("customer"):
            return {}
        if not draft:
            raise Waits(
                f"the order was given to another customer ({customer}) after its Sales Order was submitted",
                "amend the Sales Order (Cancel, Amend) with that customer",
            )
        return {"customer": customer}

    def _status_steps(self, operation: Operation, native: Native) -> list[Step]:
        if "status" not in operation.fields:
            return []
        document, (_, target) = native.document, self._target(operation.fields)
        name, docstatus = str(document["name"]), int(document.get("docstatus") or 0)
        billed = self._invoices.get(name, ())
        if target == order_status.CANCELLED and docstatus == 1:
            return [self._cancellation(document, bool(billed))]
        if target in _TAKEN and docstatus == 2:
            raise Waits(
                f"the shop's order is {target}, and its Sales Order {name} is cancelled",
                f"amend {name} in ERPNext (Amend, Submit), or cancel the order in the shop",
            )
        steps: list[Step] = []
        if target in _TAKEN and docstatus == 0 and self.accounting.submit:
            steps.append(Step("submit", self.doctype, name))
        submitted = docstatus == 1 or bool(steps)
        wanted = target == order_status.COMPLETED and self.accounting.invoice == "on_completed"
        if wanted and submitted and not billed:
            steps += invoice_steps(name, self.accounting, printed_on(document))
        return steps

    def _cancellation(self, document: Document, billed: bool) -> Step:
        name = str(document["name"])
        if billed or float(document.get("per_delivered") or 0):
            raise Waits(
                f"the order was cancelled in the shop, and {name} was invoiced or delivered already",
                "make the return and the credit note in ERPNext, then close the Sales Order",
            )
        return Step("cancel", self.doctype, name)

    def _retirement(self, operation: Operation, document: Document) -> list[Step]:
        name, docstatus = str(document["name"]), int(document.get("docstatus") or 0)
        if docstatus == 0:
            version = operation.expected.version if operation.expected else ""
            return [Step("delete", self.doctype, name, called="main", modified=version)]
        if docstatus == 2:
            return []
        return [replace(self._cancellation(document, bool(self._invoices.get(name))), called="main")]

    def _target(self, fields: Fields) -> tuple[str, str]:
        """Return the shop's status and the one of WooCommerce it counts as."""
        status = str(fields.get("status") or "")
        target = self.accounting.statuses.get(status, status)
        if target not in order_status.RANK:
            raise Waits(
                f"the order has the status “{status}”, which is none of WooCommerce's",
                f"say what it counts as in the accounting settings (statuses: {{{status}: processing}})",
            )
        return status, target

    def _customer(self, fields: Fields) -> str:
        ref = fields.get("customer")
        if isinstance(ref, Ref):
            return ref.id
        if self.guests.policy == "one_customer" and self.guests.customer:
            return self.guests.customer
        raise Waits(
            "the order names no customer",
            "give it one in the shop, or set the customer of all guests (guests: {policy: one_customer, customer: …})",
        )

    def _texts(self, fields: Fields) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for ours, shown, link in PLACES:
            if fields.get(ours):
                told |= {shown: as_text(fields[ours]), link: ""}
        if "note" in fields:
            told[NOTE_FIELD] = _short(str(fields["note"] or ""))
        return told

    def _own(self, fields: Fields) -> dict[str, Any]:
        return {one.erpnext: fields[name] for name, one in self.custom.items() if name in fields}

    def _shop_id(self, document: Document) -> str | None:
        pattern = rf"WC-{re.escape(self.site)}-(\d+)"
        for name in ("name", "po_no"):
            if found := re.match(rf"{pattern}(?![\d])", str(document.get(name) or "")):
                return found.group(1)
        return None


def born_in_shop(document: Document) -> bool:
    """Tell whether a Sales Order came from the shop: then the bridge made it, and left its token."""
    return bool(document.get(TOKEN_FIELD))


def _short(note: str) -> str:
    """Return a note as far as ERPNext's field holds it (a column of 65,535 bytes)."""
    told = note.encode()
    return note if len(told) <= _NOTE_BYTES else told[:_NOTE_BYTES].decode(errors="ignore") + _THE_REST


def _kept_anew(fields: Fields, document: Document) -> dict[str, Any]:
    told = kept(fields, document)
    return {} if told == document.get(KEPT_FIELD) else {KEPT_FIELD: told}


def _number(document: Document, shop_id: str | None) -> str | None:
    told = normal.line(document.get("po_no"))
    if told is None or shop_id is None:
        return told
    found = re.search(r"\((.+)\)$", told)
    return found.group(1) if found else shop_id
