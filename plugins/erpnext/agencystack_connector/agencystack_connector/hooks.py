"""Where Frappe meets this app. Each connection that is not configured changes nothing."""

app_name = "agencystack_connector"
app_title = "AgencyStack Connector"
app_publisher = "AgencyStack Integrations contributors"
app_description = "Connects this site to the other components of an AgencyStack."
app_email = "maintainers@agencystack.example"
app_license = "mit"

before_install = "agencystack_connector.install.before_install"
before_uninstall = [
	"agencystack_connector.install.before_uninstall",
	"agencystack_connector.bridge.setup.before_uninstall",
]

# Frappe's own callbacks believe any state and any redirect in it. `custom` would be a way around ours: it takes the
# name of any Social Login Key.
override_whitelisted_methods = {
	"frappe.integrations.oauth2_logins.login_via_keycloak": "agencystack_connector.sso.login.login_via_keycloak",
	"frappe.integrations.oauth2_logins.custom": "agencystack_connector.sso.login.custom",
}

update_website_context = ["agencystack_connector.sso.button.update_website_context"]
on_logout = ["agencystack_connector.sso.logout.on_logout"]

# What changes is kept for the data bridge, in the transaction that changed it (bridge.marking says what marks what).
_changed = "agencystack_connector.bridge.marks.changed"
_renamed = "agencystack_connector.bridge.marks.renamed"
doc_events = {
	"Customer": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Contact": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Address": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Item": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Item Price": {"on_change": _changed, "after_delete": _changed},
	"Item Group": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Bin": {"on_change": _changed, "after_delete": _changed},
	"Stock Ledger Entry": {"on_change": _changed},
	"Stock Reservation Entry": {"on_change": _changed},
	"Repost Item Valuation": {"on_change": _changed},
	"Sales Order": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Delivery Note": {"on_change": _changed, "after_delete": _changed},
	"Sales Invoice": {"on_change": _changed, "after_delete": _changed},
	"Payment Entry": {"on_change": _changed, "after_delete": _changed},
	"Journal Entry": {"on_change": _changed},
	"Lead": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Communication": {"on_change": _changed, "after_delete": _changed},
	"Blog Post": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	"Web Page": {"on_change": _changed, "after_delete": _changed, "after_rename": _renamed},
	# Frappe mutes the sending of mails, not their queueing.
	"Email Queue": {"after_insert": "agencystack_connector.bridge.quiet.queued"},
}

scheduler_events = {"daily": ["agencystack_connector.bridge.outbox.tidy"]}
