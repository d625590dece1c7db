"""Guests: people who ordered without an account. WordPress keeps no record of them but their orders.

Their ids are ``guest:<lower e-mail>`` (all orders of one address) and ``guest-order:<order id>`` (one order). What such
a record says is what the *first* order of it said: a later order changes nothing, whoever typed that address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agencystack.bridge import normal
from agencystack.bridge.entities import addresses
from agencystack.bridge.record import Fields, Value
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records, searched

BY_EMAIL = "guest:"
BY_ORDER = "guest-order:"


def is_guest(id_: str) -> bool:
    """Tell whether an id of a customer is a guest's."""
    return id_.startswith((BY_EMAIL, BY_ORDER))


def first_orders(records: Records, ids: Sequence[str]) -> Mapping[str, Native]:
    """Return the order each guest is known by; a guest without one is left out.

    Args:
        records: the way to WordPress's records.
        ids: of guests.
    """
    by_order = {id_.removeprefix(BY_ORDER): id_ for id_ in ids if id_.startswith(BY_ORDER)}
    found = {by_order[order]: native for order, native in records.fetch(Kind.ORDER, list(by_order)).items()}
    emails = [id_.removeprefix(BY_EMAIL) for id_ in ids if id_.startswith(BY_EMAIL)]
    # Our plugin finds the first order of an address by itself; REST knows but a search in every line of addresses.
    searches = [{"search": email, "billing_email": email} for email in emails]
    for email, answer in zip(emails, searched(records, Kind.ORDER, searches), strict=True):
        orders = [one for one in answer if _is_of(one, email)]
        if orders:
            found[f"{BY_EMAIL}{email}"] = min(orders, key=lambda one: int(one["id"]))
    return found


def guest_fields(id_: str, order: Native) -> Fields:
    """Return the canonical values of a guest.

    Only a guest known by the address has it as identity, so that orders find the customer of that address; one of a
    single order is nobody else.
    """
    billing = order.get("billing") or {}
    email = normal.email(billing.get("email"))
    said: dict[str, Value] = {
        "first_name": normal.line(billing.get("first_name")),
        "last_name": normal.line(billing.get("last_name")),
        "company": normal.line(billing.get("company")),
        "phone": normal.phone(billing.get("phone")),
        "billing": addresses.of_shop(billing),
        "shipping": addresses.of_shop(order.get("shipping"), recipient=True),
        "email": email,
    }
    return {"email": email if id_.startswith(BY_EMAIL) else None, "guest": said}


def accounts_of(records: Records, emails: Sequence[str]) -> Mapping[str, str]:
    """Return the ids of WordPress accounts by e-mail address, for orders of guests who have one.

    Args:
        records: the way to WordPress's records.
        emails: canonical addresses.
    """
    found: dict[str, str] = {}
    wanted = list(dict.fromkeys(emails))
    searches = [{"email": email, "role": "customer"} for email in wanted]
    for email, answer in zip(wanted, searched(records, Kind.CUSTOMER, searches), strict=True):
        for one in answer:
            if normal.email(one.get("email")) == email:
                found[email] = str(one["id"])
    return found


def _is_of(order: Native, email: str) -> bool:
    billing = order.get("billing") or {}
    return not order.get("customer_id") and normal.email(billing.get("email")) == email
