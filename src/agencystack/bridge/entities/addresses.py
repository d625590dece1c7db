"""Postal addresses: one canonical object, WooCommerce's flat ones, ERPNext's Address documents.

An address is taken as a whole: half of one and half of another is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.shared import LONGEST_NAME, real_name, safe_name
from agencystack.bridge.record import Value
from agencystack.bridge.sides.erpnext.documents import Document

_PARTS = {  # canonical: (WooCommerce, ERPNext)
    "line1": ("address_1", "address_line1"),
    "line2": ("address_2", "address_line2"),
    "city": ("city", "city"),
    "postcode": ("postcode", "pincode"),
    "state": ("state", "state"),
}
_LONGEST_TITLE = 90  # a second of that title is numbered by a series "<title>-Shipping-" of at most 100 (tabSeries)
_NONE = "-"  # ERPNext insists on a first line and a city (contract/erpnext/05_contact_address.json)


def of_shop(native: Any, *, recipient: bool = False) -> dict[str, Value] | None:
    """Return the canonical address of WooCommerce's; a country alone (its own guess) is none.

    Args:
        native: ``billing`` or ``shipping`` as REST shows it.
        recipient: the address names a person of its own.
    """
    if not isinstance(native, Mapping):
        return None
    parts: dict[str, Value] = {name: normal.line(native.get(shop)) for name, (shop, _) in _PARTS.items()}
    if not any(parts.values()):
        return None
    parts["country"] = (normal.line(native.get("country")) or "").upper() or None
    if recipient:
        names = (normal.line(native.get(name)) for name in ("first_name", "last_name"))
        parts["recipient"] = " ".join(one for one in names if one) or None
    return parts


def shop_values(address: Value) -> dict[str, str]:
    """Return what REST is sent; WooCommerce merges addresses part by part, so each is sent."""
    parts = address if isinstance(address, Mapping) else {}
    values = {shop: str(parts.get(name) or "") for name, (shop, _) in _PARTS.items()}
    values["country"] = str(parts.get("country") or "")
    if "recipient" in parts:
        first, _, last = str(parts.get("recipient") or "").rpartition(" ")
        values |= {"first_name": first or last, "last_name": last if first else ""}
    return values


def of_document(document: Document | None, countries: normal.Countries, *, title: str | None = None) -> Value:
    """Return the canonical address of an Address.

    Args:
        document: the Address, if there is one.
        countries: ERPNext's names of countries.
        title: the customer's name; an ``address_title`` beside it is a recipient. ``None``: no recipient is meant.
    """
    if document is None:
        return None
    parts: dict[str, Value] = {name: _real(document.get(field)) for name, (_, field) in _PARTS.items()}
    parts["country"] = countries.code(normal.line(document.get("country")))
    if title is not None:
        said = real_name(document.get("address_title"))
        parts["recipient"] = said if said and said != title else None
    return parts


def document_values(address: Mapping[str, Value], countries: normal.Countries, title: str) -> dict[str, Any]:
    """Return the fields of an Address.

    Args:
        address: the canonical one.
        countries: ERPNext's names of countries.
        title: the customer's name.
    """
    values: dict[str, Any] = {field: str(address.get(name) or "")[:LONGEST_NAME] for name, (_, field) in _PARTS.items()}
    values["address_line1"] = values["address_line1"] or _NONE
    values["city"] = values["city"] or _NONE
    if country := countries.name(str(address.get("country") or "")):
        values["country"] = country
    return {**values, "address_title": safe_name(str(address.get("recipient") or title))[:_LONGEST_TITLE]}


def _real(value: Any) -> str | None:
    said = normal.line(value)
    return None if said == _NONE else said
