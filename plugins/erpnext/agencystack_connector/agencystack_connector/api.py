"""What AgencyStack asks this app over REST, as a System Manager."""

from __future__ import annotations

from dataclasses import asdict

import frappe

from agencystack_connector import __version__
from agencystack_connector.sso import settings
from agencystack_connector.sso.refusals import LoginRefused
from agencystack_connector.sso.signing import checked


@frappe.whitelist()
def sso_state():
	"""Return the app's version and settings, and the site's settings that decide logins beside them."""
	frappe.only_for("System Manager")
	return {
		"version": __version__,
		**asdict(settings.load()),
		"key_enabled": settings.usable(),
		"default_role": frappe.db.get_single_value("Portal Settings", "default_role") or "",
		"disable_signup": bool(frappe.get_website_settings("disable_signup")),
	}


@frappe.whitelist(methods=["POST"])
def check_token(token: str):
	"""Check an ID token as a login does, except for the nonce: ``{"accepted", "reason", "says"}``."""
	frappe.only_for("System Manager")
	now = settings.load()
	try:
		checked(now, settings.provider(now), token, None)
	except LoginRefused as refused:
		return {"accepted": False, "reason": refused.code, "says": refused.says}
	return {"accepted": True, "reason": "", "says": ""}
