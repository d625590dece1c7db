"""The login page's button leads to our start instead of straight to the identity provider."""

from __future__ import annotations

from urllib.parse import urlencode

import frappe

from agencystack_connector.sso import settings

START = "/api/method/agencystack_connector.sso.login.start"


def update_website_context(context):
	"""Run by Frappe on every page of the site; only the login page has buttons of providers."""
	buttons = context.get("provider_logins")
	if not buttons or not settings.load().enabled:
		return
	wanted = frappe.request.args.get("redirect-to")
	address = f"{START}?{urlencode({'redirect_to': wanted})}" if wanted else START
	for button in buttons:
		if button["name"] == settings.KEY:
			button["auth_url"] = address
