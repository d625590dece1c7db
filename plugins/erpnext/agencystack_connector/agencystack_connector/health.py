"""Tells anybody who asks how the site is: ``/api/method/agencystack_connector.health.check``."""

from __future__ import annotations

import json

import frappe
from werkzeug.wrappers import Response

from agencystack_connector import health_checks, health_report
from agencystack_connector.sso.settings import DOCTYPE

TOKEN_HEADER = "X-AgencyStack-Token"  # noqa: S105 - the name of the header
KEPT = "agencystack_health"
LIFETIME = 10
"""Seconds that what was found is told again, so that asking often costs no more than any other request."""


@frappe.whitelist(allow_guest=True, methods=["GET"])
def check():
	"""Answer ``{"from", "status", "checks"}``, with ``detail`` for the token; 503 where the site is down.

	The token has a header of its own: Frappe takes each ``Authorization: Bearer`` for a login, and refuses it.
	"""
	everything = _report()
	token = frappe.get_request_header(TOKEN_HEADER) or ""
	kept = frappe.get_cached_doc(DOCTYPE).get("health_token_hash") or ""
	said = health_report.shown(everything, knows_token=health_report.is_token(token, kept))
	return Response(
		json.dumps(said, separators=(",", ":")),
		status=health_report.status_code(everything),
		mimetype="application/json",
		headers={"Cache-Control": "no-store"},
	)


def _report():
	"""Return what is known from some seconds ago, or is found now."""
	kept = frappe.cache.get_value(KEPT, expires=True)
	if kept:
		return json.loads(kept)
	found = health_checks.everything()
	frappe.cache.set_value(KEPT, json.dumps(found), expires_in_sec=LIFETIME)
	return found
