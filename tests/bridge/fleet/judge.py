"""What must hold when everybody rests: nothing lost, nothing twice, both sides the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from agencystack.bridge.bridge import Bridge
from tests.bridge.fleet.people import People
from tests.bridge.fleet.products import Products

BORN_WITH = frozenset({"1", "15"})
"""A shop's first user and category: nobody made them, so nobody ever told of them."""
TOKENED = ("Item", "Customer", "Sales Order", "Payment Entry")


def wrong(products: Products, people: People, bridge: Bridge) -> list[str]:
    """Return every invariant that does not hold, in words.

    Args:
        products: at rest.
        people: who worked in them.
        bridge: of this client; asked for what it would still do, and what it asks a person.
    """
    found = [
        *_products(products, people),
        *_customers(products, people),
        *_orders(products, people),
        *_tokens(products),
        *_still_to_do(bridge),
    ]
    return [f"{products.pairing}: {one}" for one in found]


def _products(products: Products, people: People) -> Iterator[str]:
    shop = [one for one in products.shop.state.data.products.values() if one["status"] != "trash"]
    items = [one for one in products.documents("Item") if one.get("is_stock_item")]
    yield from _each_once("product", (one["sku"] for one in shop), people.skus)
    yield from _each_once("Item", (one["name"] for one in items), people.skus)
    in_shop, in_office = {one["sku"]: one for one in shop}, {one["name"]: one for one in items}
    prices = {one["item_code"]: float(one["price_list_rate"]) for one in products.documents("Item Price")}
    for sku in set(in_shop) & set(in_office):
        names = in_shop[sku]["name"], in_office[sku]["item_name"]
        last = people.said[sku, "name"][-1]
        if set(names) != {last}:
            yield f"I3: {sku} was last named {last}, and is {names}"
        price = float(in_shop[sku]["regular_price"] or 0)
        if price != prices.get(sku):
            yield f"I1: {sku} costs {price} in the shop and {prices.get(sku)} in ERPNext"
        if (said := people.said.get((sku, "price"))) and f"{price:.2f}" not in said:
            yield f"I2: nobody priced {sku} at {price}"
        if (pieces := in_shop[sku].get("stock_quantity")) is not None and in_shop[sku].get("manage_stock"):
            sellable = sum(
                float(one["actual_qty"]) - float(one.get("reserved_qty") or 0)
                for one in products.documents("Bin")
                if one["item_code"] == sku
            )
            if float(pieces) != sellable:
                yield f"I7: {sku} has {pieces} pieces in the shop, and {sellable} sellable in ERPNext"


def _customers(products: Products, people: People) -> Iterator[str]:
    users = [one["email"] for one in products.shop.state.data.users.values() if one["role"] == "customer"]
    yield from _each_once("customer", users, people.emails)
    known = [one["agencystack_email"] for one in products.documents("Customer") if one.get("agencystack_email")]
    yield from _each_once("Customer", known or _emails(products), people.emails)


def _emails(products: Products) -> Iterator[str]:
    contacts = {one["name"]: one for one in products.documents("Contact")}
    for customer in products.documents("Customer"):
        contact = contacts.get(str(customer.get("customer_primary_contact") or ""))
        yield str((contact or {}).get("email_id") or customer.get("email_id") or customer["name"])


def _orders(products: Products, people: People) -> Iterator[str]:
    documents = [one for one in products.documents("Sales Order") if one["docstatus"] != 2]
    yield from _each_once("order", products.shop.state.data.orders, people.orders)
    by_order = {_order_of(one): one for one in documents}
    yield from _each_once("Sales Order", (_order_of(one) for one in documents), people.orders)
    for id_ in products.shop.state.data.orders:
        order, document = products.in_shop("GET", f"orders/{id_}"), by_order.get(id_)
        if document and float(document["grand_total"]) != float(order["total"]):
            yield f"I6: order {id_} is {order['total']} in the shop and {document['grand_total']} in ERPNext"
    named = {one["name"]: id_ for id_, one in by_order.items()}
    paid = [
        named.get(reference["reference_name"], reference["reference_name"])
        for entry in products.documents("Payment Entry")
        if entry["docstatus"] != 2
        for reference in entry.get("references") or ()
    ]
    yield from _each_once("Payment Entry", paid, [id_ for id_, was in people.orders.items() if was])


def _order_of(document: dict[str, Any]) -> str:
    """Return the number of the order a document is of: the last part of its reference, WC-client0-13."""
    return str(document.get("po_no") or document["name"]).rpartition("-")[2]


def _each_once(what: str, there: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    """Tell what is not there, there twice, or there though nobody made it."""
    counted, expected = Counter(map(str, there)), set(wanted)
    if lost := sorted(expected - set(counted)):
        yield f"I3: no {what} for {lost}"
    if twice := sorted(one for one, times in counted.items() if times > 1):
        yield f"I4: {what} {twice} more than once"
    if invented := sorted(set(counted) - expected):
        yield f"I2: nobody made {what} {invented}"


def _tokens(products: Products) -> Iterator[str]:
    for doctype in TOKENED:
        tokens = [one["agencystack_token"] for one in products.documents(doctype) if one.get("agencystack_token")]
        if twice := [token for token, times in Counter(tokens).items() if times > 1]:
            yield f"I4: {doctype} made twice by {twice}"


def _still_to_do(bridge: Bridge) -> Iterator[str]:
    for letter in bridge.dead_letters():
        yield f"refused: {letter.entity} {letter.subject} at {letter.side}: {letter.message}"
    for conflict in bridge.conflicts():
        yield f"asked: {conflict.entity} {conflict.field}"
    for entity in bridge.context.entities:
        seen = bridge.preview(entity)
        if any(seen.created.values()) or any(seen.updated.values()) or any(seen.retired.values()) or seen.conflicts:
            yield f"I1: {entity} still to do: {seen.samples}"
        if hinted := bridge.reconcile(entity).sides:
            for side, compared in hinted.items():
                if differing := set(compared.differing) - BORN_WITH:
                    yield f"I5: {entity} of {side} is not as it was last seen: {sorted(differing)}"
