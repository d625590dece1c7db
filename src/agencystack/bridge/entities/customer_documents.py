"""The Contact and Addresses of an ERPNext Customer that the bridge reads and writes; its others stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.shared import LONGEST_NAME, safe_name
from agencystack.bridge.record import Value
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Documents

CONTACT, BILLING, SHIPPING = "contact", "billing", "shipping"

LONGEST_PARTY = 100
"""Characters of a new customer's name: ERPNext appends it to the name of its Contact, and none may exceed 140."""
_APPENDED = 6  # "-" between the names, and "-1" where another document has it

_LINKED = "links.link_name"
_COMMON = ("name", "modified", "creation", TOKEN_FIELD, _LINKED)
_CONTACT = (*_COMMON, "first_name", "last_name", "email_id", "phone", "mobile_no", "is_primary_contact")
_ADDRESS = (
    *(*_COMMON, "address_title", "address_type", "address_line1", "address_line2", "city", "state", "pincode"),
    *("country", "is_primary_address", "is_shipping_address"),
)
_NOT_DIALLED = re.compile(r"[^0-9 +_\-,.*#()]")
_LONGEST_PHONE = 20
_FEWEST_DIGITS = 3


def related(documents: Documents, customers: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
    """Return each customer's Contact, billing and shipping Address, each as a list of one or none.

    Which: the one the Customer names as primary, else the one we made, else the one that says it is; of Contacts, which
    people in ERPNext seldom mark, else the oldest.
    """
    names = [str(one["name"]) for one in customers]
    contacts = _linked(documents, "Contact", names, _CONTACT, ())
    addresses = _linked(documents, "Address", names, _ADDRESS, [["disabled", "=", 0]])
    found: dict[str, Mapping[str, Sequence[Document]]] = {}
    for customer in customers:
        name = str(customer["name"])
        mine = addresses.get(name, ())
        people = contacts.get(name, ())
        contact = _chosen(people, customer.get("customer_primary_contact"), CONTACT, "is_primary_contact")
        contact = contact or next(iter(_by_age(people)), None)
        billing = _chosen(mine, customer.get("customer_primary_address"), BILLING, "is_primary_address")
        others = [one for one in mine if billing is None or one["name"] != billing["name"]]
        shipping = _chosen(others, None, SHIPPING, "is_shipping_address")
        parts = ((CONTACT, contact), (BILLING, billing), (SHIPPING, shipping))
        found[name] = {called: (one,) if one else () for called, one in parts}
    return found


def customers_of(documents: Documents, emails: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the names of Customers by the e-mail addresses their Contacts have.

    Args:
        documents: the way to ERPNext's documents.
        emails: canonical addresses; MariaDB compares without case.
    """
    if not emails:
        return {}
    has: list[Any] = [["Contact Email", "email_id", "in", list(emails)]]
    contacts: dict[str, set[str]] = {}
    for row in documents.select("Contact", has, ["name", "email_ids.email_id"]):
        contacts.setdefault(str(row["name"]), set()).add(str(row.get("email_id") or "").lower())
    linked: list[Any] = [["name", "in", sorted(contacts)], ["Dynamic Link", "link_doctype", "=", "Customer"]]
    found: dict[str, set[str]] = {}
    for row in documents.select("Contact", linked, ["name", _LINKED]) if contacts else ():
        for email in contacts[str(row["name"])] if row.get("link_name") else ():
            found.setdefault(email, set()).add(str(row["link_name"]))
    return {email: tuple(sorted(names)) for email, names in found.items()}


def version(customer: Document, parts: Mapping[str, Sequence[Document]]) -> str:
    """Return the version of a customer with all that hangs on it: a change of the Contact alone moves it too."""
    kept = {called: [str(one["name"]), str(one["modified"])] for called, rows in parts.items() for one in rows}
    return f"{customer.get('modified', '')}|{json.dumps(kept, sort_keys=True)}"


def expected(version_: str) -> Mapping[str, tuple[str, str]]:
    """Return name and ``modified`` of each part of a version."""
    _, _, kept = version_.partition("|")
    return {called: (one[0], one[1]) for called, one in json.loads(kept or "{}").items()}


def contact_values(fields: Mapping[str, Value], there: Document | None, fallback: str, party: str) -> dict[str, Any]:
    """Return the fields of a Contact for those that are given; its other addresses and numbers stay.

    Args:
        fields: canonical ones.
        there: the whole Contact, if there is one.
        fallback: first name of a Contact that has none.
        party: the customer's name, which becomes part of a new Contact's.
    """
    values: dict[str, Any] = {}
    first = safe_name(str(fields.get("first_name") or fallback))
    last = safe_name(str(fields.get("last_name") or ""))
    room = LONGEST_NAME - len(party) - _APPENDED
    if "first_name" in fields or there is None:
        values["first_name"] = first[: room if not last else max(room - len(last) - 1, room // 2)]
    if "last_name" in fields:
        values["last_name"] = last[: max(room - len(first) - 1, room // 2 - 1)]
    if "email" in fields:
        rows = (there or {}).get("email_ids") or ()
        values["email_ids"] = _rows(rows, "email_id", fields["email"], "is_primary")
    if "phone" in fields:
        rows = (there or {}).get("phone_nos") or ()
        values["phone_nos"] = _rows(rows, "phone", dialled(fields["phone"]), "is_primary_phone")
    return values


def dialled(phone: Value) -> str | None:
    """Return a number as ERPNext takes it: 20 of its characters at most; words in it are left out."""
    said = re.sub(r" +", " ", _NOT_DIALLED.sub("", str(phone or ""))).strip()[:_LONGEST_PHONE].strip()
    return said if sum(one.isdigit() for one in said) >= _FEWEST_DIGITS else None


def phone_of(contact: Document | None, customer: Document) -> str | None:
    """Return a customer's number."""
    rows = ((contact or {}).get("phone"), (contact or {}).get("mobile_no"), customer.get("mobile_no"))
    return next((said for one in rows if (said := normal.phone(one))), None)


def _rows(there: Iterable[Document], column: str, wanted: Value, mark: str) -> list[dict[str, Any]]:
    """Return a child table whose primary row holds the wanted value; the primary one before goes, the others stay."""
    known = ("name", column, "is_primary", "is_primary_phone", "is_primary_mobile_no")
    rows = [{key: row[key] for key in known if key in row} for row in there]
    same = str(wanted or "").casefold()
    kept = [{**row, mark: 0} for row in rows if not row.get(mark) and str(row.get(column) or "").casefold() != same]
    return [*([{column: wanted, mark: 1}] if wanted else []), *kept]


def _linked(
    documents: Documents, doctype: str, customers: Sequence[str], columns: Sequence[str], filters: Sequence[Any]
) -> Mapping[str, list[Document]]:
    those: list[Any] = [
        ["Dynamic Link", "link_doctype", "=", "Customer"],
        ["Dynamic Link", "link_name", "in", list(customers)],
    ]
    found: dict[str, list[Document]] = {}
    for row in documents.select(doctype, [*those, *filters], columns):
        found.setdefault(str(row["link_name"]), []).append(row)
    return found


def _chosen(rows: Sequence[Document], primary: Any, called: str, mark: str) -> Document | None:
    rules = (
        lambda one: bool(primary) and one["name"] == primary,
        lambda one: str(one.get(TOKEN_FIELD) or "").endswith(f"-{called}"),
        lambda one: normal.flag(one.get(mark)),
        lambda one: str(one.get("address_type") or "").casefold() == called,
    )
    return next((one for rule in rules for one in _by_age(rows) if rule(one)), None)


def _by_age(rows: Sequence[Document]) -> list[Document]:
    return sorted(rows, key=lambda one: (str(one.get("creation") or ""), str(one["name"])))
