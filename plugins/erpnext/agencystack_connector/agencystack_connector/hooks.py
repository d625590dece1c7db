"""Where Frappe meets this app. Each connection that is not configured changes nothing."""

app_name = "agencystack_connector"
app_title = "AgencyStack Connector"
app_publisher = "AgencyStack Integrations contributors"
app_description = "Connects this site to the other components of an AgencyStack."
app_email = "maintainers@agencystack.example"
app_license = "mit"

before_install = "agencystack_connector.install.before_install"
before_uninstall = "agencystack_connector.install.before_uninstall"

# Frappe's own callbacks believe any state and any redirect in it. `custom` would be a way around ours: it takes the
# name of any Social Login Key.
override_whitelisted_methods = {
	"frappe.integrations.oauth2_logins.login_via_keycloak": "agencystack_connector.sso.login.login_via_keycloak",
	"frappe.integrations.oauth2_logins.custom": "agencystack_connector.sso.login.custom",
}

update_website_context = ["agencystack_connector.sso.button.update_website_context"]
on_logout = ["agencystack_connector.sso.logout.on_logout"]
