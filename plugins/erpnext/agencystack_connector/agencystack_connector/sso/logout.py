"""A logout here ends the session at the identity provider too; else the next click on its button logs in again."""

from __future__ import annotations

import frappe

from agencystack_connector.sso import sessions


def on_logout(login_manager=None):
	"""Run by Frappe at every logout; also when somebody deletes another user, which ends no session of the deleter."""
	asked = frappe.form_dict.get("cmd") or frappe.request.path
	if frappe.session.user != "Guest" and asked.rstrip("/").endswith("logout"):
		sessions.end()
