"""Portal users of customers: the bridge may make Website Users without roles, and ask who is one; no more.

There is no permission for that in Frappe: who may create users may make administrators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import frappe

from agencystack_connector.bridge import settings
from agencystack_connector.bridge.entities import BOTH, TO_ERPNEXT

USER = "User"
_GIVEN = frozenset({"email", "first_name", "last_name", "send_welcome_email", "user_type", "language"})
_SHOWN = frozenset({"name", "user_type", "enabled"})


def rows(filters: Sequence[Sequence[Any]], fields: Sequence[str]) -> list[dict[str, Any]]:
	"""Return name and kind of users that are asked for by name.

	Raises:
		frappe.PermissionError: it is asked for more.
	"""
	_refuse_unless_shared()
	by_name = len(filters) == 1 and list(filters[0][-3:-1]) in (["name", "in"], ["name", "="])
	if set(fields) - _SHOWN or not by_name:
		raise frappe.PermissionError("of users only name, user_type and enabled are told, and only by name")
	return frappe.get_all(USER, filters=list(filters), fields=list(fields), limit_page_length=0)


def insert(values: Mapping[str, Any]) -> Any:
	"""Make a Website User without roles, without password and without mail.

	Raises:
		frappe.PermissionError: it would be another kind of user.
	"""
	_refuse_unless_shared()
	if set(values) - _GIVEN or values.get("user_type") != "Website User":
		raise frappe.PermissionError("the bridge may make Website Users, and give them a name and nothing else")
	user = frappe.new_doc(USER)
	user.update({**values, "send_welcome_email": 0})
	user.flags.no_welcome_mail = True
	user.insert(ignore_permissions=True)
	return user


def _refuse_unless_shared() -> None:
	if settings.load().allowed.get("customer") not in (BOTH, TO_ERPNEXT):
		raise frappe.PermissionError("customers are not shared to ERPNext")
