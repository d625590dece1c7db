"""Customers as WordPress keeps them: users of a customer's role, and guests by their orders."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import addresses, guests
from agencystack.bridge.entities.shared import Custom, Objection, SharedWordPressForm, gone
from agencystack.bridge.entity import Deletion
from agencystack.bridge.record import Fields, Observed
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.form import POSITION_DIGITS
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records, Written

_PROBE = "agencystack-probe-"
SHARED_ROLES = frozenset({"customer"})
_PASSWORD_BYTES = 32


class CustomerOnWordPress(SharedWordPressForm):
    """A WordPress user who is a customer.

    Args:
        records: the way to WordPress's records.
        roles: users with other roles beside these are left alone: administrators never become customers.
        custom: further fields, by canonical name.
    """

    entity: ClassVar[str] = "customer"
    kind: ClassVar[Kind] = Kind.CUSTOMER

    def __init__(
        self, records: Records, *, roles: Collection[str] = SHARED_ROLES, custom: Custom | None = None
    ) -> None:
        super().__init__(records, custom)
        self.roles = frozenset(roles) - {"administrator"}

    def shared(self, native: Native) -> bool:
        """Share users whose every role is a customer's; never the probes of AgencyStack."""
        told = (native.get("agencystack") or {}).get("roles") or [native.get("role")]
        roles = {str(one) for one in told if one}
        return bool(roles) and roles <= self.roles and not str(native.get("username", "")).startswith(_PROBE)

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a user."""
        billing = native.get("billing") or {}
        return {
            "email": normal.email(native.get("email")),
            "first_name": normal.line(native.get("first_name")) or normal.line(billing.get("first_name")),
            "last_name": normal.line(native.get("last_name")) or normal.line(billing.get("last_name")),
            "company": normal.line(billing.get("company")),
            "phone": normal.phone(billing.get("phone")),
            "billing": addresses.of_shop(billing),
            "shipping": addresses.of_shop(native.get("shipping"), recipient=True),
            "guest": None,
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent. A new user gets a password nobody knows, and no role but WooCommerce's own."""
        values: dict[str, Any] = {}
        billing: dict[str, Any] = {}
        if native is None:
            values["password"] = secrets.token_urlsafe(_PASSWORD_BYTES)
        if "email" in fields:
            values["email"] = fields["email"] or ""
        for name in ("first_name", "last_name"):
            if name in fields:
                values[name] = billing[name] = fields[name] or ""
        for name in ("company", "phone"):
            if name in fields:
                billing[name] = fields[name] or ""
        if "billing" in fields:
            billing |= addresses.shop_values(fields["billing"])
        if "shipping" in fields:
            values["shipping"] = addresses.shop_values(fields["shipping"])
        return {**values, "billing": billing} if billing else values

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Find the user of that e-mail address."""
        email = fields.get("email")
        return [{"email": email, "role": "all"}] if isinstance(email, str) else []

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the customers of that e-mail address, whatever its case."""
        return [
            str(one["id"])
            for search in self.search_for(fields)
            for one in self.records.search(self.kind, search)
            if normal.email(one.get("email")) == fields.get("email") and self.shared(one)
        ]

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of users and guests."""
        known = [one for one in ids if guests.is_guest(one)]
        users = [one for one in ids if not guests.is_guest(one)]
        return {**(super().read(users) if users else {}), **self._guests(known)}

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; what is to change a guest changes nothing: WordPress keeps no record of one."""
        those = [one for one in operations if guests.is_guest(one.id)]
        seen = self._guests([one.id for one in those])
        outcomes = {one.token: Outcome(one.token, Result.DONE, observed=seen[one.id]) for one in those}
        rest = [one for one in operations if one.token not in outcomes]
        return {**outcomes, **(super().apply(rest) if rest else {})}

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop what WordPress cannot do to a user."""
        if operation.action is Action.RETIRE and operation.how is not Deletion.DELETE:
            return Objection(
                f"the Customer of user {operation.id} is gone; WordPress has no archive for users",
                "delete or block the user in WordPress, or set customer: {deletion: keep} in stack.yaml",
            )
        if operation.action is Action.CREATE and not operation.fields.get("email"):
            return Objection(
                "the Customer has no e-mail address; a WordPress user needs one",
                "add an e-mail address to its primary Contact in ERPNext, or share customers to ERPNext only",
            )
        if "email" in operation.fields and not operation.fields["email"]:
            return Objection(
                f"the Customer of user {operation.id} lost its e-mail address; a WordPress user needs one",
                "give its primary Contact an e-mail address again",
            )
        return None

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said = f"WordPress refused the customer ({written.code}): {written.message}"
        if "email-exists" in written.code or "existing_user" in written.code:
            return said, (
                "another WordPress user has this e-mail address, perhaps one whose role is not shared: "
                "give one of the two another address, or share that role"
            )
        if "username" in written.code or "password" in written.code:
            return said, "let WooCommerce make user names and passwords (Settings > Accounts & Privacy), then retry"
        if "invalid-email" in written.code or written.code == "rest_invalid_param":
            return said, "correct the e-mail address in ERPNext, then retry"
        return said, "change the Customer in ERPNext so that WordPress takes it, then retry"

    def _guests(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        orders = guests.first_orders(self.records, ids) if ids else {}
        return {id_: _guest(id_, orders[id_]) if id_ in orders else gone(id_) for id_ in ids}


def _guest(id_: str, order: Native) -> Observed:
    return Observed(
        id_,
        fields=guests.guest_fields(id_, order),
        created=str(order.get("date_created_gmt") or ""),
        position=id_.zfill(POSITION_DIGITS),
    )
