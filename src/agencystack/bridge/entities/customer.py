"""Customers: WordPress users and WooCommerce customers, and ERPNext's Customer with its Contact and Addresses."""

from __future__ import annotations

from agencystack.bridge.entity import Direction, Entity, Field
from agencystack.bridge.record import Fields, SideName
from agencystack.bridge.record import Value as CanonicalValue

_ERPNEXT = SideName.ERPNEXT


def _personal(name: str, wordpress: str, erpnext: str) -> Field:
    return Field(name, _ERPNEXT, wordpress=wordpress, erpnext=erpnext, personal=True)


CUSTOMER = Entity(
    name="customer",
    title="Customers",
    fields=(
        _personal("email", "email", "Contact.email_ids (primary)"),
        _personal("first_name", "first_name, billing.first_name", "Contact.first_name"),
        _personal("last_name", "last_name, billing.last_name", "Contact.last_name"),
        _personal("company", "billing.company", "Customer.customer_name (customer_type Company)"),
        _personal("phone", "billing.phone", "Contact.phone_nos (primary)"),
        _personal("billing", "billing", "Address (customer_primary_address)"),
        _personal("shipping", "shipping", "Address (Shipping)"),
        Field(
            "guest",
            SideName.WORDPRESS,
            wordpress="billing data of a guest's first order",
            erpnext="Customer, when it is made",
            direction=Direction.TO_ERPNEXT,
            personal=True,
        ),
    ),
    identity=("email",),
    side_by_side=True,
)
"""``guest`` is what a guest said about himself. Anybody may type anybody's e-mail address: so a Customer is made of it,
and never changed by it."""

PEOPLE = ("first_name", "last_name", "company", "phone", "billing", "shipping")
"""Fields that a guest's data holds, beside the e-mail address."""


def display_name(fields: Fields) -> str:
    """Return what a customer is called: the company, else the person, else the e-mail address."""
    person = " ".join(str(one) for name in ("first_name", "last_name") if (one := fields.get(name)))
    return str(fields.get("company") or person or fields.get("email") or "Customer without a name")


def whole(fields: Fields) -> dict[str, CanonicalValue]:
    """Return a customer's fields with those of a guest in their places."""
    guest = fields.get("guest")
    said = {name: value for name, value in fields.items() if name != "guest"}
    return {**said, **guest} if isinstance(guest, dict) else said
