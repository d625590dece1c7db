"""Customers as ERPNext keeps them: a Customer, its primary Contact, its billing and shipping Address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import addresses
from agencystack.bridge.entities import customer_documents as parts
from agencystack.bridge.entities.countries import countries_of
from agencystack.bridge.entities.customer import display_name, whole
from agencystack.bridge.entities.shared import Custom, SharedErpNextForm, real_name, safe_name
from agencystack.bridge.record import Fields, Observed, Value
from agencystack.bridge.settings import Accounting
from agencystack.bridge.side import Action, Operation, Outcome
from agencystack.bridge.sides.erpnext.documents import Document, Documents, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native, Watch

_CUSTOMER, _INDIVIDUAL = "Customer", "Individual"
_CONTACT_FIELDS = frozenset({"email", "first_name", "last_name", "phone"})
_CROSSED = "another record of that name was made at the same moment"
_NAME_FIELDS = frozenset({"company", "first_name", "last_name"})
_ADDRESSES = ((parts.BILLING, "Billing"), (parts.SHIPPING, "Shipping"))


class CustomerOnErpNext(SharedErpNextForm):
    """A Customer and what hangs on it, read and written as one record.

    Args:
        documents: the way to ERPNext's documents.
        accounting: group and territory of new customers; without it ERPNext's own defaults.
        website_users: a new customer with an e-mail address gets a Website User, without mail and without roles.
        custom: further fields, by canonical name.
    """

    entity: ClassVar[str] = "customer"
    doctype: ClassVar[str] = _CUSTOMER
    watched: ClassVar[Sequence[Watch]] = tuple(
        Watch(doctype, "links.link_name", (("Dynamic Link", "link_doctype", "=", _CUSTOMER),))
        for doctype in ("Contact", "Address")
    )

    def __init__(
        self,
        documents: Documents,
        accounting: Accounting | None = None,
        *,
        website_users: bool = False,
        custom: Custom | None = None,
    ) -> None:
        super().__init__(documents, custom)
        self.group = accounting.customer_group if accounting else "Individual"
        self.territory = accounting.territory if accounting else "All Territories"
        self.website_users = website_users
        self._contacts: Mapping[str, Document] = {}
        self._users: Mapping[str, str] = {}

    @cached_property
    def countries(self) -> normal.Countries:
        """The names ERPNext has for countries."""
        return countries_of(self.documents)

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return each customer's Contact and Addresses."""
        return parts.related(self.documents, documents)

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a Customer."""
        customer, contact = native.document, _one(native, parts.CONTACT)
        called = real_name(customer.get("customer_name") or customer["name"]) or ""
        company = customer.get("customer_type") != _INDIVIDUAL
        email = normal.email((contact or {}).get("email_id")) or normal.email(customer.get("email_id"))
        first, last = _names(contact, called, company=company, email=email)
        shipping = _one(native, parts.SHIPPING)
        return {
            "email": email,
            "first_name": first,
            "last_name": last,
            "company": called if company else None,
            "phone": parts.phone_of(contact, customer),
            "billing": addresses.of_document(_one(native, parts.BILLING), self.countries),
            "shipping": addresses.of_document(shipping, self.countries, title=called),
            "guest": None,
        }

    def observed(self, id_: str, native: Native | None) -> Observed:
        """Return a customer as the bridge sees it; its version covers Contact and Addresses too."""
        seen = super().observed(id_, native)
        return seen if native is None else replace(seen, version=parts.version(native.document, native.related))

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done to a Customer and what hangs on it."""
        if operation.action is Action.RETIRE:
            return [self.update(operation, {"disabled": 1})]
        return self._made(whole(operation.fields)) if native is None else self._changed(operation, native)

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the Customers of whom a Contact has that e-mail address, whatever its case."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return the Customers of each e-mail address, asked for at once."""
        emails = [str(fields.get("email") or "") for fields in many]
        found = parts.customers_of(self.documents, sorted({one for one in emails if one}))
        return [found.get(one, ()) for one in emails]

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Customers are found by their Contacts: see :meth:`candidates`."""
        return []

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Read whole Contacts whose rows are to be changed, and the users new customers may have already."""
        versions = [parts.expected(one.expected.version) for one in operations if one.expected]
        names = [one[parts.CONTACT][0] for one in versions if parts.CONTACT in one]
        self._contacts = self.documents.fetch("Contact", names) if names else {}
        emails = [str(one.fields.get("email") or "") for one in operations if one.action is Action.CREATE]
        if self.website_users and any(emails):
            rows = self.documents.select(
                "User", [["name", "in", [one for one in emails if one]]], ["name", "user_type"]
            )
            self._users = {str(one["name"]): str(one.get("user_type") or "") for one in rows}

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; where two people of one name were made at the same moment, the second is made again.

        ERPNext numbers them (``Anna Muster - 1``) by those it can see, and another's transaction it cannot.
        Source: erpnext/selling/doctype/customer/customer.py, ``get_customer_name``.
        """
        outcomes = dict(super().apply(operations))
        again = [one for one in operations if outcomes[one.token].message.startswith(_CROSSED)]
        return outcomes | (dict(super().apply(again)) if again else {})

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said, remedy = super().refusal(saved, operation)
        if saved.kind == "DuplicateEntryError" and operation.action is Action.CREATE:
            return f"{_CROSSED}: {saved.message}", "retry: ERPNext then gives it a number of its own"
        remedies = {
            "InvalidEmailAddressError": "correct the customer's e-mail address in WordPress",
            "InvalidPhoneNumberError": "correct the customer's telephone number in WordPress",
            "LinkValidationError": "check customer group and territory in the accounting settings, and the country",
            "LinkExistsError": "the Customer has documents: disable it instead (deletion: archive)",
            "PartyDisabled": "enable the Customer in ERPNext",
        }
        return said, remedies.get(saved.kind, remedy)

    # Steps. -------------------------------------------------------------------------------------------------------

    def _made(self, fields: Fields) -> list[Step]:
        called = safe_name(display_name(fields))[: parts.LONGEST_PARTY]
        values = {
            "customer_name": called,
            "customer_type": "Company" if fields.get("company") else _INDIVIDUAL,
            "customer_group": self.group,
            "territory": self.territory,
        }
        steps, primary = [Step("insert", _CUSTOMER, values=values, called="main")], dict[str, Any]()
        if any(fields.get(name) for name in _CONTACT_FIELDS):
            steps.append(self._new_contact(fields, Made("main")))
            primary["customer_primary_contact"] = Made(parts.CONTACT)
        for part, kind in _ADDRESSES:
            if isinstance(address := fields.get(part), Mapping):
                steps.append(self._new_address(part, kind, address, called, Made("main")))
                primary |= {"customer_primary_address": Made(part)} if part == parts.BILLING else {}
        user, rows = self._website_user(fields)
        steps += user
        primary |= {"portal_users": rows} if rows else {}
        return [*steps, Step("update", _CUSTOMER, Made("main"), primary, called="primary")] if primary else steps

    def _changed(self, operation: Operation, native: Native) -> list[Step]:
        fields = {name: value for name, value in operation.fields.items() if name != "guest"}
        if not fields:
            return []
        then = parts.expected(operation.expected.version) if operation.expected else {}
        now: Fields = {**self.own_fields(native), **fields}
        values = self._naming(native, now) if _NAME_FIELDS & fields.keys() else {}
        steps, primary = list[Step](), dict[str, Any]()
        touched = {name: value for name, value in fields.items() if name in _CONTACT_FIELDS}
        if touched and (contact := _one(native, parts.CONTACT)):
            whole_contact = self._contacts.get(str(contact["name"])) or contact
            rows = parts.contact_values(touched, whole_contact, display_name(now), "")
            steps.append(_update("Contact", contact, rows, parts.CONTACT, then))
        elif any(touched.values()):
            steps.append(self._new_contact(now, operation.id))
            primary["customer_primary_contact"] = Made(parts.CONTACT)
        called = real_name(native.document.get("customer_name")) or operation.id
        for part, kind in _ADDRESSES:
            if part in fields:
                step = self._address(part, kind, fields[part], called, native, then, operation.id)
                steps += step
                if part == parts.BILLING and step and step[0].action == "insert":
                    primary["customer_primary_address"] = Made(part)
        if parts.BILLING in fields and fields[parts.BILLING] is None:
            values["customer_primary_address"] = ""
        main = self.update(operation, values)
        last = [Step("update", _CUSTOMER, operation.id, primary, called="primary")] if primary else []
        return [main, *steps, *last]

    def _naming(self, native: Native, now: Fields) -> dict[str, Any]:
        """Return the Customer's name and type; a name somebody gave it in ERPNext, of a person, stays."""
        customer, before = native.document, self.own_fields(native)
        values: dict[str, Any] = {}
        kind = "Company" if now.get("company") else _INDIVIDUAL
        if (kind == _INDIVIDUAL) is not (customer.get("customer_type") == _INDIVIDUAL):
            values["customer_type"] = kind
        was, wanted = (safe_name(display_name(one))[: parts.LONGEST_PARTY] for one in (before, now))
        if wanted != was and (values or now.get("company") or customer.get("customer_name") == was):
            values["customer_name"] = wanted
        return values

    def _address(
        self,
        part: str,
        kind: str,
        wanted: Value,
        called: str,
        native: Native,
        then: Mapping[str, tuple[str, str]],
        customer: str,
    ) -> list[Step]:
        there = _one(native, part)
        if isinstance(wanted, Mapping):
            if there is None:
                return [self._new_address(part, kind, wanted, called, customer)]
            return [_update("Address", there, addresses.document_values(wanted, self.countries, called), part, then)]
        return [_update("Address", there, {"disabled": 1}, part, then)] if there else []

    def _new_contact(self, fields: Fields, customer: str | Made) -> Step:
        known = {name: fields.get(name) for name in sorted(_CONTACT_FIELDS)}
        party = safe_name(display_name(fields))[: parts.LONGEST_PARTY]
        values = parts.contact_values(known, None, display_name(fields), party)
        return Step(
            "insert",
            "Contact",
            values={**values, "is_primary_contact": 1, "links": _links(customer)},
            called=parts.CONTACT,
        )

    def _new_address(
        self, part: str, kind: str, address: Mapping[str, Value], called: str, customer: str | Made
    ) -> Step:
        mark = {"is_primary_address": 1} if part == parts.BILLING else {"is_shipping_address": 1}
        values = addresses.document_values(address, self.countries, called)
        made = {**values, **mark, "address_type": kind, "links": _links(customer)}
        return Step("insert", "Address", values=made, called=part)

    def _website_user(self, fields: Fields) -> tuple[list[Step], list[dict[str, Any]]]:
        """Return the step of a Website User, and the customer's portal rows. A desk user is never made a customer's."""
        email = str(fields.get("email") or "")
        if not self.website_users or not email:
            return [], []
        if email in self._users:
            return [], [{"user": email}] if self._users[email] == "Website User" else []
        values = {
            "email": email,
            "first_name": str(fields.get("first_name") or display_name(fields)),
            "last_name": fields.get("last_name") or "",
            "send_welcome_email": 0,
            "user_type": "Website User",
        }
        return [Step("insert", "User", values=values, called="user")], [{"user": Made("user")}]


def _one(native: Native, part: str) -> Document | None:
    return next(iter(native.related.get(part, ())), None)


def _links(customer: str | Made) -> list[dict[str, Any]]:
    return [{"link_doctype": _CUSTOMER, "link_name": customer}]


def _update(
    doctype: str, there: Document, values: Mapping[str, Any], part: str, then: Mapping[str, tuple[str, str]]
) -> Step:
    """Return the update of a part, if it still is what the change was decided upon."""
    name, modified = then.get(part, (str(there["name"]), str(there.get("modified") or "")))
    return Step("update", doctype, name, values, called=part, modified=modified)


def _names(contact: Document | None, called: str, *, company: bool, email: str | None) -> tuple[str | None, str | None]:
    if contact is not None:
        first, last = real_name(contact.get("first_name")), real_name(contact.get("last_name"))
        return None if first in {called if company else None, email} else first, last
    if company:
        return None, None
    first, _, last = called.rpartition(" ")
    return (first or last or None), (last or None) if first else None
