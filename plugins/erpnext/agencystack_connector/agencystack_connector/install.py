"""Makes an installation whole, and a removal complete, where Frappe's own way leaves something out."""

import frappe

from agencystack_connector.bridge import settings as bridge
from agencystack_connector.bridge import setup
from agencystack_connector.sso.settings import DOCTYPE


def before_install():
	"""Forget the map of modules: Frappe installs an app that is not in it without its doctypes, and says nothing."""
	frappe.cache.delete_value(["app_modules", "installed_app_modules"])
	frappe.setup_module_map()


def before_uninstall():
	"""Take the settings along: Frappe drops the doctype and keeps its values, which a new installation would obey.

	Of the bridge everything goes but the contents of its custom fields' columns, which Frappe keeps.
	"""
	setup.undo(for_good=True)
	for doctype in (DOCTYPE, bridge.DOCTYPE):
		frappe.db.delete("Singles", {"doctype": doctype})
		frappe.db.delete("__Auth", {"doctype": doctype})
		frappe.db.delete("Version", {"ref_doctype": doctype})
		frappe.clear_document_cache(doctype, doctype)
