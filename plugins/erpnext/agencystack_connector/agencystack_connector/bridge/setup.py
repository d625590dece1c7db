"""Makes a site ready for the bridge, and takes all of it away again: role, user, permissions, custom fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import frappe
from frappe.custom.doctype.custom_field.custom_field import create_custom_fields
from frappe.permissions import reset_perms, setup_custom_perms

from agencystack_connector.bridge import fields, numbers, settings
from agencystack_connector.bridge.entities import BOOK, DEEPER, rights
from agencystack_connector.bridge.settings import USER

ROLE = "AgencyStack Bridge"

_RIGHTS = (*BOOK, "delete")


def ready(directions: Mapping[str, str]) -> str:
	"""Make role, user, permissions and fields for these entities; return the user.

	Args:
		directions: by entity, once AgencyStack and the people here have both said theirs.
	"""
	_role()
	_user()
	permit(directions)
	_fields()
	return USER


def permit(directions: Mapping[str, str]) -> None:
	"""Give the bridge's role what these entities need, and nothing else."""
	wanted = {doctype: given for doctype, given in rights(directions).items() if frappe.db.exists("DocType", doctype)}
	had = set(frappe.get_all("Custom DocPerm", filters={"role": ROLE}, pluck="parent"))
	for doctype in sorted(had - set(wanted)):
		_forbid(doctype)
	for doctype, given in sorted(wanted.items()):
		_allow(doctype, given)


def undo(*, for_good: bool = False) -> None:
	"""Take away what was made; the columns of the custom fields, and what is in them, stay.

	Args:
		for_good: the user too, where no document links to it; else it stays, disabled.
	"""
	for doctype in set(frappe.get_all("Custom DocPerm", filters={"role": ROLE}, pluck="parent")):
		_forbid(doctype)
	for field in frappe.get_all("Custom Field", filters={"fieldname": ["in", sorted(fields.names())]}, pluck="name"):
		frappe.delete_doc("Custom Field", field, ignore_permissions=True, force=True)
	_leave(for_good=for_good)


def empty_fields() -> None:
	"""Empty the columns of the custom fields; other columns, and when documents were modified, stay as they are."""
	for doctype, all_of_it in fields.wanted().items():
		if not frappe.db.table_exists(doctype):
			continue
		there = set(frappe.db.get_table_columns(doctype))
		for name in sorted({str(field["fieldname"]) for field in all_of_it} & there):
			frappe.db.sql(f"update `tab{doctype}` set `{name}` = null where `{name}` is not null")  # noqa: S608


def _role() -> None:
	if not frappe.db.exists("Role", ROLE):
		role = frappe.new_doc("Role")
		role.update({"role_name": ROLE, "desk_access": 1, "is_custom": 1})
		role.insert(ignore_permissions=True)


def _user() -> None:
	if not frappe.db.exists("User", USER):
		user = frappe.new_doc("User")
		user.update({"email": USER, "first_name": "AgencyStack Bridge", "send_welcome_email": 0, "enabled": 1})
		user.append("roles", {"role": ROLE})
		user.flags.no_welcome_mail = True
		user.insert(ignore_permissions=True)
	user = frappe.get_doc("User", USER)
	if [row.role for row in user.roles] != [ROLE]:
		user.set("roles", [])
		user.append("roles", {"role": ROLE})
		user.save(ignore_permissions=True)


def _leave(*, for_good: bool) -> None:
	if frappe.db.exists("User", USER):
		user = frappe.get_doc("User", USER)
		user.set("roles", [])
		user.enabled = 0
		user.save(ignore_permissions=True)
		if for_good:
			_delete(user)
	if frappe.db.exists("Role", ROLE):
		frappe.delete_doc("Role", ROLE, ignore_permissions=True, force=True)


def _delete(user) -> None:
	"""Delete the user, or leave it disabled where a document links to it."""
	frappe.db.savepoint("agencystack_user")
	try:
		user.delete(ignore_permissions=True)
	except frappe.LinkExistsError:
		frappe.db.rollback(save_point="agencystack_user")
		frappe.clear_messages()


def _allow(doctype: str, given: Sequence[str]) -> None:
	# Once a doctype has one custom permission Frappe asks no others: its own are copied first.
	setup_custom_perms(doctype)
	_rule(doctype, 0, given)
	if doctype in DEEPER:
		_rule(doctype, DEEPER[doctype], [one for one in given if one in ("read", "write")])
	frappe.clear_cache(doctype=doctype)


def _rule(doctype: str, level: int, given: Sequence[str]) -> None:
	row = {one: int(one in given) for one in _RIGHTS}
	name = frappe.db.get_value("Custom DocPerm", {"parent": doctype, "role": ROLE, "permlevel": level})
	if name:
		if frappe.db.get_value("Custom DocPerm", name, list(row), as_dict=True) != row:
			frappe.db.set_value("Custom DocPerm", name, row)
		return
	rule = frappe.new_doc("Custom DocPerm")
	rule.update({"parent": doctype, "parenttype": "DocType", "parentfield": "permissions", "role": ROLE, **row})
	# Frappe's defaults of a new rule allow more than is given here.
	rule.update(dict.fromkeys(("report", "export", "import", "share", "print", "email", "amend"), 0))
	rule.permlevel = level
	rule.insert(ignore_permissions=True)


def _forbid(doctype: str) -> None:
	"""Take our rule away; where the rest is what the doctype itself says, Frappe's own rules count again."""
	frappe.db.delete("Custom DocPerm", {"parent": doctype, "role": ROLE})
	if _rules("Custom DocPerm", doctype) == _rules("DocPerm", doctype):
		reset_perms(doctype)
	frappe.clear_cache(doctype=doctype)


def _rules(kind: str, doctype: str) -> set[tuple[object, ...]]:
	fields = (
		"role",
		"permlevel",
		"if_owner",
		*_RIGHTS,
		"amend",
		"report",
		"export",
		"import",
		"share",
		"print",
		"email",
	)
	return {tuple(row) for row in frappe.get_all(kind, filters={"parent": doctype}, fields=list(fields), as_list=True)}


def _fields() -> None:
	"""Make the custom fields; those that are there are left as they are."""
	missing = {
		doctype: [field for field in all_of_it if not frappe.get_meta(doctype).has_field(field["fieldname"])]
		for doctype, all_of_it in fields.wanted().items()
		if frappe.db.exists("DocType", doctype)
	}
	create_custom_fields({doctype: new for doctype, new in missing.items() if new}, ignore_validate=True)


def before_uninstall() -> None:
	"""Take everything along but the contents of the custom fields' columns, which Frappe keeps."""
	undo(for_good=True)
	frappe.db.delete("Singles", {"doctype": settings.DOCTYPE})
	frappe.db.delete("__Auth", {"doctype": settings.DOCTYPE})
	frappe.db.delete("Version", {"ref_doctype": settings.DOCTYPE})
	frappe.clear_document_cache(settings.DOCTYPE, settings.DOCTYPE)


def empty() -> None:
	"""Forget pairing, keys and marks."""
	stored = frappe.get_doc(settings.DOCTYPE)
	stored.update(dict.fromkeys(("pairing", "hook_url", "bridge_user", "key_id", "key_secret"), ""))
	stored.update(dict.fromkeys(("old_key_id", "old_key_secret"), ""))
	stored.set("entities", [])
	stored.flags.from_agencystack = True
	stored.save(ignore_permissions=True)
	frappe.db.delete(numbers.DOCTYPE)
