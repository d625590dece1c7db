"""The address an order was placed with: a value of that order, which never overwrites a person's own."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.record import Fields, Value
from agencystack.bridge.sides.erpnext.form import Native

ADDRESSES = "addresses"
"""What related documents of type Address are called."""


PLACES = (
    ("billing", "address_display", "customer_address"),
    ("shipping_address", "shipping_address", "shipping_address_name"),
)
"""Canonical field, the field that shows it, and the field that names a customer's own Address instead.

An empty name, not a missing one: else ERPNext puts the customer's own address over the order's
(``selling_controller.set_missing_lead_customer_details`` and ``set_customer_address``; seen on the real one).
"""


def no_other_address(fields: Fields) -> dict[str, Any]:
    """Return what keeps an order with one address from being delivered to where its customer once lived."""
    if not any(fields.get(ours) for ours, _, _ in PLACES):
        return {}
    return {field: "" for _, shown, link in PLACES for field in (shown, link)}


def printed_on(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the addresses of an order that its invoice prints too."""
    if not any(document.get(shown) and not document.get(link) for _, shown, link in PLACES):
        return {}
    return {field: document.get(field) or "" for _, shown, link in PLACES for field in (shown, link)}


def as_text(address: Value) -> str:
    """Return an address as ERPNext prints it: lines of HTML."""
    told: Mapping[str, Any] = address if isinstance(address, Mapping) else {}
    if "text" in told:
        return str(told["text"] or "")
    lines = [
        _joined(told, "first_name", "last_name"),
        told.get("company"),
        told.get("address_1"),
        told.get("address_2"),
        _joined(told, "postcode", "city"),
        _joined(told, "state", "country"),
        told.get("phone"),
        told.get("email"),
    ]
    return "<br>".join(escape(str(line)) for line in lines if line)


def from_document(native: Native, link: str, display: str, *, as_it_is: bool) -> Value:
    """Return the address a Sales Order names.

    Args:
        native: the Sales Order.
        link: its field that names an Address.
        display: its field that shows one.
        as_it_is: return what is shown alone: the shop holds the original.
    """
    document = native.document
    if as_it_is:
        shown = normal.text(document.get(display))
        return {"text": shown} if shown else None
    named = {str(one["name"]): one for one in native.related.get(ADDRESSES, ())}
    address = named.get(str(document.get(link) or ""))
    if address is None:
        return None
    first, _, last = (normal.line(document.get("customer_name")) or "").rpartition(" ")
    return {
        "first_name": first or None,
        "last_name": last or None,
        "company": None,
        "address_1": normal.line(address.get("address_line1")),
        "address_2": normal.line(address.get("address_line2")),
        "city": normal.line(address.get("city")),
        "state": normal.line(address.get("state")),
        "postcode": normal.line(address.get("pincode")),
        "country": normal.line(address.get("agencystack_country_code")),
        "email": normal.email(document.get("contact_email") or address.get("email_id")),
        "phone": normal.phone(document.get("contact_mobile") or address.get("phone")),
    }


def _joined(told: Mapping[str, Any], *names: str) -> str:
    return " ".join(str(told[name]) for name in names if told.get(name))
