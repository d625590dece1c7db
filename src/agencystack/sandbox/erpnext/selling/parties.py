"""Customers, and the contacts and addresses that hang on them (contract/erpnext/02, 05, 37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.erpnext.accounts import require_address
from agencystack.sandbox.erpnext.documents import Behaviour, Documents
from agencystack.sandbox.erpnext.errors import bold, broken, invalid
from agencystack.sandbox.erpnext.selling.naming import free
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

NOBODY = "'NoneType' object has no attribute 'strip'"


def behaviours(documents: Documents) -> Mapping[str, Behaviour]:
    """Return what customers, contacts and addresses do."""
    customers = _Customers(documents)
    return {
        "Customer": Behaviour(
            lambda one: str(one["name"]),
            named=_customer_name,
            validate=_check_customer,
            on_update=customers.saved,
            on_trash=customers.trashed,
            on_rename=customers.renamed,
        ),
        "Contact": Behaviour(lambda one: str(one["name"]), named=_contact_name, validate=_check_contact),
        "Address": Behaviour(
            lambda one: str(one["name"]), named=_address_name, prepare=_prepare_address, validate=_check_address
        ),
    }


def _customer_name(work: Work, customer: Document) -> str:
    if customer.get("customer_name") is None:
        raise broken("AttributeError", NOBODY)
    name = str(customer["customer_name"]).strip()
    if not work.transaction.peek("Customer", name):
        return name
    new = free(work, "Customer", name, start=1, between=" - ")
    text = f"Changed customer name to '{new}' as '{name}' already exists."
    work.messages.append({"message": text, "title": "Note", "indicator": "yellow"})
    return new


def _check_customer(work: Work, customer: Document, before: Document | None) -> None:
    customer["language"] = customer.get("language") or "en"
    for field, doctype in (("customer_group", "Customer Group"), ("territory", "Territory")):
        linked = work.transaction.peek(doctype, str(customer.get(field) or "")) or {}
        if linked.get("is_group") and field == "customer_group":
            text = f"Cannot select a Group type {doctype}. Please select a non-group {doctype}."
            raise invalid(text, title=f"Invalid {doctype}")


class _Customers:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def saved(self, work: Work, customer: Document, before: Document | None) -> None:
        """Make a contact of the e-mail and number a new customer was given."""
        if before is None:
            self._tell_lead(work, customer, "Converted")
        if before is not None or customer.get("customer_primary_contact"):
            return
        if not (customer.get("email_id") or customer.get("mobile_no")):
            return
        values: dict[str, Any] = {
            "first_name": customer["customer_name"],
            "is_primary_contact": 1,
            "links": [{"link_doctype": "Customer", "link_name": customer["name"]}],
        }
        if customer.get("email_id"):
            values["email_ids"] = [{"email_id": customer["email_id"], "is_primary": 1}]
        if customer.get("mobile_no"):
            values["phone_nos"] = [{"phone": customer["mobile_no"], "is_primary_mobile_no": 1}]
        contact = self._documents.insert(work, "Contact", values, checked=False)
        customer["customer_primary_contact"], customer["modified"] = contact["name"], work.now()
        work.transaction.put(customer)

    def trashed(self, work: Work, customer: Document) -> None:
        """Take contacts and addresses along that hang on this customer alone."""
        cleared = {**customer, "customer_primary_contact": None, "customer_primary_address": None}
        work.transaction.put(cleared)
        customer.update(cleared)
        for doctype in ("Contact", "Address"):
            for one in list(linked(work, doctype, "Customer", customer["name"])):
                others = [row for row in one["links"] if row["link_name"].casefold() != customer["name"].casefold()]
                if others:
                    work.transaction.put({**one, "links": others})
                else:
                    self._documents.delete(work, doctype, one["name"], checked=False)
        self._tell_lead(work, customer, "Interested")

    def _tell_lead(self, work: Work, customer: Document, status: str) -> None:
        lead = work.transaction.get("Lead", str(customer.get("lead_name") or ""))
        if lead:
            work.transaction.put({**lead, "status": status, "modified": work.now()})

    def renamed(self, work: Work, customer: Document, old: str) -> None:
        """Follow a rename: the customer is called what it is named."""
        stored = work.transaction.get("Customer", customer["name"])
        if stored:
            work.transaction.put({**stored, "customer_name": stored["name"]})


def linked(work: Work, doctype: str, to: str, name: str) -> list[Document]:
    """Return contacts or addresses that hang on a document; not to be changed."""
    return [
        one
        for one in work.transaction.having(doctype, "links.link_name", name)
        if any(row["link_doctype"] == to and row["link_name"].casefold() == name.casefold() for row in one["links"])
    ]


def _titled(work: Work, document: Document) -> None:
    for row in document.get("links") or []:
        party = work.transaction.peek(str(row.get("link_doctype")), str(row.get("link_name"))) or {}
        row["link_title"] = party.get("customer_name") or row.get("link_name")


def _full_name(contact: Document) -> str:
    parts = (contact.get(key) for key in ("first_name", "middle_name", "last_name"))
    return " ".join(str(part).strip() for part in parts if part) or str(contact.get("company_name") or "")


def _contact_name(work: Work, contact: Document) -> str:
    links = contact.get("links") or []
    name = "-".join([_full_name(contact), *(str(row["link_name"]).strip() for row in links[:1])])
    return free(work, "Contact", name)


def _check_contact(work: Work, contact: Document, _: Document | None) -> None:
    _titled(work, contact)
    contact["full_name"] = _full_name(contact)
    mails, numbers = contact.get("email_ids") or [], contact.get("phone_nos") or []
    for row in mails:
        require_address(str(row.get("email_id") or ""))
    if len(mails) == 1:
        mails[0]["is_primary"] = 1
    contact["email_id"] = _primary(mails, "is_primary", "email_id", "Email ID")
    contact["phone"] = _primary(numbers, "is_primary_phone", "phone", "Phone")
    contact["mobile_no"] = _primary(numbers, "is_primary_mobile_no", "phone", "Mobile No")
    contact["image"] = contact.get("image") or ""


def _primary(rows: list[Document], mark: str, field: str, label: str) -> str:
    marked = [row for row in rows if row.get(mark)]
    if len(marked) > 1:
        raise invalid(f"Only one {bold(label)} can be set as primary.")
    return str(marked[0].get(field) or "").strip() if marked else ""


def _prepare_address(work: Work, address: Document, _: Document | None) -> None:
    company = work.transaction.peek("Company", work.company) or {}
    address["country"] = address.get("country") or company.get("country")
    links = address.get("links") or []
    if not address.get("address_title") and links:
        address["address_title"] = links[0].get("link_name")


def _address_name(work: Work, address: Document) -> str:
    if not address.get("address_title"):
        raise invalid("Address Title is mandatory.")
    return free(
        work, "Address", f"{str(address['address_title']).strip()}-{str(address.get('address_type') or '').strip()}"
    )


def _check_address(work: Work, address: Document, _: Document | None) -> None:
    _titled(work, address)
