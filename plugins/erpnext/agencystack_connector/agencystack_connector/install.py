"""Makes an installation whole, and a removal complete, where Frappe's own way leaves something out."""

import frappe

from agencystack_connector.sso.settings import DOCTYPE


def before_install():
	"""Forget the map of modules: Frappe installs an app that is not in it without its doctypes, and says nothing."""
	frappe.cache.delete_value(["app_modules", "installed_app_modules"])
	frappe.setup_module_map()


def before_uninstall():
	"""Take the settings along: Frappe drops the doctype and keeps its values, which a new installation would obey."""
	frappe.db.delete("Singles", {"doctype": DOCTYPE})
	frappe.db.delete("Version", {"ref_doctype": DOCTYPE})
	frappe.clear_document_cache(DOCTYPE, DOCTYPE)
