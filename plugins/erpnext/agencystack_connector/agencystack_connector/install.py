"""Makes an installation whole where the site still remembers the bench as it was without this app."""

import frappe


def before_install():
	"""Forget the map of modules: Frappe installs an app that is not in it without its doctypes, and says nothing."""
	frappe.cache.delete_value(["app_modules", "installed_app_modules"])
	frappe.setup_module_map()
