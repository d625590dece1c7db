"""Word that a record changed, until the bridge has taken it."""

import frappe
from frappe.model.document import Document


class AgencyStackChange(Document):
	"""Written and deleted by SQL alone (``bridge.outbox``); shown here to administrators."""


def on_doctype_update():
	"""Let the database number the rows: its counter survives restarts and deletes, and a backup brings back its own."""
	table = "tabAgencyStack Change"
	[[extra]] = frappe.db.sql(
		"select extra from information_schema.columns"
		" where table_schema = database() and table_name = %s and column_name = 'name'",
		table,
	)
	if "auto_increment" not in extra:
		frappe.db.sql_ddl(f"alter table `{table}` modify name bigint not null auto_increment")
